"""What moved in the last two coordinates: the differences of `environment.compare`, each told once; seeds.

What comes with something else that moved is told aside: the libraries that a distribution brings, the
threads that a profile sets, the seeds that are derived from another one.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fourfold.base.errors import FourfoldError
from fourfold.formats.native.fact import Section
from fourfold.formats.native.record import RunRecord
from fourfold.runs.changes import Change, Part, differing, mapping, opened, value_of
from fourfold.runs.environment import compare

#: Of randomness, what follows from the seed and the level.
_DERIVED = ("derivation", "injected")
#: Facts that distributions bring along when they change.
_BROUGHT = frozenset({"blas", "simd", "frameworks"})
#: What a numerics profile decides is measured in facts of these names.
_MEASURED = frozenset({"threads", "blas", "simd"})
#: Seldom a reason.
_ASIDE = frozenset({"limits", "path"})
#: Distributions that no run imported weigh so much.
_NOT_IMPORTED = 80
#: So many of those whose threads changed are named.
_MOST_NAMES = 4
_SITE = re.compile(r"/(?:site|dist)-packages/([^/]+)")


def compare_environments(a: RunRecord, b: RunRecord, part: Part) -> Iterable[Change]:
    """What moved in the environment, the most telling first."""
    first, second = a.environment, b.environment
    try:
        found = compare.compare(first, second, lambda name: _listing(part, name))
    except FourfoldError as error:
        yield Change("environment", "distributions", None, None, "aside", error.message)
        digests = first.get("digest"), second.get("digest")
        yield from differing("environment", "digest", *digests, part)
        return
    distributions = {each.name for each in found if each.fact == "distributions"}
    brought = bool(distributions) or any(each.fact == "interpreter" for each in found)
    asked = _moved_profile(a, b)
    known = _Installed(first, second, part, distributions)
    yield from _threads([each for each in found if each.fact == "threads" and "threads" not in asked])
    lonely = {fact for fact in ("executables", "libraries") if _is_one_sided(fact, found)}
    for each in found:
        if each.fact == "threads" or (each.fact in _MEASURED and each.fact in asked):
            continue
        change = _told(each)
        absent = [side.get(each.fact) for side in (first, second) if value_of(side, each.fact) is None]
        if absent:
            fact = absent[0]
            change = change._replace(kind="aside", note=(fact.why if fact else "") or "not recorded")
        elif each.fact == "flags" and _is_idle_editable(each.name, first, second):
            change = change._replace(kind="unread", note="not imported")
        elif each.fact in _ASIDE:
            change = change._replace(kind="aside")
        elif each.fact == "libraries" and (variable := _forced(each, first, second)):
            change = change._replace(note=f"by {variable}")
        elif each.fact in lonely and (each.before is None or each.after is None):
            # What a run starts and loads follows from its code, and from caches: nothing took its place.
            change = change._replace(kind="aside", note="used by one of them only")
        elif brought and (
            each.fact in _BROUGHT or (each.fact == "libraries" and known.brings(each.before, each.name))
        ):
            change = change._replace(kind="aside", note="comes with what is installed")
        yield change
    yield from _variables(a, b)


def _is_idle_editable(name: str, first: Section, second: Section) -> bool:
    """Whether a flag is about an editable installation of which neither run imported anything."""
    head, _, rest = name.partition(".")
    if head != "editable":
        return False
    listed = [mapping(mapping(value_of(side, "flags")).get("editable")) for side in (first, second)]
    known = [entries[one] for entries in listed for one in entries if f"{rest}.".startswith(f"{one}.")]
    return bool(known) and all(mapping(entry).get("imported") == 0 for entry in known)


def _is_one_sided(fact: str, found: Iterable[compare.Change]) -> bool:
    """Whether one run used what the other did, and more."""
    sides = {
        each.before is None
        for each in found
        if each.fact == fact and (each.before is None or each.after is None)
    }
    return len(sides) == 1


def _forced(each: compare.Change, first: Section, second: Section) -> str:
    """The variable that had one run load a library, and is otherwise in the other; "" for none."""
    if (each.before is None) == (each.after is None):
        return ""
    mine, other = (first, second) if each.after is None else (second, first)
    named = _of_loader(mine), _of_loader(other)
    for variable, entries in named[0].items():
        for entry in entries:
            whole = entry == each.name or ("/" not in entry and entry == each.name.rpartition("/")[2])
            below = variable.endswith("PATH") and each.name.startswith(entry.rstrip("/") + "/")
            if (whole or below) and entry not in named[1].get(variable, ()):
                return variable
    return ""


def _of_loader(section: Section) -> dict[str, list[str]]:
    """What variables name to those that load libraries: files and folders."""
    told = {
        **mapping(value_of(section, "loader")),
        "PYTHONPATH": mapping(value_of(section, "flags")).get("pythonpath"),
    }
    return {
        name: [entry for entry in entries if isinstance(entry, str) and entry]
        for name, entries in told.items()
        if isinstance(entries, list)
    }


def _listing(part: Part, name: str) -> Mapping[str, Any]:
    """A part that lists things by name; what is no such thing is left out."""
    document = part(name)
    return {key: entry for key, entry in document.items() if isinstance(entry, Mapping)}


def _told(each: compare.Change) -> Change:
    name = f"{each.fact}.{each.name}" if each.name else each.fact
    if each.fact == "distributions":
        note = "same version, other files" if each.kind == "record" else ""
        if each.weight >= _NOT_IMPORTED:
            return Change("environment", each.name, each.before, each.after, "unread", "not imported")
        return Change("environment", each.name, each.before, each.after, "moved", note)
    if each.fact in {"libraries", "executables"}:
        name = each.name.rpartition("/")[2] or each.fact
    return Change("environment", name, _content(each.before), _content(each.after))


def _content(value: Any) -> Any:
    """What names the content of a file that a fact lists; another value as it is."""
    return mapping(value).get("build_id") or mapping(value).get("blake3") or value


class _Installed:
    """Which distributions are the same in both, to tell whose libraries may have changed."""

    def __init__(self, first: Section, second: Section, part: Part, changed: set[str]) -> None:
        both = [mapping(opened(value_of(side, "distributions"), part)) for side in (first, second)]
        self._same = {_plain(name) for side in both for name in side} - {_plain(name) for name in changed}

    def brings(self, *names: Any) -> bool:
        """Whether a library lies where something that was installed otherwise put it."""
        tops = [found[1] for name in names if isinstance(name, str) and (found := _SITE.search(name))]
        inside = [name for name in names if isinstance(name, str) and name.startswith(("{prefix}", "{base}"))]
        if not tops:
            return bool(inside)
        return not any(_plain(top.removesuffix(".libs").partition(".")[0]) in self._same for top in tops)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _threads(found: list[compare.Change]) -> Iterable[Change]:
    """One change for each pair of numbers, whoever obeyed it."""
    found = list(_single(found))
    pairs: dict[tuple[str, str], list[compare.Change]] = {}
    for each in found:
        pairs.setdefault((str(each.before), str(each.after)), []).append(each)
    # A switch that was set for the first time explains what the libraries did.
    switched = {str(each.after) for each in found if each.name.startswith("switches.")}
    for (before, after), same in pairs.items():
        obeyed = before == "None" and after in switched
        if obeyed and any(pair != (before, after) and pair[1] == after for pair in pairs):
            continue
        names = sorted({one.name.partition(".")[2] or one.name for one in same})
        yield Change(
            "environment", "threads", same[0].before, same[0].after, "moved", ", ".join(names[:_MOST_NAMES])
        )


def _single(found: list[compare.Change]) -> Iterable[compare.Change]:
    """Each switch and library by itself, also where one side has none of its kind."""
    for each in found:
        if not (isinstance(each.before, Mapping) or isinstance(each.after, Mapping)):
            yield each
            continue
        before, after = mapping(each.before), mapping(each.after)
        for key in sorted({*before, *after}):
            yield each._replace(name=f"{each.name}.{key}", before=before.get(key), after=after.get(key))


def _moved_profile(a: RunRecord, b: RunRecord) -> set[str]:
    first, second = (mapping(mapping(value_of(each.randomness, "numerics")).get("asked")) for each in (a, b))
    return {name for name in {*first, *second} if first.get(name) != second.get(name)}


def _variables(a: RunRecord, b: RunRecord) -> Iterable[Change]:
    """Environment variables that a stage declares."""
    first, second = (mapping(mapping(value_of(each.trace, "env")).get("declared")) for each in (a, b))
    for name in sorted({*first, *second}):
        if first.get(name) != second.get(name):
            both = name in first and name in second
            note = "another value" if both else "declared in one of them only"
            yield Change("environment", f"variable {name}", None, None, "moved", note)


# --- randomness -------------------------------------------------------------------------------------------


def compare_randomness(a: RunRecord, b: RunRecord, part: Part) -> Iterable[Change]:
    """What moved in the seed, the level, and the profile of numerics; what was not seeded in one of them."""
    first, second = a.randomness, b.randomness
    known = {"numerics", "unseeded", "entropy", "hash_seed", *_DERIVED}
    found = [
        change
        for name in sorted({*first, *second} - known)
        for change in differing("randomness", name, first.get(name), second.get(name), part)
    ]
    profiles = [mapping(value_of(side, "numerics")) for side in (first, second)]
    asked = [mapping(profile.get("asked")) for profile in profiles]
    found += [
        Change("randomness", name, asked[0].get(name), asked[1].get(name))
        for name in sorted({*asked[0], *asked[1]})
        if asked[0].get(name) != asked[1].get(name)
    ]
    yield from found
    for name in ("kept", "overruled"):
        if profiles[0].get(name) != profiles[1].get(name):
            yield Change("randomness", name, profiles[0].get(name), profiles[1].get(name), "aside")
    if not any(change.kind == "moved" for change in found):
        hashes = value_of(first, "hash_seed"), value_of(second, "hash_seed")
        if hashes[0] != hashes[1]:
            yield Change("randomness", "hash_seed", *hashes)
        for name in _DERIVED:
            yield from differing("randomness", name, first.get(name), second.get(name), part)
    for name in ("unseeded", "entropy"):
        yield from _places(name, value_of(first, name), value_of(second, name))


def _places(name: str, a: object, b: object) -> Iterable[Change]:
    """Where randomness came from that no seed reaches, in one of the runs only; lines may move freely."""
    if not isinstance(a, list) or not isinstance(b, list):
        return
    first, second = ({_place(entry) for entry in side} for side in (a, b))
    for place in sorted(first ^ second):
        note = "no longer" if place in first else "now"
        yield Change("randomness", f"{name}: {place}", None, None, "moved", note)


def _place(entry: object) -> str:
    at = entry if isinstance(entry, Mapping) else {}
    return f"{at.get('what', '?')} in {str(at.get('at', '?')).rpartition(':')[0]}"
