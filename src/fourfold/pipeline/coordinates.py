"""The four coordinates of recorded runs, in a first and simple form: code, data, environment, randomness.

Code is the Git commit and whether tracked files differ from it; data is what ``dvc.lock`` records of
dependencies and outputs; the environment is that of the ``python`` that a stage would find *now*;
randomness is the seeds among the recorded parameters, and ``PYTHONHASHSEED``. What this form does not capture
is in `NOT_CAPTURED`: nothing is recorded at the time of the run yet, so code and environment are those of
the moment of asking.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.formats.dvc.lock import DEFAULT_PARAMS
from fourfold.pipeline.compare import flatten
from fourfold.project.files import load_tracked
from fourfold.project.outs import Owner
from fourfold.project.status import address_from
from fourfold.project.targets import named_owners

if TYPE_CHECKING:
    from fourfold.base.ids import Oid
    from fourfold.project.project import Project

#: What a reader must not take this first form for.
NOT_CAPTURED = (
    "code and environment are of now, not of the time of the run",
    "programs other than Python, system libraries, drivers and hardware",
    "files that a stage reads without declaring them, and the network",
    "seeds that are set in code only, and sources of randomness without a seed",
)
#: Names of parameters, in lower case, that hold a seed.
_SEEDS = ("seed", "random_state", "random_seed", "randomstate", "rng_seed")
#: Seconds that Python may take to tell about itself.
_PATIENCE = 20
_ASK = """\
import importlib.metadata as m, json, platform, sys
found = {d.metadata["Name"]: d.version for d in m.distributions() if d.metadata["Name"]}
print(json.dumps({"python": platform.python_version(), "implementation": platform.python_implementation(),
    "executable": sys.executable, "platform": platform.platform(), "packages": found}))
"""


class Code(NamedTuple):
    """What Git knows.

    Attributes:
        commit: HEAD; None before the first commit, and without Git.
        branch: The branch that is checked out; None when none is.
        dirty: Whether tracked files differ from HEAD; None without Git.
    """

    commit: str | None
    branch: str | None
    dirty: bool | None


class Environment(NamedTuple):
    """What the ``python`` on the search path says of itself; empty when there is none.

    Attributes:
        python: Its version.
        implementation: Which Python it is.
        executable: Its absolute path.
        platform: System, kernel and C library in one line.
        packages: Installed distributions and their versions.
    """

    python: str = ""
    implementation: str = ""
    executable: str = ""
    platform: str = ""
    packages: Mapping[str, str] = {}


class Randomness(NamedTuple):
    """Where chance comes from, as far as it is declared.

    Attributes:
        seeds: File and dotted key of each seed among the recorded parameters -> its value.
        hash_seed: ``PYTHONHASHSEED``; None when it is not set: then the order of sets differs each time.
    """

    seeds: Mapping[str, Any]
    hash_seed: str | None


class StageCoordinates(NamedTuple):
    """One stage as ``dvc.lock`` records it.

    Attributes:
        name: As it is called from where the user stands.
        command: What ran; None for a stage that never did.
        deps: Paths -> content.
        outs: Paths -> content.
        params: The recorded values, by file and dotted key.
    """

    name: str
    command: str | list[str] | None
    deps: "Mapping[str, Oid | None]"
    outs: "Mapping[str, Oid | None]"
    params: Mapping[str, Any]


class Coordinates(NamedTuple):
    """The four coordinates, in their order."""

    code: Code
    data: tuple[StageCoordinates, ...]
    environment: Environment
    randomness: Randomness


def coordinates(project: "Project", targets: Iterable[str] = ()) -> Coordinates:
    """The coordinates of the recorded runs of some stages, or of all.

    Runs one process: the ``python`` on the search path of ``project.environ``, to ask what it has.

    Raises:
        OwnerFileNotFoundError, StageNotFoundError: a target names no stage.
        InvalidFileError: a file cannot be understood.
    """
    names = list(targets)
    owners = (
        [owner for name in names for owner in named_owners(project, name)]
        if names
        else load_tracked(project).owners
    )
    stages = tuple(_recorded(project, owner) for owner in owners if owner.is_stage)
    git = project.git
    code = Code(None, None, None) if git is None else Code(git.head(), git.branch(), git.is_dirty())
    return Coordinates(code, stages, environment_of(project.environ), _randomness(project, stages))


def _recorded(project: "Project", owner: Owner) -> StageCoordinates:
    command = owner.locked_cmd
    params = {
        f"{file}:{key}": value
        for file, values in (owner.params or {}).items()
        for key, value in flatten(values if isinstance(values, Mapping) else {})
    }
    return StageCoordinates(
        address_from(project, owner),
        command if command is None or isinstance(command, str) else list(command),
        {dep.path: dep.oid for dep in owner.deps},
        {out.path: out.oid for out in owner.outs},
        params,
    )


def _randomness(project: "Project", stages: Iterable[StageCoordinates]) -> Randomness:
    seeds = dict(_seeds(stages))
    return Randomness(seeds, project.environ.get("PYTHONHASHSEED"))


def _seeds(stages: Iterable[StageCoordinates]) -> Iterator[tuple[str, Any]]:
    for stage in stages:
        for name, value in stage.params.items():
            key = name.rpartition(":")[2].rpartition(".")[2].lower()
            if key in _SEEDS or key.endswith("_seed"):
                yield name.removeprefix(f"{DEFAULT_PARAMS}:"), value


def environment_of(environ: Mapping[str, str]) -> Environment:
    """Ask the ``python`` on a search path what it is; nothing is said when there is none, or it fails.

    It runs in its own folder, so that no module of the project is mistaken for one of Python's.
    """
    import json  # noqa: PLC0415 - only this question needs them
    import shutil  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    path = environ.get("PATH", os.defpath)
    program = shutil.which("python", path=path) or shutil.which("python3", path=path)
    if program is None or not os.path.isabs(program):
        return Environment()
    try:
        done = subprocess.run(
            [program, "-c", _ASK],
            cwd=os.path.dirname(program),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
        found = json.loads(done.stdout)
        return Environment(**{key: found[key] for key in Environment._fields})
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return Environment(executable=program)
