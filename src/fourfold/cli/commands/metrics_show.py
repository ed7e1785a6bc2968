"""``ff metrics show``: metrics, here and at revisions."""

import argparse
from collections.abc import Mapping
from typing import Any

from fourfold.cli.moments import add_csv, as_dvc, failed_names, from_root
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.cli.tables import PRECISION, cell, csv_table, table
from fourfold.pipeline.compare import flatten
from fourfold.pipeline.metrics import show
from fourfold.project.scope import Scope


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    completes(
        parser.add_argument(
            "targets", nargs="*", metavar="<targets>", help="files of metrics; all by default"
        ),
        "file",
    )
    parser.add_argument("-a", "--all-branches", action="store_true", help="show the metrics of all branches")
    parser.add_argument("-T", "--all-tags", action="store_true", help="show the metrics of all tags")
    parser.add_argument("-A", "--all-commits", action="store_true", help="show the metrics of all commits")
    parser.add_argument("--md", dest="markdown", action="store_true", help="print a Markdown table")
    parser.add_argument(
        "-R", "--recursive", action="store_true", help="a folder stands for the files below it"
    )
    parser.add_argument("--precision", type=int, metavar="<n>", help="digits after the point; 5 by default")
    add_csv(parser)
    parser.epilog = "Example: ff metrics show --all-branches"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Show them, one row a file and revision."""
    project = session.project
    scope = Scope(all_branches=args.all_branches, all_tags=args.all_tags, all_commits=args.all_commits)
    found = show(project, from_root(project, args.targets), scope=scope)
    failed = failed_names(found)
    if failed:
        session.warn(f"some metrics could not be loaded for: {', '.join(repr(name) for name in failed)}")
    data = as_dvc(session, found)
    names = args.all_branches or args.all_tags or args.all_commits
    headers, rows = _rows(data, names=names)
    if args.csv:
        return Outcome(data=data, text=csv_table(headers, rows))
    precision = args.precision or PRECISION
    cells = [[cell(value, precision) for value in row] for row in rows]
    return Outcome(data=data, text=table(headers, cells, markdown=args.markdown))


def _rows(data: Mapping[str, Mapping[str, Any]], *, names: bool) -> tuple[list[str], list[list[Any]]]:
    """The headers, and a row a file and revision."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    for rev, values in data.items():
        for path, file in values.get("data", {}).items():
            value = file.get("data", {})
            found.append((rev, path, dict(flatten(value)) if isinstance(value, dict) else {"": value}))
    keys = sorted({key for _rev, _path, values in found for key in values})
    headers = [*(["Revision"] if names else []), "Path", *keys]
    rows = [
        [*([rev] if names else []), path, *(values.get(key) for key in keys)] for rev, path, values in found
    ]
    return headers, rows
