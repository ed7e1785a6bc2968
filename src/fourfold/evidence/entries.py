"""Entries: what the entry of a stage in ``dvc.lock`` tells by itself of what a commit has. Pure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fourfold.formats.dvc.pointer import Dependency
    from fourfold.project.outs import Owner


def stale_entry(owner: "Owner") -> str:
    """What a stage has otherwise than its lock entry, which that entry tells by itself; "" when nothing."""
    if not owner.locked:
        return f"'{owner.addressing}' was never run there"
    if owner.cmd != owner.locked_cmd and list(lines_of(owner.cmd)) != list(lines_of(owner.locked_cmd)):
        return f"the command of '{owner.addressing}' changed and was not run"
    return ""


def is_new(dep: "Dependency") -> bool:
    """Whether a lock entry tells nothing of a file that a stage declares."""
    told = (dep.oid, dep.etag, dep.checksum, dep.version_id, dep.files, dep.dataset)
    return "://" not in dep.path and not any(told)


def lines_of(command: Any) -> Iterable[str]:
    """The commands of a stage, one or several."""
    return [command] if isinstance(command, str) else list(command or ())
