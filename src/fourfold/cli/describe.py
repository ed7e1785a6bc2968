"""The commands as data, read from their parsers: for completion scripts and for the reference page.

Loads every command's module; nothing on the way of an ordinary command imports this.
"""

import argparse
from importlib import import_module
from typing import NamedTuple

from fourfold.cli import options, table


class Argument(NamedTuple):
    """An option or a positional argument.

    Attributes:
        names: ``("-r", "--remote")``; empty for a positional.
        metavar: How its values are written in help; empty for a switch.
        help: What it does.
        choices: The allowed values, if they are few.
        kind: What a shell offers for a value: one of `options.KINDS`; empty for a switch.
        hidden: It works, but help does not show it.
        common: It is a global option.
    """

    names: tuple[str, ...]
    metavar: str
    help: str
    choices: tuple[str, ...]
    kind: str
    hidden: bool
    common: bool


class Entry(NamedTuple):
    """A command with all that it takes."""

    name: str
    command: table.Command
    usage: str
    description: str
    example: str
    arguments: tuple[Argument, ...]

    @property
    def switches(self) -> list[Argument]:
        """What starts with a dash, hidden ones left out."""
        return [argument for argument in self.arguments if argument.names and not argument.hidden]

    @property
    def positionals(self) -> list[Argument]:
        """What does not start with a dash, hidden ones left out."""
        return [argument for argument in self.arguments if not argument.names and not argument.hidden]


def entries(*, hidden: bool = False) -> list[Entry]:
    """Every command of the table, in its order."""
    return [_entry(name) for name, command in table.COMMANDS.items() if hidden or not command.hidden]


def common() -> list[Argument]:
    """The global options."""
    parser = options.Parser("ff")
    options.add_common(parser)
    return _arguments(parser)


def _entry(name: str) -> Entry:
    command = table.COMMANDS[name]
    module = import_module(f"{table.PACKAGE}.{command.module}")
    parser = options.command_parser(name, command.help, module.configure)
    return Entry(
        name=name,
        command=command,
        usage=parser.format_usage().removeprefix("Usage: ").strip(),
        description=parser.description or "",
        example=parser.epilog or "",
        arguments=tuple(_arguments(parser)),
    )


def _arguments(parser: options.Parser) -> list[Argument]:
    # argparse has no public way to list what was added; these two attributes are as old as the module.
    shared = {
        id(action)
        for group in parser._action_groups  # noqa: SLF001
        if group.title == options.COMMON_TITLE
        for action in group._group_actions  # noqa: SLF001
    }
    return [
        _argument(parser, action, common=id(action) in shared)
        for action in parser._actions  # noqa: SLF001
    ]


def _argument(parser: options.Parser, action: argparse.Action, *, common: bool) -> Argument:
    takes_value = action.nargs != 0
    choices = tuple(str(choice) for choice in action.choices or ())
    kind = str(getattr(action, "completes", "file" if not choices else "none"))
    return Argument(
        names=tuple(action.option_strings),
        metavar=parser.placeholder(action) if takes_value else "",
        help="" if action.help in {None, argparse.SUPPRESS} else str(action.help),
        choices=choices,
        kind=kind if takes_value else "",
        hidden=action.help == argparse.SUPPRESS,
        common=common,
    )
