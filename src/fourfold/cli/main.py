"""Dispatch: from the words of the command line to one command, its outcome, and an exit code.

Imports no command before its name is known, and no parser when the table alone can answer.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from fourfold.cli import table

if TYPE_CHECKING:
    import argparse

    from fourfold.base.errors import FourfoldError, UsageError
    from fourfold.cli.failure import Scene
    from fourfold.cli.options import Settings
    from fourfold.cli.outcome import Outcome
    from fourfold.cli.session import Session
    from fourfold.cli.table import Command

#: What DVC exits with when the command line is wrong.
USAGE = 254


class Invocation:
    """One run of ``ff``, and what is known of it so far, for the error handler.

    Any stream may be None: that is how the interpreter gives a closed one.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str],
        stdin: TextIO | None,
        stdout: TextIO | None,
        stderr: TextIO | None,
    ) -> None:
        self.argv = list(argv)
        self.environ = environ
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.command: Command | None = None
        self.name = ""
        self.settings: Settings | None = None
        self.session: Session | None = None

    def run(self) -> int:
        """Do what the command line says; tell of any failure; return the exit code."""
        try:
            return self._dispatch()
        except SystemExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the one handler, of bugs and interrupts too
            return self._fail(error)

    def _dispatch(self) -> int:
        if not self.argv:
            return self._print_page(short=True)
        if self.argv in (["--help"], ["-h"], ["help"]):
            return self._print_page(short=False)
        from fourfold.cli import options  # noqa: PLC0415 - the table alone answered so far

        try:
            name, given, rest = _read_front(self.argv)
            if getattr(given[0], "version", False):
                from fourfold import __version__  # noqa: PLC0415 - only this answer needs it

                return self._print(__version__ + "\n")
            if not name:
                return self._print_page(short=not rest)
            return self._run_command(name, given, rest)
        except options.HelpWanted as wanted:
            return self._print(wanted.page)

    def _run_command(self, name: str, given: "list[argparse.Namespace]", rest: "list[str]") -> int:
        from importlib import import_module  # noqa: PLC0415 - the lazy table of the commands

        from fourfold.cli import options, render  # noqa: PLC0415 - a command runs for certain now
        from fourfold.cli.session import Session  # noqa: PLC0415 - likewise

        command = table.COMMANDS[name]
        module = import_module(f"{table.PACKAGE}.{command.module}")
        args = options.command_parser(name, command.help, module.configure).parse(rest)
        self.settings = options.settings_of([*given, args])
        self.command, self.name = command, name
        self.session = Session(
            self.settings,
            cwd=_current_directory(),
            environ=self.environ,
            stdin=self.stdin,
            stdout=self.stdout,
            stderr=self.stderr,
        )
        outcome = module.run(args, self.session)
        self.session.sink.close()
        if outcome.failure is not None:
            return self._finish_in_part(outcome, outcome.failure)
        render.print_outcome(outcome, self.stdout, as_json=self.settings.json, quiet=self.settings.quiet)
        return int(outcome.exit_code)

    def _finish_in_part(self, outcome: "Outcome", error: "FourfoldError") -> int:
        """Print what was done, then tell what was not."""
        from fourfold.cli import failure, render  # noqa: PLC0415 - only a failure pays for it

        settings, scene = self.settings, self._scene()
        if settings is not None:
            code = failure.exit_code(error, scene)
            data = {**outcome.data, "error": {**failure.describe(error), "exit_code": code}}
            whole = outcome._replace(data=data)
            render.print_outcome(whole, self.stdout, as_json=settings.json, quiet=settings.quiet)
        return failure.report(error, scene._replace(as_json=False))

    def _print(self, text: str) -> int:
        from fourfold.cli.render import print_text  # noqa: PLC0415 - see `_run_command`

        print_text(self.stdout, text)
        return 0

    def _print_page(self, *, short: bool) -> int:
        from fourfold.cli import pages  # noqa: PLC0415 - only help pays for it

        self._print(pages.short_page() if short else pages.long_page())
        return USAGE if short else 0

    def _fail(self, error: BaseException) -> int:
        try:
            from fourfold.cli import failure  # noqa: PLC0415 - only a failure pays for it

            if self.session is not None:
                self.session.sink.close()
            return failure.report(error, self._scene())
        except (OSError, ImportError, MemoryError):
            return self._last_words(error)

    def _last_words(self, error: BaseException) -> int:
        """Tell of a failure when not even the modules that tell of it can be loaded (no handles left)."""
        from contextlib import suppress  # noqa: PLC0415 - loaded by the interpreter itself

        told = str(getattr(error, "message", "") or getattr(error, "strerror", "") or type(error).__name__)
        if self.stderr is not None:
            with suppress(OSError, ValueError):
                self.stderr.write(f"error: {told[:500]}\n")
        return self.command.failure_code if self.command is not None else 255

    def _scene(self) -> "Scene":
        from fourfold.cli import failure  # noqa: PLC0415 - only a failure pays for it

        settings = self.settings
        return failure.Scene(
            argv=self.argv,
            environ=self.environ,
            stdout=self.stdout,
            stderr=self.stderr,
            command=self.command if self.session is not None else None,
            name=self.name,
            remotes=self.session.opened_remotes if self.session is not None else frozenset(),
            opening=self.session.opening_error if self.session is not None else None,
            as_json=settings.json if settings else "--json" in self.argv,
            color=settings.color if settings else "auto",
        )


