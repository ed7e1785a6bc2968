"""Where a Python looks for modules: asked of it without running a line of what is installed in it.

It is started isolated and without ``site`` (``-I -S``), so that no ``.pth`` file and no ``sitecustomize`` of
the environment under examination runs.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from fourfold.base.errors import NotFoundError, UnavailableError

_SECONDS = 30
#: Runs in any Python from 3.6 on. Given: the prefix of the environment, or "" for the interpreter's own.
_QUESTION = """
import json, platform, site, sys, sysconfig
given, system = sys.argv[1], sys.argv[2] == "1"
base = sys.prefix
if given:
    sys.prefix = sys.exec_prefix = given
found = site.getsitepackages([given] if given else None)
if given and system:
    sys.prefix = sys.exec_prefix = base
    found = found + site.getsitepackages([base])
sys.prefix = sys.exec_prefix = base
print(json.dumps({
    "version": platform.python_version(), "implementation": sys.implementation.name,
    "prefix": given or base, "base": base, "sites": found, "user": site.getusersitepackages(),
    "stdlib": sysconfig.get_path("stdlib"), "platform": sys.platform,
}))
"""


class NoPythonError(NotFoundError):
    """There is no interpreter of that name."""

    code = "no-python"
    default_hint = "name one: --python <path of an interpreter or of a virtual environment>"


class DumbPythonError(UnavailableError):
    """An interpreter was started and gave no sensible answer."""

    code = "python-does-not-answer"
    default_hint = "try it by hand; it may be broken"


class Interpreter(NamedTuple):
    """An interpreter and its folders.

    Attributes:
        executable: Absolute path, links kept: a virtual environment is known by it.
        version: ``3.11.7``.
        implementation: ``cpython``.
        prefix: Root of the environment.
        base: Root of the installation that it was made from.
        sites: Its folders of packages that exist, in the order of ``sys.path``; that of the user first.
        user_site: The one of the user among them; "".
        stdlib: The folder of the standard library.
        made_by: ``uv`` | ``virtualenv`` | ``venv`` | "" (no virtual environment).
    """

    executable: str
    version: str
    implementation: str
    prefix: str
    base: str
    sites: tuple[str, ...]
    user_site: str
    stdlib: str
    made_by: str

    def facts(self) -> dict[str, Any]:
        """What markers are evaluated with."""
        return {"version": self.version, "implementation": self.implementation}


def find_python(root: str, environ: Mapping[str, str], named: str | None = None) -> str:
    """The interpreter that a stage would use: its absolute path.

    The active environment (``VIRTUAL_ENV``, ``CONDA_PREFIX``), else ``python`` on PATH. Never one of the
    repository that nobody activated or named: looking must not run what a repository brings.

    Args:
        root: What ``named`` is relative to.
        environ: The process environment.
        named: A path, a name on PATH, or the folder of an environment.

    Raises:
        NoPythonError: there is none.
    """
    if named:
        path = os.path.normpath(os.path.join(root, named))
        if os.path.isdir(path):
            return _of_environment(path) or _missing(f"{named} is no environment of Python")
        if os.path.isfile(path) and (os.sep in named or not _on_path(named, environ)):
            return path
        return _on_path(named, environ) or _missing(f"no such Python: {named}")
    for folder in (environ.get("VIRTUAL_ENV", ""), environ.get("CONDA_PREFIX", "")):
        found = _of_environment(folder) if folder else None
        if found:
            return found
    found = _on_path("python", environ) or _on_path("python3", environ)
    return found or _missing("there is no python on PATH")


def _missing(message: str) -> str:
    raise NoPythonError(message)


def _of_environment(folder: str) -> str | None:
    for name in ("bin/python", "bin/python3", "python.exe", "Scripts/python.exe"):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    return None


def _on_path(name: str, environ: Mapping[str, str]) -> str | None:
    import shutil  # noqa: PLC0415 - only where no environment is active

    return shutil.which(name, path=environ.get("PATH", os.defpath))


def ask(executable: str, environ: Mapping[str, str]) -> Interpreter:
    """Ask an interpreter for its folders.

    Args:
        executable: Absolute path.
        environ: The environment in which a stage would run it.

    Raises:
        DumbPythonError: it cannot be run, or its answer is none.
    """
    import subprocess  # noqa: PLC0415 - nothing else here starts a process

    prefix, settings = _settings(executable)
    system = settings.get("include-system-site-packages", "").lower() == "true"
    command = [executable, "-I", "-S", "-c", _QUESTION, prefix, str(int(system))]
    try:
        done = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout)
        sites = [str(folder) for folder in answer["sites"]]
        user = "" if (prefix and not system) or environ.get("PYTHONNOUSERSITE") else str(answer["user"])
        texts = {
            name: str(answer[name]) for name in ("version", "implementation", "prefix", "base", "stdlib")
        }
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise DumbPythonError(f"{executable} does not say where its packages are: {error}") from error
    user = user if os.path.isdir(user) else ""
    folders = dict.fromkeys(os.path.normpath(site) for site in ([user] if user else []) + sites)
    made_by = next((name for name in ("uv", "virtualenv") if name in settings), "venv" if settings else "")
    return Interpreter(
        executable,
        sites=tuple(folder for folder in folders if os.path.isdir(folder)),
        user_site=user,
        made_by=made_by,
        **texts,
    )


def _settings(executable: str) -> tuple[str, dict[str, str]]:
    """The root of a virtual environment and its ``pyvenv.cfg``; ("", {}) for another Python."""
    folder = os.path.dirname(executable)
    for prefix in (folder, os.path.dirname(folder)):
        try:
            with open(os.path.join(prefix, "pyvenv.cfg"), encoding="utf-8", errors="replace") as file:
                lines = file.read(65536).splitlines()
        except OSError:
            continue
        pairs = (line.partition("=") for line in lines if "=" in line)
        return prefix, {key.strip().lower(): value.strip() for key, _mark, value in pairs}
    return "", {}
