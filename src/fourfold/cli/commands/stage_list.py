"""``ff stage list``: the stages of the pipeline."""

import argparse
from collections.abc import Iterator, Sequence

from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.pipeline.stage_list import Listed, list_stages


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="<targets>",
        help="stages, 'dvc.yaml' or pointer files; the 'dvc.yaml' at hand by default",
    )
    parser.add_argument("--all", action="store_true", help="all stages and pointer files of the project")
    parser.add_argument("--fail", action="store_true", help="fail at a broken file instead of leaving it out")
    parser.add_argument(
        "-R", "--recursive", action="store_true", help="a folder stands for the stages below it"
    )
    parser.add_argument("--name-only", "--names-only", action="store_true", help="print names alone")
    parser.epilog = "Example: ff stage list --all"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """List them."""
    found = list_stages(
        session.project, args.targets, everything=args.all, recursive=args.recursive, strict=args.fail
    )
    for error in found.errors:
        session.warn(f"left out: {error.message}", error.hint)
    data = [
        {
            "name": item.name,
            "file": session.display(item.owner.file),
            **({} if args.name_only else {"description": item.about}),
        }
        for item in found.stages
    ]
    return Outcome(data={"stages": data}, text=_lines(found.stages, names_only=args.name_only))


def _lines(stages: Sequence[Listed], *, names_only: bool) -> Iterator[str]:
    if names_only:
        yield from (item.name.strip() for item in stages)
        return
    width = max((len(item.name.strip()) for item in stages), default=0)
    yield from (f"{item.name.strip().ljust(width)}  {item.about.strip()}".rstrip() for item in stages)
