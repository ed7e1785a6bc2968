"""``ff dataset add``: declare data from elsewhere that stages name as ``ds://<name>``."""

import argparse

from fourfold.cli.datasets import change_data, place_of
from fourfold.cli.gitnote import tell_git
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.formats.dvc.datasets import DatasetSpec
from fourfold.project.dataset_edit import DatasetOptionError, add_dataset


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    completes(parser.add_argument("name", help="what to call it"), "none")
    where = parser.add_mutually_exclusive_group(required=True)
    completes(
        where.add_argument("--dc", metavar="<name>", help="a DataChain data set (needs DataChain itself)"),
        "none",
    )
    completes(
        where.add_argument("--dvc", metavar="<url>", help="a repository: a folder, or a Git address"), "dir"
    )
    completes(
        where.add_argument("--url", metavar="<url>", help="objects at s3://, gs://, azure:// or remote://"),
        "none",
    )
    completes(
        parser.add_argument("--rev", metavar="<commit>", help="the commit, branch or tag to follow (--dvc)"),
        "none",
    )
    completes(
        parser.add_argument("--path", metavar="<path>", help="a file or directory in it (--dvc)"), "none"
    )
    parser.add_argument("-f", "--force", action="store_true", help="replace a data set of the same name")
    parser.epilog = "Example: ff dataset add cats --dvc https://github.com/iterative/dataset-registry"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Declare it, and note what it is now."""
    for option, value in (("--rev", args.rev), ("--path", args.path)):
        if value and not args.dvc:
            raise DatasetOptionError(f"{option} can't be used without --dvc")
    kind = "dvc" if args.dvc is not None else "dc" if args.dc is not None else "url"
    url = args.dvc if kind == "dvc" else args.dc if kind == "dc" else args.url
    spec = DatasetSpec(args.name, url, kind, args.path or "", args.rev)
    change = add_dataset(session.project, spec, force=args.force)
    tell_git(session, change.staged)
    text = [f"Adding {args.name} ({place_of(change.new)})"]
    return Outcome(data=change_data(change, session), text=text)
