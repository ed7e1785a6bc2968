"""Asking a Python what it is, outside of any run: by what observes runs, at an empty program."""

import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

from fourfold.base.errors import UnavailableError, from_os_error

#: Seconds that Python may take to tell about itself.
_PATIENCE = 30
_INJECT = os.path.join(os.path.dirname(os.path.dirname(__file__)), "inject")
#: Given: the folder of what observes, and the one for the report.
_ASK = """\
import sys
sys.path.insert(0, sys.argv[1])
import _fourfold_report
del sys.path[0]
_fourfold_report.install(sys.argv[2])
"""
_PYTHON = re.compile(r"python(?:\d+(?:\.\d+)*)?t?$")


class SilentPythonError(UnavailableError):
    """An interpreter was started and did not tell about itself."""

    code = "python-tells-nothing"
    default_hint = "try it by hand; Python 3.8 and later can tell"


def pythons_among(programs: Iterable[str]) -> list[str]:
    """Those that have the name of a Python, one for each folder, sorted."""
    found: dict[str, str] = {}
    for path in sorted(programs):
        if _PYTHON.match(os.path.basename(path)):
            found.setdefault(os.path.dirname(path), path)
    return list(found.values())


def ask(executable: str, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """What a Python tells of itself, as its report of a run would; no modules.

    Args:
        executable: Absolute path.
        environ: All of the environment that it starts in.

    Raises:
        SilentPythonError: it does not tell about itself.
        FourfoldError: it cannot be started.
    """
    import subprocess  # noqa: PLC0415 - nothing else here starts a process

    try:
        with tempfile.TemporaryDirectory(prefix="fourfold-") as folder:
            # It starts in its own folder, so that no module of the project is taken for one of Python's.
            done = subprocess.run(
                [executable, "-c", _ASK, _INJECT, folder],
                cwd=os.path.dirname(executable),
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
            )
            return _report(folder, executable, done.stderr)
    except subprocess.TimeoutExpired:
        raise SilentPythonError(f"{executable} did not answer within {_PATIENCE} seconds") from None
    except OSError as error:
        raise from_os_error(error, f"asking {executable} what it is") from error


def _report(folder: str, executable: str, told: bytes) -> Mapping[str, Any]:
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            try:
                report = json.loads(file.read())
            except ValueError:
                continue
        if isinstance(report, dict):
            return {**report, "modules": {}, "path": [entry for entry in report.get("path", ()) if entry]}
    lines = told.decode("utf-8", "replace").strip().splitlines()
    why = f": {lines[-1][:200]}" if lines else ""
    raise SilentPythonError(f"{executable} does not tell about itself{why}")
