"""The environment that a stage would find now: its Python is asked by what observes runs.

What only a run can know (what was imported, loaded, started, and how numbers are made) is absent here and
says so.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fourfold.base.errors import NotFoundError
from fourfold.formats.native.fact import Fact, Section, absent
from fourfold.runs.environment.asking import ask
from fourfold.runs.environment.section import Keep, section
from fourfold.runs.observation import Coverage, Observation, Trace
from fourfold.runs.task import Task

if TYPE_CHECKING:
    from fourfold.runs.place import Place

#: What a run knows and a Python that merely starts does not.
OF_RUNS = frozenset({"blas", "executables", "frameworks", "libraries", "loader", "others", "simd", "threads"})
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
    report = ask(executable, place.environ)
    trace = Trace(Coverage("none", _WHY))
    task = Task("command", "", (), place.root, place.cwd, place.environ)
    found = section(task, place, Observation(trace, (report,)), parts)
    return {name: _known(name, fact) for name, fact in found.items()}


def _known(name: str, fact: Fact) -> Fact:
    return absent(_WHY) if name in OF_RUNS else fact


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
