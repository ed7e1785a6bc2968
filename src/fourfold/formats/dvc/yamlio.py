"""YAML as DVC reads and writes it: the doors that the other formats of this folder go through.

DVC reads with ruamel.yaml's YAML 1.2 loader and writes with its round-trip emitter, so "correct" here
means: the same values, and the same bytes, as ruamel. Documents of the plain shape that machines
write are read and written without importing ruamel (`yaml_read`, `yaml_emit`: a few milliseconds
saved on every start); everything else goes to `yaml_ruamel`, imported on first need. No input or
output, and no knowledge of what the documents mean.
"""

from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any, TypeGuard

from fourfold.formats.dvc import yaml_read
from fourfold.formats.dvc.yaml_faults import MAX_BYTES, BadYamlError

__all__ = [
    "BadYamlError",
    "Document",
    "decode",
    "dump",
    "edit",
    "insert",
    "load",
    "mapping_in",
    "merge_into",
    "update",
    "without",
]

Document = MutableMapping[Any, Any]


def decode(data: bytes, source: str) -> str:
    """The text of a document: UTF-8, line ends as LF.

    Raises:
        BadYamlError: too large, or not UTF-8.
    """
    if len(data) > MAX_BYTES:
        raise BadYamlError(source, f"larger than {MAX_BYTES} bytes ({len(data)})")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        raise BadYamlError(
            source,
            f"not UTF-8: byte 0x{data[error.start]:02x}",
            line=before.count(b"\n") + 1,
            column=len(before) - before.rfind(b"\n"),
            hint="save the file as UTF-8",
        ) from None
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def load(data: bytes, source: str = "") -> Any:
    """Read one document as ruamel.yaml's safe YAML 1.2 loader would; an empty one is None.

    Raises:
        BadYamlError: wrong syntax, a duplicate key, not UTF-8, or beyond the caps.
    """
    text = decode(data, source)
    quick = yaml_read.read(text)
    if quick is not None:
        return quick.value
    from fourfold.formats.dvc import yaml_ruamel  # noqa: PLC0415 - only for what the quick reader leaves

    return yaml_ruamel.load(text, source)


def dump(value: Any) -> bytes:
    """Write a document, byte for byte as ruamel.yaml's round-trip emitter does on a first write."""
    from fourfold.formats.dvc import yaml_emit  # noqa: PLC0415 - what only reads never writes

    quick = yaml_emit.emit(value)
    if quick is not None:
        return quick
    from fourfold.formats.dvc import yaml_ruamel  # noqa: PLC0415 - only for what the quick writer leaves

    return yaml_ruamel.dump(value)


def update(old: bytes, new: Mapping[str, Any], source: str = "") -> bytes:
    """Change ``old`` into a document that says ``new``, keeping what the user wrote around it.

    Comments, key order and flow style stay; new keys go to the end of their mapping, keys that
    ``new`` lacks go away, and a list whose length differs is replaced.

    Raises:
        BadYamlError: ``old`` cannot be read, or is not a mapping.
    """

    def change(document: Document) -> Document:
        merge_into(document, new)
        return document

    return edit(old, change, source)


def edit(old: bytes, change: Callable[[Document], Mapping[Any, Any]], source: str = "") -> bytes:
    """Change ``old`` by a function from its document (an empty mapping when empty) to the one to write.

    What the function leaves alone keeps its comments, order and flow style.

    Args:
        old: The document's bytes.
        change: May run twice, on two documents that say the same.
        source: How messages call the document.

    Raises:
        BadYamlError: ``old`` cannot be read, or is not a mapping.
    """
    text = decode(old, source)
    quick = yaml_read.read(text)
    document = None
    if quick is not None:
        # Comments of a document without content go away, as they do for DVC.
        document = {} if quick.value is None else quick.value if quick.bare else None
    if type(document) is dict:
        from fourfold.formats.dvc import yaml_emit  # noqa: PLC0415 - what only reads never writes

        new = yaml_emit.emit(change(document))
        if new is not None:
            return new
    from fourfold.formats.dvc import yaml_ruamel  # noqa: PLC0415 - only for what the quick ways leave

    return yaml_ruamel.edit(text, change, source)


def mapping_in(document: Document, key: str, source: str) -> Document:
    """The mapping under ``key``, put there when missing or empty.

    Raises:
        BadYamlError: something else is there.
    """
    found = document.get(key)
    if found is None:
        found = document[key] = {}
    if not isinstance(found, MutableMapping):
        raise BadYamlError(source, f"{key!r} is not a mapping")
    return found


def insert(document: MutableMapping[Any, Any], before: Any, key: Any, value: Any) -> None:
    """Put a new key into a mapping before one that it has."""
    place = getattr(document, "insert", None)
    if place is not None:  # a mapping of ruamel, which keeps comments at its keys
        place(list(document).index(before), key, value)
        return
    later = list(document)
    later = later[later.index(before) :]
    document[key] = value
    for name in later:
        document[name] = document.pop(name)


def without(old: bytes, group: str, name: str, source: str) -> bytes | None:
    """``old`` less the entry ``name`` of the mapping ``group``; None when that was the last one.

    Raises:
        BadYamlError: ``old`` cannot be read, or ``group`` is not a mapping.
    """
    left = True

    def change(document: Document) -> Document:
        nonlocal left
        entries = mapping_in(document, group, source)
        entries.pop(name, None)
        left = bool(entries)
        return document

    data = edit(old, change, source)
    return data if left else None


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _merge_value(old: Any, new: Any) -> bool:
    """Merge containers of one kind in place; False when ``new`` has to be put in its place."""
    if isinstance(old, MutableMapping) and isinstance(new, Mapping):
        merge_into(old, new)
        return True
    if isinstance(old, MutableSequence) and _is_list(new):
        if len(old) != len(new):
            old[:] = new
        for index, item in enumerate(new):
            if not _merge_value(old[index], item) and old[index] != item:
                old[index] = item
        return True
    return False


def merge_into(old: MutableMapping[Any, Any], new: Mapping[Any, Any]) -> None:
    """Make ``old`` equal ``new``, touching no entry that is equal already."""
    for key, value in new.items():
        if key not in old or (not _merge_value(old[key], value) and old[key] != value):
            old[key] = value
    for key in [key for key in old if key not in new]:
        del old[key]
