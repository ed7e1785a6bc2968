"""Suspects in order, before anything is run: how likely each change is why a result is another one.

A score is from 0 to 1 and the same for the same records: whether it was read, whether a path leads from it to
the result, what kind of thing it is, and how much of it changed. Each reason that made the score is said in
words, and only what is known is said. Known harms (labels that tip over, rows in train and test, a column
that tells the label) come first. This module orders; what the changes are is `explain`, and how much each of
them did is measured by `attribute`.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from fourfold.runs.changes import Change
from fourfold.runs.results import is_finite

#: What a change counts when its size says nothing: changed rows, parameters, code, packages, seeds, host;
#: rows that only stand in another order, or are written otherwise and mean the same, count little.
_BASE = {
    "rows": 0.60,
    "parameter": 0.56,
    "command": 0.54,
    "code": 0.50,
    "undeclared": 0.44,
    "package": 0.38,
    "interpreter": 0.35,
    "seed": 0.32,
    "variable": 0.28,
    "library": 0.24,
    "numerics": 0.20,
    "host": 0.16,
    "order": 0.30,
    "network": 0.12,
    "writing": 0.12,
    "other": 0.10,
}
#: What the size of a change adds at most.
_SIZE = 0.25
#: What leads to other results than the one that is told first counts so much less.
_BESIDE = 0.5
#: A known harm begins here.
HARM = 0.90
#: What scores no more cannot be why.
HARMLESS = 0.05
#: Why a seed that nobody chose is none.
DRAWN = "each run draws its own seed where none is declared: this is noise"
#: Facts of the environment that are the machine's.
_HOST = frozenset({"host", "accelerators", "limits", "simd", "locale"})
_NUMERICS = frozenset({"threads", "blas", "coretype", "simd", "tf32", "workspace", "deterministic"})
_DIGEST = re.compile(r"[0-9a-f]{16,}")
_ENVIRONMENT = {
    "interpreter": "interpreter",
    "libraries": "library",
    "executables": "library",
    "loader": "library",
    **dict.fromkeys(_HOST, "host"),
    **dict.fromkeys(_NUMERICS, "numerics"),
}


class Suspicion(NamedTuple):
    """How suspicious a change is.

    Attributes:
        score: From 0 to 1.
        why: What made it so, in words, the weightiest first.
    """

    score: float
    why: tuple[str, ...]


class Seen(NamedTuple):
    """What is known of a change besides itself.

    Attributes:
        stages: The stages that it touches, in the order in which they run.
        distance: How many stages lie between the nearest of them and the result.
        reaches: Whether what came out of one of them is otherwise; without that, it explains nothing.
        share: How much of the thing changed, from 0 to 1; None where that is not known.
        size: That in words: ``12 % of its rows are gone``.
        harms: Known harms that came with it, in words, the worst first.
        cosmetic: Why it cannot matter although it was read: only comments changed; "" else.
        lost: Whether what came out of its stages otherwise was read by nothing that leads to the results.
        beside: The metric that is told first, where it led to other results only; "" else.
        kind: What a look inside showed it to be: ``order``, ``writing``; "" for what its name says.
    """

    stages: tuple[str, ...]
    distance: int = 0
    reaches: bool = True
    share: float | None = None
    size: str = ""
    harms: tuple[str, ...] = ()
    cosmetic: str = ""
    lost: bool = False
    beside: str = ""
    kind: str = ""


def kind_of(change: Change) -> str:
    """What kind of thing changed: a word of the table of weights, ``rows`` for declared data."""
    name = change.name
    head = name.partition(".")[0].partition(":")[0]
    found = "other"
    if change.coordinate == "code":
        found = "command" if name == "command" else "code"
    elif change.coordinate == "data":
        found = "parameter" if _is_parameter(change) else "rows"
        if name.startswith("network: "):
            found = "network"
        elif "undeclared" in change.note:
            found = "undeclared"
    elif change.coordinate == "randomness":
        found = "numerics" if head in _NUMERICS else "seed"
    elif change.coordinate == "environment":
        found = _ENVIRONMENT.get(head, "library" if is_digest(change.before, change.after) else "package")
        if name.startswith("variable "):
            found = "variable"
    return found


def is_digest(*values: Any) -> bool:
    """Whether one of the values names a content: files of the environment are told so, versions are not."""
    return any(isinstance(value, str) and _DIGEST.fullmatch(value) for value in values)


def _is_parameter(change: Change) -> bool:
    """A parameter is told as ``file:key`` with its values, a file by its digests."""
    file, _, key = change.name.rpartition(":")
    return bool(file and key) and "/" not in key


def suspicion(change: Change, seen: Seen) -> Suspicion:
    """The score of one change, with its reasons."""
    kind = seen.kind or kind_of(change)
    where = _listed(seen.stages)
    if seen.cosmetic:
        return Suspicion(0.02, (seen.cosmetic,))
    if not seen.reaches:
        return Suspicion(0.01, (f"what came out of {where} is the same",))
    if seen.lost:
        return Suspicion(0.01, (f"what came out of {where} otherwise was not read on the way to the result",))
    why = [*seen.harms]
    if seen.size:
        why.append(seen.size)
    score = _BASE[kind]
    share = seen.share if seen.share is not None else _share(kind, change)
    if share is not None:
        score += _SIZE * min(max(share, 0.0), 1.0) ** 0.5
    if seen.harms:
        score = HARM + 0.02 * min(len(seen.harms), 3) + 0.03 * min(max(seen.share or 0.0, 0.0), 1.0)
    score *= 0.97 ** min(seen.distance, 10)
    why.append(_read(kind, change, where))
    if seen.beside:
        score = max(score * _BESIDE, 1.1 * HARMLESS)  # a suspect all the same
        why.append(f"leads to other results than {seen.beside}")
    return Suspicion(round(min(score, 1.0), 4), tuple(why))


def _share(kind: str, change: Change) -> float | None:
    """How much moved, where the two values tell: versions of a package, two numbers."""
    if kind == "package":
        return _versions(change.before, change.after)
    if kind == "parameter" and is_finite(change.before) and is_finite(change.after):
        most = max(abs(change.before), abs(change.after))
        return abs(change.after - change.before) / most / 2 if most else 0.0
    return None


def _versions(a: Any, b: Any) -> float | None:
    """A first number that moved weighs all, a second half of it, and so on."""
    if not isinstance(a, str) or not isinstance(b, str):
        return 1.0
    for weight, pair in zip((1.0, 0.5, 0.2), zip(a.split("."), b.split("."), strict=False), strict=False):
        if pair[0] != pair[1]:
            return weight
    return 0.1


_USED = {
    **dict.fromkeys(("rows", "order", "writing"), "read by {where}"),
    "code": "read by {where}",
    "parameter": "a parameter of {where}",
    "command": "the command of {where}",
    "undeclared": "read by {where}, undeclared",
    "package": "imported by {where}",
    "seed": "the seed of {where}",
    "variable": "{where} depends on it",
    "network": "{where}, and nobody knows what it got",
}


def _read(kind: str, change: Change, where: str) -> str:
    if kind == "code" and change.name.startswith("stage "):
        return "a stage that the other result does not stand on"
    if kind == "code" and change.note in {"now read", "no longer read"}:
        return f"{change.note} by {where}"
    if kind == "code" and change.note:
        return f"{where}: {change.note}"
    if change.coordinate == "randomness" and change.name.startswith(("unseeded", "entropy")):
        return f"randomness of {where} that no seed reaches"
    return _USED.get(kind, "of the run of {where}").format(where=where)


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    if len(found) > 4:
        return f"{', '.join(found[:3])} and {len(found) - 3} more"
    return ", ".join(found[:-1]) + (" and " if len(found) > 1 else "") + (found[-1] if found else "the run")
