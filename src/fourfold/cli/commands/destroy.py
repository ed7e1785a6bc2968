"""``ff destroy``: take everything of DVC out of a folder."""

import argparse

from fourfold.cli.outcome import Outcome
from fourfold.cli.session import NotConfirmedError, Session
from fourfold.project.destroy import destroy


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("-f", "--force", action="store_true", help="do not ask")
    parser.epilog = "Example: ff destroy -f"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Ask, unless told not to, then destroy."""
    project = session.project
    if not args.force and not session.confirm(
        "This removes all pointer files and pipelines, and the cache in .dvc/cache; it cannot be undone.\n"
        "Your data stays. Continue?"
    ):
        raise NotConfirmedError(
            "nothing was destroyed: nobody confirmed it", hint="to do it without being asked: ff destroy -f"
        )
    result = destroy(project, events=session.sink)
    removed = [session.display(path) for path in result.removed]
    return Outcome(data={"removed": removed}, text=(f"Removed {len(removed)} files and folders of DVC.",))
