"""Logs: all that the commands of a stage said, a file for each stage and run.

Below ``.dvc/fourfold/logs/<run>/``; the last `KEPT` runs are kept. Of stages beside each other, a command
writes into its log itself, so that nothing it says waits for us, and nothing is lost when we are killed; what
a lone one says passes the `relay`. Nothing here prints.
"""

import os
import re
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from fourfold.base.errors import from_os_error

if TYPE_CHECKING:
    from fourfold.project.project import Project

LOGS = "logs"
#: So many runs have their logs kept.
KEPT = 20
_SUFFIX = ".log"
_RUN = re.compile(r"\d{8}T\d{6}(?:-\d+)?", re.ASCII)
_ODD = re.compile(r"[^A-Za-z0-9._@+-]")
_LONGEST = 120
#: Where a command has none of these, it has no secret that could be known.
_SIGNS = (
    *("pass", "pwd", "pw=", "secret", "token", "key", "cred", "auth", "bearer", "basic", "jwt", "dsn", "pat"),
    *(
        "cookie",
        "sig",
        "://",
        "akia",
        "asia",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "glpat",
        "hf_",
        "sk-",
        "xox",
    ),
    *(
        "eyj",
        "aiza",
        "ya29",
        "npm_",
        "pypi-",
        "_live_",
        "_test_",
        "sg.",
        "dapi",
        "_v1_",
        "login",
        "curl",
        "mysql",
    ),
)


class Logs:
    """The logs of one run; nothing is made before the first is asked for.

    Args:
        project: Whose.
    """

    def __init__(self, project: "Project") -> None:
        self._project = project
        self._folder: str | None = None
        self._taken: set[str] = set()

    def open(self, name: str) -> str:
        """A new log for a stage: its absolute path; the file is there, and empty.

        Args:
            name: How the stage is called.

        Raises:
            DeniedError, ExhaustedError, UnsafePathError: it cannot be made.
        """
        folder = self._folder or self._begin()
        base = _ODD.sub(lambda found: f"%{ord(found[0]):02x}", name)[:_LONGEST].lstrip(".") or "stage"
        file, number = base + _SUFFIX, 1
        while file.lower() in self._taken:
            number += 1
            file = f"{base}-{number}{_SUFFIX}"
        self._taken.add(file.lower())
        path = os.path.join(folder, file)
        try:
            with open(path, "xb"):
                return path
        except OSError as error:
            raise from_os_error(error, f"creating {path}") from error

    def _begin(self) -> str:
        """Make the folder of the run; forget the oldest ones."""
        above = self._project.make_own_dir(LOGS)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self._project.clock.now_ns() / 1e9))
        last = max((_age(run) for run in runs(above)), default=(stamp, 0))
        number = last[1] + 1 if last[0] == stamp else 1
        while True:
            run = stamp if number == 1 else f"{stamp}-{number}"
            folder = os.path.join(above, run)
            try:
                os.mkdir(folder)
                break
            except FileExistsError:
                number += 1
            except OSError as error:
                raise from_os_error(error, f"creating {folder}") from error
        self._folder = folder
        with suppress(OSError):
            for old in runs(above)[:-KEPT]:
                if os.path.join(above, old) != folder:
                    shutil.rmtree(os.path.join(above, old), ignore_errors=True)
        return folder


def heading(command: str) -> bytes:
    """The line that stands before what a command said."""
    return f"> {shown(command)}\n".encode("utf-8", "surrogateescape")


def shown(command: str) -> str:
    """A command as logs and news name it: without secrets."""
    lowered = command.lower()
    if not any(sign in lowered for sign in _SIGNS):
        return command
    from fourfold.storage.secrets import strike  # noqa: PLC0415 - few commands need it

    return strike(command)


def runs(folder: str) -> list[str]:
    """The runs that have logs in a folder, the oldest first."""
    return sorted((name for name in os.listdir(folder) if _RUN.fullmatch(name)), key=_age)


def _age(run: str) -> tuple[str, int]:
    stamp, _dash, number = run.partition("-")
    return stamp, int(number or 1)
