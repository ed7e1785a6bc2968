"""``ff list``: the files of a repository, tracked data too."""

import argparse
from typing import Any

from fourfold.base.errors import UsageError
from fourfold.cli import sources
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.elsewhere import open_source
from fourfold.project.list_ import Branch, list_, tree
from fourfold.project.sourceview import View


class TreeAsJsonError(UsageError):
    """``--tree`` and ``--json`` were both given."""

    code = "tree-as-json"
    exit_code = 255


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("url", help="the repository: a folder, or a Git address")
    parser.add_argument("path", nargs="?", default="", help="a path in it")
    parser.add_argument("-R", "--recursive", action="store_true", help="list files at every depth")
    parser.add_argument("-T", "--tree", action="store_true", help="draw a tree")
    parser.add_argument("-L", "--level", type=int, metavar="<depth>", help="go so deep")
    parser.add_argument("--dvc-only", action="store_true", help="only what DVC tracks")
    sources.add_rev(parser)
    sources.add_remote_options(parser)
    parser.add_argument("--size", action="store_true", help="show sizes")
    parser.add_argument("--show-hash", action="store_true", help="show hashes")
    parser.epilog = "Example: ff list https://github.com/iterative/dataset-registry use-cases"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """List, as lines or as a tree."""
    if args.tree and session.settings.json:
        raise TreeAsJsonError("--tree and --json exclude each other")
    source = open_source(
        args.url, sources.surroundings_of(session), rev=args.rev, settings=sources.settings_of(args)
    )
    view = View(source)
    if args.tree:
        branch = tree(view, args.path, depth=args.level, tracked_only=args.dvc_only)
        return Outcome(text=_tree_lines(branch, args))
    found = list_(view, args.path, recursive=args.recursive, depth=args.level, tracked_only=args.dvc_only)
    entries = [sources.as_dvc(one.path, one.node) for one in found]
    rows = sources.rows_of(
        ((entry["path"], entry) for entry in entries), size=args.size, show_hash=args.show_hash
    )
    return Outcome(data=entries, text=sources.columns(rows, right_first=args.size))


def _tree_lines(branch: Branch, args: argparse.Namespace) -> Any:
    rows = sources.rows_of(
        ((line, sources.as_dvc(line, one.node)) for line, one in sources.tree_rows(branch)),
        size=args.size,
        show_hash=args.show_hash,
    )
    return sources.columns(rows, right_first=args.size)
