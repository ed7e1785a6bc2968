"""``ff init``: begin a project."""

import argparse

from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.init import init


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument(
        "directory", nargs="?", default=".", help="where to begin it; the current directory by default"
    )
    parser.add_argument("--no-scm", action="store_true", help="begin it in a directory without Git")
    parser.add_argument(
        "-f", "--force", action="store_true", help="replace an existing '.dvc', with the cache in it"
    )
    parser.add_argument("--subdir", action="store_true", help="begin it below the root of a Git repository")
    parser.epilog = "Example: ff init"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Begin, and say what comes next."""
    result = init(
        session.resolve(args.directory),
        environ=session.environ,
        no_scm=args.no_scm,
        subdir=args.subdir,
        force=args.force,
    )
    files = [session.display(path) for path in result.files]
    text = [f"Initialized a project in {result.root}."]
    if not result.no_scm:
        text.append("Its files are staged: git commit -m 'Begin to track data'")
    text.append("Next: ff add <data>")
    data = {"root": result.root, "files": files, "no_scm": result.no_scm, "replaced": result.replaced}
    return Outcome(data=data, text=text)
