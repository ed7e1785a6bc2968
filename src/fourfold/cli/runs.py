"""What the commands of the family ``runs`` share: where records are, how runs and facts are shown."""

import time
from calendar import timegm
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.changes import mapping, rows_of, value_of
from fourfold.runs.words import SHORT, short

if TYPE_CHECKING:
    from fourfold.runs.changes import Part
    from fourfold.runs.diff_files import CodeFiles
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

#: So many commands are looked at for the one that is like another.
_LOOKED_AT = 200


def opened(session: Session) -> tuple["Place", "Records"]:
    """The place around the folder of the user, project or not, and its records."""
    from fourfold.runs.store import records_of  # noqa: PLC0415 - only when a command runs
    from fourfold.wiring import find_place  # noqa: PLC0415 - likewise

    place = find_place(session.cwd, environ=session.environ, clock=session.clock)
    return place, records_of(place)


def named(place: "Place", records: "Records", text: str) -> RunId:
    """The run that a user means: an id, a stage or a revision, as every command that is about a run reads it.

    Raises:
        FourfoldError: see `fourfold.evidence.naming.resolve`.
    """
    from fourfold.evidence.naming import resolve  # noqa: PLC0415 - only when a command runs

    return resolve(place, records, text)


def seconds_of(moment: str) -> int | None:
    """Seconds since 1970 of a moment as records write it; None when it is none."""
    try:
        return timegm(time.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return None


def when(moment: str) -> str:
    """A moment as people here write it, to the minute."""
    seconds = seconds_of(moment)
    return "?" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def one_before(records: "Records", later: RunId, command: str) -> RunId:
    """The run that one is compared with where only one is named: the newest before it, of its stage.

    Of commands, which have no stage, the newest that wrote something that it wrote, or that is the same one;
    where there is none, the newest.

    Args:
        records: All of them.
        later: The run.
        command: What is running, for the hint.

    Raises:
        RunNotFoundError: there is none.
    """
    from fourfold.runs.store import RunNotFoundError  # noqa: PLC0415 - only when a command runs

    record = records.get(later)
    before: list[RunId] = []
    for summary in records.summaries():
        if summary.id == later:
            break
        if (summary.kind, summary.stage) == (record.kind, record.stage):
            before.append(summary.id)
    if not before:
        what = f"stage '{record.stage}'" if record.stage else "a command"
        raise RunNotFoundError(
            f"there is no run of {what} before {later[:SHORT]}", hint=f"name both: {command} <a> <b>"
        )
    near = before[-_LOOKED_AT:] if not record.stage else []
    return next((run for run in reversed(near) if _is_alike(records.get(run), record)), before[-1])


def _is_alike(one: RunRecord, other: RunRecord) -> bool:
    """Whether two commands are about one thing."""
    written = [{row["path"] for row in rows_of(record, "outputs")} for record in (one, other)]
    return one.command == other.command or not written[0].isdisjoint(written[1])


def code_listing(place: "Place", part: "Part") -> "CodeFiles | None":
    """Lists the code tree of a run; None where there is no Git."""
    from fourfold.runs.code_files import code_files  # noqa: PLC0415 - only when a command compares

    git = place.git
    return None if git is None else lambda record: code_files(record, git, place.environ, part)


def title(record: RunRecord) -> str:
    """The stage, or the beginning of the command."""
    return record.stage or short("; ".join(record.command), 40)


def findings_of(record: RunRecord) -> int | None:
    """How many uses were not declared; None where nobody looked."""
    counts = [
        mapping(value_of(record.trace, name)).get("count")
        for name in ("undeclared_reads", "undeclared_writes")
    ]
    known = [count for count in counts if isinstance(count, int)]
    return sum(known) if known else None


def overview(name: RunId, record: RunRecord) -> dict[str, Any]:
    """A run in a list, for programs."""
    return {
        "id": name,
        "kind": record.kind,
        "stage": record.stage,
        "command": list(record.command),
        "started": record.times.started,
        "seconds": record.times.seconds,
        "state": record.outcome.state,
        "code": record.outcome.code,
        "seed": value_of(record.randomness, "seed"),
        "commit": value_of(record.code, "commit"),
        "tree": value_of(record.code, "tree"),
        "environment": value_of(record.environment, "digest"),
        "findings": findings_of(record),
    }


def rows(found: Sequence[tuple[RunId, RunRecord]], style: Style) -> Iterator[str]:
    """Runs in a list, for people."""
    table = [
        [
            name[:SHORT],
            when(record.times.started),
            title(record),
            _state(record),
            duration(record.times.seconds),
            _cell(value_of(record.randomness, "seed")),
            _cell(value_of(record.code, "tree"))[:8],
            _cell(findings_of(record)),
        ]
        for name, record in found
    ]
    if not table:
        return
    headers = ["run", "when", "what", "outcome", "time", "seed", "code", "findings"]
    widths = [max(map(len, column)) for column in zip(headers, *table, strict=True)]
    yield style.dim(_aligned(headers, widths))
    for row, (_, record) in zip(table, found, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = style.cyan(cells[0])
        if record.outcome.state != "succeeded":
            cells[3] = style.red(cells[3])
        if row[-1] not in {"0", "-"}:
            cells[-1] = style.yellow(cells[-1])
        yield "  ".join(cells).rstrip()


def _state(record: RunRecord) -> str:
    outcome = record.outcome
    return f"failed ({outcome.code})" if outcome.state == "failed" else outcome.state


def _cell(value: Any) -> str:
    return "-" if value is None else str(value)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
