"""The words of a comparison of two runs: a change, and how facts are read to find it.

Records may come from elsewhere, and from other versions: what is not as expected is read as not known.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple, TypeGuard

from fourfold.base.errors import FourfoldError
from fourfold.content.objects import is_object_name
from fourfold.formats.native.fact import Fact, Section
from fourfold.formats.native.record import RunRecord, is_id

#: What a change is. *moved*: may be why results differ. *unread*: changed, and the run did not read it.
#: *result*: what came out. *aside*: says nothing about results: how well it was watched, names of commits.
Kind = Literal["moved", "unread", "result", "aside"]
#: Reads a part by its id.
Part = Callable[[str], Mapping[str, Any]]

#: More differences in one fact are one line with their number.
MOST = 200
_DEEPEST = 8


class Change(NamedTuple):
    """One thing that is otherwise.

    Attributes:
        coordinate: ``code``, ``data``, ``environment``, ``randomness``; ``outcome`` for results; ``trace``.
        name: What: a file, ``params.yaml:lr``, a distribution, a fact.
        before: Value in the first run; None when it had none.
        after: Value in the second run.
        kind: What the change is.
        note: More about it: ``+1 row``.
    """

    coordinate: str
    name: str
    before: Any = None
    after: Any = None
    kind: Kind = "moved"
    note: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        found = {
            "coordinate": self.coordinate,
            "name": self.name,
            "before": self.before,
            "after": self.after,
        }
        return {**found, "note": self.note} if self.note else found


def value_of(section: Section, name: str) -> Any:
    """The value of a fact; None when it is absent."""
    fact = section.get(name)
    return fact.value if fact is not None and fact.grade != "absent" else None


def mapping(value: object) -> Mapping[str, Any]:
    """A value that should be a mapping; an empty one when it is none."""
    return value if isinstance(value, Mapping) else {}


def reference(value: object) -> str | None:
    """The id of the part that a value names; None when it names none."""
    if isinstance(value, Mapping) and set(value) == {"part", "size"} and is_id(str(value["part"])):
        return str(value["part"])
    return None


def opened(value: Any, part: Part) -> Any:
    """A value, or the part that it names; None when that is not here."""
    name = reference(value)
    if name is None:
        return value
    with suppress(FourfoldError):
        return part(name)
    return None


def by_path(value: object) -> dict[str, Mapping[str, Any]]:
    """Rows with a path each, by path."""
    rows = value if isinstance(value, list | tuple) else ()
    return {row["path"]: row for row in rows if isinstance(row, Mapping) and isinstance(row.get("path"), str)}


def rows_of(record: RunRecord, name: str) -> list[Mapping[str, Any]]:
    """The rows of a fact of the data that have a path: inputs, outputs.

    A digest that is none, or a number that no file has, is left out of its row: a name that leads out of the
    cache is never followed, whoever reads.
    """
    value = value_of(record.data, name)
    rows = value if isinstance(value, list | tuple) else ()
    return [_sound(row) for row in rows if isinstance(row, Mapping) and is_path(row.get("path"))]


def is_path(text: object) -> TypeGuard[str]:
    """Whether a file system can be asked for it at all."""
    if not isinstance(text, str) or "\0" in text:
        return False
    try:
        return text.isascii() or bool(os.fsencode(text))
    except UnicodeEncodeError:
        return False


def _sound(row: Mapping[str, Any]) -> Mapping[str, Any]:
    wrong = {key for key, fits in _SOUND.items() if row.get(key) is not None and not fits(row[key])}
    return {key: value for key, value in row.items() if key not in wrong} if wrong else row


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


_SOUND: Mapping[str, Callable[[Any], bool]] = {
    "md5": lambda value: isinstance(value, str) and is_object_name(value),
    "blake3": lambda value: isinstance(value, str) and is_id(value),
    "role": lambda value: isinstance(value, str),
    "size": _is_count,
    "nfiles": _is_count,
}


def absent_of(record: RunRecord) -> frozenset[str]:
    """The inputs and outputs of a run that were not there."""
    found = value_of(record.data, "missing")
    return frozenset(path for path in (found if isinstance(found, list) else ()) if isinstance(path, str))


def paths_in(value: Any, part: Part) -> list[str]:
    """The paths that a fact lists, itself or in the rows of a part."""
    found = opened(value, part)
    rows = found.get("rows") if isinstance(found, Mapping) else found
    return [row for row in rows if isinstance(row, str)] if isinstance(rows, list | tuple) else []


def params_of(record: RunRecord, part: Part) -> Mapping[str, Mapping[str, Any]]:
    """The parameters of a run, by file and key."""
    value = value_of(record.data, "params")
    found = mapping(opened(value, part))
    if reference(value) is not None:
        found = mapping(found.get("params"))
    return {file: keys for file, keys in found.items() if isinstance(keys, Mapping)}


def coverage_of(record: RunRecord) -> str | None:
    """How a run was watched."""
    found = mapping(value_of(record.trace, "coverage")).get("method")
    return found if isinstance(found, str) else None


def saw_all(record: RunRecord) -> bool:
    """Whether a run was watched so that no reading of a file was missed."""
    return coverage_of(record) in {"seccomp", "strace"}


def is_named(row: Mapping[str, Any], blake3: str, md5: str) -> bool:
    """Whether a row names the content that has these digests: by each one that it has, and by one at least.

    One that is right proves the other one not: a record that somebody made up can name what a replay makes by
    its BLAKE3, and by its MD5 what ``dvc.lock`` is to have instead.
    """
    said = row.get("blake3"), row.get("md5")
    return any(said) and said[0] in {None, "", blake3} and said[1] in {None, "", md5}


def content_of(row: Mapping[str, Any] | None, other: Mapping[str, Any] | None = None) -> Any:
    """What names the content of a row, in the words that another row has too."""
    if row is None:
        return None
    for key in ("blake3", "md5", "version"):
        if row.get(key) and (other is None or other.get(key)):
            return row[key]
    return row.get("blake3") or row.get("md5") or row.get("version")


def differing(
    coordinate: str, name: str, a: Fact | None, b: Fact | None, part: Part, kind: Kind = "moved"
) -> list[Change]:
    """The leaves in which two facts differ."""
    first = a.value if a is not None and a.grade != "absent" else None
    second = b.value if b is not None and b.grade != "absent" else None
    if first == second:
        return []
    if first is None or second is None:
        lacking = a if first is None else b
        why = lacking.why if lacking is not None else ""
        # Not known on one side: nobody can say that it moved.
        return [Change(coordinate, name, first, second, "aside", why or "not recorded in one of them")]
    found = [
        Change(coordinate, path, before, after, kind)
        for path, before, after in leaves(name, first, second, part)
    ]
    if len(found) > MOST:
        return [Change(coordinate, name, None, None, kind, f"{len(found)} differences")]
    return found


def leaves(name: str, a: Any, b: Any, part: Part, depth: int = 0) -> Iterable[tuple[str, Any, Any]]:
    """The dotted names at which two values differ, with what each has there."""
    if a == b:
        return
    if reference(a) or reference(b):
        first, second = opened(a, part), opened(b, part)
        if first is None or second is None:
            yield name, a, b
        else:
            yield from leaves(name, first, second, part, depth + 1)
        return
    if isinstance(a, Mapping) and isinstance(b, Mapping) and depth < _DEEPEST:
        for key in sorted({*a, *b}, key=str):
            yield from leaves(f"{name}.{key}", a.get(key), b.get(key), part, depth + 1)
        return
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        gone, new = [each for each in a if each not in b], [each for each in b if each not in a]
        if gone or new:
            yield name, gone or None, new or None
            return
    yield name, a, b
