"""Finding runs: what made this file, which runs used that library, that seed, that code.

Conditions are joined by *and*. Each record is read, and of its parts only what a condition asks for.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.changes import Part, by_path, mapping, opened, params_of, rows_of, value_of

if TYPE_CHECKING:
    from fourfold.runs.store import Records

#: A digest is taken for one from so many digits on.
SHORTEST = 6
_DIGEST = re.compile(r"[0-9a-f]{6,64}(?:\.dir)?", re.ASCII | re.IGNORECASE)


class Criteria(NamedTuple):
    """What a run must have; None, or nothing, asks for nothing.

    Attributes:
        stage: It is a run of this stage.
        wrote: It wrote this: a path relative to the root, or the beginning of an MD5 or BLAKE3.
        read: It read this, declared or not; likewise.
        params: It ran with these: name (``lr``, ``train.lr``, ``other.yaml:lr``) and value as text.
        packages: These distributions were installed: name, and version or None for any.
        seed: Its seed.
        code: Its commit, or its code tree, begins so.
        environment: The digest of its environment begins so.
        since: It started at this moment or later: UTC, as a record writes it.
        until: It started before this moment.
        failed: It did not succeed.
    """

    stage: str | None = None
    wrote: str | None = None
    read: str | None = None
    params: tuple[tuple[str, str], ...] = ()
    packages: tuple[tuple[str, str | None], ...] = ()
    seed: int | None = None
    code: str | None = None
    environment: str | None = None
    since: str | None = None
    until: str | None = None
    failed: bool = False


class Found(NamedTuple):
    """A run that was asked for.

    Attributes:
        id: Of the run.
        record: What is known of it.
    """

    id: RunId
    record: RunRecord


def find(
    records: "Records",
    criteria: Criteria = Criteria(),  # noqa: B008 - immutable
    *,
    on_error: Callable[[FourfoldError], None] | None = None,
) -> Iterator[Found]:
    """The runs that meet all conditions, newest first.

    Args:
        records: Where to look.
        criteria: The conditions.
        on_error: Hears of a record that cannot be read, which is then passed over; by default it raises.

    Raises:
        FourfoldError: a record is damaged.
    """
    for summary in reversed(records.summaries()):
        if criteria.stage is not None and summary.stage != criteria.stage:
            continue
        if criteria.since is not None and summary.started < criteria.since:
            continue
        if criteria.until is not None and summary.started >= criteria.until:
            continue
        if criteria.failed and summary.state == "succeeded":
            continue
        try:
            record = records.get(summary.id)
        except FourfoldError as error:
            if on_error is None:
                raise
            on_error(error)
            continue
        if matches(record, criteria, records.part):
            yield Found(summary.id, record)


def matches(record: RunRecord, criteria: Criteria, part: Part) -> bool:
    """Whether a record meets the conditions about its facts."""
    return (
        (criteria.seed is None or value_of(record.randomness, "seed") == criteria.seed)
        and (criteria.wrote is None or _names(rows_of(record, "outputs"), criteria.wrote))
        and (
            criteria.read is None or _names([*rows_of(record, "inputs"), *_undeclared(record)], criteria.read)
        )
        and (criteria.code is None or _begins(record.code, ("commit", "tree"), criteria.code))
        and (criteria.environment is None or _begins(record.environment, ("digest",), criteria.environment))
        and all(_has_param(record, name, value, part) for name, value in criteria.params)
        and (not criteria.packages or _has_packages(record, criteria.packages, part))
    )


def _undeclared(record: RunRecord) -> list[Mapping[str, Any]]:
    return list(by_path(mapping(value_of(record.trace, "undeclared_reads")).get("files")).values())


def _begins(section: Mapping[str, Any], names: tuple[str, ...], prefix: str) -> bool:
    return any(str(value_of(section, name) or "").startswith(prefix.lower()) for name in names)


def _names(rows: list[Mapping[str, Any]], asked: str) -> bool:
    """Whether rows name a path, one around it, or a content."""
    is_digest = _DIGEST.fullmatch(asked) is not None
    for row in rows:
        path = row["path"]
        if path == asked or asked.startswith(path.rstrip("/") + "/"):
            return True
        if is_digest and any(str(row.get(kind, "")).startswith(asked.lower()) for kind in ("blake3", "md5")):
            return True
    return False


def _has_param(record: RunRecord, name: str, value: str, part: Part) -> bool:
    for file, keys in params_of(record, part).items():
        for key, held in _flat("", keys):
            if name in {key, f"{file}:{key}"} and _same(held, value):
                return True
    return False


def _flat(prefix: str, keys: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Parameters by dotted key, those inside of others too."""
    for key, value in keys.items():
        name = f"{prefix}{key}"
        yield name, value
        if isinstance(value, Mapping):
            yield from _flat(name + ".", value)


def _same(held: Any, text: str) -> bool:
    """Whether a value is what somebody typed."""
    if isinstance(held, str):
        return held == text
    try:
        typed = json.loads(text)
    except (ValueError, RecursionError):
        return str(held).lower() == text.lower()
    return bool(held == typed) and isinstance(held, bool) == isinstance(typed, bool)


def _has_packages(record: RunRecord, packages: tuple[tuple[str, str | None], ...], part: Part) -> bool:
    listing = mapping(opened(value_of(record.environment, "distributions"), part))
    for name, version in packages:
        entry = listing.get(re.sub(r"[-_.]+", "-", name).lower())
        if not isinstance(entry, Mapping) or (version is not None and entry.get("version") != version):
            return False
    return True
