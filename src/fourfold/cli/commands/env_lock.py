"""``ff env lock``: write a lock of what is installed."""

import argparse
import os
import re
from typing import TYPE_CHECKING

from fourfold.base.errors import ConflictError, UsageError, from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.runs.envcheck.writing import lock
from fourfold.wiring import find_place

if TYPE_CHECKING:
    from fourfold.runs.envcheck.writing import Written

_NAME = re.compile(r"pylock(?:\.[^.]+)?\.toml")
_MINE = b'created-by = "fourfold"'


class LockExistsError(ConflictError):
    """There is a lock of another tool where ours would go."""

    code = "lock-exists"
    default_hint = "write beside it: -o pylock.NAME.toml, or over it: --force"


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments; DVC has no such command."""
    completes(
        parser.add_argument("-p", "--python", metavar="PATH", help="an interpreter or an environment"), "file"
    )
    completes(
        parser.add_argument(
            "-o", "--out", metavar="FILE", help="pylock.toml in the root by default; - for standard output"
        ),
        "file",
    )
    completes(
        parser.add_argument(
            "--wheels",
            metavar="PATH",
            action="append",
            default=[],
            help="a wheel, or a folder of wheels, that may have been installed; repeatable",
        ),
        "dir",
    )
    completes(
        parser.add_argument(
            "--index-url", metavar="URL", help="ask this package index where nothing else is known"
        ),
        "none",
    )
    parser.add_argument("-f", "--force", action="store_true", help="replace a lock of another tool")
    parser.epilog = "Example: ff env lock --index-url https://pypi.org/simple"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Lock and write; the exit code is 1 when a package has no source that is known."""
    place = find_place(session.cwd, environ=session.environ)
    to_stdout = args.out == "-"
    path = session.resolve(args.out) if args.out else os.path.join(place.root, "pylock.toml")
    if not to_stdout:
        _check(path, force=args.force)
    made = lock(
        place,
        session.cwd if to_stdout else os.path.dirname(path),
        python=args.python,
        wheels=[session.resolve(item) for item in args.wheels],
        index=args.index_url,
        events=session.sink,
    )
    if not to_stdout:
        try:
            write_atomic(path, made.data)
        except OSError as error:
            raise from_os_error(error, f"writing {path}") from error
    _tell(made, session)
    data = {
        "file": None if to_stdout else path,
        "lock": made.data.decode(),
        "packages": made.packages,
        "proven": made.proven,
        "unknown": list(made.unknown),
    }
    shown = made.data.decode().rstrip("\n") if to_stdout else _summary(made, session.display(path))
    return Outcome(data=data, text=[shown], exit_code=1 if made.unknown else 0, loud=to_stdout)


def _check(path: str, *, force: bool) -> None:
    name = os.path.basename(path)
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"installers take no lock of that name: {name}", hint="call it pylock.toml or pylock.NAME.toml"
        )
    if force or not os.path.exists(path):
        return
    try:
        with open(path, "rb") as file:
            mine = _MINE in file.read(65536)
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error
    if not mine:
        raise LockExistsError(f"{name} was written by another tool")


def _tell(made: "Written", session: Session) -> None:
    if made.unknown:
        names = ", ".join(made.unknown[:5]) + (
            f" and {len(made.unknown) - 5} more" if made.unknown[5:] else ""
        )
        session.warn(
            f"nothing is known of where these came from, so that installers will leave them out: {names}",
            "name wheels with --wheels, or an index with --index-url https://pypi.org/simple",
        )


def _summary(made: "Written", path: str) -> str:
    word = "package" if made.packages == 1 else "packages"
    return f"{path}: {made.packages} {word}, {made.proven} of them proven by their wheels"
