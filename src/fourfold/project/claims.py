"""Where in its file an owner says what it makes or needs: line and column, for messages about contradictions.

Read again from the workspace, and only when something is wrong: whoever loads owners pays nothing for it.
"""

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.reading import read_file

if TYPE_CHECKING:
    from fourfold.project.outs import Owner, Tracked

#: Keys below which an owner names its outputs, and its dependencies.
MAKES = ("outs", "metrics", "plots")
NEEDS = ("deps", "params")

_READ_MAX = 16 * 1024 * 1024
#: Longer texts are no paths.
_LONGEST = 4096
_TEMPLATE = re.compile(r"\$\{[^}]*\}")


def place_of_output(out: "Tracked") -> str:
    """``dvc.yaml:12:7``: where an owner of the workspace names an output; see `place_of`."""
    return place_of(out.owner, out.output.path, MAKES)


def place_of_dependency(owner: "Owner", path: str) -> str:
    """The same for a dependency, or a file of parameters, by its absolute path."""
    from fourfold.formats.dvc.stages import DEFAULT_PARAMS  # noqa: PLC0415 - only a mistake pays for it

    names = [dep.path for dep in owner.deps]
    names += [spec.file or DEFAULT_PARAMS for spec in owner.params_wanted]
    text = next((name for name in names if os.path.normpath(os.path.join(owner.wdir, name)) == path), path)
    return place_of(owner, text, NEEDS)


def place_of(owner: "Owner", text: str, keys: Iterable[str]) -> str:
    """Where an owner of the workspace names a path.

    Args:
        owner: Who names it.
        text: The path as written; for a stage that a template makes, as it was resolved.
        keys: The lists that may hold it: `MAKES` or `NEEDS`.

    Returns:
        File, line and column. The place of the stage where the entry cannot be told; the file alone where
        nothing can, for example because it changed meanwhile.
    """
    from fourfold.formats.dvc import yaml_ruamel, yamlio  # noqa: PLC0415 - only a mistake pays for it

    try:
        data = read_file(owner.file, _READ_MAX)
        found = _path_to(yamlio.load(data, owner.relpath), owner.name, text, list(keys))
        if found is None:
            return owner.relpath
        path, at_key = found
        line, column = yaml_ruamel.locate(yamlio.decode(data, owner.relpath), path, at_key=at_key)
    except (OSError, FourfoldError):
        return owner.relpath
    return owner.relpath if line is None else f"{owner.relpath}:{line}:{column}"


def _path_to(
    document: Any, name: str | None, text: str, keys: list[str]
) -> tuple[tuple[str | int, ...], bool] | None:
    """The way to an entry, and whether it is a key; None when even the stage is not there."""
    base: tuple[str | int, ...] = ()
    entry = document
    if name is not None:
        stages = document.get("stages") if isinstance(document, dict) else None
        found = next((key for key in (name, name.partition("@")[0]) if key in (stages or {})), None)
        if stages is None or found is None:
            return None
        base, entry = ("stages", found), stages[found]
        if isinstance(entry, dict) and "do" in entry:
            base, entry = (*base, "do"), entry["do"]
    listed = [
        (key, at, item)
        for key in keys
        if isinstance(entry, dict)
        for at, item in enumerate(entry.get(key) or ())
    ]
    for test in (_says, _may_say):
        for key, at, item in listed:
            inner = test(item, text, key)
            if inner is not None:
                return (*base, key, at, *inner), bool(inner)
    return (base[:2], True) if base else None


def _says(item: Any, text: str, key: str) -> tuple[str, ...] | None:
    """The way from one entry of a list to the path that it names, if it is ``text``."""
    if isinstance(item, str):
        return () if item == text or (key == "params" and text == "params.yaml") else None
    if isinstance(item, dict):
        return ("path",) if item.get("path") == text else (text,) if text in item else None
    return None


def _may_say(item: Any, text: str, key: str) -> tuple[str, ...] | None:
    """The same, where the entry is a template that may have become ``text``."""
    del key
    names = [item] if isinstance(item, str) else list(item) if isinstance(item, dict) else []
    for name in names:
        if not isinstance(name, str) or len(name) > _LONGEST or not _TEMPLATE.search(name):
            continue
        if _fits(_TEMPLATE.split(name), text):
            return () if isinstance(item, str) else (name,)
    return None


def _fits(pieces: list[str], text: str) -> bool:
    """Whether a text begins and ends with the outer pieces and holds the others between, in their order."""
    first, *inner, last = pieces
    if not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in inner:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return at <= end
