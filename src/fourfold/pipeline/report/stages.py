"""Which stages changed between two moments, and why: what their recorded runs were made from.

Compares lock entries, not files: it needs no data. What the new side has not run yet is told apart (`due`).
"""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fourfold.pipeline.compare import flatten
from fourfold.pipeline.graph import Graph, key_of, postorder
from fourfold.pipeline.plan import reasons as reasons_now
from fourfold.pipeline.report.value import ADDED, CHANGED, REMOVED, Due, Reason, StageChange
from fourfold.project.changes import Examiner, lookup, plain
from fourfold.project.outs import Owner

if TYPE_CHECKING:
    from fourfold.pipeline.moments import Moment
    from fourfold.project.project import Project


def stage_changes(
    project: "Project", old: Mapping[str, Owner], new: Mapping[str, Owner]
) -> tuple[tuple[StageChange, ...], int]:
    """The stages whose recorded runs differ, and how many do not.

    Args:
        project: Whose.
        old: The stages before, by name.
        new: The stages after, in the order in which to tell them.
    """
    found = []
    for name, owner in new.items():
        before = old.get(name)
        if before is None:
            found.append(StageChange(name, ADDED, () if owner.locked else (Reason("never"),)))
            continue
        if before.locked and not owner.locked:
            found.append(StageChange(name, CHANGED, (Reason("never"),)))
        elif owner.locked:
            reasons = tuple(_differences(project, before, owner))
            if reasons:
                found.append(StageChange(name, CHANGED, reasons))
    same = len(new) - len(found)
    found += [StageChange(name, REMOVED) for name in old if name not in new]
    return tuple(found), same


def _differences(project: "Project", old: Owner, new: Owner) -> Iterator[Reason]:
    nothing = True
    for reason in _of_inputs(project, old, new):
        nothing = False
        yield reason
    if nothing:  # what it is made from is the same: then what came out of it is worth a word
        yield from _of_contents(project, "output", old, new, old.outs, new.outs)


def _of_inputs(project: "Project", old: Owner, new: Owner) -> Iterator[Reason]:
    if not old.locked:
        yield Reason("never")
        return
    if old.locked_cmd != new.locked_cmd:
        yield Reason("command", old=old.locked_cmd, new=new.locked_cmd)
    yield from _of_contents(project, "dependency", old, new, old.deps, new.deps)
    before, after = _values(project, old), _values(project, new)
    for path, key in dict.fromkeys((*before, *after)):
        was, now = before.get((path, key)), after.get((path, key))
        if was != now:
            yield Reason("parameter", path, key, was, now)


def _of_contents(
    project: "Project", kind: str, old: Owner, new: Owner, before: Any, after: Any
) -> Iterator[Reason]:
    was = {_path(project, old, item.path): item.oid for item in before}
    now = {_path(project, new, item.path): item.oid for item in after}
    for path in dict.fromkeys((*was, *now)):
        if was.get(path) != now.get(path):
            yield Reason(kind, path, "", was.get(path), now.get(path))


def _values(project: "Project", owner: Owner) -> dict[tuple[str, str], Any]:
    return {
        (_path(project, owner, file), key): plain(value)
        for file, values in (owner.params or {}).items()
        if isinstance(values, Mapping)
        for key, value in flatten(values)
    }


def _path(project: "Project", owner: Owner, path: str) -> str:
    if "://" in path:
        return path
    return project.relpath(os.path.normpath(os.path.join(owner.wdir, path))).replace(os.sep, "/")


def due(project: "Project", moment: "Moment", graph: Graph) -> tuple[Due, ...]:
    """The stages of a moment that have to run again.

    Of the workspace, that is what `repro` would find, with missing data left out of account. Of a revision,
    whose files are not looked at, it is what its ``dvc.yaml`` and its parameters say and its lock does not.

    Args:
        project: Whose.
        moment: When.
        graph: Of that moment.
    """
    examiner = Examiner(project) if moment.tracking.rev is None else None
    outs: dict[Any, list[Any]] = {}
    for out in moment.tracking.outs:
        outs.setdefault(key_of(out.owner), []).append(out)
    found = []
    for key in postorder(graph):
        owner = graph.owners[key]
        if not owner.is_stage or owner.frozen:
            continue
        if not owner.locked:
            reasons: tuple[Reason, ...] = (Reason("never"),)
        elif examiner is not None:
            upstream = graph.of(graph.makers[key])
            changes = reasons_now(examiner, owner, outs.get(key, ()), allow_missing=True, upstream=upstream)
            reasons = tuple(
                Reason(
                    change.kind,
                    _path(project, owner, change.path) if change.path else "",
                    change.key,
                    change.old,
                    change.new,
                )
                for change in changes
            )
        else:
            reasons = tuple(_at_revision(project, moment, owner))
        if reasons:
            found.append(Due(owner.addressing, reasons))
    return tuple(found)


def _at_revision(project: "Project", moment: "Moment", owner: Owner) -> Iterator[Reason]:
    if owner.always_changed:
        yield Reason("always")
    if owner.locked_cmd != owner.cmd:
        yield Reason("command", old=owner.locked_cmd, new=owner.cmd)
    for spec in owner.params_wanted:
        file = spec.file or "params.yaml"
        recorded = (owner.params or {}).get(file)
        recorded = recorded if isinstance(recorded, Mapping) else {}
        path = _path(project, owner, file)
        values = moment.value(path) if moment.has(path) else {}
        values = values if isinstance(values, Mapping) else {}
        for key in spec.keys or list(dict.fromkeys([*values, *recorded])):
            now = lookup(values, key)
            if plain(recorded.get(key)) != plain(now):
                yield Reason("parameter", path, key, recorded.get(key), now)
