"""The code coordinate: what code there really was when a run began, and which of it the run used.

The state of the repository is taken before the commands start (`snapshot`), what they imported and read is
known when they have ended (`section`). The index, HEAD, refs and objects of the user's repository are never
written. All paths are relative to the root of the repository. What belongs to the tree is `codetree`.
"""

import base64
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.formats.native.fact import Fact, absent, observed
from fourfold.runs import codestate
from fourfold.runs.codesources import sources
from fourfold.runs.codestate import CodeState

if TYPE_CHECKING:
    from fourfold.formats.native.fact import Section
    from fourfold.runs.observation import Observation
    from fourfold.runs.place import Place
    from fourfold.runs.task import Task
    from fourfold.scm.worktree import Settings

#: Keeps a document, and gives the reference to it.
Parts = Callable[[Mapping[str, Any]], dict[str, Any]]
#: Longer lists are parts.
_LIST = 20
#: Schema of the part that has what the commit lacks.
SCHEMA = "fourfold.code/1"
_NAMES = ("commit", "branch", "remote", "dirty", "tree", "changed", "left_out")


class Snapshot(NamedTuple):
    """The code when a run began.

    Attributes:
        facts: All facts of the section but ``sources``.
        root: Absolute root of the repository; without Git, of the place.
        state: The files of it; None without Git, or where Git refused.
        task: What runs.
    """

    facts: Mapping[str, Fact]
    root: str
    state: CodeState | None
    task: "Task"


def snapshot(place: "Place", task: "Task", parts: Parts) -> Snapshot:
    """Take the state of the code; whatever Git cannot tell is absent, with the reason.

    Args:
        place: Where the run happens.
        task: What runs.
        parts: Keeps a document.
    """
    git = place.git
    if git is None or git.bare:
        why = "no Git repository" if git is None else "a repository without a work tree"
        return Snapshot({name: absent(why) for name in _NAMES}, place.root, None, task)
    try:
        known, state = codestate.take(git, place.environ, data_of(task), place.clock)
    except FourfoldError as error:
        why = error.message.replace(git.root, ".")
        return Snapshot({name: absent(why) for name in _NAMES}, git.root, None, task)
    return Snapshot(_facts(place, known, state, parts, git.root), git.root, state, task)


def data_of(task: "Task") -> list[str]:
    """Absolute paths that hold data: everything tracked and made, but not the pointer files themselves."""
    paths = (*task.tracked, *(item.path for item in task.outputs))
    return [path for path in paths if not path.endswith(".dvc")]


def _facts(place: "Place", known: "Settings", state: CodeState, parts: Parts, root: str) -> dict[str, Fact]:
    unborn = absent("there is no commit yet")
    remote = _remote(known, state.branch, place.environ.get("HOME", ""))
    outputs = sorted(state.outputs.paths)
    facts = {
        "commit": observed(state.commit) if state.commit else unborn,
        "branch": observed(state.branch) if state.branch else absent("HEAD is on no branch"),
        "remote": observed(remote) if remote else absent("no remote is configured"),
        "dirty": observed(bool(state.changed or state.left_out)),
        "tree": observed(state.tree, _about(state)),
        "changed": observed(_listed([row._asdict() for row in state.changed], parts)),
        "left_out": observed(_listed([row._asdict() for row in state.left_out], parts)),
        "outputs": observed(_listed(outputs, parts)),
        "folder": observed(os.path.relpath(place.root, root).replace(os.sep, "/")),
    }
    if state.changes:
        facts["objects"] = observed(parts(_document(state)))
    if state.submodules:
        facts["submodules"] = observed(_listed([row._asdict() for row in state.submodules], parts))
    return facts


def _remote(known: "Settings", branch: str | None, home: str) -> str:
    """The address of the remote that a branch follows, else of ``origin``, else of the first by name."""
    names = (known.upstreams.get(branch or "", ""), "origin", *sorted(known.remotes))
    return next((address(known.remotes[name], home) for name in names if name in known.remotes), "")


def address(url: str, home: str) -> str:
    """An address of a repository without what could be a secret: user information, query, fragment.

    The user of SSH stays, since it names the account of the host; a password never does.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        if home and home != "/" and url.startswith(home.rstrip("/") + "/"):
            return "~" + url[len(home.rstrip("/")) :]
        return url
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    user, at, host = host.rpartition("@")
    if at and "ssh" in scheme:
        host = f"{user.partition(':')[0]}@{host}"
    return f"{scheme}://{host}{slash}{path}"


def _about(state: CodeState) -> str:
    if not state.filtered:
        return ""
    drivers = ", ".join(sorted(set(state.filtered.values())))
    return f"filters of Git do not run here ({drivers}): files that they change are as they are on disk"


def _listed(rows: list[Any], parts: Parts) -> Any:
    """A list, or the reference to a part that has it."""
    return rows if len(rows) <= _LIST else parts({"rows": rows})


def _document(state: CodeState) -> dict[str, Any]:
    """What has to be known besides the commit to have the tree again."""
    return {
        "schema": SCHEMA,
        "commit": state.commit,
        "tree": state.tree,
        "changes": [
            {"path": path} if entry is None else {"path": path, "mode": entry.mode, "oid": entry.oid}
            for path, entry in sorted(state.changes.items())
        ],
        "blobs": {oid: packed(content) for oid, content in sorted(state.blobs.items())},
        "lfs": {name: packed(content) for name, content in sorted(state.lfs.items())},
    }


def packed(content: bytes) -> dict[str, str]:
    """Bytes as a part holds them: text where they are text."""
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def section(snapshot: Snapshot, observation: "Observation", parts: Parts) -> "Section":
    """The facts of the code coordinate of a run that has ended.

    Args:
        snapshot: From before it began.
        observation: What was seen of it.
        parts: Keeps a document.
    """
    found = sources(snapshot.root, snapshot.state, snapshot.task, observation)
    coverage = observation.trace.coverage
    if coverage.method == "none" and not observation.reports:
        return {**snapshot.facts, "sources": absent("nothing was traced")}
    seen = f"files read, seen by {coverage.method}" if coverage.method != "none" else "modules of Python only"
    value: dict[str, Any] = {"count": len(found.files)}
    if found.files:
        document = {
            "files": dict(sorted(found.files.items())),
            "ignored": sorted(found.ignored),
            "blobs": {oid: packed(content) for oid, content in sorted(found.blobs.items())},
        }
        value["files"] = parts(document)
    return {**snapshot.facts, "sources": observed(value, seen)}
