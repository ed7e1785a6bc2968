"""``ff check-ignore``: which paths ``.dvcignore`` excludes, and by which line."""

import argparse
import os
from collections.abc import Iterable, Iterator

from fourfold.base.errors import UsageError
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.formats.dvc.ignore import Verdict


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("targets", nargs="*", help="paths to ask about")
    parser.add_argument("-d", "--details", action="store_true", help="show the file, line and pattern")
    parser.add_argument(
        "-a", "--all", action="store_true", help="with --details: show every pattern that matches"
    )
    parser.add_argument(
        "-n",
        "--non-matching",
        action="store_true",
        help="with --details: also show paths that no pattern matches",
    )
    parser.add_argument("--stdin", action="store_true", help="read paths from standard input, one a line")
    parser.epilog = "Example: ff check-ignore -d data/a.log"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Answer for each path; the exit code is 0 when at least one is excluded, else 1."""
    _check(args, session)
    found = [(target, _verdict(session, target)) for target in _targets(args, session)]
    rows = [row for target, verdict in found for row in _rows(args, target, verdict)]
    data = [
        {"path": target, "ignored": verdict.ignored, "pattern": str(verdict.rule) if verdict.rule else None}
        for target, verdict in found
    ]
    matched = any(verdict.rule if args.details else verdict.ignored for _target, verdict in found)
    return Outcome(data=data, text=rows, exit_code=0 if matched else 1)


def _check(args: argparse.Namespace, session: Session) -> None:
    if not args.stdin and not args.targets:
        raise UsageError("name the paths to ask about, or pass --stdin")
    if args.stdin and args.targets:
        raise UsageError("name paths or pass --stdin, not both")
    if args.non_matching and not args.details:
        raise UsageError("--non-matching is only valid with --details")
    if args.all and not args.details:
        raise UsageError("--all is only valid with --details")
    if session.settings.quiet and args.details:
        raise UsageError("--details and --quiet contradict each other")


def _targets(args: argparse.Namespace, session: Session) -> Iterable[str]:
    if not args.stdin:
        yield from args.targets
        return
    for line in session.stdin or ():
        target = line.rstrip("\n")
        if not target:
            return
        yield target


def _verdict(session: Session, target: str) -> Verdict:
    path = session.resolve(target)
    return session.project.ignore.check(path, target.endswith("/") or os.path.isdir(path))


def _rows(args: argparse.Namespace, target: str, verdict: Verdict) -> Iterator[str]:
    if not args.details:
        if verdict.ignored:
            yield target
        return
    if verdict.rule is not None:
        yield f"{verdict.rule}\t{target}"
    elif args.non_matching:
        yield f"::\t{target}"
