"""``ff remote list``: the configured remotes."""

import argparse
from typing import NamedTuple

from fourfold.cli.configdesk import add_levels, desk_of
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.storage.redact import redact_url


class _Remote(NamedTuple):
    name: str
    url: str
    default: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    add_levels(parser)
    parser.epilog = "Example: ff remote list"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """List them in the order of the files; passwords in URLs are hidden."""
    raw = desk_of(session).load().raw(args.level)
    default = raw.get("core", {}).get("remote")
    remotes = [
        _Remote(key[1], redact_url(str(options.get("url", ""))), key[1] == default)
        for key, options in raw.items()
        if isinstance(key, tuple) and key[0] == "remote"
    ]
    # DVC expands its tabs to columns of eight.
    lines = [
        session.style.green(f"{remote.name}\t{remote.url}\t(default)".expandtabs())
        if remote.default
        else f"{remote.name}\t{remote.url}".expandtabs()
        for remote in remotes
    ]
    return Outcome(data=[remote._asdict() for remote in remotes], text=lines, loud=True)
