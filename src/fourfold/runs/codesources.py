"""Which source files a run really used: modules that Python imported, files of the code tree that were read.

A file of the code tree is as the snapshot has it. A file that Git ignores, or that is in no repository,
counts when it was imported, or read and named like code; its content is kept, because nothing else has it.
"""

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.reading import FileTooLargeError, read_file
from fourfold.runs.codestate import LARGEST, CodeState, holds_secret, is_secret, secret_values
from fourfold.runs.codetree import Outputs, is_written
from fourfold.scm.blobs import blob_id
from fourfold.scm.worktree import COMMIT

if TYPE_CHECKING:
    from fourfold.runs.observation import Observation
    from fourfold.runs.task import Task

#: Ends of names that are code whoever reads them.
_CODE = re.compile(
    r"\.(?:py[xdi]?|ipynb|[rR]|[rRq]md|jl|sh|bash|zsh|fish|sql|m?js|ts|lua|pl|rb|m|scala|java|kt|go|rs|c|h|cc|cpp|hpp"
    r"|cuh?|f90|awk|sed|do|sas|stan|mk)\Z"
)
#: Folders whose files are an environment, or a tool's own.
_ELSEWHERE = frozenset(
    {"site-packages", "dist-packages", "node_modules", ".git", ".dvc", ".fourfold", "__pycache__"}
)


class Sources(NamedTuple):
    """What was used.

    Attributes:
        files: Id of the content by path; None where it may hold secrets, or is too large.
        ignored: Those that the code tree lacks.
        blobs: The contents of these, by id.
    """

    files: dict[str, str | None]
    ignored: set[str]
    blobs: dict[str, bytes]


def is_code(path: str) -> bool:
    """Whether a name is that of code, whoever reads it."""
    return _CODE.search(path) is not None


def sources(root: str, state: CodeState | None, task: "Task", observation: "Observation") -> Sources:
    """The source files below a folder that a run used.

    Args:
        root: Of the repository, or of the place.
        state: The code tree; None without one.
        task: What ran.
        observation: What was seen of it.
    """
    found = Sources({}, set(), {})
    prefix = root.rstrip(os.sep) + os.sep
    data = state.outputs if state is not None else Outputs(_data(task, prefix))
    secrets = secret_values(task.environ)
    # The code tree has these as the commit has them, or not at all: not as they were read.
    left_out = {row.path for row in state.left_out} if state is not None else frozenset()
    prefixes = _environments(observation, prefix)
    for path, imported in _used(observation):
        if not path.startswith(prefix):
            continue
        name = path[len(prefix) :].replace(os.sep, "/")
        if name in found.files or name in data or is_written(name):
            continue
        entry = state.entry(name) if state is not None else None
        if entry is not None:
            if entry.mode != COMMIT:
                found.files[name] = None if name in left_out else entry.oid
            continue
        if not imported and not is_code(name):
            continue
        if _ELSEWHERE.isdisjoint(name.split("/")) and not path.startswith(prefixes):
            _keep(found, path, name, secrets, long=state is not None and len(state.tree) > 40)
    return found


def _data(task: "Task", prefix: str) -> Iterator[str]:
    for path in (*task.tracked, *(item.path for item in task.outputs)):
        if path.startswith(prefix) and not path.endswith(".dvc"):
            yield path[len(prefix) :].replace(os.sep, "/")


def _used(observation: "Observation") -> Iterator[tuple[str, bool]]:
    """Paths, and whether Python imported them."""
    for report in observation.reports:
        modules = report.get("modules")
        if isinstance(modules, dict):
            for path in modules.values():
                if isinstance(path, str):
                    yield os.path.normpath(path), True
    for access in observation.trace.accesses:
        if access.how in {"read", "exec"} and access.found and access.first:
            yield access.path, False


def _environments(observation: "Observation", prefix: str) -> tuple[str, ...]:
    """Environments of Python that stand below a folder."""
    found = set()
    for report in observation.reports:
        for key in ("prefix", "base_prefix"):
            path = report.get(key)
            if isinstance(path, str) and path.startswith(prefix):
                found.add(path.rstrip(os.sep) + os.sep)
    return tuple(sorted(found))


def _keep(found: Sources, path: str, name: str, secrets: tuple[bytes, ...], *, long: bool) -> None:
    """Take the content of a file that the code tree lacks."""
    try:
        content = read_file(path, LARGEST)
    except FileTooLargeError:
        content = None
    except (OSError, FourfoldError):
        return
    found.ignored.add(name)
    found.files[name] = None
    if content is None or is_secret(name):
        return
    if holds_secret(content, secrets):
        return
    oid = blob_id(content, long=long)
    found.files[name] = oid
    found.blobs[oid] = content
