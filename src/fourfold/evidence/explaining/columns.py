"""One column of two tables: how its values moved, and whether it tells the label.

Rows that both tables have, rows that only the first has and rows that only the second has are three samples:
where what went or came is like what stayed, nothing drifted, however many rows it was. Numbers are compared
by Kolmogorov and Smirnov's test, categories by chi squared; of long columns, evenly spaced rows are looked
at. P values here are of one column; whoever tests many corrects them (`tables`). Pure.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from fourfold.evidence.statistics.inference import chi_squared, ks_two_sample, psi
from fourfold.formats.tabular import NULLS

#: A column with more distinct values, all of them numbers, is one of numbers.
MOST_CATEGORIES = 20
#: So many categories are told apart, the most frequent; the others are one.
_TOLD_APART = 40
#: So many rows of a sample are looked at where numbers are sorted.
SAMPLE = 4000
_BINS, _BARS = 10, 12
#: Fewer rows are no sample.
_LEAST = 5
#: Rows by which a column is tried as an oracle of the label, half to learn and half to tell.
_TRIED = 4000
_TRIED_BINS = 24
#: Fewer rows that have not the most frequent label tell nothing: chance would often get them right.
_LEAST_TOLD = 10

Column = Sequence[str]


class Drift(NamedTuple):
    """How the values of a column moved.

    Attributes:
        test: ``ks`` for numbers, ``chi squared`` for categories.
        effect: For numbers the widest gap between the two distributions, for categories the share of rows
            that would have to be others; from 0 to 1.
        p: That rows which went or came are like those that stayed, or the two tables like each other.
        psi: The population stability index.
        new: Values that only the second table has, at most a few; empty for numbers.
        gone: Values that only the first has.
        shares: For categories, the values whose share moved most: value, share before, share after; for
            numbers, bins of equal width: where one begins, share before, share after.
    """

    test: str
    effect: float
    p: float
    psi: float
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    shares: tuple[tuple[str, float, float], ...] = ()


def nulls_of(values: Column) -> int:
    """Cells without a value."""
    return sum(map(values.count, NULLS.intersection(values)))


def kind_of(values: Column) -> str:
    """``number``, ``text``, or ``empty``."""
    some = [value for value in dict.fromkeys(values[: SAMPLE * 4]) if value not in NULLS]
    if not some:
        return "empty"
    return "number" if _floats(some) is not None else "text"


def is_measured(values: Column) -> bool:
    """Whether cells are numbers, and not whole ones: such a column measures, and names no rows by itself."""
    numbers = _floats([value for value in thin(values, SAMPLE) if value not in NULLS])
    return numbers is not None and any(not value.is_integer() for value in numbers)


def _floats(values: Sequence[str]) -> list[float] | None:
    """All of the values as numbers, infinities too; None where one is no number."""
    try:
        found = [float(value) for value in values]
    except ValueError:
        return None
    return [value for value in found if not math.isnan(value)]


def thin(values: Column, most: int) -> Column:
    """Values from all over a column, the same ones each time; no rhythm of the rows is caught by it."""
    if len(values) <= most:
        return values
    step = -(-len(values) // most)
    return [values[at + _scattered(at) % step] for at in range(0, len(values) - step + 1, step)]


def _scattered(at: int) -> int:
    """A number that follows from a place, and from nothing that repeats there (Knuth's multiplier)."""
    return at * 2654435761 >> 13 & 0xFFFF


def drift_of(common: Column, first: Column, second: Column) -> Drift | None:
    """How a column moved; None where there is nothing to compare, or its values are names of their own.

    Args:
        common: Its cells in the rows that both tables have.
        first: In those that only the first has.
        second: In those that only the second has.
    """
    if not first and not second:
        return None
    seen = set().union(*(thin(sample, SAMPLE) for sample in (common, first, second))) - NULLS
    if len(seen) > MOST_CATEGORIES:
        samples = (common, first, second, [*common, *first], [*common, *second])
        numbers = [each for each in map(_numbers, samples) if each is not None]
        if len(numbers) == len(samples):
            return _of_numbers(*numbers)
        looked = sum(min(len(sample), SAMPLE) for sample in (common, first, second))
        if len(seen) > looked / 3:
            return None
    counts = [Counter(sample) for sample in (common, first, second)]
    for each in counts:
        for null in NULLS & each.keys():
            del each[null]
    before, after = counts[0] + counts[1], counts[0] + counts[2]
    return _of_categories(counts, before, after) if before and after else None


def _numbers(values: Column) -> list[float] | None:
    """A sample of the values as numbers, without what is none because the cell is empty."""
    return _floats([value for value in thin(values, SAMPLE) if value not in NULLS])


def _of_numbers(
    common: list[float], first: list[float], second: list[float], before: list[float], after: list[float]
) -> Drift | None:
    """From a sample of each: of what both have, of what each has alone, and of each table."""
    if not before or not after:
        return None
    p_values = [
        ks_two_sample(changed, common).p
        for changed in (first, second)
        if len(changed) >= _LEAST and len(common) >= _LEAST
    ]
    whole = ks_two_sample(before, after)
    p = min(1.0, min(p_values) * len(p_values)) if p_values else whole.p
    order = sorted(before)
    edges = sorted({order[len(order) * at // _BINS] for at in range(1, _BINS)})
    binned = [Counter(bisect_right(edges, value) for value in side) for side in (before, after)]
    places = range(len(edges) + 1)
    moved = psi([binned[0][at] for at in places], [binned[1][at] for at in places])
    shares = _histogram(before, after)
    return Drift("ks", round(whole.statistic, 6), p, round(moved, 6), shares=shares)


def _histogram(before: list[float], after: list[float]) -> tuple[tuple[str, float, float], ...]:
    """Bins of equal width around all but the outermost hundredths, for a picture."""
    order = sorted(value for value in (*before, *after) if math.isfinite(value))
    if not order:
        return ()
    low, high = order[len(order) // 100], order[-1 - len(order) // 100]
    width = high / _BARS - low / _BARS
    if not 0 < width < math.inf:
        return ()
    sides = [
        Counter(int(min(max((value - low) / width, 0), _BARS - 1)) for value in side)
        for side in (before, after)
    ]
    return tuple(
        (
            f"{low + at * width:.4g}",
            round(sides[0][at] / len(before), 4),
            round(sides[1][at] / len(after), 4),
        )
        for at in range(_BARS)
    )


def _of_categories(counts: list[Counter[str]], before: Counter[str], after: Counter[str]) -> Drift:
    every = before + after
    named = [value for value, _ in sorted(every.items(), key=lambda item: (-item[1], item[0]))]
    apart = [value for value in named[:_TOLD_APART] if every[value] >= _LEAST]
    rows = []
    for each in counts:
        row = [each[value] for value in apart]
        rows.append([*row, each.total() - sum(row)])
    samples = [row for row in rows if sum(row)]
    if len(samples) < 2:  # every row is in one sample: the two tables are compared as they are
        samples = [rows[1], rows[2]]
    p = chi_squared(samples).p
    sides = [(before[value], after[value]) for value in apart]
    rest = (before.total() - sum(one for one, _ in sides), after.total() - sum(two for _, two in sides))
    pairs = [*sides, rest] if any(rest) else sides
    first, second = before.total(), after.total()
    effect = sum(abs(one / first - two / second) for one, two in pairs) / 2
    shares = [(value, round(before[value] / first, 4), round(after[value] / second, 4)) for value in apart]
    shares.sort(key=lambda row: (-abs(row[2] - row[1]), row[0]))
    return Drift(
        "chi squared",
        round(effect, 6),
        p,
        round(psi(*zip(*pairs, strict=True)), 6) if pairs else 0.0,
        tuple(value for value in named if value not in before)[:5],
        tuple(value for value in named if value not in after)[:5],
        tuple(row for row in shares[:_BARS] if row[1] != row[2]),
    )


# --- the label --------------------------------------------------------------------------------------------


def tells(column: Column, label: Column) -> float:
    """How well a column alone tells the label, from 0 (no better than the most frequent label) to 1.

    Learned from one half of the rows, told of the other half: a name of its own for each row tells nothing.
    """
    pairs = [
        (value, truth)
        for value, truth in zip(thin(column, _TRIED), thin(label, _TRIED), strict=True)
        if truth not in NULLS
    ]
    if len(pairs) < 4 * _LEAST:
        return 0.0
    halves: list[list[tuple[str, str]]] = [[], []]
    for at, pair in enumerate(pairs):
        halves[_scattered(at) & 1].append(pair)
    learned, tried = halves
    group = _grouping([value for value, _ in learned])
    votes: dict[object, Counter[str]] = {}
    for value, truth in learned:
        votes.setdefault(group(value), Counter())[truth] += 1
    usual = _most(Counter(truth for _, truth in learned))
    answers = {key: _most(counts) for key, counts in votes.items()}
    right = sum(answers.get(group(value), usual) == truth for value, truth in tried)
    by_chance = sum(usual == truth for _, truth in tried)
    if len(tried) - by_chance < _LEAST_TOLD:
        return 0.0
    return max(0.0, (right - by_chance) / (len(tried) - by_chance))


def _grouping(values: Column) -> Callable[[str], object]:
    """What puts values together: numbers by their rank, others as they are."""
    present = [value for value in values if value not in NULLS]
    numbers = _floats(present) if len(set(present)) > MOST_CATEGORIES else None
    if not numbers:
        return lambda value: value
    order = sorted(numbers)
    edges = sorted({order[len(order) * at // _TRIED_BINS] for at in range(1, _TRIED_BINS)})

    def group(value: str) -> object:
        if value in NULLS:
            return ""
        try:
            return bisect_right(edges, float(value))
        except ValueError:
            return value

    return group


def _most(counts: Counter[str]) -> str:
    """The most frequent value; of equals the first by name."""
    return min(counts, key=lambda value: (-counts[value], value))
