"""``ff diff``: tracked data between revisions."""

import argparse
from collections.abc import Iterator
from typing import Any

from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.diff import Diff, Entry, diff

_STATES = ("added", "deleted", "renamed", "modified", "not in cache")


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("a_rev", nargs="?", default="HEAD", help="the old revision; HEAD by default")
    parser.add_argument("b_rev", nargs="?", help="the new revision; the workspace by default")
    parser.add_argument("--targets", nargs="+", metavar="PATH", default=[], help="paths to look at")
    parser.add_argument("--show-hash", action="store_true", help="also show the hashes")
    parser.add_argument("--md", "--show-md", dest="md", action="store_true", help="print a Markdown table")
    parser.add_argument("--hide-missing", action="store_true", help="leave out what is not in the cache")
    parser.epilog = "Example: ff diff HEAD~1"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Compare, and show it in DVC's shape."""
    result = diff(session.project, args.a_rev, args.b_rev, targets=args.targets, events=session.sink)
    data = _as_dvc(result, show_hash=args.show_hash, hide_missing=args.hide_missing)
    if args.md:
        return Outcome(data=data, text=_markdown(data, show_hash=args.show_hash))
    return Outcome(data=data, text=_lines(data, session))


def _as_dvc(result: Diff, *, show_hash: bool, hide_missing: bool) -> dict[str, list[Any]]:
    if result.is_empty_repository:
        return {}
    data: dict[str, list[Any]] = {
        "added": [_entry(entry, entry.new, show_hash) for entry in result.added],
        "deleted": [_entry(entry, entry.old, show_hash) for entry in result.deleted],
        "modified": [
            _entry(entry, {"old": entry.old, "new": entry.new}, show_hash) for entry in result.modified
        ],
        "renamed": [_entry(entry, entry.new, show_hash) for entry in result.renamed],
    }
    missing = [_entry(entry, entry.old, show_hash) for entry in result.not_in_cache]
    if not any(data.values()) and not missing:
        return {}
    if result.with_workspace and not hide_missing:
        data["not in cache"] = missing
    return data


def _entry(entry: Entry, digest: Any, show_hash: bool) -> dict[str, Any]:
    path: Any = {"old": entry.path, "new": entry.moved_to} if entry.moved_to else entry.path
    return {"path": path, "hash": digest} if show_hash else {"path": path}


def _text_of(entry: dict[str, Any]) -> str:
    path = entry["path"]
    return f"{path['old']} -> {path['new']}" if isinstance(path, dict) else path


def _hash_of(entry: dict[str, Any]) -> str:
    digest = entry.get("hash")
    if isinstance(digest, dict):
        return f"{digest['old'][:8]}..{digest['new'][:8]}"
    return digest[:8] if digest else ""


def _lines(data: dict[str, list[Any]], session: Session) -> Iterator[str]:
    style = session.style
    paint = {
        "added": style.green,
        "modified": style.yellow,
        "deleted": style.red,
        "renamed": style.green,
        "not in cache": style.yellow,
    }
    counts = []
    for state in _STATES:
        entries = sorted(data.get(state, ()), key=_text_of)
        if not entries:
            continue
        yield paint[state](state.capitalize()) + ":"
        width = max(len(_hash_of(entry)) for entry in entries)
        for entry in entries:
            yield "    " + (f"{_hash_of(entry):<{width}}  " if width else "") + _text_of(entry)
        yield ""
        files = sum(not _text_of(entry).endswith("/") for entry in entries)
        if files and state != "not in cache":
            counts.append(f"{files} {state}")
    if counts:
        yield "files summary: " + ", ".join(counts)


def _markdown(data: dict[str, list[Any]], *, show_hash: bool) -> Iterator[str]:
    rows = [
        (state, _hash_of(entry), _text_of(entry)) if show_hash else (state, _text_of(entry))
        for state in _STATES
        for entry in data.get(state, ())
    ]
    titles = ("Status", "Hash", "Path") if show_hash else ("Status", "Path")
    widths = [max([len(titles[at]) + 2, *(len(row[at]) for row in rows)]) for at in range(len(titles))]
    yield "| " + " | ".join(title.ljust(width) for title, width in zip(titles, widths, strict=True)) + " |"
    yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    for row in rows:
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
    yield ""
