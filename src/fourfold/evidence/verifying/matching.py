"""One output, then and now: how alike, and where it begins to be otherwise; by bytes, by meaning, by numbers.

Which repeats there are, and what follows for the run, is `verify`; how much is noise is `tolerance`; what
files mean is `fourfold.formats.likeness`.
"""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.fs.walk import scan_directory
from fourfold.evidence.verifying.tolerance import Tolerance, calibrate, nearest
from fourfold.evidence.verifying.verdict import First, Measured, OutputLevel, OutputVerdict
from fourfold.formats.likeness.model import Content, Difference, Leaf, compare
from fourfold.formats.likeness.reading import compare_paths, read, with_line
from fourfold.formats.likeness.tensors import Distance, distance

if TYPE_CHECKING:
    from fourfold.evidence.replaying.originals import Originals
    from fourfold.evidence.replaying.replay import Pair
    from fourfold.formats.native.record import RunRecord

#: What is still noise is at most so much of the largest value of a leaf.
CEILING = 0.01
_CHUNK = 1 << 20
_ORDER = ("bitwise", "canonical", "numeric", "statistical", "inconclusive", "not-comparable", "different")


class Matched(NamedTuple):
    """One output of one replay beside the original.

    Attributes:
        verdict: By bytes and by meaning; what differs in numbers is measured, without a tolerance.
        differences: In what it means; none where it means the same, or was not read.
    """

    verdict: OutputVerdict
    differences: tuple[Difference, ...] = ()


def weakest(verdicts: Sequence[OutputVerdict]) -> OutputVerdict:
    """That of several verdicts which says the least; the first of those alike."""
    return max(verdicts, key=lambda each: _ORDER.index(each.level))


def match(pair: "Pair", record: "RunRecord", originals: "Originals", *, unsafe: bool = False) -> Matched:
    """Compare what came out with what came out then.

    Args:
        pair: The output; its file is still there.
        record: Of the run of then.
        originals: Has its bytes.
        unsafe: Whether what only running a file can read may be read so.

    Raises:
        FourfoldError: the file system refuses.
    """
    before, after = _digest(pair.before), _digest(pair.after)
    plain = OutputVerdict(pair.path, pair.role, "bitwise", "", before, after)
    if pair.same:
        return Matched(plain)
    if pair.file is None:
        first = First("", "missing", before[:12], "")
        return Matched(plain._replace(level="different", reason="nothing came out", first=first))
    if not before and pair.same is False:
        why = "it came out, and had not then"
        return Matched(plain._replace(level="different", reason=why, first=First("", "new", "", after[:12])))
    if not before:
        why = "the record does not say what its bytes were"
        return Matched(plain._replace(level="not-comparable", reason=why))
    return _unlike(pair, pair.file, plain, originals.path(record, pair.before), unsafe=unsafe)


def _unlike(pair: "Pair", file: str, plain: OutputVerdict, original: str | None, *, unsafe: bool) -> Matched:
    """What came out, and is not what the record says, beside the bytes of then where they are had."""
    then, now = (str((row or {}).get("md5") or "") for row in (pair.before, pair.after))
    if plain.before == plain.after and then != now:
        why = f"the same bytes, to which the record gives an MD5 that is not theirs: {then}"
        return Matched(plain._replace(level="different", reason=why, first=First("", "values", then, now)))
    if original is None:
        why = "its bytes of then are not had any more, here or on the remote; they differ from those of now"
        return Matched(plain._replace(level="not-comparable", reason=why))
    return _read(plain, original, file, unsafe=unsafe)


def _read(plain: OutputVerdict, original: str, file: str, *, unsafe: bool) -> Matched:
    where = first_byte(original, file)
    try:
        differences, reader, meaning = _differences(plain.path, original, file, unsafe=unsafe)
    except FourfoldError as error:
        why = f"other bytes{_at(where)}, and what they mean is not known: {error.message}"
        return Matched(plain._replace(level="inconclusive", reason=why, first=where))
    if not differences:
        why = f"other bytes{_at(where)}, the same meaning ({meaning})"
        return Matched(plain._replace(level="canonical", reason=why, first=where, reader=reader))
    if not reader:
        why = f"other bytes{_at(where)}, in a format that is not read"
        return Matched(plain._replace(level="different", reason=why, first=where))
    measured = {each.name: found for each in differences if (found := _distance(each)) is not None}
    first = first_of(differences[0], measured.get(differences[0].name))
    leaves = sorted((_measured(name, found) for name, found in measured.items()), key=_size, reverse=True)
    told = plain._replace(
        level="different",
        reason=described(first, len(differences)),
        first=first._replace(offset=where.offset if where is not None and not where.name else None),
        leaves=tuple(leaves),
        differing=len(differences),
        reader=reader,
    )
    return Matched(told, differences)


