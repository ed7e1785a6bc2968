"""``ff data status``: what changed since the last commit, since the pointer files, and what nobody tracks."""

import argparse
from collections.abc import Iterator
from typing import Any

from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.data_status import Changes, DataStatus, data_status

_LABELS = {
    "not_in_cache": ("Not in cache", ('use "ff fetch <file>..." to download files',)),
    "not_in_remote": ("Not in remote", ('use "ff push <file>..." to upload files',)),
    "committed": ("DVC committed changes", ("git commit the corresponding dvc files to update the repo",)),
    "uncommitted": (
        "DVC uncommitted changes",
        (
            'use "ff commit <file>..." to track changes',
            'use "ff checkout <file>..." to discard changes',
        ),
    ),
    "untracked": (
        "Untracked files",
        ('use "git add <file> ..." or "ff add <file>..." to commit to git or to dvc',),
    ),
    "unchanged": ("DVC unchanged files", ()),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("targets", nargs="*", help="paths to look at; all tracked data by default")
    parser.add_argument("--granular", action="store_true", help="also the files inside of directories")
    parser.add_argument("--unchanged", action="store_true", help="also what did not change")
    parser.add_argument(
        "--untracked-files",
        choices=("no", "all"),
        default="no",
        const="all",
        nargs="?",
        help="also the files that neither Git nor DVC tracks",
    )
    remote = parser.add_argument("-r", "--remote", metavar="NAME", help="the remote for --not-in-remote")
    completes(remote, "remote")
    parser.add_argument("--not-in-remote", action="store_true", help="also what the remote does not have")
    parser.add_argument(
        "--no-remote-refresh",
        dest="remote_refresh",
        action="store_false",
        help="accepted as in DVC; the remote itself is asked in any case",
    )
    parser.epilog = "Example: ff data status --granular"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Compare, and show it in DVC's shape."""
    result = data_status(
        session.project,
        args.targets,
        granular=args.granular,
        untracked=args.untracked_files == "all",
        not_in_remote=args.not_in_remote,
        remote=args.remote,
        events=session.sink,
    )
    data = _as_dvc(result, unchanged=args.unchanged)
    return Outcome(data=data, text=_lines(data, result, session))


def _as_dvc(result: DataStatus, *, unchanged: bool) -> dict[str, Any]:
    data = {
        "not_in_cache": list(result.not_in_cache),
        "not_in_remote": list(result.not_in_remote),
        "committed": _changes(result.committed),
        "uncommitted": _changes(result.uncommitted),
        "untracked": list(result.untracked),
        "unchanged": list(result.unchanged) if unchanged else [],
    }
    return {key: value for key, value in data.items() if value}


def _changes(changes: Changes) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {
        "modified": list(changes.modified),
        "added": list(changes.added),
        "deleted": list(changes.deleted),
        "renamed": [pair._asdict() for pair in changes.renamed],
        "unknown": list(changes.unknown),
    }
    return {key: value for key, value in found.items() if value}


def _lines(data: dict[str, Any], result: DataStatus, session: Session) -> Iterator[str]:
    style = session.style
    paint = {
        "not_in_cache": style.red,
        "not_in_remote": style.red,
        "committed": style.green,
        "uncommitted": style.yellow,
        "untracked": style.cyan,
    }
    if not data:
        yield "No changes in an empty git repo." if result.git_empty else "No changes."
    for number, (key, value) in enumerate(data.items()):
        if number:
            yield ""
        label, hints = _LABELS[key]
        yield f"{label}:"
        for hint in hints:
            yield f"  ({hint})"
        for line in _entries(value):
            yield "        " + paint.get(key, str)(line)
    if result.git_dirty:
        others = "other " if data else ""
        yield style.dim(f'(there are {others}changes not tracked by dvc, use "git status" to see)')


def _entries(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield from value
        return
    for state, paths in value.items():
        for path in paths:
            yield f"{state}: " + (f"{path['old']} -> {path['new']}" if isinstance(path, dict) else path)
