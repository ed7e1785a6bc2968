"""The second coordinate: what a run read and wrote, by path and content.

Inputs are as they were when the run began, outputs as they were at its end. Reading and remembering content
is `contents`; what tables look like is `summaries`. Nothing is asked of a network: of what lies elsewhere,
only what the task says is known. What the facts mean: docs/concepts/data-coordinate.md.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.content.identity import ChangedDuringReadError
from fourfold.formats.native.canonical import canonical
from fourfold.formats.native.fact import Fact, Section, declared, observed
from fourfold.runs.contents import Content, Contents, Stamp

if TYPE_CHECKING:
    from fourfold.runs.place import Place
    from fourfold.runs.task import Item, Task

Parts = Callable[[Mapping[str, Any]], dict[str, Any]]
#: Parameters of more bytes are a part.
_LONG = 16 << 10
_MOST_DEPTH = 32
_AT_THE_END = "as they were at the end: nobody said before that they would be read"
#: Inputs that nobody has read yet are read before the run up to this size, in bytes; larger ones after it.
_READ_BEFORE = 8 << 20
#: Outputs of a stage that failed are read up to this size, in bytes.
_READ_UNSAVED = 64 << 20
#: Why a larger one is not: among the codes of errors in ``unread``.
NOT_SAVED = "not-saved"


class Look(NamedTuple):
    """One input before the run.

    Attributes:
        stamp: How it looked; None when it was not there.
        content: What it held, where that was known, or quick to find out.
        why: Why it could not be looked at; "" when it could.
    """

    stamp: Stamp | None
    content: Content | None = None
    why: str = ""


class Before(NamedTuple):
    """The inputs of a task before its run, by absolute path."""

    inputs: Mapping[str, Look]


def before(task: "Task", place: "Place") -> Before:
    """Look at the inputs of a task that is about to run; only what is small and unknown is read."""
    contents = Contents(place)
    return Before({item.path: _look(item, contents) for item in task.inputs if "://" not in item.path})


def section(
    task: "Task",
    place: "Place",
    parts: Parts,
    earlier: Before | None = None,
    *,
    whole: Parts | None = None,
) -> Section:
    """The facts about the data of a run that has ended.

    Args:
        task: What ran.
        place: Where.
        parts: Keeps a document, and gives the reference to it.
        earlier: What `before` saw; None where nobody looked.
        whole: As ``parts``, for a document whose text has to stay as it is.
    """
    from fourfold.runs import results, summaries  # noqa: PLC0415 - `before` is what a run waits for

    contents = Contents(place)
    told = _Told()
    inputs = [_input(item, contents, told, earlier) for item in _local(task.inputs)]
    unseen = any(earlier is None or item.path not in earlier.inputs for item, _content in inputs)
    outputs = [_output(item, contents, told, task) for item in _local(task.outputs)]
    facts: dict[str, Fact] = {
        "inputs": observed(_documents(inputs), _AT_THE_END if unseen else ""),
        "outputs": observed(_documents(outputs)),
        "params": _params(task, parts),
        "summaries": summaries.fact(
            [
                (item, content)
                for item, content in (*inputs, *outputs)
                if content is not None and item.shown not in told.changed
            ],
            task.params,
            place,
            parts,
        ),
    }
    facts |= results.facts(outputs, parts, whole or parts, task.environ)
    elsewhere = [item for item in (*task.inputs, *task.outputs) if "://" in item.path]
    if elsewhere:
        facts["elsewhere"] = declared([_elsewhere(item) for item in sorted(elsewhere, key=_by_path)])
    if told.missing:
        facts["missing"] = observed(sorted(told.missing))
    if told.unread:
        facts["unread"] = observed(dict(sorted(told.unread.items())))
    if told.changed:
        facts["changed_during"] = observed(sorted(told.changed))
    return facts


class _Told:
    """What is to be said besides contents."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.unread: dict[str, str] = {}
        self.changed: set[str] = set()


def _by_path(item: "Item") -> tuple[str, str]:
    return item.shown, item.role


def _local(items: Iterable["Item"]) -> list["Item"]:
    return sorted((item for item in items if "://" not in item.path), key=_by_path)


def _look(item: "Item", contents: Contents) -> Look:
    try:
        seen = contents.glimpse(item.path)
        if seen is None:
            return Look(None)
        known = contents.recall(item.path, seen)
        if known is None and seen.scan.size <= _READ_BEFORE:
            known = contents.read(item.path)
        return Look(seen.stamp(), known)
    except FileNotFoundError:
        return Look(None)
    except FourfoldError as error:
        return Look(None, why=error.code)


