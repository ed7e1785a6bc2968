"""``ff env check``: is every installed file what was installed, and what is locked?"""

import argparse
from collections.abc import Iterator
from typing import Any

from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.progress import amount
from fourfold.cli.session import Session
from fourfold.runs.envcheck.check import Checked, check
from fourfold.wiring import find_place


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments; DVC has no such command."""
    completes(
        parser.add_argument(
            "-p",
            "--python",
            metavar="PATH",
            help="an interpreter or an environment",
        ),
        "file",
    )
    completes(
        parser.add_argument(
            "-l", "--lock", metavar="FILE", help="the lock file; the best one in the root by default"
        ),
        "file",
    )
    parser.add_argument("--fast", action="store_true", help="names and versions only: read no installed file")
    completes(
        parser.add_argument(
            "--wheels",
            metavar="PATH",
            action="append",
            default=[],
            help="a wheel, or a folder of wheels, that proves what a locked hash contains; repeatable",
        ),
        "dir",
    )
    parser.epilog = "Example: ff env check --python .venv --lock uv.lock"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Examine; the exit code is 1 when something differs."""
    place = find_place(session.cwd, environ=session.environ)
    found = check(
        place,
        python=args.python,
        lock=args.lock,
        fast=args.fast,
        wheels=[session.resolve(path) for path in args.wheels],
        events=session.sink,
    )
    return Outcome(
        data=_data(found), text=_lines(found, session), exit_code=1 if found.differs else 0, loud=True
    )


def _data(found: Checked) -> dict[str, Any]:
    files = None
    if found.rehashed is not None:
        files = {
            "hashed": found.rehashed.hashed,
            "remembered": found.rehashed.remembered,
            "bytes": found.rehashed.size,
            "unhashed": found.rehashed.unhashed,
            "bytecode": found.rehashed.bytecode,
        }
    return {
        "python": found.python._asdict(),
        "distributions": found.distributions,
        "files": files,
        "lock": found.lock._asdict() if found.lock else None,
        "equal": not found.differs,
        "findings": [finding._asdict() for finding in found.findings],
    }


def _lines(found: Checked, session: Session) -> Iterator[str]:
    style = session.style
    python = session.display(found.python.executable)
    yield f"Python {found.python.version} ({python}), {found.distributions} distributions"
    files = found.rehashed
    if files is not None:
        kept = f", {files.remembered:,} of them not moved since" if files.remembered else ""
        yield f"Files: {files.hashed + files.remembered:,} compared ({amount(files.size)}){kept}"
        if files.unhashed:
            bare = f"{files.unhashed:,} files without a hash"
            yield f"Not verified: {bare}, {files.bytecode:,} of them bytecode"
    lock = found.lock
    if lock is None:
        yield "Lock: none found; what is installed is compared with what was installed only"
    else:
        yield f"Lock: {session.display(lock.path)}, {lock.packages} packages for this Python{_proof(found)}"
    for finding in found.findings:
        told = style.red("differs") if finding.weight == "differs" else style.yellow("note")
        yield f"{told}: {finding.message}"
        if finding.hint:
            yield f"  hint: {finding.hint}"
    if not found.differs:
        what = "what was installed" if lock is None else "what was installed and what is declared"
        if lock is not None and lock.grade == "lock":
            what = "what was installed and what is locked"
        yield style.green(f"Equal: the environment is {what}.")


def _proof(found: Checked) -> str:
    lock = found.lock
    if lock is None or lock.grade != "lock":
        return ", which fixes no versions"
    if lock.proven + lock.unproven == 0:
        return ""
    return f", {lock.proven} of {lock.proven + lock.unproven} proven by hash"