def _current_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        from fourfold.cli.session import NoSuchDirectoryError  # noqa: PLC0415 - only this failure pays

        raise NoSuchDirectoryError(
            "the current directory does not exist any more", hint="cd elsewhere"
        ) from None


def _page(family: str = "") -> str:
    from fourfold.cli import pages  # noqa: PLC0415 - only help pays for it

    return pages.family_page(family) if family else pages.long_page()


def _read_front(argv: Sequence[str]) -> "tuple[str, list[argparse.Namespace], list[str]]":
    """Read what stands before the command's own arguments.

    Returns:
        The command's name in the table (empty when none was given), the global options so far, and the
        words that follow; with no name, a word left over means that help of the whole is wanted.

    Raises:
        UsageError: no such option or command.
        HelpWanted: ``-h`` of ``ff`` or of a family.
    """
    from fourfold.cli import options  # noqa: PLC0415 - no help page answers this one

    first = options.read_front("ff", argv, _page)
    words = list(first.words or ())
    if words[:1] == ["--"]:
        words = words[1:]
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if not words or words[0] == "--help" or getattr(first, "version", False):
        return "", [first], words
    name, given, rest = table.FAMILY_ALIASES.get(words[0], words[0]), [first], words[1:]
    if name in table.families():
        second = options.read_front(f"ff {name}", rest, lambda: _page(name))
        given.append(second)
        if not second.words:
            raise _needs_member(name)
        family, name, rest = name, second.words[0], second.words[1:]
        return _known(f"{family} {name}"), given, rest
    return _known(name), given, rest


def _known(name: str) -> str:
    """The name in the table of what was typed.

    Raises:
        UnknownCommandError: nothing has that name.
    """
    names = table.names()
    if name in names:
        return names[name]
    from fourfold.base.suggest import did_you_mean  # noqa: PLC0415 - likewise
    from fourfold.cli.options import UnknownCommandError  # noqa: PLC0415 - only a mistake pays for it

    family, _, word = name.rpartition(" ")
    prog = f"ff {family}" if family else "ff"
    known = (
        [full.removeprefix(family + " ") for full in names if full.startswith(family + " ")]
        if family
        else [*names, *table.families()]
    )
    hint = did_you_mean(word, known, f"see: {prog} --help", most=1)
    if not family and word in table.DVC_ALONE:
        hint = f"Fourfold does not have it yet; DVC's works on the same files: dvc {word}"
    raise UnknownCommandError(f"{prog} has no command '{word}'", hint=hint)


def _needs_member(family: str) -> "UsageError":
    from fourfold.cli.options import MissingArgumentError  # noqa: PLC0415 - only a mistake pays for it

    return MissingArgumentError(
        f"ff {family} needs a command: {', '.join(table.members(family))}", hint=f"see: ff {family} --help"
    )


def _environ() -> Mapping[str, str]:
    """The environment, with the home of the system's list of users where none is set (services, cron)."""
    if os.environ.get("HOME") or os.name == "nt":
        return os.environ
    return {**os.environ, "HOME": os.path.expanduser("~")}


def run(argv: Sequence[str]) -> int:
    """Run ``ff`` with these arguments in this process, and return its exit code."""
    return Invocation(argv, environ=_environ(), stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr).run()