def _now(
    item: "Item",
    contents: Contents,
    told: _Told,
    then: Look | None = None,
    most: int | None = None,
) -> tuple[Stamp | None, Content | None]:
    """How a path looks now, where that is compared, and what it holds; what cannot be told is noted.

    Args:
        item: What is looked at.
        contents: Tells.
        told: Hears.
        then: How it looked before.
        most: So many bytes are read that nobody has read yet; None for all.
    """
    try:
        seen = contents.glimpse(item.path)
        if seen is None:
            told.missing.add(item.shown)
            return None, None
        stamp = seen.stamp() if then is not None else None
        if then is not None and then.content is not None and then.stamp == stamp:
            return stamp, then.content
        known = contents.recall(item.path, seen)
        if known is None and most is not None and seen.scan.size > most:
            told.unread[item.shown] = NOT_SAVED
            return stamp, None
        return stamp, known or contents.read(item.path)
    except FileNotFoundError:
        told.missing.add(item.shown)
    except ChangedDuringReadError:
        told.changed.add(item.shown)
        told.unread[item.shown] = ChangedDuringReadError.code
    except FourfoldError as error:
        told.unread[item.shown] = error.code
    return None, None


def _input(
    item: "Item", contents: Contents, told: _Told, earlier: Before | None
) -> tuple["Item", Content | None]:
    """What an input held when the run began."""
    then = earlier.inputs.get(item.path) if earlier is not None else None
    if then is None:
        return item, _now(item, contents, told)[1]
    aside = _Told()
    stamp, content = _now(item, contents, aside, then)
    if then.stamp is None:
        if then.why:
            told.unread[item.shown] = then.why
        else:
            told.missing.add(item.shown)
        if stamp is not None:
            told.changed.add(item.shown)
        return item, None
    if then.content is not None:
        if content is None or content.blake3 != then.content.blake3:
            told.changed.add(item.shown)
        return item, then.content
    if content is not None and stamp is not None and then.stamp.bytes_only == stamp.bytes_only:
        return item, content
    told.changed.add(item.shown)
    told.unread[item.shown] = ChangedDuringReadError.code
    return item, None


def _output(item: "Item", contents: Contents, told: _Told, task: "Task") -> tuple["Item", Content | None]:
    # What a stage that failed left behind was saved by nobody, and is not worth minutes of reading.
    unsaved = task.kind == "stage" and item.oid is None
    return item, _now(item, contents, told, most=_READ_UNSAVED if unsaved else None)[1]


def _documents(found: Iterable[tuple["Item", Content | None]]) -> list[dict[str, Any]]:
    return [_document(item, content) for item, content in found]


def _document(item: "Item", content: Content | None) -> dict[str, Any]:
    """One file or folder as the record names it; without digests where its content is not known."""
    document: dict[str, Any] = {"path": item.shown, "role": item.role}
    if content is None:
        if item.oid is not None:
            document["md5"] = item.oid
        return document
    document |= {"md5": content.md5, "blake3": content.blake3, "size": content.size}
    if content.nfiles is not None:
        document["nfiles"] = content.nfiles
    return document


def _elsewhere(item: "Item") -> dict[str, Any]:
    """What a task says about a URL; nobody asked there."""
    from fourfold.storage.redact import redact_url  # noqa: PLC0415 - only URLs have secrets

    document: dict[str, Any] = {"path": redact_url(item.shown), "role": item.role}
    if item.oid is not None:
        document["md5"] = item.oid
    if item.version:
        document["version"] = item.version
    if item.size is not None:
        document["size"] = item.size
    return document


def _params(task: "Task", parts: Parts) -> Fact:
    from fourfold.runs.redact import redact_value  # noqa: PLC0415 - not needed before the run

    held = {str(file): plain(dict(keys)) for file, keys in task.params.items()}
    values = redact_value(held, task.environ)
    long = len(canonical(values)) > _LONG
    return observed(parts({"params": values}) if long else values)


def plain(value: Any, depth: int = 0) -> Any:
    """A parameter as JSON holds it: tuples are lists, dates and what JSON has no word for are text."""
    if depth > _MOST_DEPTH:
        return "..."
    if isinstance(value, Mapping):
        return {str(key): plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, depth + 1) for inner in value]
    if (
        value is None
        or isinstance(value, bool | int | str)
        or (isinstance(value, float) and math.isfinite(value))
    ):
        return value
    return str(value)
