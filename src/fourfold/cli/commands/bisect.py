"""``ff bisect``: which version made a metric worse, from what is recorded; what nobody ran is run."""

import argparse
import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fourfold.base.errors import UsageError
from fourfold.cli import runs
from fourfold.cli.evidence import environment_option, wholes_told
from fourfold.cli.options import completes, ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.evidence.attributing.hybrids import Ways
from fourfold.evidence.bisecting.bisect import CONFIDENCE, Found, bisect, scatter
from fourfold.evidence.bisecting.history import states_of
from fourfold.evidence.bisecting.merges import Merge, merge_of
from fourfold.evidence.bisecting.moving import Explained, moved_of
from fourfold.evidence.explaining.explanation import number, sides
from fourfold.evidence.replaying.replay import Streams
from fourfold.evidence.states import History, State
from fourfold.runs.words import SHORT, short

if TYPE_CHECKING:
    from fourfold.evidence.bisecting.subsets import Narrowed
    from fourfold.evidence.explaining.explanation import Explanation
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

_TITLE = 60
#: So many files are named, and so many causes.
_FILES, _CAUSES = 8, 3


class ThresholdError(UsageError):
    """A threshold is no number."""

    code = "bad-threshold"


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    stage = parser.add_argument(
        "stage", nargs="?", metavar="<stage>", help="whose result; else the stage that has the metric"
    )
    completes(stage, "none")
    for name, metavar, text in (
        ("--metric", "<name>", "the number that got worse: its name, or FILE:NAME"),
        ("--good", "<version>", "a revision or run where it was good"),
        ("--bad", "<version>", "a revision or run where it is bad; by default HEAD"),
        ("--threshold", "<number>", "where bad begins; by default half way between good and bad"),
    ):
        option = ours(
            parser.add_argument(name, metavar=metavar, required=name in {"--metric", "--good"}, help=text)
        )
        completes(option, "none")
    ours(parser.add_argument("--dry", action="store_true", help="run nothing: answer from what is recorded"))
    ours(environment_option(parser))
    inside = "go on inside the first bad version: each thing that moved alone, then the files of its data"
    ours(parser.add_argument("--inside", action="store_true", help=inside))
    parser.epilog = "Example: ff bisect --metric auc --good v1.0 --bad HEAD"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Search."""
    place, records = runs.opened(session)
    threshold = _threshold(args.threshold)
    history = states_of(place, records, args.good, args.bad or "HEAD", metric=args.metric, stage=args.stage)
    if args.bad is None and place.git is not None and place.git.is_dirty():
        session.warn("changes of the workspace that no commit has are not searched")
    with open(os.devnull, "wb") as silence:
        ways = Ways(args.environment, Streams(output=silence.fileno()), session.sink)
        found = _search(args, place, records, history, threshold, ways)
        explained = _explained(place, records, found)
        found = found._replace(moved=moved_of(place, records, found, explained))
        inside = None
        if args.inside and not found.is_noise and found.last_good.run and found.first_bad.run:
            inside = _narrow(place, records, found, ways)
    session.sink.rest()
    explanation = explained.explanation if explained is not None and not found.is_noise else None
    merge = None if found.is_noise else merge_of(place, records, found)
    data = found.document()
    if explanation is not None:
        causes = [cause.document() for cause in explanation.suspects[:_CAUSES]]
        data["explanation"] = {"verdict": explanation.verdict, "causes": causes}
    if merge is not None:
        data["merge"] = merge.document()
    if inside is not None:
        data["inside"] = inside.document()
    return Outcome(data=data, text=_lines(found, explanation, merge, inside, session.style))


def _explained(place: "Place", records: "Records", found: Found) -> Explained | None:
    """Why the first bad version is otherwise than the last good one, where both were recorded."""
    from fourfold.evidence.explaining.codechanges import Codes  # noqa: PLC0415 - not for what is noise
    from fourfold.evidence.explaining.examine import Examiner  # noqa: PLC0415 - likewise
    from fourfold.evidence.explaining.explain import explain  # noqa: PLC0415 - likewise
    from fourfold.evidence.explaining.folders import Folders  # noqa: PLC0415 - likewise
    from fourfold.evidence.lineage import Makers  # noqa: PLC0415 - likewise
    from fourfold.evidence.replaying.holdings import Holdings  # noqa: PLC0415 - likewise

    first, second = found.last_good.run, found.first_bad.run
    if first is None or second is None:
        return None
    holdings, files = Holdings(place, records), runs.code_listing(place, records.part)
    codes = Codes(place.git, place.environ, records.part)
    makers = Makers(records, holdings.inside, Folders(holdings, codes, files, place.root).listed)
    good, bad = makers.lineage(first), makers.lineage(second)
    explanation = explain(
        good,
        bad,
        records.part,
        files,
        codes=codes,
        examiner=Examiner(holdings, place, records.part),
        metric=found.history.metric,
    )
    return Explained(explanation, good, bad)


def _search(
    args: argparse.Namespace,
    place: "Place",
    records: "Records",
    history: History,
    threshold: float | None,
    ways: Ways,
) -> Found:
    if args.dry or place.git is None:
        return bisect(history, threshold=threshold)
    if not scatter(history)[0] and all(state.metric is not None for state in history.states):
        return bisect(history, threshold=threshold)
    from fourfold.evidence.bisecting.trials import Trials  # noqa: PLC0415 - records mostly answer

    with Trials(place, records, history, ways) as trials:
        return bisect(history, trials, threshold=threshold)


def _narrow(place: "Place", records: "Records", found: Found, ways: Ways) -> "Narrowed":
    from fourfold.evidence.attributing.hybrids import Laboratory  # noqa: PLC0415 - as above
    from fourfold.evidence.bisecting.subsets import narrow  # noqa: PLC0415 - as above
    from fourfold.evidence.lineage import Makers  # noqa: PLC0415 - as above
    from fourfold.evidence.replaying.holdings import Holdings  # noqa: PLC0415 - as above

    makers = Makers(records, Holdings(place, records).inside)
    a, b = (makers.lineage(state.run) for state in (found.last_good, found.first_bad) if state.run)
    with Laboratory(place, records, a, b, ways) as laboratory:
        narrowed = narrow(laboratory, found.history.metric, found.side, found.moved)
    return narrowed._replace(wholes=makers.wholes(a, b))


def _threshold(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise ThresholdError(f"--threshold {text!r} is no number", hint="for example: --threshold 0.8")
    return value


def _lines(
    found: Found,
    explained: "Explanation | None",
    merge: Merge | None,
    inside: "Narrowed | None",
    style: Style,
) -> Iterator[str]:
    states = found.history.states
    worse = "below" if found.side.falls else "above"
    yield (
        f"{style.bold(found.history.metric)}  {_value(states[0])} -> {_value(states[-1])}, "
        f"bad {worse} {number(found.side.threshold)}"
    )
    known = f"{found.free} of {len(states)} versions recorded"
    yield style.dim(f"{known}, {_count(found.executed)}")
    if found.history.merged:
        yield style.dim(_merges(found.history))
    yield f"last good   {_state(found.last_good, style)}"
    for at in found.skipped:
        yield f"unknown     {_state(states[at], style)}  {style.yellow(states[at].why)}"
    yield f"first bad   {_state(found.first_bad, style)}"
    if found.skipped:
        yield style.yellow("the first bad version is that one, or one of the unknown ones before it")
    if found.is_noise:
        scatters = f": they scatter by {number(found.spread)}" if found.spread is not None else ""
        yield style.yellow(f"nothing but noise, as far as repeats of one version tell{scatters}")
    if found.flips:
        yield style.yellow(f"before, the metric crossed the threshold {found.flips} times")
    yield from _confidence(found, style)
    if merge is not None:
        yield from _merge(merge, found, style)
    if found.moved:
        yield f"moved       {', '.join(found.moved)}"
    for at, cause in enumerate(explained.suspects[:_CAUSES] if explained is not None else (), 1):
        told = f"  {cause.told}" if cause.told else ""
        yield f"{at:>2}. {style.bold(cause.coordinate)}: {cause.change.name}  {sides(cause.change)}{told}"
    if inside is not None:
        yield from _inside(inside, style)
    if found.last_good.run and found.first_bad.run:
        yield style.dim(f"see why: ff explain {found.last_good.run[:12]} {found.first_bad.run[:12]}")


def _merges(history: History) -> str:
    merges, beside = len(history.merged), history.beside
    return (
        f"searched along first parents: {merges} {'merge' if merges == 1 else 'merges'} among them, and "
        f"{beside} {'commit' if beside == 1 else 'commits'} of merged branches beside"
    )


def _confidence(found: Found, style: Style) -> Iterator[str]:
    """How sure it is, where that is worth a line."""
    if found.is_noise:
        return
    if found.confidence is None:
        yield style.dim("noise       not known: no version was measured twice")
    elif found.confidence < CONFIDENCE:
        yield style.yellow(
            f"confidence  {found.confidence:.0%} only: the metric scatters by {found.spread:.3g}"
        )
    elif found.confidence < 1:
        yield f"confidence  {found.confidence:.0%}"


def _merge(merge: Merge, found: Found, style: Style) -> Iterator[str]:
    """What is to be said of a first bad version that is a merge."""
    if merge.is_bad is False and merge.value is not None:
        yield style.yellow(
            f"it is a merge, and what it merged was good ({number(merge.value)}): it is the merge itself"
        )
        return
    value = f" ({number(merge.value)})" if merge.value is not None else ""
    told = "what it merged was bad already" if merge.is_bad else "of what it merged no result is known"
    yield style.yellow(f"it is a merge, and {told}{value}")
    if merge.base is not None:
        ends = f"--good {merge.base[:SHORT]} --bad {merge.tip[:SHORT]}"
        yield f"search it   ff bisect --metric {found.history.metric} {ends}"


def _inside(inside: "Narrowed", style: Style) -> Iterator[str]:
    for name, value in inside.alone.items():
        told = "could not be run" if value is None else number(value)
        blamed = style.red("  bad") if name in inside.blamed else ""
        yield f"alone       {name}: {told}{blamed}"
    if inside.alone and not inside.blamed:
        unknown = any(value is None for value in inside.alone.values())
        yield "none of them alone is known to make it bad" if unknown else "none of them alone makes it bad"
    elif not inside.files and not inside.problems:
        yield "there is no folder of several files that makes it bad by itself, to go on in"
    if inside.files:
        names = ", ".join(inside.files[:_FILES])
        more = f" and {len(inside.files) - _FILES} more" if len(inside.files) > _FILES else ""
        of = f"{len(inside.files)} of {inside.changed} that changed in {inside.folder}"
        yield f"files       {names}{more}  ({of})"
        if not inside.whole:
            yield style.yellow("the search was ended early: perhaps not all of these files are needed")
    for problem in inside.problems:
        yield style.yellow(f"not run: {problem}")
    yield from wholes_told(inside.wholes, style)
    yield style.dim(f"inside: {_count(inside.executed)}, {inside.free} answered by records")


def _count(executed: int) -> str:
    return "nothing was run" if not executed else f"{executed} run{'s' if executed > 1 else ''} made"


def _value(state: State) -> str:
    return number(state.metric) if state.metric is not None else "?"


def _state(state: State, style: Style) -> str:
    run = f"  run {state.run[:12]}" if state.run is not None and state.commit is not None else ""
    return f"{style.cyan(state.name)}  {_value(state)}  {short(state.title, _TITLE)}{style.dim(run)}"
