"""What variables name to the loader of libraries (``LD_PRELOAD`` and its like): in a record, and here.

A record and the record of its replay call one file otherwise, as each has a root of its own: what is compared
are absolute paths. Nothing is set: a record may come from a stranger, and what it names from another machine.
"""

import os
from collections.abc import Mapping

from fourfold.formats.native.record import RunRecord
from fourfold.runs.changes import mapping, value_of
from fourfold.runs.environment.section import named_to_loader

#: Absolute paths, by variable; what lies where an environment was made from keeps its ``{base}/``.
Loaders = Mapping[str, list[str]]
_PREFIX, _BASE = "{prefix}", "{base}"


def loaders_of(record: RunRecord, root: str, home: str) -> Loaders:
    """What they named in a run.

    Args:
        record: Of the run.
        root: The root of the project, absolute.
        home: The home folder.
    """
    prefix = str(mapping(value_of(record.environment, "interpreter")).get("prefix", _PREFIX))

    def whole(entry: str) -> str:
        if entry == _PREFIX or entry.startswith(f"{_PREFIX}/"):
            entry = prefix + entry.removeprefix(_PREFIX)
        if entry == "~" or entry.startswith("~/"):
            entry = home + entry[1:]
        return entry if entry.startswith("{") else _whole(entry, root)

    named = mapping(value_of(record.environment, "loader"))
    return {
        str(name): [whole(str(entry)) for entry in entries]
        for name, entries in named.items()
        if isinstance(entries, list)
    }


def loaders_here(environ: Mapping[str, str], root: str) -> Loaders:
    """What they name here.

    Args:
        environ: The variables.
        root: The root of the project, absolute.
    """
    named = named_to_loader(environ, os.path.normpath)
    return {name: [_whole(entry, root) for entry in entries] for name, entries in named.items()}


def first_other(then: Loaders, now: Loaders) -> str | None:
    """The first variable that names something else now, in words; None for none."""
    for name in sorted({*then, *now}):
        was, is_ = then.get(name, []), now.get(name, [])
        if len(was) != len(is_) or not all(map(_is_alike, was, is_)):
            told = [":".join(entries) or "nothing" for entries in (was, is_)]
            return f"{name} named {told[0]} to the loader of libraries then, and {told[1]} now"
    return None


def _whole(entry: str, root: str) -> str:
    return os.path.normpath(os.path.join(root, entry))


def _is_alike(then: str, now: str) -> bool:
    """Whether two paths can be one; where the base of an environment lay is in no record."""
    return then == now or (then.startswith(f"{_BASE}/") and now.endswith(then.removeprefix(_BASE)))
