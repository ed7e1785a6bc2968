"""Discover: a stage from what a command was seen to do.

What it read in the project is a dependency, what it made and left there an output; a file of parameters
is declared as such. What lies elsewhere, and what may hold a secret, is left out and named. Written through
`stage_add`, which proves that the project can have the stage.
"""

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError, FourfoldError
from fourfold.base.events import Sink, silent
from fourfold.formats.dvc.pointer import Output
from fourfold.formats.dvc.stages import DEFAULT_PARAMS, ParamsSpec, StageSpec
from fourfold.pipeline.declaring import gathered
from fourfold.pipeline.run import Ran
from fourfold.pipeline.stage_add import StageAdded, add_stage
from fourfold.pipeline.undeclared import absolute
from fourfold.project.changes import Examiner
from fourfold.project.files import load_tracked
from fourfold.runs.findings import may_be_secret
from fourfold.runs.zones import below

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: Files of a folder from which on, when it holds nothing else, the folder is the output.
_SEVERAL = 2
_SCRIPT = re.compile(r"(?:^|/)([^/]+)\.(?:py|sh|bash|r|R|jl|js|ipynb|pl|rb)$")
_WORD = re.compile(r"[^A-Za-z0-9_-]+")


class NothingSeenError(ConflictError):
    """A command was not traced, or used nothing of the project: no stage can be made of it."""

    code = "nothing-discovered"


class Discovery(NamedTuple):
    """A stage that could be written.

    Attributes:
        spec: The stage, its paths relative to where the user stands.
        left: What was used and is not declared, as the record names it, and why.
    """

    spec: StageSpec
    left: tuple[tuple[str, str], ...]


def stage_from(project: "Project", ran: Ran, name: str | None = None) -> Discovery:
    """The stage that a command would be.

    Args:
        project: Whose.
        ran: The command, as `run_command` ran it.
        name: What it shall be called; None to take a name from its command.

    Raises:
        NothingSeenError: it was not traced, or used nothing of the project.
    """
    if ran.run is None or not ran.verdict.is_good:
        raise NothingSeenError(
            "the command failed, or was not observed", hint="a stage is made of a command that ends well"
        )
    seen = ran.run.findings
    reads = {item.path: item.shown for item in ran.task.inputs}
    reads |= {absolute(project, each.path): each.path for each in seen.reads}
    writes = {item.path: item.shown for item in ran.task.outputs}
    writes |= {absolute(project, each.path): each.path for each in seen.writes if each.how != "delete"}
    left: dict[str, str] = {}
    reads = _usable(project, {path: shown for path, shown in reads.items() if path not in writes}, left)
    writes = _usable(project, writes, left)
    if not reads and not writes:
        raise NothingSeenError(
            "nothing of the project was read or written",
            hint="was it traced? see: ff runs show @",
            details=[f"{path}: {why}" for path, why in left.items()],
        )
    params = tuple(path for path in reads if _is_parameters(project, path))
    folders = {out.path for out in load_tracked(project).outs if os.path.isdir(out.path)}
    deps = gathered(
        [path for path in reads if path not in params], tracked=folders, keep=_around(project, writes)
    )
    outs = gathered(list(writes), keep=_around(project, reads), many=_SEVERAL)
    command = ran.task.commands[0]
    spec = StageSpec(
        _free_name(project, name_of(command)) if name is None else name,
        command,
        deps=tuple(sorted(_relative(project, path) for path in deps)),
        params=tuple(_parameters(project, path) for path in params),
        outs=_outputs(project, outs),
    )
    return Discovery(spec, tuple(sorted(left.items())))


def write(project: "Project", found: Discovery, *, force: bool = False, events: Sink = silent) -> StageAdded:
    """Write a stage into the ``dvc.yaml`` where the user stands; nothing is run.

    Raises:
        FourfoldError: as `add_stage` does.
    """
    return add_stage(project, found.spec, force=force, events=events)


def name_of(command: str) -> str:
    """A name for a stage from its command: of the script that it runs, else of the program."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    words = [word for word in words if "=" not in word.partition("/")[0]]  # assignments before the program
    scripts = [match[1] for word in words if (match := _SCRIPT.search(word))]
    modules = [words[at + 1].rpartition(".")[2] for at, word in enumerate(words[:-1]) if word == "-m"]
    program = os.path.basename(words[0]) if words else ""
    name = _WORD.sub("-", (*scripts, *modules, program)[0]).strip("-")
    return name or "stage"


def _free_name(project: "Project", wanted: str) -> str:
    taken = {owner.name for owner in load_tracked(project, strict=False).owners}
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def _usable(project: "Project", paths: Mapping[str, str], left: dict[str, str]) -> dict[str, str]:
    """Those of some paths that a stage can name; why not the others."""
    found = {}
    for path, shown in paths.items():
        if not project.contains(path):
            left[shown] = "outside of the project"
        elif may_be_secret(path):
            left[shown] = "it may hold a secret"
        elif not os.path.lexists(path):
            left[shown] = "it is not there any more"
        elif project.ignore.is_ignored(path, is_dir=os.path.isdir(path)):
            left[shown] = ".dvcignore excludes it"
        else:
            found[path] = shown
    return found


def _around(project: "Project", paths: Iterable[str]) -> set[str]:
    """Folders that hold something that is used otherwise: none of them can be declared whole."""
    found = {project.root, project.cwd}
    for path in paths:
        folder = os.path.dirname(path)
        while below(folder, project.root) and folder not in found:
            found.add(folder)
            folder = os.path.dirname(folder)
    return found


def _relative(project: "Project", path: str) -> str:
    return os.path.relpath(path, project.cwd).replace(os.sep, "/")


def _is_parameters(project: "Project", path: str) -> bool:
    """Whether a file is one of parameters that can be read as such."""
    if os.path.basename(path) != DEFAULT_PARAMS:
        return False
    try:
        return bool(Examiner(project).parameters(path))
    except FourfoldError:
        return False


def _parameters(project: "Project", path: str) -> ParamsSpec:
    """All of a file: which of its values a command looked at, nobody sees."""
    relative = _relative(project, path)
    return ParamsSpec(None if relative == DEFAULT_PARAMS else relative, None)


def _outputs(project: "Project", outs: Mapping[str, list[str]]) -> tuple[Output, ...]:
    """Outputs; those that Git keeps stay with Git."""
    kept = project.git.tracked(outs) if project.git is not None else set()
    return tuple(Output(_relative(project, path), cache=path not in kept) for path in sorted(outs))
