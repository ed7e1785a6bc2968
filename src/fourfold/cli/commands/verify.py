"""``ff verify``: repeat a run, and say in levels how alike the results are, and where they part."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import FourfoldError
from fourfold.cli import runs
from fourfold.cli.evidence import environment_option, folder_options, run_argument
from fourfold.cli.options import at_least_one, completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.cli.subject import Subject, subject
from fourfold.evidence.auditing.statements import note_in_lock, record_verdict
from fourfold.evidence.replaying.replay import Prepared, Streams
from fourfold.evidence.statistics.inference import FEWEST_PAIRS
from fourfold.evidence.verifying.declaring import Declared, declared
from fourfold.evidence.verifying.verdict import LEVELS, OutputVerdict, Verdict
from fourfold.evidence.verifying.verify import REPEATS, Terms, verify
from fourfold.runs.words import SHORT

if TYPE_CHECKING:
    from fourfold.evidence.shaking.shaken import Shaken
    from fourfold.formats.native.record import RunId
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

#: Who verified, and when, is said by the statement alone.
_STATED = ("verifier", "timeVerified")
#: What commands say goes to stderr: stdout has the verdict.
_STDERR = 2
#: So many outputs, leaves of one, and differences of the environment are named.
_OUTPUTS, _LEAVES, _NAMED = 20, 3, 5
#: Beyond so many floats between two values, their number says nothing to people.
_ULPS = 1_000_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    run_argument(parser)
    parser.add_argument(
        "--level",
        choices=LEVELS,
        help="how alike results must be: the same bytes (unless the stage declares another), the same "
        "meaning, within the noise of repeats, or a metric that is equivalent",
    )
    parser.add_argument(
        "--repeats",
        type=at_least_one,
        metavar="<n>",
        help=f"how often to repeat it as it was, for the noise; {REPEATS} where numbers differ",
    )
    parser.add_argument(
        "--seeds",
        type=at_least_one,
        metavar="<n>",
        help=f"seeds of a statistical verdict; fewer than {FEWEST_PAIRS} (default) certify nothing",
    )
    completes(
        parser.add_argument(
            "--metric",
            default="",
            metavar="<name>",
            help="the number that is compared: its name, or FILE:NAME",
        ),
        "none",
    )
    parser.add_argument(
        "--margin", type=float, metavar="<number>", help="the difference of the metric that does not matter"
    )
    environment_option(parser)
    parser.add_argument(
        "--unsafe", action="store_true", help="read files that only running them can read: trusted ones only"
    )
    parser.add_argument(
        "--shake",
        action="store_true",
        help="vary one circumstance at a time too (time zone, threads, order of files); name what matters",
    )
    folder_options(
        parser,
        "leave the first replay in this new directory",
        "leave the directory of the first replay there",
    )
    parser.epilog = "Example: ff verify train --level canonical"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Verify it."""
    with subject(session, args.run, args.into) as found:
        return _verified(args, session, found)


def _verified(args: argparse.Namespace, session: Session, about: Subject) -> Outcome:
    place, records, name = about.place, about.records, about.run
    terms = _terms(args, declared(place, records, records.get(name)))
    teller = _Teller(session, name, keep=args.keep or args.into is not None)
    found = verify(
        place,
        records,
        name,
        terms,
        folder=about.folder,
        streams=Streams(output=_STDERR, prepared=teller.prepared),
        events=session.sink,
    )
    shaken = _shaken(args, session, place, records, name) if args.shake else None
    if shaken is not None:
        found = found._replace(more={"shaken": shaken.document()})
    session.sink.rest()
    document = found.document()
    statement = noted = None
    if not about.fleeting:
        statement = record_verdict(place, records, name, document, events=session.sink)
        noted = note_in_lock(place, records, name, statement)
    said = {key: value for key, value in document.items() if key not in _STATED}
    data = {**said, "statement": statement, "folder": teller.folder}
    title = f"{runs.title(records.get(name))} {name[:SHORT]}"
    lines = [*_lines(found, title, session.style), *_shake_lines(shaken)]
    lines += [session.style.yellow(f"  not in the archive: {one}") for one in about.left_out]
    if statement is not None:
        lines.append(session.style.dim(f"statement {statement[:SHORT]}" + _where(session, noted)))
    if teller.folder:
        lines.append(f"the first replay stays in {teller.folder}")
    return Outcome(data=data, text=lines, exit_code=0 if found.holds else 1)


def _terms(args: argparse.Namespace, said: Declared) -> Terms:
    """What is asked: by the command line, else by the code of the run."""
    # A margin was declared of one metric, and says nothing of another one.
    margin = said.margin if _is_same(args.metric, said.metric) else None
    return Terms(
        args.level or said.level or "bitwise",
        args.repeats if args.repeats is not None else said.repeats,
        args.seeds or said.seeds or FEWEST_PAIRS,
        args.metric or said.metric,
        args.margin if args.margin is not None else margin,
        policy=args.environment,
        unsafe=args.unsafe,
        declared="code of the run" if args.margin is None and margin is not None else "when verified",
    )


