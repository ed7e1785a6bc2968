"""YAML as DVC reads and writes it: the doors that the other formats of this folder go through.

DVC reads with ruamel.yaml's YAML 1.2 loader and writes with its round-trip emitter, so "correct" here
means: the same values, and the same bytes, as ruamel. Documents of the plain shape that machines
write are read and written without importing ruamel (`yaml_read`, `yaml_emit`: a few milliseconds
saved on every start); everything else goes to `yaml_ruamel`, imported on first need. No input or
output, and no knowledge of what the documents mean.
"""

from collections.abc import Mapping
from typing import Any

from fourfold.base.errors import InvalidFileError

#: Larger documents are refused unread.
MAX_BYTES = 16 * 1024 * 1024
#: Deeper nesting is refused.
MAX_DEPTH = 64
#: A document with aliases may not unfold into more nodes than this.
MAX_NODES = 100_000


class BadYamlError(InvalidFileError):
    """A document is not YAML that we accept: wrong syntax, a duplicate key, beyond the caps.

    Attributes:
        source: The name of the document, as its reader knows it.
        line: Counted from 1; None when the fault has no place.
        column: Counted from 1; None when the fault has no place.
    """

    code = "bad-yaml"

    def __init__(
        self, source: str, problem: str, *, line: int | None = None, column: int | None = None, hint: str = ""
    ) -> None:
        where = source
        if line is not None:
            where += f":{line}" if column is None else f":{line}:{column}"
        super().__init__(f"{where}: {problem}" if where else problem, hint=hint)
        self.source = source
        self.line = line
        self.column = column


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
    from fourfold.formats.dvc import yaml_ruamel  # noqa: PLC0415 - only for what the quick reader leaves

    return yaml_ruamel.load(decode(data, source), source)


def dump(value: Any) -> bytes:
    """Write a document, byte for byte as ruamel.yaml's round-trip emitter does on a first write."""
    from fourfold.formats.dvc import yaml_ruamel  # noqa: PLC0415 - only for what the quick writer leaves

    return yaml_ruamel.dump(value)


def update(old: bytes, new: Mapping[str, Any], source: str = "") -> bytes:
    """Change ``old`` into a document that says ``new``, keeping what the user wrote around it.

    Comments, key order and flow style stay; new keys go to the end of their mapping, keys that
    ``new`` lacks go away, and a list whose length differs is replaced.

    Raises:
        BadYamlError: ``old`` cannot be read.
    """
    from fourfold.formats.dvc import yaml_ruamel  # noqa: PLC0415 - only for what the quick writer leaves

    return yaml_ruamel.update(decode(old, source), new, source)
