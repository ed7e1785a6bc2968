"""What a command is given: where it runs, whom it talks to, and its project, opened on first use."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from fourfold.base.clock import SYSTEM
from fourfold.base.errors import ConflictError, FourfoldError, NotFoundError
from fourfold.cli.progress import Progress
from fourfold.cli.render import Style, is_terminal, wants_color, write

if TYPE_CHECKING:
    from fourfold.base.clock import Clock
    from fourfold.cli.options import Settings
    from fourfold.project.project import Project


class NoSuchDirectoryError(NotFoundError):
    """The directory of ``--cd`` does not exist, or the current one was removed."""

    code = "no-such-directory"


class NotConfirmedError(ConflictError):
    """A question was answered with no, or nobody was there to answer it."""

    code = "not-confirmed"
    exit_code = 1  # DVC's, also of commands that fail with 255 otherwise


class Session:
    """One invocation.

    Attributes:
        settings: The global options.
        cwd: Absolute path of the directory to act in. The process stays where it is: resolve every
            path argument with `resolve`.
        environ: The process environment, the only copy that commands hand down.
        style: Colours for stdout.
        sink: Takes engine events; pass it as ``events=``.
        opening_error: The error that opening the project failed with, if it did.
    """

    def __init__(
        self,
        settings: "Settings",
        *,
        cwd: str,
        environ: Mapping[str, str],
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        clock: "Clock" = SYSTEM,
    ) -> None:
        self.settings = settings
        self.cwd = os.path.normpath(os.path.join(cwd, settings.cd)) if settings.cd else cwd
        self.environ = environ
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.clock = clock
        self.style = Style(on=wants_color(stdout, settings.color, environ))
        self.sink = Progress(
            stderr,
            clock,
            live=is_terminal(stderr) and environ.get("TERM") != "dumb",
            quiet=settings.quiet,
            verbose=settings.verbose > 0,
            style=Style(on=wants_color(stderr, settings.color, environ)),
        )
        self.opening_error: FourfoldError | None = None
        self._project: Project | None = None
        if settings.cd and not os.path.isdir(self.cwd):
            self.opening_error = NoSuchDirectoryError(
                f"no such directory: {settings.cd}", hint="give --cd a folder that exists"
            )
            raise self.opening_error

    @property
    def project(self) -> "Project":
        """The project around `cwd`.

        Raises:
            NotAProjectError: there is none.
            ConfigError: its configuration cannot be understood.
        """
        if self._project is None:
            from fourfold.wiring import open_project  # noqa: PLC0415 - commands without a project never pay

            try:
                self._project = open_project(
                    self.cwd, environ=self.environ, wait_for_lock=self.settings.wait_for_lock
                )
            except FourfoldError as error:
                self.opening_error = error
                raise
            self._project.ask_secret = self._ask_secret
        return self._project

    @property
    def opened_remotes(self) -> frozenset[str]:
        """The names of the remotes that the command opened."""
        return frozenset(self._project.opened_remotes) if self._project is not None else frozenset()

    def find_root(self) -> str:
        """Absolute path of the project around `cwd`, without opening it.

        Raises:
            NotAProjectError: there is none.
        """
        from fourfold.project.project import find_root  # noqa: PLC0415 - as above

        try:
            return find_root(self.cwd)
        except FourfoldError as error:
            self.opening_error = error
            raise

    def resolve(self, path: str) -> str:
        """A path argument as an absolute path, relative to where the command acts."""
        return os.path.normpath(os.path.join(self.cwd, path))

    def display(self, path: str) -> str:
        """An absolute path as the user would type it."""
        return os.path.relpath(path, self.cwd)

    def warn(self, message: str, hint: str = "") -> None:
        """Tell of something that stops nothing, on stderr."""
        self.sink.say("warning", message, hint)

    def news(self, message: str) -> None:
        """Talk, on stderr: what a person wants to know and a program does not."""
        self.sink.news(message)

    def _ask_secret(self, remote: str, option: str) -> str | None:
        """Ask for a secret of a remote on the terminal, without echo; None when nobody can answer."""
        if not (is_terminal(self.stdin) and is_terminal(self.stderr)):
            return None
        from getpass import getpass  # noqa: PLC0415 - few remotes ask

        self.sink.close()
        try:
            return getpass(f"{option} of the remote '{remote}': ", self.stderr) or None
        except EOFError:
            return None

    def confirm(self, question: str) -> bool:
        """Ask yes or no on stderr; no when nobody can answer."""
        if not (is_terminal(self.stdin) and is_terminal(self.stderr)) or self.stdin is None:
            return False
        self.sink.close()
        while True:
            write(self.stderr, f"{question} [y/n] ")
            if self.stderr is not None:
                self.stderr.flush()
            answer = self.stdin.readline()
            word = answer.strip().lower()
            if word in {"y", "yes"}:
                return True
            if word in {"n", "no"} or not answer:
                return False
