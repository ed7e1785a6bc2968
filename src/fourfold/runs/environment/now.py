"""The environment that a stage would find now: its Python is asked by what observes runs.

What only a run can know (what was imported, loaded, started, and how numbers are made) is absent here and
says so.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import NotFoundError, UnavailableError, from_os_error
from fourfold.formats.native.fact import Fact, Section, absent
from fourfold.runs.environment.section import Keep, section
from fourfold.runs.observation import Coverage, Observation, Trace
from fourfold.runs.task import Task

if TYPE_CHECKING:
    from fourfold.runs.place import Place

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
#: What a run knows and a Python that merely starts does not.
OF_RUNS = frozenset({"blas", "executables", "frameworks", "libraries", "others", "simd", "threads"})
#: Likewise, within facts: folders by what was imported from them, limits and masks that a shell may set.
_OF_RUNS_IN = {
    "accelerators": frozenset({"used"}),
    "flags": frozenset({"custom", "editable", "outside", "pythonpath"}),
    "locale": frozenset({"stdout"}),
}
_WHY = "known of a run only"


class NoPythonOnPathError(NotFoundError):
    """There is no ``python`` that a stage would find."""

    code = "no-python-on-path"
    default_hint = "activate an environment, or name one: --python <path of an interpreter or environment>"


class SilentPythonError(UnavailableError):
    """An interpreter was started and did not tell about itself."""

    code = "python-tells-nothing"
    default_hint = "try it by hand; Python 3.8 and later can tell"


def python_on_path(environ: Mapping[str, str]) -> str:
    """The ``python``, else ``python3``, that a stage finds: its absolute path.

    Raises:
        NoPythonOnPathError: there is none.
    """
    import shutil  # noqa: PLC0415 - only this question needs it

    for name in ("python", "python3"):
        found = shutil.which(name, path=environ.get("PATH", os.defpath))
        if found is not None and os.path.isabs(found):
            return found
    raise NoPythonOnPathError("there is no python on PATH")


def now(place: "Place", executable: str, parts: Keep) -> Section:
    """The facts of the environment of an interpreter, as a run's section has them.

    Args:
        place: Where a run would happen; its environment is what the interpreter starts in.
        executable: Absolute path of the interpreter.
        parts: Keeps a long document and gives the reference to it.

    Raises:
        SilentPythonError: it cannot be run, or does not tell about itself.
    """
    report = _ask(executable, place.environ)
    # Started at no script, it has no folder of one on its path, and has no business with modules there.
    trace = Trace(Coverage("none", _WHY))
    task = Task("command", "", (), place.root, place.cwd, place.environ)
    found = section(task, place, Observation(trace, (report,)), parts)
    return {name: _known(name, fact) for name, fact in found.items()}


def _known(name: str, fact: Fact) -> Fact:
    return absent(_WHY) if name in OF_RUNS else fact


def _ask(executable: str, environ: Mapping[str, str]) -> Mapping[str, Any]:
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


def comparable(facts: Section) -> dict[str, Fact]:
    """The facts of a run, or of now, that both can have: what differs in these is no matter of what ran."""
    found = {name: fact for name, fact in facts.items() if name not in OF_RUNS}
    for name, keys in _OF_RUNS_IN.items():
        fact = found.get(name)
        if fact is not None and isinstance(fact.value, Mapping):
            found[name] = fact._replace(
                value={key: value for key, value in fact.value.items() if key not in keys}
            )
    return found
