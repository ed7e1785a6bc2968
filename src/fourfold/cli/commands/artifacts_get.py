"""``ff artifacts get``: download a version of a model, or of anything else that a repository names."""

import argparse

from fourfold.cli import sources
from fourfold.cli.commands.get import got_data, got_line
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.artifacts import artifact_url, get_artifact


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    completes(parser.add_argument("url", help="the repository: a folder, or a Git address"), "dir")
    completes(parser.add_argument("name", help="the artifact: <name> or <folder>:<name>"), "none")
    completes(
        parser.add_argument("--rev", nargs="?", metavar="<version>", help="its version, such as v1.2.3"),
        "none",
    )
    completes(
        parser.add_argument("--stage", nargs="?", metavar="<stage>", help="what stands at this stage"), "none"
    )
    parser.add_argument("-o", "--out", nargs="?", metavar="<path>", help="where to put it")
    parser.add_argument("--show-url", action="store_true", help="print where the data is stored, and stop")
    sources.add_jobs(parser)
    parser.add_argument("-f", "--force", action="store_true", help="replace what is there")
    sources.add_remote_options(parser)
    parser.epilog = "Example: ff artifacts get https://github.com/me/models churn --stage prod"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Download, or say from where."""
    around, settings = sources.surroundings_of(session), sources.settings_of(args)
    if args.show_url:
        url = artifact_url(args.url, args.name, around, version=args.rev, stage=args.stage, settings=settings)
        return Outcome(data={"url": url}, text=[url], loud=True)
    result = get_artifact(
        args.url,
        args.name,
        around,
        version=args.rev,
        stage=args.stage,
        out=args.out,
        settings=settings,
        jobs=args.jobs,
        force=args.force,
        events=session.sink,
    )
    return Outcome(data=got_data(result, session), text=[got_line(result, session)])
