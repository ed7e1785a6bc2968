"""What the user trusts: values of committed configurations, remembered outside of every repository.

One line a value: project, option, value. It is written when the user sets a value with a command of
ours, or says ``ff trust``; a value that changes in the repository afterwards is not trusted any more.
What needs trust is `fourfold.project.config_policy`.
"""

import os
from collections.abc import Mapping

from fourfold.base.errors import from_os_error
from fourfold.base.fs.atomic import write_atomic

_FILE = "trusted-values"
_MAX = 4 << 20


def state_dir(environ: Mapping[str, str]) -> str | None:
    """The user's folder for state of ours: ``XDG_STATE_HOME``, else below the home; None without either."""
    base = environ.get("XDG_STATE_HOME") or environ.get("LOCALAPPDATA")
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if base and os.path.isabs(base):
        return os.path.join(base, "fourfold")
    return os.path.join(home, ".local", "state", "fourfold") if home else None


class Trust:
    """The trusted values of one user.

    Args:
        folder: From `state_dir`; None trusts nothing and remembers nothing.
    """

    __slots__ = ("_folder", "_lines")

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._lines: frozenset[str] | None = None

    def holds(self, root: str, name: str, value: str) -> bool:
        """Whether a value of an option (``cache.dir``) of the project at ``root`` is trusted."""
        return _line(root, name, value) in self._read()

    def remember(self, root: str, name: str, value: str) -> None:
        """Trust a value from now on; durable.

        Raises:
            DeniedError, ExhaustedError: the file cannot be written.
        """
        self._write(self._read() | {_line(root, name, value)})

    def forget(self, root: str) -> None:
        """Trust nothing of a project any more."""
        start = _quoted(os.path.realpath(root)) + " "
        self._write(frozenset(line for line in self._read() if not line.startswith(start)))

    def _read(self) -> frozenset[str]:
        if self._lines is None:
            self._lines = frozenset()
            if self._folder is not None:
                try:
                    with open(os.path.join(self._folder, _FILE), encoding="utf-8", errors="replace") as file:
                        self._lines = frozenset(file.read(_MAX).split("\n")) - {""}
                except OSError:
                    pass  # what cannot be read trusts nothing
        return self._lines

    def _write(self, lines: frozenset[str]) -> None:
        if self._folder is None or lines == self._read():
            return
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            path = os.path.join(self._folder, _FILE)
            write_atomic(path, "".join(f"{line}\n" for line in sorted(lines)).encode(), mode=0o600)
        except OSError as error:
            raise from_os_error(error, "remembering what you trust") from error
        self._lines = lines


def _line(root: str, name: str, value: str) -> str:
    return f"{_quoted(os.path.realpath(root))} {_quoted(name)} {_quoted(value)}"


def _quoted(text: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415 - only when something outside is configured

    return quote(os.fsencode(text), safe="/:@+=~,._-")