def _is_same(asked: str, said: str) -> bool:
    """Whether two names, ``FILE:NAME`` or NAME, may mean one metric; "" means the only one."""
    names = [name.rpartition(":")[::2] for name in (asked, said) if name]
    files = {file for file, _ in names if file}
    return len({name for _, name in names}) < 2 and len(files) < 2


class _Teller:
    """Tells of each replay before it starts, and keeps the first where that is asked for."""

    def __init__(self, session: Session, name: "RunId", *, keep: bool) -> None:
        self._session = session
        self._name = name
        self._keep = keep
        self._count = 0
        self.folder: str | None = None

    def prepared(self, told: Prepared) -> None:
        """Hear that a replay is about to run."""
        self._session.sink.rest()
        self._count += 1
        if self._keep and self._count == 1:
            told.box.keep()
            self.folder = told.box.root
        seed = "no seed" if told.seed is None else f"seed {told.seed}"
        self._session.news(
            f"replay {self._count} of {self._name[:SHORT]}: {seed}, environment {told.surroundings.how}"
        )


def _shaken(
    args: argparse.Namespace, session: Session, place: "Place", records: "Records", name: "RunId"
) -> "Shaken | None":
    from fourfold.evidence.shaking.shake import shake  # noqa: PLC0415 - few ask for it

    try:
        return shake(place, records, name, policy=args.environment, events=session.sink)
    except FourfoldError as error:  # the verdict stands, and is not to be lost
        session.warn(f"nothing was shaken: {error.message}", error.hint or "")
        return None


def _shake_lines(shaken: "Shaken | None") -> Iterator[str]:
    if shaken is not None:
        from fourfold.evidence.shaking.shaken import lines  # noqa: PLC0415 - likewise

        yield "shaken"
        for line in lines(shaken):
            yield f"  {line}"


def _where(session: Session, noted: str | None) -> str:
    return f", noted in {session.display(noted)}" if noted else ""


def _lines(found: Verdict, title: str, style: Style) -> Iterator[str]:
    if found.holds:
        yield f"{style.green(found.level)}: {title}: {found.reason}"
    elif found.level == "inconclusive":
        yield f"{style.yellow('inconclusive')}: {title}: {found.reason}"
    else:
        besides = "" if found.level == "different" else f" ({found.level} it is)"
        yield f"{style.red(f'not {found.asked}')}{besides}: {title}: {found.reason}"
    for output in found.outputs[:_OUTPUTS]:
        yield from _output(output, style)
    if len(found.outputs) > _OUTPUTS:
        yield style.dim(f"  and {len(found.outputs) - _OUTPUTS} more outputs (--json has all)")
    yield from _circumstances(found, style)


def _output(output: OutputVerdict, style: Style) -> Iterator[str]:
    paint = {"bitwise": style.green, "canonical": style.green, "numeric": style.green}
    word = paint.get(output.level, style.red if output.level == "different" else style.yellow)(output.level)
    reason = f"  {output.reason}" if output.reason else ""
    yield f"  {word}{' ' * (14 - len(output.level))}  {output.path}{reason}"
    for leaf in output.leaves[:_LEAVES]:
        ulp = f", {leaf.ulp:g} ULP" if leaf.ulp is not None and leaf.ulp <= _ULPS else ""
        noise = f"; noise up to {leaf.tolerance[0]:.3g}" if leaf.tolerance is not None else ""
        yield style.dim(
            f"    {leaf.name or 'value'}: {leaf.differing} of {leaf.values} differ, "
            f"at most by {leaf.absolute:.3g} ({leaf.relative:.2g} of the value{ulp}){noise}"
        )
    if output.differing > _LEAVES:
        yield style.dim(f"    {output.differing} parts differ (--json has more)")


def _circumstances(found: Verdict, style: Style) -> Iterator[str]:
    if found.noise is not None:
        count, factor = found.noise.repeats, found.noise.factor
        yield style.dim(f"  noise: {factor:.3g} times what {count} repeats differ by")
    if found.metric is not None:
        values = ", ".join(f"{value:.6g}" for value in found.metric.after[:_NAMED])
        more = ", ..." if len(found.metric.after) > _NAMED else ""
        yield style.dim(
            f"  {found.metric.metric} now: {values}{more}; {found.metric.against}: " + _then(found)
        )
    differs: list[Any] = list(found.environment.get("differs", ()))
    if differs:
        more = f" and {len(differs) - _NAMED} more" if len(differs) > _NAMED else ""
        yield style.yellow(f"  environment differs: {', '.join(map(str, differs[:_NAMED]))}{more}")
    for word, names in (("read of", found.reached), ("wrote into", found.wrote)):
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            told = f"  {word} the workspace, although it ran apart: {', '.join(names[:_NAMED])}{more}"
            yield style.yellow(told)
    for one in (*found.missing, *(f"{path}: code that the record left out" for path in found.left_out)):
        yield style.yellow(f"  not had: {one}")


def _then(found: Verdict) -> str:
    values = found.metric.before if found.metric is not None else ()
    return ", ".join(f"{value:.6g}" for value in values[:_NAMED]) + (", ..." if len(values) > _NAMED else "")
