"""What Fourfold put into, or found in, the workspace: the outputs that a later checkout may take away.

When an output leaves the pointer files (another branch was checked out, a ``.dvc`` was deleted), its files
stay behind. Only an output that is listed here may be cleaned up then, and only those of its files
that still are what the list says. One small file of ours, a metadata file like any other for the
operation log, so that taking a command back also takes back what it claimed.
"""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.base.ids import Oid, parse_oid, safe_relpath
from fourfold.formats.dvc.pointer import Output

if TYPE_CHECKING:
    from fourfold.project.oplog import Operation
    from fourfold.project.project import Project

_NAME = "placed"


class Placed(NamedTuple):
    """The content that an output had when it was last recorded or checked out."""

    oid: Oid
    legacy: bool = False


def load_placed(project: "Project") -> dict[str, Placed]:
    """The outputs on record, by path relative to the root; a damaged file reads as empty."""
    try:
        with open(os.path.join(project.own_dir, _NAME), "rb") as file:
            data = file.read()
    except OSError:
        return {}
    import json  # noqa: PLC0415 - only verbs that change the workspace come here

    try:
        entries = json.loads(data)
        return {
            safe_relpath(path): Placed(parse_oid(oid), bool(legacy))
            for path, (oid, legacy) in entries["placed"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, FourfoldError):
        return {}


def note_placed(
    project: "Project", op: "Operation", outputs: Mapping[str, Output], *, gone: Iterable[str] = ()
) -> None:
    """Record what is in the workspace now.

    Args:
        project: Whose.
        op: Is told before.
        outputs: What each output holds, by absolute path; those without cached content are dropped.
        gone: Absolute paths of outputs that were taken away.

    Raises:
        DeniedError, ExhaustedError: our own folder cannot be written.
    """
    before = load_placed(project)
    after = dict(before)
    for path, output in outputs.items():
        if output.oid is not None and output.cache:
            after[project.relpath(path)] = Placed(output.oid, output.legacy)
        else:
            after.pop(project.relpath(path), None)
    for path in gone:
        after.pop(project.relpath(path), None)
    if after == before:
        return
    import json  # noqa: PLC0415 - as above

    file = os.path.join(project.make_own_dir(), _NAME)
    op.will_write(file)
    rows = {path: [entry.oid, entry.legacy] for path, entry in sorted(after.items())}
    try:
        write_atomic(file, json.dumps({"version": 1, "placed": rows}).encode(), durable=False)
    except OSError as error:
        raise from_os_error(error, "recording what is in the workspace") from error
