"""``ff completion``: the completion script of a shell."""

import argparse

from fourfold.cli.completion import SHELLS, script
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Add ``-s``, as DVC has it, and fish to the shells."""
    parser.add_argument(
        "-s", "--shell", choices=SHELLS, default="bash", metavar="<shell>", help="bash (default), zsh or fish"
    )
    parser.epilog = "Example: ff completion -s bash > ~/.local/share/bash-completion/completions/ff"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Write the script from the parsers of all commands; it runs ``ff`` only to list remotes."""
    del session
    text = script(args.shell)
    return Outcome(data={"shell": args.shell, "script": text}, text=text.splitlines(), loud=True)
