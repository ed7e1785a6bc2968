"""``ff list-url``: what is in a directory behind a URL."""

import argparse
from collections.abc import Iterator
from typing import Any

from fourfold.cli import sources
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.get_url import Leaf, find, list_url, tree_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("url", help="a path, a URL, or remote://<name>/<path>")
    parser.add_argument("-R", "--recursive", action="store_true", help="list files at every depth")
    parser.add_argument("-T", "--tree", action="store_true", help="draw a tree")
    parser.add_argument("-L", "--level", type=int, metavar="<depth>", help="go so deep")
    parser.add_argument("--size", action="store_true", help="show sizes")
    sources.add_pairs(parser, "--fs-config", "options of the URL's kind of remote")
    parser.epilog = "Example: ff list-url s3://bucket/raw"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """List, as lines or as a tree."""
    found = find(
        args.url,
        sources.surroundings_of(session),
        project=sources.project_around(session),
        options=args.fs_config,
    )
    if args.tree:
        leaf = tree_of(found, depth=args.level)
        leaf = leaf._replace(name=args.url if found.path is not None else leaf.name)
        rows = sources.rows_of(_drawn(leaf), size=args.size, show_hash=False)
        return Outcome(data=_nested(leaf), text=sources.columns(rows, right_first=args.size), loud=True)
    entries = [entry._asdict() for entry in list_url(found, recursive=args.recursive, depth=args.level)]
    data = [{"path": one["path"], "isdir": one["is_dir"], "size": one["size"]} for one in entries]
    rows = sources.rows_of(((one["path"], one) for one in data), size=args.size, show_hash=False)
    return Outcome(data=data, text=sources.columns(rows, right_first=args.size), loud=True)


def _drawn(leaf: Leaf) -> Iterator[tuple[str, dict[str, Any]]]:
    for line, one in sources.tree_rows(leaf):
        yield line, {"size": one.size, "isdir": one.is_dir}


def _nested(leaf: Leaf) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": leaf.name, "isdir": leaf.is_dir, "size": leaf.size}
    if leaf.is_dir:
        entry["contents"] = [_nested(child) for child in leaf.children]
    return entry
