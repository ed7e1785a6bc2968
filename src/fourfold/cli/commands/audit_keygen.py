"""``ff audit keygen``: make a key that signs statements, and let the project trust it."""

import argparse
import os

from fourfold.base.errors import UsageError
from fourfold.cli import runs
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.evidence.auditing.signing import (
    KEYS_FILE,
    VARIABLE,
    add_trusted,
    key_path,
    make_key,
    read_key,
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    completes(
        parser.add_argument(
            "--name", metavar="<name>", help="whose key it is, for the project; else as Git calls you"
        ),
        "none",
    )
    completes(
        parser.add_argument(
            "--key-file",
            metavar="<path>",
            help=f"the private key's file, not in the repository; else {VARIABLE}, else in the home folder",
        ),
        "file",
    )
    parser.add_argument(
        "--no-trust", action="store_true", help=f"leave {KEYS_FILE} as it is, only print the line for it"
    )
    parser.epilog = "Example: ff audit keygen --name ada"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Make it, unless there is one already, and say what was done."""
    place, _ = runs.opened(session)
    path = session.resolve(args.key_file) if args.key_file else key_path(session.environ)
    if path is None:
        raise UsageError(
            "there is no home folder to keep a key in", hint="say where: ff audit keygen --key-file <path>"
        )
    there = os.path.lexists(path)
    outside = [place.root, *([place.git.root] if place.git is not None else [])]
    key = read_key(path) if there else make_key(path, outside)
    public = key.public._replace(
        name=args.name or _name(place.git.config_get("user.name") if place.git else None)
    )
    trusted = False if args.no_trust else add_trusted(os.path.join(place.root, KEYS_FILE), public)
    lines = [f"{'the private key is' if there else 'made a private key:'} {path}", f"its id is {public.id}"]
    if trusted:
        lines.append(f"trusted by this project as '{public.name}': commit {KEYS_FILE}")
    elif args.no_trust:
        lines.append(f"a line for {KEYS_FILE}: {public.name} {public.text}")
    else:
        lines.append(f"{KEYS_FILE} has it already")
    data = {
        "key_file": path,
        "made": not there,
        "id": public.id,
        "name": public.name,
        "public": public.text,
        "trusted": trusted,
    }
    return Outcome(data=data, text=lines)


def _name(text: str | None) -> str:
    """A name for a key, of what Git calls its user."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text or "")
    return plain.strip("-").lower()[:60] or "me"