def _differences(
    name: str, original: str, file: str, *, unsafe: bool
) -> tuple[tuple[Difference, ...], str, str]:
    """Where two outputs mean something else; what read them, "" for nobody; what is left out, in words."""
    if os.path.isdir(original) and os.path.isdir(file):
        # Only the files that are not the same are read: of a folder of images, one.
        return (
            compare_paths(original, file, name=name, unsafe=unsafe),
            "folder/1",
            "of each file of the folder",
        )
    before, after = (read(path, name, unsafe=unsafe) for path in (original, file))
    found = tuple(with_line(each, original, file) for each in compare(before, after))
    reader = "" if before.kind == after.kind == "bytes" else before.canonicalizer
    return found, reader, before.kind + _aside(before)


class _Judged(NamedTuple):
    """A leaf that is not the same in all repeats.

    Attributes:
        level: What it allows to be said of the output.
        measured: How far off it is from the nearest repeat.
        first: Where.
        why: Why it does not allow to say ``numeric``; "" where it does.
    """

    level: OutputLevel
    measured: Measured | None
    first: First
    why: str = ""


def match_numbers(found: Sequence[Matched]) -> OutputVerdict:
    """Judge an output by numbers: whether what differs is within the noise of its own repeats.

    Noise is small: where repeats differ by more than `CEILING` of the largest value, their results are random
    as a whole, and numbers say nothing of them. Nor do they of what is no number.

    Args:
        found: The output of each repeat beside the original, two or more.
    """
    base = weakest([each.verdict for each in found])
    if any(each.verdict.level == "different" and not each.differences for each in found):
        return base
    if base.level != "different":
        return base
    repeats = [{difference.name: difference for difference in one.differences} for one in found]
    judged: list[_Judged] = []
    for difference in {name: each for one in repeats for name, each in one.items()}.values():
        then = difference.leaves[0]
        # Where a repeat has no difference, it has what was there then.
        now = [one[difference.name].leaves[1] if difference.name in one else then for one in repeats]
        there = [leaf for leaf in now if leaf is not None]
        known = calibrate(there) if len(there) == len(now) else None
        judged.append(_judge(difference, then, there, known))
    return _summed(base, judged, len(found))


def _judge(
    difference: Difference, then: Leaf | None, now: Sequence[Leaf], known: Tolerance | None
) -> _Judged:
    near = nearest(then, now) if then is not None and known is not None else None
    # Another type is no noise, however near its numbers are.
    if then is None or known is None or near is None or then[:2] != now[0][:2]:
        return _without_numbers(difference, then, now)
    apart, leaf = near
    measured, first = _measured(difference.name, apart, known), _first(difference.name, then, leaf, apart)
    if not measured.holds:
        why = f"{described(first, 1)}; {_beyond(measured, known)}"
        return _Judged("different", measured, first, why)
    scale = max((abs(value) for value in _values(then) if math.isfinite(value)), default=0.0)
    if known.bounds[0] > CEILING * scale:
        name = difference.name or "the value"
        why = (
            f"{name} is random: {known.repeats} repeats differ by {known.floor[0]:.3g}, the "
            f"largest value is {scale:.3g}; more repeats, or a metric (--level statistical), say more"
        )
        return _Judged("inconclusive", measured, first, why)
    return _Judged("numeric", measured, first)


def _without_numbers(difference: Difference, then: Leaf | None, now: Sequence[Leaf]) -> _Judged:
    """A leaf that cannot be measured: one that a repeat has exactly may be chance, another one is not."""
    first = first_of(difference, None)
    if then is not None and any(leaf.digest == then.digest for leaf in now):
        return _Judged("inconclusive", None, first, f"{first.name} differs in some repeats, and is no number")
    varies = len({leaf.digest for leaf in now}) > 1
    more = "; it is another one in each repeat, and has no numbers" if varies else ""
    return _Judged("different", None, first, described(first, 1) + more)


def _summed(base: OutputVerdict, judged: Sequence[_Judged], repeats: int) -> OutputVerdict:
    told = tuple(
        sorted((each.measured for each in judged if each.measured is not None), key=_size, reverse=True)
    )
    said = base._replace(leaves=told, differing=len(judged))
    for level in ("different", "inconclusive"):
        found = [each for each in judged if each.level == level]
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            why = found[0].why + more
            return said._replace(level=found[0].level, reason=why, first=found[0].first)
    worst = told[0]
    why = (
        f"within the noise of {repeats} repeats: {worst.name or 'the value'} is {worst.absolute:.3g} "
        f"off, they differ by {(worst.floor or (0.0,))[0]:.3g}"
    )
    return said._replace(level="numeric", reason=why)


