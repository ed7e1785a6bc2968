"""What differs between two environments: a pure function of two sections and their parts, ranked.

First what most often explains another result: versions of what was imported, the interpreter, the image,
threads and kernels; last what seldom does. `digest` follows from the rest and is not compared.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from fourfold.formats.native.fact import Fact, Section

#: What happened to a thing: another version; the same version with other files; it came, it went; it differs.
Kind = Literal["version", "record", "added", "removed", "changed"]


class Change(NamedTuple):
    """One difference.

    Attributes:
        coordinate: ``environment``.
        fact: The fact that it is in.
        name: Of what differs in it: a distribution, a library, a dotted key; "" for all of it.
        kind: What happened.
        before: Of the first environment; None where it is not.
        after: Of the second; likewise.
        weight: Its rank: less is more likely to matter.
    """

    coordinate: str
    fact: str
    name: str
    kind: Kind
    before: Any
    after: Any
    weight: int


Part = Callable[[str], Mapping[str, Any]]

#: Facts, by how likely they explain another result; those that are not here come after them.
_ORDER = (
    "interpreter",
    "image",
    "blas",
    "simd",
    "threads",
    "frameworks",
    "accelerators",
    "flags",
    "libraries",
    "loader",
    "conda",
    "lock",
    "executables",
    "locale",
    "host",
    "limits",
    "path",
)
_RANKS = {name: 20 + 2 * number for number, name in enumerate(_ORDER)}
_LAST = 90
#: Follows from others, or is told by them.
_DERIVED = frozenset({"digest"})
#: Keys that say where something is and not what it is.
_PLACES = frozenset({("interpreter", "prefix")})
#: What names a build within the name of a library's file: versions, and the hashes that repaired wheels
#: carry.
_BUILD = re.compile(r"-[0-9a-f]{8}(?=[.])|(?:\.\d+)+$|(?<=\d)\.\d+(?=/|\.so)")


def compare(before: Section, after: Section, part: Part) -> tuple[Change, ...]:
    """What differs between two sections ``environment``, the most telling first.

    Args:
        before: One section.
        after: Another.
        part: Gives the document of a part by its digest; whatever it raises is the caller's.
    """
    changes: list[Change] = []
    for name in sorted({*before, *after} - _DERIVED):
        changes += _fact(name, before.get(name), after.get(name), part)
    return tuple(sorted(changes, key=lambda change: (change.weight, change.fact, change.kind, change.name)))


def _fact(name: str, before: Fact | None, after: Fact | None, part: Part) -> Iterator[Change]:
    one, other = _value(before), _value(after)
    if one == other:
        return
    if one is None or other is None:
        kind: Kind = "added" if one is None else "removed"
        yield Change("environment", name, "", kind, _told(one), _told(other), _weight(name))
        return
    if name in {"distributions", "libraries"}:
        listing = _distributions if name == "distributions" else _libraries
        yield from listing(_listed(one, part), _listed(other, part))
        return
    if _is_part(one) and _is_part(other):
        one, other = _listed(one, part), _listed(other, part)
    for key, left, right in _leaves("", one, other):
        if (name, key) in _PLACES:
            continue
        yield Change("environment", name, key, _kind(left, right), left, right, _weight(name))


def _value(fact: Fact | None) -> Any:
    return fact.value if fact is not None and fact.grade != "absent" else None


def _told(value: Any) -> Any:
    """A value in a difference: all of it, but of a part only that it is there."""
    return "captured" if isinstance(value, Mapping | list | tuple) else value


def _weight(fact: str) -> int:
    return _RANKS.get(fact, _LAST)


def _kind(before: Any, after: Any) -> Kind:
    if before is None:
        return "added"
    return "removed" if after is None else "changed"


def _is_part(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"part", "size"}


def _listed(value: Any, part: Part) -> Mapping[str, Any]:
    reference = value.get("part") if isinstance(value, Mapping) else None
    return part(reference) if isinstance(reference, str) else {}


def _distributions(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        one, other = _entry(before.get(name)), _entry(after.get(name))
        used = one.get("imported") is True or other.get("imported") is True
        weight = 10 if used else 80
        if not one or not other:
            kind: Kind = "added" if not one else "removed"
            change = (kind, one.get("version"), other.get("version"), weight + 2)
        elif one.get("version") != other.get("version"):
            change = ("version", one.get("version"), other.get("version"), weight)
        elif one.get("record") != other.get("record"):
            change = ("record", one.get("record"), other.get("record"), weight + 1)
        elif (origin := _origin(one)) != (moved := _origin(other)):
            change = ("changed", origin, moved, weight + 1)
        else:
            continue
        yield Change("environment", "distributions", name, *change)


def _entry(value: Any) -> Mapping[str, Any]:
    """One row of a listing; records come from elsewhere, and may hold anything."""
    return value if isinstance(value, Mapping) else {}


def _origin(entry: Mapping[str, Any]) -> str:
    """Where a distribution comes from, when that is no index."""
    words = [entry.get("direct"), entry.get("source"), entry.get("commit")]
    return " ".join(str(word) for word in words if word) or "an index"


def _libraries(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Libraries whose names differ by their version or build only are one that changed."""
    gone = {name: before[name] for name in sorted(set(before) - set(after))}
    new = {name: after[name] for name in sorted(set(after) - set(before))}
    weight = _weight("libraries")
    for name in sorted(set(before) & set(after)):
        one, other = _build(before[name]), _build(after[name])
        if one != other:
            yield Change("environment", "libraries", name, "changed", one, other, weight)
    stems: dict[str, list[str]] = {}
    for name in new:
        stems.setdefault(_BUILD.sub("", name), []).append(name)
    for name, entry in gone.items():
        twins = stems.get(_BUILD.sub("", name))
        if twins:
            twin = twins.pop(0)
            yield Change("environment", "libraries", name, "version", name, twin, weight)
            del new[twin]
        else:
            yield Change("environment", "libraries", name, "removed", _build(entry), None, weight + 1)
    for name, entry in new.items():
        yield Change("environment", "libraries", name, "added", None, _build(entry), weight + 1)


def _build(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return ""
    return str(entry.get("build_id") or entry.get("blake3") or "gone")


def _leaves(prefix: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """What differs below two values: dotted keys and both values."""
    before, after = _opposite(before, after), _opposite(after, before)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            inner = f"{prefix}.{key}" if prefix else str(key)
            yield from _leaves(inner, before.get(key), after.get(key))
    elif _all_named(before) and _all_named(after):
        yield from _leaves(prefix, _by_file(before), _by_file(after))
    elif before != after:
        yield prefix, before, after


def _opposite(value: Any, other: Any) -> Any:
    """What is compared with a group of things where there is none: an empty group. A library is one thing."""
    is_group = isinstance(other, Mapping) and "file" not in other
    return {} if value is None and is_group else value


def _by_file(rows: Any) -> dict[str, Any]:
    return {str(row["file"]): row for row in rows}


def _all_named(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) and "file" in one for one in value)
