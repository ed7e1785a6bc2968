"""How each path was used by a run, all accesses of it together: read, written, made, there at the end.

What a path is (`classify`) is not asked here, but for one thing: modules that were imported count as read
only where they lie in the repository.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.runs.observation import Access

if TYPE_CHECKING:
    from fourfold.runs.zones import Machine


class Use(NamedTuple):
    """All ways in which one path was used.

    Attributes:
        ways: How.
        found: Whether it was there when it was read or run.
        wrote: Whether it was written.
        deleted: Whether it was deleted.
        made: Whether it was written before it was anything else.
        remains: Whether it is there at the end.
    """

    ways: frozenset[str]
    found: bool
    wrote: bool
    deleted: bool
    made: bool
    remains: bool

    @property
    def is_input(self) -> bool:
        """Whether its content of before the run was used."""
        return self.found and not self.made and bool(self.ways & {"read", "exec"})

    @property
    def is_result(self) -> bool:
        """Whether it is otherwise than before: written and there, or there before and deleted."""
        return (self.wrote and self.remains) or (self.deleted and not self.remains and not self.made)


def uses_of(
    accesses: Iterable[Access],
    reports: Iterable[Mapping[str, Any]],
    machine: "Machine",
    is_inside: Callable[[str], bool],
) -> dict[str, Use]:
    """How each path was used, sorted by path.

    Args:
        accesses: What was seen.
        reports: What processes of Python told (`Observation.reports`).
        machine: Says which source bytecode stands for.
        is_inside: Whether a path lies in the repository.
    """
    by_path: dict[str, list[Access]] = {}
    for access in accesses:
        path = access.path
        if access.how == "read":
            source = machine.source_of(path)
            if source is not None:
                if not access.found or not os.path.lexists(source):
                    continue  # bytecode that is not there yet: its source is read next
                path = source
        by_path.setdefault(path, []).append(access)
    for path in _imported(reports, is_inside):
        by_path.setdefault(path, [Access(path, "read")])
    found = {}
    for path, uses in by_path.items():
        real = [use for use in uses if use.how != "list"]
        if real or any(use.found for use in uses):
            found[path] = _use(path, uses)
    return dict(sorted(found.items()))


def _use(path: str, uses: list[Access]) -> Use:
    ways = frozenset(use.how for use in uses)
    wrote = "write" in ways
    remains = wrote and any(use.found for use in uses if use.how == "write")
    if "delete" in ways and not wrote:
        remains = os.path.isabs(path) and os.path.lexists(path)
    return Use(
        ways,
        any(use.found for use in uses if use.how in {"read", "exec", "list"}),
        wrote,
        "delete" in ways,
        any(use.how == "write" and use.first for use in uses),
        remains,
    )


def _imported(reports: Iterable[Mapping[str, Any]], is_inside: Callable[[str], bool]) -> Iterable[str]:
    """Modules of the repository that were imported, however their code came in."""
    folders: dict[str, bool] = {}  # most modules lie in few, elsewhere
    for report in reports:
        modules = report.get("modules")
        for file in modules.values() if isinstance(modules, Mapping) else ():
            if isinstance(file, str) and file.endswith(".py") and os.path.isabs(file):
                folder = file.rpartition(os.sep)[0]
                inside = folders.get(folder)
                if inside is None:
                    inside = folders[folder] = is_inside(os.path.normpath(folder))
                if inside and os.path.isfile(path := os.path.normpath(file)):
                    yield path
