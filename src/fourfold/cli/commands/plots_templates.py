"""``ff plots templates``: which templates there are, and what one holds."""

import argparse

from fourfold.base.suggest import did_you_mean
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import to_json
from fourfold.cli.session import Session
from fourfold.pipeline.plots.templates import BUILT_IN, TemplateNotFoundError


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    completes(
        parser.add_argument("template", nargs="?", help="print this one; by default the names of all"),
        "none",
    )
    parser.epilog = "Example: ff plots templates simple > .dvc/plots/mine.json"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """List the templates, or print one."""
    del session
    if not args.template:
        return Outcome(data=list(BUILT_IN), text=list(BUILT_IN))
    if args.template not in BUILT_IN:
        raise TemplateNotFoundError(
            f"there is no template '{args.template}'",
            hint=did_you_mean(args.template, list(BUILT_IN), "see which there are: ff plots templates"),
        )
    content = BUILT_IN[args.template]
    return Outcome(data=content, text=[to_json(content)], loud=True)
