"""Why two results differ: the changes of all the runs behind them, each once, and no consequence as a cause.

The runs behind each result are known by content (`lineage`); those of one place are compared, and what one of
them read otherwise only because an earlier one wrote it otherwise is taken out (`found`). What remains are
the causes: looked into (`inside`) and ordered (`ranking`). Nothing is run, and nothing is blamed where only
results moved, or that led nowhere (`reach`). How much each cause did is measured by `attribute`.
"""

from collections.abc import Callable, Mapping, Sequence

from fourfold.evidence.explaining.codechanges import Codes
from fourfold.evidence.explaining.examine import Examiner
from fourfold.evidence.explaining.explanation import Cause, Explanation, Moved, listed
from fourfold.evidence.explaining.found import Found, place_of
from fourfold.evidence.explaining.inside import Inside
from fourfold.evidence.explaining.lastgood import Noise
from fourfold.evidence.explaining.pairing import name_of
from fourfold.evidence.explaining.ranking import kind_of
from fourfold.evidence.explaining.reach import Reach, ends_of
from fourfold.evidence.lineage import Lineage, metrics_of
from fourfold.formats.native.record import RunRecord
from fourfold.runs.changes import Part, value_of
from fourfold.runs.diff_files import CodeFiles

#: Of these kinds a suspect is a better explanation than chance; a package, or the machine, need not be.
_STRONG = frozenset({"rows", "parameter", "command", "code", "undeclared"})


def explain(
    a: Lineage,
    b: Lineage,
    part: Part,
    code_files: CodeFiles | None = None,
    *,
    codes: Codes | None = None,
    examiner: Examiner | None = None,
    metric: str | None = None,
    goals: Mapping[str, str] | None = None,
    noise: Callable[[str], Noise] | None = None,
) -> Explanation:
    """Say what moved between two results, and what of it is most likely why.

    Args:
        a: The one, with all that it stands on.
        b: The other.
        part: Reads a part.
        code_files: Lists the code tree of a run; None where there is no Git.
        codes: Looks into files of code; None to say only which changed.
        examiner: Looks into data; likewise.
        metric: The one that is asked about, by its whole name; what did not lead to it is no suspect.
        goals: The metrics that somebody set a goal for, by name: these come before others.
        noise: Says how far a metric moves by itself; asked about the first of them.
    """
    found = Found(a, b, part, _once(code_files) if code_files is not None else None)
    inside = Inside(found, codes, examiner)
    inside.look(a, b)
    metrics = _metrics(a, b, part, metric, goals or {})
    reach = Reach(found, ends_of(found, a, b, part, metric))
    first = None
    if metric is None and metrics and metrics[0].by:
        first = metrics[0].name, Reach(found, ends_of(found, a, b, part, metrics[0].name))
    causes = [inside.judged(cause, reach, first) for cause in found.of("moved")]
    if metrics and metrics[0].by and noise is not None:
        width, repeats = noise(metrics[0].name)
        metrics[0] = metrics[0]._replace(noise=width, repeats=repeats)
        if width is None:
            inside.unknown += _chance(
                found, first[1] if first is not None else reach, metrics[0].name, causes
            )
    return Explanation(
        a.last.run,
        b.last.run,
        (name_of(a.last.record), name_of(b.last.record)),
        tuple(sorted(causes, key=lambda cause: (-cause.score, place_of(cause), cause.change.name))),
        tuple(found.of("unread")),
        tuple(result for _, result in found.results),
        tuple(found.of("aside")),
        tuple(metrics),
        metric is not None,
        tuple(dict.fromkeys(found.unsteady)),
        tuple(dict.fromkeys([*found.unknown, *inside.unknown])),
        tuple(inside.made),
    )


def _once(code_files: CodeFiles) -> CodeFiles:
    """The same, each tree listed once: the runs of a lineage mostly share theirs."""
    known: dict[str, Mapping[str, str]] = {}

    def listed_once(record: RunRecord) -> Mapping[str, str]:
        tree = str(value_of(record.code, "tree"))
        if tree not in known:
            known[tree] = code_files(record)
        return known[tree]

    return listed_once


def _chance(found: Found, reach: Reach, metric: str, causes: Sequence[Cause]) -> list[str]:
    """That chance may be why, where only little speaks for the first suspect and seeds were drawn anew."""
    likeliest = max(causes, key=lambda cause: cause.score, default=None)
    if likeliest is None or not likeliest.is_suspect or kind_of(likeliest.change) in _STRONG:
        return []
    places = {pair.place for key in found.drawn for pair in found.touched[key]}
    drawn = [pair.stage for pair in found.pairs if pair.place in places and reach.leads([pair])]
    draw = "draws its seed" if len(drawn) == 1 else "draw their seeds"
    told = f"{draw} anew for each run: how far {metric} moves by that is not known until the same ran twice"
    return [f"{listed(drawn)} {told} (ff repro -f)"] if drawn else []


# --- metrics ----------------------------------------------------------------------------------------------


def _metrics(a: Lineage, b: Lineage, part: Part, metric: str | None, goals: Mapping[str, str]) -> list[Moved]:
    """The metrics of both sides: the one asked about, those with a goal, those of the end, the farthest."""
    first, second = (_measured(lineage, part) for lineage in (a, b))
    last = {name for lineage in (a, b) for name in metrics_of(lineage.last.record, part)}

    def order(each: Moved) -> tuple[object, ...]:
        is_goal = each.name in goals or each.name.partition(":")[2] in goals
        counts = all(isinstance(value, int) for value in (each.before, each.after) if value is not None)
        chosen = each.name != metric, not each.by, not is_goal, each.name not in last
        return (*chosen, counts, -_far(each), each.name)

    found = [Moved(name, first.get(name), second.get(name)) for name in sorted({*first, *second})]
    return sorted(found, key=order)


def _measured(lineage: Lineage, part: Part) -> dict[str, float]:
    found: dict[str, float] = {}
    for step in lineage.steps:
        found.update(metrics_of(step.record, part))
    return found


def _far(each: Moved) -> float:
    """How far a metric moved, as a share of what it was."""
    if each.before is None or each.after is None or each.by is None:
        return 0.0
    most = max(abs(each.before), abs(each.after))
    return abs(each.by) / most if most else 0.0
