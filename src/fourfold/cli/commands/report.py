"""``ff report``: what a change does to the pipeline, its data and its results, for those who review it."""

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fourfold.base.errors import UsageError, from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.pipeline.goals import parse_goals
from fourfold.pipeline.report.collect import Wanted, report
from fourfold.pipeline.report.gates import GateTrippedError, parse_gate
from fourfold.pipeline.report.layout import Figure, Section, sections
from fourfold.pipeline.report.markdown import COMMENT_LIMIT, markdown
from fourfold.pipeline.report.value import Report, as_json

if TYPE_CHECKING:
    from fourfold.pipeline.report.post import Posted

#: A smaller page could not even say what it leaves out.
_SMALLEST = 1000


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments; DVC has no such command."""
    parser.add_argument(
        "a_rev", nargs="?", help="the old revision; by default where the work left its target branch"
    )
    parser.add_argument("b_rev", nargs="?", help="the new revision; the workspace by default")
    out = parser.add_argument("-o", "--out", metavar="FILE", help="write the Markdown, and images beside it")
    completes(out, "file")
    completes(
        parser.add_argument("--html", metavar="FILE", help="write one HTML file that needs nothing"), "file"
    )
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="CONDITION",
        help="fail when it holds: 'metrics.json:auc < 0.85', 'metrics.json:auc drop > 0.01', out-of-date, "
        "missing-on-remote; repeatable",
    )
    parser.add_argument(
        "--goal",
        action="append",
        default=[],
        metavar="KEY=WAY",
        help="say which way a metric is better: auc=max, loss=min; repeatable",
    )
    parser.add_argument(
        "--post", action="store_true", help="post it with gh or glab, else in the job's summary"
    )
    parser.add_argument(
        "--attach", action="store_true", help="with --post, upload the plots (gh 2.99 or newer)"
    )
    completes(
        parser.add_argument("-r", "--remote", metavar="NAME", help="the remote to look for data on"), "remote"
    )
    parser.add_argument("--no-remote", action="store_true", help="ask no remote what it lacks")
    parser.add_argument("--png", action="store_true", help="plots beside the Markdown as PNG (extra plots)")
    parser.add_argument("--no-plots", action="store_true", help="leave plots out")
    parser.add_argument(
        "--max-size",
        type=int,
        default=COMMENT_LIMIT,
        metavar="BYTES",
        help=f"cut the Markdown at this size; {COMMENT_LIMIT}, what GitHub takes, by default",
    )
    parser.epilog = "Example: ff report main --fail-on 'metrics.json:auc < 0.85'"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Compare, write where it was asked to, and fail when a condition holds."""
    if args.max_size < _SMALLEST:
        raise UsageError(f"--max-size {args.max_size} is too small", hint=f"give {_SMALLEST} at least")
    if args.attach and not args.post:
        raise UsageError("--attach needs --post")
    wanted = Wanted(
        goals=parse_goals(args.goal),
        gates=[parse_gate(text) for text in args.fail_on],
        remote=args.remote,
        ask_remote=not args.no_remote,
        plots=not args.no_plots,
    )
    found = report(
        session.project, args.a_rev, args.b_rev, wanted=wanted, environ=session.environ, events=session.sink
    )
    figures, undrawn = _figures(session, found)
    told = sections(found, figures, undrawn)
    data = as_json(found)
    if args.html:
        from fourfold.pipeline.report.html import page  # noqa: PLC0415 - on request only

        _save(session.resolve(args.html), page(told).encode())
    if args.png and figures:
        from fourfold.pipeline.report.figures import as_png  # noqa: PLC0415 - likewise

        figures = as_png(figures)
        told = sections(found, figures, undrawn)
    if args.out:
        _write(session, args.out, told, figures, args.max_size)
    if args.post:
        posted = _post(session, told, figures, attach=args.attach)
        data["posted"] = {"place": posted.place, "edited": posted.edited}
    text = () if args.out or args.html or args.post else markdown(told, limit=args.max_size).splitlines()
    return Outcome(data=data, text=text, failure=_failure(found))


def _figures(session: Session, found: Report) -> tuple[list[Figure], list[str]]:
    if not found.plots:
        return [], []
    from fourfold.pipeline.report.figures import figures  # noqa: PLC0415 - few reports have plots

    return figures(session.project, found.plots, found.old.name)


def _failure(found: Report) -> GateTrippedError | None:
    tripped = [gate for gate in found.gates if gate.tripped]
    if not tripped:
        return None
    lines = [f"{gate.condition}: {gate.finding}" for gate in tripped]
    more = f" (and {len(tripped) - 1} more)" if len(tripped) > 1 else ""
    return GateTrippedError(
        f"the report fails on {lines[0]}{more}",
        hint="see what changed above, or in the file that was written",
        details=lines[1:],
    )


def _write(
    session: Session, out: str, told: Sequence[Section], figures: Sequence[Figure], limit: int
) -> None:
    path = session.resolve(out)
    folder = os.path.splitext(os.path.basename(path))[0] + ".images"
    _save(path, markdown(told, limit=limit, images=folder).encode())
    _save_images(os.path.join(os.path.dirname(path), folder), figures)


def _save_images(folder: str, figures: Sequence[Figure]) -> list[str]:
    paths = [os.path.join(folder, figure.name) for figure in figures]
    for path, figure in zip(paths, figures, strict=True):
        _save(path, figure.data)
    return paths


def _save(path: str, data: bytes) -> None:
    if os.path.isdir(path):
        raise UsageError(f"'{path}' is a folder", hint="name a file to write to")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_atomic(path, data)
    except OSError as error:
        raise from_os_error(error, "writing the report") from error


def _post(session: Session, told: Sequence[Section], figures: Sequence[Figure], *, attach: bool) -> "Posted":
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - on request only

    from fourfold.pipeline.report.post import post  # noqa: PLC0415 - likewise

    with TemporaryDirectory(prefix="ff-report-") as folder:
        paths = _save_images(folder, figures) if attach else []

        def render(limit: int, *, images: bool = False) -> str:
            return markdown(told, limit=limit, images=folder if images else None)

        posted = post(render, environ=session.environ, cwd=session.cwd, images=paths, attach=attach)
    for note in posted.notes:
        session.warn(note)
    session.news(f"{'edited' if posted.edited else 'posted'}: {posted.place} {posted.address}")
    return posted
