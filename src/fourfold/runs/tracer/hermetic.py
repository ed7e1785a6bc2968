"""The list of what a hermetic run may use, for the supervisor: what it declares, and what all programs need.

Readable: declared inputs, the system, interpreters and what is installed with them. Writable: declared
outputs, files that the run makes beside them, a temporary folder of its own. Not readable: the rest of the
project, of the home folder, of the disk. Names of the project's files may be listed everywhere.
"""

import os
import sys
from collections.abc import Iterator

from fourfold.base.errors import UnsupportedError
from fourfold.runs.task import Task

#: Where systems keep themselves. What of it is not there is left out.
_SYSTEM = (
    *(
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/etc",
        "/opt",
        "/nix",
        "/gnu",
        "/snap",
    ),
    *("/run", "/sys", "/var/lib", "/var/cache"),
)
_DEVICES = ("/dev", "/proc")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - a run may make files there, and read those
#: Below the home folder: programs and interpreters that tools install.
_INSTALLED = (
    *(".pyenv", ".conda", ".rbenv", ".nvm", ".asdf", ".cargo", ".rustup", ".sdkman", ".julia", ".local/bin"),
    *(".local/lib", ".local/pipx", ".local/share/uv", ".local/share/mise", "mambaforge", "miniforge3"),
    *("miniconda3", "anaconda3", "go", "R"),
)


class SandboxUnavailableError(UnsupportedError):
    """A run that asked to be hermetic cannot be, here."""

    code = "sandbox-unavailable"
    default_hint = "leave out hermetic, or run where Linux offers Landlock; see: ff doctor"


def fields(task: Task, scratch: str) -> list[bytes]:
    """What the supervisor is told about the walls of a run (`walls.Walls`)."""
    told: dict[str, None] = dict.fromkeys(_told(task, scratch))
    return [b"H", *(os.fsencode(field) for field in told)]


def _told(task: Task, scratch: str) -> Iterator[str]:
    for path in (*_SYSTEM, *_prefixes(task)):
        if os.path.exists(path):
            yield "R" + path
    for path in (*_DEVICES, scratch):
        yield "W" + path
    for path in _TEMPORARY:
        yield "T" + path
    for path in {task.root, task.cwd}:
        yield "L" + path
    for item in task.inputs:
        if os.path.isabs(item.path):
            yield "R" + item.path
    for item in task.outputs:
        if os.path.isabs(item.path):
            yield "O" + item.path


def _prefixes(task: Task) -> Iterator[str]:
    """Folders of interpreters and programs: of the command's PATH, of its environment, and ours."""
    environ = task.environ
    yield from (sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable)))
    yield os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if os.path.isabs(environ.get(name, "")):
            yield from _environment(environ[name])
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        if os.path.isabs(folder) and os.path.normpath(folder) != "/":
            yield folder
            yield from _environment(os.path.dirname(os.path.normpath(folder)))
    home = environ.get("HOME", "")
    if os.path.isabs(home):
        for name in _INSTALLED:
            yield os.path.join(home, name)


def _environment(folder: str) -> Iterator[str]:
    """A folder, if it holds an interpreter's libraries; for a virtual environment, its interpreter's too."""
    if os.path.isdir(os.path.join(folder, "conda-meta")):
        yield folder
    try:
        with open(os.path.join(folder, "pyvenv.cfg"), encoding="utf-8") as file:
            lines = file.read(65536).splitlines()
    except (OSError, UnicodeDecodeError):
        return
    yield folder
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "home" and os.path.isabs(value.strip()):
            yield os.path.dirname(os.path.realpath(value.strip()))
