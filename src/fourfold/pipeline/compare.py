"""Comparing values of two moments, in the shape in which DVC tells differences."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from fourfold.base.errors import FourfoldError
from fourfold.pipeline.moments import WORKSPACE, FileValue, Values

if TYPE_CHECKING:
    from fourfold.project.project import Project


class Differences(NamedTuple):
    """How two moments differ.

    Attributes:
        files: By path, then by dotted key: ``old``, ``new``, and for numbers ``diff``.
        errors: What could not be loaded, by the name of the moment.
    """

    files: dict[str, dict[str, dict[str, Any]]]
    errors: Mapping[str, list[FourfoldError]] = {}


class Show(Protocol):
    """Gives the values of two moments: ``metrics.show`` or ``params.show`` with their options."""

    def __call__(self, *, revs: list[str], keep_workspace: bool) -> Mapping[str, Values]:
        """The values of the revisions, and of the workspace."""
        ...


def between(
    project: "Project", show: Show, old: str = "HEAD", new: str = WORKSPACE, *, unchanged: bool = False
) -> Differences:
    """How two moments differ; nothing where there is no commit yet.

    Args:
        project: Whose.
        show: Gives their values.
        old: A revision, or ``workspace``.
        new: Likewise.
        unchanged: Tell what is equal too.

    Raises:
        NoHistoryError, UnknownRevisionError: a revision cannot be had.
    """
    if project.git is not None and project.git.head() is None:
        return Differences({})
    return compare(show(revs=[old, new], keep_workspace=True), old, new, unchanged=unchanged)


def flatten(value: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested mappings with its dotted key; empty mappings have none."""
    for key, item in value.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(item, Mapping):
            yield from flatten(item, name)
        else:
            yield name, item


def compare(found: Mapping[str, Values], old: str, new: str, *, unchanged: bool = False) -> Differences:
    """Tell how the values of moment ``new`` differ from those of ``old``.

    Args:
        found: The values by the name of the moment.
        old: One of the names; a name that is not there has no values.
        new: Likewise.
        unchanged: Tell what is equal too.
    """
    before, after = found.get(old, Values({})), found.get(new, Values({}))
    files = {}
    for path in dict.fromkeys((*before.files, *after.files)):
        changes = _changes(_data(before.files.get(path)), _data(after.files.get(path)), unchanged=unchanged)
        if changes:
            files[path] = changes
    errors = {name: _errors(values) for name, values in ((old, before), (new, after))}
    return Differences(files, {name: errs for name, errs in errors.items() if errs})


def _data(file: FileValue | None) -> Any:
    return {} if file is None or file.error is not None else _as_text(file.data)


def _as_text(value: Any) -> Any:
    """Lists inside of mappings as text: DVC compares and shows them so."""
    if not isinstance(value, Mapping):
        return value
    return {key: str(item) if isinstance(item, list) else _as_text(item) for key, item in value.items()}


def _errors(values: Values) -> list[FourfoldError]:
    if values.error is not None:
        return [values.error]
    return [file.error for file in values.files.values() if file.error is not None]


def _changes(old: Any, new: Any, *, unchanged: bool) -> dict[str, dict[str, Any]]:
    old, new = _parsed(old), _parsed(new)
    if not isinstance(old, Mapping) and not isinstance(new, Mapping):
        change = _change(old, new, unchanged=unchanged)
        return {"": change} if change else {}
    first, second = _flat(old), _flat(new)
    found = {}
    for key in dict.fromkeys((*(first or {}), *(second or {}))):
        change = _change(_at(first, key), _at(second, key), unchanged=unchanged)
        if change:
            found[key] = change
    return found


def _parsed(value: Any) -> Any:
    """A document that is nothing but text may be JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _flat(value: Any) -> dict[str, Any] | None:
    """A mapping flattened; None for what is no mapping."""
    if not value:
        return {}
    return dict(flatten(value)) if isinstance(value, Mapping) else None


def _at(values: dict[str, Any] | None, key: str) -> Any:
    return "unable to parse" if values is None else values.get(key)


def _change(old: Any, new: Any, *, unchanged: bool) -> dict[str, Any]:
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new) == 1:
        return _change(old[0], new[0], unchanged=unchanged)
    if old == new and not unchanged:
        return {}
    change = {"old": old, "new": new}
    if isinstance(old, int | float) and isinstance(new, int | float):
        change["diff"] = new - old
    return change
