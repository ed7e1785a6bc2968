"""The parser: argparse with DVC's meanings, one-line errors, short help, and the global options.

DVC's command line is argparse's, so abbreviated options and interspersed arguments keep their meaning
only with argparse (docs/design/003-argparse.md). This module knows no command; it raises `UsageError`
and never prints.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

from fourfold.base.errors import UsageError

# argparse asks gettext for each of its own words, which loads `locale` and searches the disk, 2 ms for every
# command; it has no catalogues, our pages are English, and `Parser.error` reads its messages.
setattr(argparse, "_", str)  # noqa: B010 - the name is not in its stubs
setattr(argparse, "ngettext", lambda one, many, count: one if count == 1 else many)  # noqa: B010 - likewise

#: The heading of the options that every command takes.
COMMON_TITLE = "Common options"
#: Values of ``--color``.
COLORS = ("auto", "always", "never")
#: What a completion script offers for a value: see `completes`.
KINDS = ("file", "dir", "remote", "none")


class UnknownCommandError(UsageError):
    """No command has this name."""

    code = "unknown-command"


class UnknownOptionError(UsageError):
    """The command has no such option."""

    code = "unknown-option"


class BadChoiceError(UsageError):
    """The value is not one of the few that are allowed."""

    code = "bad-choice"


class MissingArgumentError(UsageError):
    """The command needs an argument that was not given."""

    code = "missing-argument"


class HelpWanted(Exception):  # noqa: N818 - not an error: somebody asked for help
    """``-h`` was read; carries the page to print."""

    def __init__(self, page: str) -> None:
        super().__init__("help")
        self.page = page


class Settings(NamedTuple):
    """The global options of one invocation.

    Attributes:
        quiet: No progress, no news, no text; errors still speak.
        verbose: How often ``-v`` was given.
        json: Print one JSON document instead of text.
        color: ``auto``, ``always`` or ``never``.
        cd: The directory to act in instead of the current one; None for the current one.
        wait_for_lock: Wait for another process instead of failing.
    """

    quiet: bool = False
    verbose: int = 0
    json: bool = False
    color: str = "auto"
    cd: str | None = None
    wait_for_lock: bool = False


class _Help(argparse.Action):
    """``-h``: stop parsing and hand the page to whoever prints."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> NoReturn:
        del namespace, values, option_string
        page = parser.page if isinstance(parser, Parser) else None
        raise HelpWanted(page() if page else parser.format_help())


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal, at most 100 columns, with ``<value>`` placeholders."""

    def __init__(self, prog: str, width: int | None = None) -> None:
        # A width of its own keeps argparse from importing shutil, at 5 ms, for every parser.
        super().__init__(prog, max_help_position=28, width=width or 100)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """``-s, --shell <shell>``: the value once, after the last name."""
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self.default_metavar(action))
        return f"{', '.join(action.option_strings)} {value}"

    def _metavar_formatter(
        self, action: argparse.Action, default_metavar: str
    ) -> Callable[[int], tuple[str, ...]]:
        """Placeholders look alike, however a command wrote them: ``NAME`` is shown as ``<name>``."""
        if isinstance(action.metavar, str) and action.metavar.isupper():
            name = f"<{action.metavar.lower()}>"
            return lambda size: (name,) * size
        return super()._metavar_formatter(action, default_metavar)

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        """All the rest of a command line is named too: ``<command> ...``."""
        shown = super()._format_args(action, default_metavar)
        if action.nargs != argparse.REMAINDER:
            return shown
        return f"{self._metavar_formatter(action, default_metavar)(1)[0]} {shown}"

    def default_metavar(self, action: argparse.Action) -> str:
        """The placeholder of a value that was given none."""
        return f"<{action.dest.replace('_', '-')}>"

    _get_default_metavar_for_optional = default_metavar
    _get_default_metavar_for_positional = default_metavar


def terminal_width() -> int:
    """Columns to lay help out in."""
    try:
        return min(100, max(50, os.get_terminal_size(1).columns - 2))
    except (OSError, ValueError):
        return 80


class Parser(argparse.ArgumentParser):
    """argparse that raises `UsageError` with one line and a hint."""

    def __init__(self, prog: str, *, description: str = "", page: Callable[[], str] | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            formatter_class=Formatter,
            add_help=False,
            exit_on_error=False,
        )
        self._positionals.title = "Arguments"
        self._optionals.title = "Options"
        #: Writes the help page, where the parser itself knows too little of it.
        self.page = page

    def error(self, message: str) -> NoReturn:
        """Turn argparse's own complaint into a `UsageError`."""
        required = "the following arguments are required: "
        if message.startswith(required):
            missing = message.removeprefix(required)
            raise MissingArgumentError(f"missing argument: {missing}", hint=self._see())
        raise UsageError(message, hint=self._see())

    def _see(self) -> str:
        return f"see: {self.prog} --help"

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse all of ``arguments``.

        Raises:
            UsageError: they do not fit; nothing was done.
            HelpWanted: they ask for help.
        """
        try:
            known, rest = self._parse_known(arguments)
        except MissingArgumentError:
            self._refuse_unknown(arguments)
            raise
        if rest:
            self._refuse(rest)
        return known

    def _parse_known(self, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        try:
            return self.parse_known_args(list(arguments))
        except argparse.ArgumentError as error:  # from Python 3.13 on, also where an argument is missing
            name = error.argument_name
            self.error(f"{name}: {error.message}" if name else error.message)

    def _refuse_unknown(self, arguments: Sequence[str]) -> None:
        """A mistyped option is the likelier mistake than the argument that then seems to be missing."""
        for word in arguments:
            if word == "--":
                return
            if word.startswith("-") and word != "-" and self._parse_optional(word) is not None:
                option = word.partition("=")[0]
                if not option.startswith("--"):
                    option = option[:2]
                if option not in self._option_string_actions and not self._get_option_tuples(option):
                    self._refuse([word])

    def _refuse(self, rest: Sequence[str]) -> NoReturn:
        word = next((item for item in rest if item.startswith("-") and item != "-"), rest[0])
        if not word.startswith("-") or word == "-":
            raise UsageError(f"unexpected argument '{word}'", hint=self._see())
        from fourfold.base.suggest import did_you_mean  # noqa: PLC0415 - only a mistake pays for it

        option = word.partition("=")[0]
        known = [name for name in self._option_string_actions if name.startswith("--")]
        raise UnknownOptionError(
            f"{self.prog} has no option '{option}'", hint=did_you_mean(option, known, self._see(), most=1)
        )

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        from fourfold.base.suggest import did_you_mean  # noqa: PLC0415 - only a mistake pays for it

        choices = [str(choice) for choice in action.choices]
        name = "/".join(action.option_strings) or action.dest
        listed = f"choose from: {', '.join(choices)}"
        raise BadChoiceError(
            f"{name}: unknown value '{value}'", hint=did_you_mean(str(value), choices, listed, most=1)
        )

    def _get_option_tuples(self, option_string: str) -> list[Any]:
        found: list[Any] = super()._get_option_tuples(option_string)
        if len(found) > 1:
            theirs = [entry for entry in found if not getattr(entry[0], "ours", False)]
            return theirs or found
        return found

    def placeholder(self, action: argparse.Action) -> str:
        """How the values of an argument are written: ``<targets> ...``."""
        formatter = Formatter(self.prog)
        name = formatter.default_metavar(action)
        return formatter._format_args(action, name)  # noqa: SLF001 - the one place where argparse has it

    def format_usage(self) -> str:
        """The usage line: arguments in full, options as ``[options]``."""
        words = [self.prog, "[options]"]
        for action in self._actions:
            if action.option_strings and action.required:
                words.append(f"{action.option_strings[-1]} {self.placeholder(action)}")
            elif not action.option_strings and action.help is not argparse.SUPPRESS:
                words.append(self.placeholder(action))
        return "Usage: " + " ".join(words) + "\n"

    def format_help(self) -> str:
        """The whole page: what it does, usage, arguments, options, an example."""
        formatter = Formatter(self.prog, terminal_width())
        formatter.add_text(self.description)
        formatter.add_text(self.format_usage())
        for group in self._action_groups:
            formatter.start_section(group.title)
            formatter.add_text(group.description)
            formatter.add_arguments(group._group_actions)  # noqa: SLF001 - as argparse's own format_help
            formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()


def at_least_one(text: str) -> int:
    """Read the number of jobs, and whatever else is counted from 1.

    Raises:
        argparse.ArgumentTypeError: it is none; argparse makes it a `UsageError` that names the option.
    """
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, at least 1")
    return number


def ours(action: argparse.Action) -> argparse.Action:
    """Mark an option that DVC's command lacks: it never makes an abbreviation of DVC's ambiguous."""
    action.ours = True  # type: ignore[attr-defined]
    return action


def completes(action: argparse.Action, kind: str) -> argparse.Action:
    """Say what a shell offers for the value: one of `KINDS`; files where nothing is said."""
    action.completes = kind  # type: ignore[attr-defined]
    return action


def add_common(parser: Parser) -> None:
    """Add the global options, which every command takes after its name too."""
    group = parser.add_argument_group(COMMON_TITLE)
    unset = argparse.SUPPRESS
    level = group.add_mutually_exclusive_group()
    level.add_argument("-q", "--quiet", action="count", default=unset, help="print nothing but errors")
    level.add_argument("-v", "--verbose", action="count", default=unset, help="tell more")
    own = [
        group.add_argument("--json", action="store_true", default=unset, help="print one JSON document"),
        group.add_argument(
            "--color", choices=COLORS, default=unset, metavar="<when>", help="auto, always or never"
        ),
        completes(
            group.add_argument("--cd", default=unset, metavar="<path>", help="act in this directory"), "dir"
        ),
        group.add_argument(
            "--wait-for-lock",
            action="store_true",
            default=unset,
            help="wait for another process instead of failing",
        ),
    ]
    for action in own:
        ours(action)
    group.add_argument("-h", "--help", action=_Help, nargs=0, default=unset, help="show this page")


def read_front(prog: str, arguments: Sequence[str], page: Callable[[], str]) -> argparse.Namespace:
    """Read the global options before a command's name; ``words`` of the result is all that follows.

    Args:
        prog: ``ff``, or ``ff`` and a family of commands.
        arguments: What stands after ``prog``.
        page: Writes the help page.

    Raises:
        UsageError: an option is unknown.
        HelpWanted: ``-h`` is among them.
    """
    if arguments and not arguments[0].startswith("-"):
        return argparse.Namespace(words=arguments)
    parser = Parser(prog, page=page)
    add_common(parser)
    if prog == "ff":
        parser.add_argument("-V", "--version", action="store_true", help="print the version")
    words = parser.add_argument("words", nargs=argparse.PARSER, help=argparse.SUPPRESS)
    words.required = False
    return parser.parse(arguments)


def command_parser(name: str, summary: str, configure: Callable[[argparse.ArgumentParser], None]) -> Parser:
    """The parser of one command: its own arguments by ``configure``, then the global options."""
    parser = Parser(f"ff {name}", description=summary + ".")
    configure(parser)
    add_common(parser)
    return parser


def settings_of(namespaces: Iterable[argparse.Namespace]) -> Settings:
    """Merge the global options given before and after the command; the later one wins."""
    given: dict[str, Any] = {}
    for namespace in namespaces:
        given.update({key: value for key, value in vars(namespace).items() if key in Settings._fields})
    given["quiet"] = bool(given.get("quiet")) and not given.get("verbose")
    return Settings(**given)
