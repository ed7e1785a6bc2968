"""``ff attribute``: how much of a change each of code, data, parameters, environment and chance caused."""

import argparse
import os
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from fourfold.cli import runs
from fourfold.cli.evidence import RUN, environment_option, wholes_told
from fourfold.cli.options import at_least_one, completes, ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.evidence.attributing.attribute import Attribution, Effect, attribute, factors_of
from fourfold.evidence.attributing.hybrids import Laboratory, Ways
from fourfold.evidence.explaining.codechanges import Codes
from fourfold.evidence.explaining.explain import explain
from fourfold.evidence.explaining.explanation import number
from fourfold.evidence.lineage import Lineage, Makers, metrics_of
from fourfold.evidence.naming import resolve
from fourfold.evidence.replaying.holdings import Holdings
from fourfold.evidence.replaying.replay import Streams
from fourfold.evidence.states import one_metric

if TYPE_CHECKING:
    from fourfold.runs.store import Records

_REPEATS = 5
#: So many names of what moved stand on a line.
_NAMES = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    for name, text in (("a", RUN), ("b", "likewise; its metric is what is to be explained")):
        completes(parser.add_argument(name, metavar=f"<{name}>", help=text), "none")
    metric = parser.add_argument(
        "--metric", metavar="<name>", required=True, help="the number that moved: its name, or FILE:NAME"
    )
    completes(ours(metric), "none")
    repeats = parser.add_argument(
        "--repeats",
        type=at_least_one,
        metavar="<n>",
        default=_REPEATS,
        help=f"measurements of <a> that noise is judged by; by default {_REPEATS}",
    )
    completes(ours(repeats), "none")
    ours(environment_option(parser))
    parser.epilog = "Example: ff attribute HEAD~1 HEAD --metric auc"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Attribute."""
    place, records = runs.opened(session)
    makers = Makers(records, Holdings(place, records).inside)
    a, b = (makers.lineage(resolve(place, records, text)) for text in (args.a, args.b))
    codes = Codes(place.git, place.environ, records.part)
    explained = explain(a, b, records.part, runs.code_listing(place, records.part), codes=codes)
    metric = _metric(b, records, args.metric)
    with open(os.devnull, "wb") as silence:
        ways = Ways(args.environment, Streams(output=silence.fileno()), session.sink)
        with Laboratory(place, records, a, b, ways) as laboratory:
            found = attribute(
                laboratory, metric, factors_of(explained, a, b), repeats=args.repeats, base=a.last.run
            )
    session.sink.rest()
    wholes = makers.wholes(a, b)
    return Outcome(
        data={"a": a.last.run, "b": b.last.run, **found.document(), "wholes": list(wholes)},
        text=chain(_lines(found, session.style), wholes_told(wholes, session.style)),
    )


def _metric(lineage: Lineage, records: "Records", text: str) -> str:
    known = {step.record.stage: tuple(metrics_of(step.record, records.part)) for step in lineage.steps}
    return one_metric(known, text, None)[1]


def _lines(found: Attribution, style: Style) -> Iterator[str]:
    change = _signed(found.change)
    yield f"{style.bold(found.metric)}  {number(found.before)} -> {number(found.after)}  ({change})"
    told = _told(found)
    if told:
        yield style.yellow(told)
    table = [_row(found, effect) for effect in found.effects]
    head = ["", "effect", "share", f"{95} % interval", "what moved"]
    widths = [max(map(len, column)) for column in zip(head, *table, strict=True)]
    yield style.dim(_aligned(head, widths))
    for row in table:
        yield _aligned(row, widths)
    if found.interacts and found.interaction is not None:
        yield f"interaction  {_signed(found.interaction)}: the effects, each alone, do not add up"
    if found.is_partial:
        yield style.yellow(
            f"rest  {_signed(found.rest)}: all of these together do not make the second result"
        )
    yield style.dim(_noise(found))
    for problem in found.problems:
        yield style.yellow(f"not run: {problem}")
    made = f"{found.executed} run{'s' if found.executed != 1 else ''} made"
    yield style.dim(f"{made}, {found.free} answered by records")


def _told(found: Attribution) -> str:
    """What is to be said before effects are shown; "" where they speak for themselves."""
    if found.verdict == "noise" and not found.noise.spread:
        return "the metric did not move"
    return {
        "noise": "nothing but noise: repeats of the first result scatter as far",
        "cancelled": "the whole change is no more than noise, but effects stand against each other",
        "unknown": "how much of this is noise is not known: nothing was repeated",
        "caused": "",
    }[found.verdict]


def _row(found: Attribution, effect: Effect) -> list[str]:
    names = ", ".join(effect.causes[:_NAMES])
    more = f" and {len(effect.causes) - _NAMES} more" if len(effect.causes) > _NAMES else ""
    if effect.value is None:
        return [effect.factor, "?", "?", "not known", names + more]
    share = found.share(effect)
    interval = "not known"
    if effect.low is not None and effect.high is not None:
        noise = " noise" if effect.is_noise and found.noise.spread else ""
        interval = f"{_signed(effect.low)} to {_signed(effect.high)}{noise}"
    return [
        effect.factor,
        _signed(effect.value),
        "-" if share is None else f"{share:.0%}",
        interval,
        names + more,
    ]


def _noise(found: Attribution) -> str:
    noise = found.noise
    if noise.spread is None:
        return "noise: not measured, nothing was repeated"
    of = "with other seeds" if noise.kind == "seeds" else "with the same seed"
    return (
        f"noise: {number(noise.spread)} between {len(noise.repeats)} measurements of the first result, {of}"
    )


def _signed(value: float) -> str:
    return f"{value:+,.4g}" if value else "0"


def _aligned(cells: list[str], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
