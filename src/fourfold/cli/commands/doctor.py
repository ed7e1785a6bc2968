"""``ff doctor``: versions, file systems, what is in use, what can be captured of runs, and what is wrong."""

import argparse
from collections.abc import Iterator
from typing import Any

from fourfold import __version__
from fourfold.base.errors import NotAProjectError
from fourfold.cli.options import ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.doctor import Report, examine
from fourfold.runs.capabilities import Capability, capabilities
from fourfold.wiring import find_place


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    ours(parser.add_argument("--remotes", action="store_true", help="also connect to each remote"))
    parser.epilog = "Example: ff doctor --remotes"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Examine; the exit code is 1 when something is wrong. Outside of a project there is less to tell."""
    try:
        report = examine(session.project, ask_remotes=args.remotes)
    except NotAProjectError:
        session.opening_error = None
        captured = _captured(session)
        text = (
            f"Fourfold version: {__version__}",
            "not inside of a project; start one with: ff init",
            *_capture_lines(captured, session),
        )
        capture = [item._asdict() for item in captured]
        return Outcome(data={"version": __version__, "project": None, "capture": capture}, text=text)
    captured = _captured(session)
    return Outcome(
        data=_data(report, captured),
        text=_lines(report, captured, session),
        exit_code=1 if report.findings else 0,
        loud=True,
    )


def _captured(session: Session) -> tuple[Capability, ...]:
    return capabilities(find_place(session.cwd, environ=session.environ))


def _capture_lines(captured: tuple[Capability, ...], session: Session) -> Iterator[str]:
    style = session.style
    yield "What can be captured of runs:"
    for item in captured:
        state = {"yes": style.green("yes"), "partly": style.yellow("partly")}.get(item.state, item.state)
        yield f"  {item.name}: {state}, {item.told}"
        if item.hint:
            yield f"    hint: {item.hint}"


def _data(report: Report, captured: tuple[Capability, ...]) -> dict[str, Any]:
    return {
        "version": __version__,
        "python": report.python,
        "system": report.system,
        "workspace": report.workspace,
        "cache": {"dir": report.cache[0], "file_system": report.cache[1]},
        "links": report.links._asdict() if report.links else None,
        "offers": report.offers._asdict(),
        "remotes": [{"name": name, "scheme": scheme, "url": url} for name, scheme, url in report.remotes],
        "git": report.git,
        "capture": [item._asdict() for item in captured],
        "findings": [finding._asdict() for finding in report.findings],
    }


def _lines(report: Report, captured: tuple[Capability, ...], session: Session) -> Iterator[str]:
    style = session.style
    yield f"Fourfold version: {__version__}"
    yield f"Python: {report.python}, {report.system}"
    yield f"Workspace: {session.project.root}, {report.workspace}"
    yield f"Cache: {report.cache[0]}, {report.cache[1]}"
    if report.links is None:
        yield "Cache types: not known until there is a cache"
    else:
        kinds = [kind for kind, works in report.links._asdict().items() if works]
        yield f"Cache types: {', '.join([*kinds, 'copy'])}"
    ways = {
        "syncfs": ("one flush for many files (syncfs)", "an fsync for each file"),
        "reflink": ("copies share blocks (reflink)", "copies are whole"),
        "openat2": ("the kernel keeps paths inside (openat2)", "each folder on the way is checked"),
    }
    offers = report.offers._asdict()
    for name, (fast, portable) in ways.items():
        yield f"In use: {fast if offers[name] else portable}"
    shown = ", ".join(f"{name} ({scheme})" for name, scheme, _url in report.remotes)
    yield f"Remotes: {shown or 'none'}"
    yield f"Git: {report.git or 'none'}"
    yield from _capture_lines(captured, session)
    if not report.findings:
        yield style.green("Nothing is wrong.")
    for finding in report.findings:
        yield f"{style.yellow('finding')}: {finding.message}"
        if finding.hint:
            yield f"  hint: {finding.hint}"
        yield f"  code: {finding.code}"