def _beyond(leaf: Measured, known: Tolerance) -> str:
    if known.floor == (0.0, 0.0):
        return f"{known.repeats} repeats are the same here, so this is no noise"
    return f"{known.repeats} repeats differ by {known.floor[0]:.3g} at most, this by {leaf.absolute:.3g}"


# -- in words ------------------------------------------------------------------------------------------------


def described(first: First, count: int) -> str:
    """Where something begins to be otherwise, in a sentence."""
    name = first.name or "the value"
    index = f"[{', '.join(map(str, first.at))}]" if first.at else ""
    more = f" (and {count - 1} more)" if count > 1 else ""
    if first.what == "missing":
        return f"{name} is not there any more{more}"
    if first.what == "new":
        return f"{name} is new{more}"
    return f"{name}{index} was {first.before}, is {first.after}{more}"


def first_of(found: Difference, apart: Distance | None) -> First:
    """Where two contents begin to differ."""
    before, after = found.leaves
    if apart is not None and before is not None and after is not None:
        return _first(found.name, before, after, apart)
    return First(found.name, found.what, found.before, found.after)


def _first(name: str, before: Leaf, after: Leaf, apart: Distance) -> First:
    """The value that is furthest off; the first one where none is, as 0 and -0 are not."""
    at = max(0, apart.at)
    if before.dtype.startswith("complex"):  # both parts of a number are counted
        at //= 2
    index: list[int] = []
    for length in reversed(before.shape):
        index.insert(0, at % max(1, length))
        at //= max(1, length)
    told = [_value(leaf, max(0, apart.at)) for leaf in (before, after)]
    return First(name, "values", told[0], told[1], at=tuple(index) or None)


def _values(leaf: Leaf) -> Iterable[float]:
    return leaf.numbers() if leaf.numbers is not None else ()


def _value(leaf: Leaf, at: int) -> str:
    found = next(iter(islice(_values(leaf), at, at + 1)), None)
    return "" if found is None else f"{found:g}" if float(f"{found:g}") == found else repr(found)


def _measured(name: str, found: Distance, tolerance: Tolerance | None = None) -> Measured:
    measured = Measured(
        name, found.absolute, found.relative, found.ulp, found.unequal, found.values
    )  # fmt: skip
    if tolerance is None:
        return measured
    return measured._replace(floor=tolerance.floor, tolerance=tolerance.bounds, holds=tolerance.covers(found))


def _size(leaf: Measured) -> tuple[float, float]:
    return leaf.relative, leaf.absolute


def _distance(found: Difference) -> Distance | None:
    """How far apart two leaves are; None where they have no numbers, or are of other shapes."""
    before, after = found.leaves
    if found.what != "values" or before is None or after is None:
        return None
    return distance(before, after) if before.numbers is not None and after.numbers is not None else None


def _digest(row: Mapping[str, Any] | None) -> str:
    return str((row or {}).get("blake3") or (row or {}).get("md5") or "")


def _at(where: First | None) -> str:
    if where is None:
        return ""
    name = f" of {where.name}" if where.name else ""
    return f"{name} from offset {where.offset}" if where.offset is not None else name


def _aside(content: Content) -> str:
    names = [name for name, value in content.aside.items() if value]
    return f", but for {', '.join(names)}" if names else ""


# -- bytes ---------------------------------------------------------------------------------------------------


def first_byte(before: str, after: str) -> First | None:
    """The first byte in which two files, or the first file in which two folders, differ.

    Returns:
        None where there is no difference.

    Raises:
        FourfoldError: one of them cannot be read.
    """
    try:
        if os.path.isdir(before) != os.path.isdir(after):
            kinds = ["a folder" if os.path.isdir(path) else "a file" for path in (before, after)]
            return First("", "kind", kinds[0], kinds[1])
        if not os.path.isdir(before):
            offset = _offset(before, after)
            return None if offset is None else First("", "bytes", offset=offset)
        return next(_files(before, after), None)
    except OSError as error:
        raise from_os_error(error, "comparing an output") from error


def _files(before: str, after: str) -> Iterator[First]:
    then, now = (set(scan_directory(folder).names) for folder in (before, after))
    for name in sorted(then | now):
        if name not in now:
            yield First(name, "missing")
        elif name not in then:
            yield First(name, "new")
        else:
            offset = _offset(os.path.join(before, name), os.path.join(after, name))
            if offset is not None:
                yield First(name, "bytes", offset=offset)


def _offset(before: str, after: str) -> int | None:
    at = 0
    with open(before, "rb") as one, open(after, "rb") as other:
        while True:
            a, b = one.read(_CHUNK), other.read(_CHUNK)
            if a != b:
                shorter = min(len(a), len(b))
                return at + next((i for i in range(shorter) if a[i] != b[i]), shorter)
            if not a:
                return None
            at += len(a)
