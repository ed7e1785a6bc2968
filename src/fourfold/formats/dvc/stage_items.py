"""Entries added to the lists of a stage that is in a ``dvc.yaml`` already, its layout kept.

Stages that a template makes are one entry there: what is added to it is added to all of them. No input or
output; what a whole stage says is `stages`.
"""

import re
from collections.abc import Iterable, Mapping, MutableMapping, MutableSequence
from typing import Any

from fourfold.base.errors import InvalidFileError
from fourfold.formats.dvc import yamlio
from fourfold.formats.dvc.yaml_ruamel import locate

#: The keys of a stage in the order in which DVC writes them.
_ORDER = (
    "desc",
    "cmd",
    "wdir",
    "deps",
    "params",
    "outs",
    "metrics",
    "plots",
    "frozen",
    "always_changed",
    "meta",
)
_ITEM = re.compile(r"( *)- +\S")
_PLAIN = re.compile(r"[A-Za-z_./][\w./-]*", re.ASCII)
_NESTED = re.compile(r"^( *)[\w-]+:[ \t]*\n\1( *)- ", re.MULTILINE)

Place = tuple[str | int, ...]


def with_items(old: bytes, entry: str, lists: Mapping[str, Iterable[Any]], source: str = "") -> bytes:
    """The bytes of a ``dvc.yaml`` with more entries in lists of a stage.

    Lines are added to the text, and nothing else in it changes, wherever that says what it should; else the
    document is written anew with its comments, as `yamlio.edit` does.

    Args:
        old: The file.
        entry: The key below ``stages``; of a stage that ``foreach`` or ``matrix`` makes, its group.
        lists: By key of the stage (``deps``, ``outs``): what to add. What is there already is left alone.
        source: How messages call the file.

    Raises:
        BadYamlError: the file cannot be read, or has no such entry.
    """
    data = old
    for key, items in lists.items():
        path, stage = _stage(yamlio.load(data, source), entry, source)
        known = stage.get(key)
        new = [item for item in items if not _has(known, item)]
        if not new:
            continue

        def change(document: yamlio.Document, key: str = key, new: list[Any] = new) -> yamlio.Document:
            _add(_stage(document, entry, source)[1], key, new)
            return document

        wanted = yamlio.load(yamlio.edit(data, change, source), source)
        text = _as_lines(yamlio.decode(data, source), (*path, key), stage, new)
        written = text.encode() if text is not None else b""
        data = written if text is not None and _says(written, wanted) else yamlio.edit(data, change, source)
    return data


def _stage(document: Any, entry: str, source: str) -> tuple[Place, MutableMapping[Any, Any]]:
    """The mapping that holds the lists of a stage, and the way to it."""
    stages = document.get("stages") if isinstance(document, Mapping) else None
    stage = stages.get(entry) if isinstance(stages, Mapping) else None
    if isinstance(stage, MutableMapping) and isinstance(stage.get("do"), MutableMapping):
        return ("stages", entry, "do"), stage["do"]
    if not isinstance(stage, MutableMapping):
        raise yamlio.BadYamlError(source, f"'stages' has no {entry!r}")
    return ("stages", entry), stage


def _says(data: bytes, wanted: Any) -> bool:
    try:
        return bool(yamlio.load(data) == wanted)
    except InvalidFileError:
        return False


# --- as lines of text -------------------------------------------------------------------------------------


def _as_lines(text: str, path: Place, stage: Mapping[Any, Any], new: list[Any]) -> str | None:
    """The text with lines for new entries; None where there is no place for lines."""
    lines = text.splitlines(keepends=True)
    if not text.endswith("\n") or "\t" in text or "\r" in text:
        return None
    known = stage.get(path[-1])
    if known is None:
        put = _with_key(text, lines, path, stage, new)
    else:
        put = isinstance(known, list) and _with_rows(text, lines, path, known, new)
    return "".join(lines) if put else None


def _with_rows(text: str, lines: list[str], path: Place, known: list[Any], new: list[Any]) -> bool:
    """Put entries behind those that a list has; whether there was a place for them."""
    last = next((at for at in range(len(known) - 1, -1, -1) if isinstance(known[at], str)), None)
    line, column = locate(text, (*path, last)) if last is not None else (None, None)
    if line is None or column is None:
        return False
    match = _ITEM.match(lines[line - 1])
    if match is not None:
        lines[line:line] = _items(new, match[1])
        return True
    row = lines[line - 1]
    bracket = row.find("]", column)
    if bracket < 0 or not all(isinstance(item, str) and _PLAIN.fullmatch(item) for item in new):
        return False
    lines[line - 1] = row[:bracket] + "".join(f", {item}" for item in new) + row[bracket:]
    return True


def _with_key(text: str, lines: list[str], path: Place, stage: Mapping[Any, Any], new: list[Any]) -> bool:
    """Put a new list where DVC would write it; whether there was a place for it."""
    later = _ORDER[_ORDER.index(str(path[-1])) + 1 :]
    following = next((name for name in stage if name in later), next(reversed(list(stage))))
    line, column = locate(text, (*path[:-1], following), at_key=True)
    if line is None or column is None:
        return False
    at = line - 1
    while at and (not lines[at - 1].strip() or lines[at - 1].lstrip().startswith("#")):
        at -= 1  # a remark above a key is about that key
    indent = " " * (column - 1)
    nested = _NESTED.search(text)
    lines[at:at] = [
        f"{indent}{path[-1]}:\n",
        *_items(new, indent + (nested[2] if nested is not None else "")),
    ]
    return True


def _items(new: list[Any], indent: str) -> list[str]:
    rows = yamlio.dump(new).decode().splitlines(keepends=True)
    return [indent + row for row in rows]


# --- what a path is in a list -----------------------------------------------------------------------------


def escaped(text: str, *, templated: bool) -> str:
    """A path as an item of a list: where the file has templates, what would begin one does not."""
    return text.replace("${", "\\${") if templated else text


def _has(known: object, item: Any) -> bool:
    name = next(iter(item)) if isinstance(item, Mapping) else item
    entries = known if isinstance(known, MutableSequence) else []
    return any(
        name == (next(iter(entry), None) if isinstance(entry, Mapping) else entry) for entry in entries
    )


def _add(stage: MutableMapping[Any, Any], key: str, new: list[Any]) -> None:
    known = stage.get(key)
    if isinstance(known, MutableSequence):
        known.extend(new)
        return
    later = _ORDER[_ORDER.index(key) + 1 :]
    before = next((name for name in stage if name in later), None)
    if key in stage or before is None:
        stage[key] = new
    else:
        yamlio.insert(stage, before, key, new)
