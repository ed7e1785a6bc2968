"""What commands on evidence ask alike: which run, in which environment a replay is, and where it stays."""

import argparse
from collections.abc import Iterator, Sequence

from fourfold.cli.options import completes
from fourfold.cli.render import Style

#: What a run may be called on the command line (`fourfold.evidence.naming`).
RUN = "a run: its id's beginning, a stage (<stage>~1 for the one before), a revision or <revision>:<stage>"
POLICIES = ("auto", "running", "lock", "image")


def run_argument(parser: argparse.ArgumentParser) -> None:
    """Define the run that a command is about, or the archive that has it (`fourfold.cli.subject`)."""
    completes(parser.add_argument("run", metavar="<run>", help=f"{RUN}; or the file of an archive"), "none")


def folder_options(parser: argparse.ArgumentParser, into: str, keep: str) -> None:
    """Define ``--into`` and ``--keep``, which leave the directory of a replay there.

    Args:
        parser: Of the command.
        into: What the first does.
        keep: What the second does.
    """
    completes(parser.add_argument("--into", metavar="<dir>", help=into), "dir")
    parser.add_argument("--keep", action="store_true", help=keep)


def wholes_told(folders: Sequence[str], style: Style) -> Iterator[str]:
    """That folders which stages filled count as data, in lines."""
    for folder in folders:
        yield style.yellow(
            f"'{folder}' counts as raw data as a whole: stages filled it, and what they wrote is not told"
            " apart here (ff explain does)"
        )


def environment_option(parser: argparse.ArgumentParser) -> argparse.Action:
    """Define ``--environment``, of commands that replay."""
    return parser.add_argument(
        "--environment",
        choices=POLICIES,
        default="auto",
        help="which one a replay may have: the running one as it is, one built from the lock, or the image; "
        "by default the first of these that is the recorded one",
    )
