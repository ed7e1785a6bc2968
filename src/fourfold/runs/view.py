"""A run as an object of Python, for notebooks and programs: what is known of it, and how it is known.

Everything is read once, when it is asked for. What a notebook draws of it is text that was escaped, and
style: no name of a file, a stage or a parameter can become markup, and nothing is loaded from anywhere.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from fourfold.formats.native.fact import Fact, Section
from fourfold.formats.native.record import COORDINATES, RunId, RunRecord
from fourfold.runs.changes import Change, mapping, opened, params_of, reference, rows_of, value_of
from fourfold.runs.code_files import code_files
from fourfold.runs.diff import Difference
from fourfold.runs.diff import diff as compare
from fourfold.runs.findings import Finding, restored
from fourfold.runs.words import short, told, value_text

if TYPE_CHECKING:
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

#: So much of a value is drawn, and so many rows of a table.
_WIDE, _ROWS = 120, 200
#: So many things of a list are named.
_NAMED = 8
_STYLE = (
    "font-family:system-ui,sans-serif;font-size:13px;border-collapse:collapse;text-align:left;margin:.4em 0"
)
_CELL = "padding:2px 10px 2px 0;text-align:left;vertical-align:top"
#: Colours that are read on light and on dark ground.
_COLORS = {
    "attested": "#2e8b57",
    "observed": "#2e8b57",
    "declared": "#b8860b",
    "absent": "#888",
    "succeeded": "#2e8b57",
}
_RED = "#cd5c5c"


class Run:
    """One recorded run.

    Attributes:
        id: Of the run, 64 hex digits.
        record: All that is known of it, as a value.
    """

    def __init__(self, place: "Place", records: "Records", run: RunId) -> None:
        self.id = run
        self.record: RunRecord = records.get(run)
        self._place = place
        self._records = records

    def __repr__(self) -> str:
        what = self.stage or "; ".join(self.command)[:40]
        return f"<Run {self.id[:12]} {what!r} {self.state}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    # -- what ran, and how it ended --------------------------------------------------------------------

    @property
    def stage(self) -> str:
        """The stage; "" for a command."""
        return self.record.stage

    @property
    def command(self) -> tuple[str, ...]:
        """The lines that the shell ran."""
        return self.record.command

    @property
    def state(self) -> str:
        """``succeeded``, ``failed``, ``timed-out``, ``interrupted`` or ``not-recorded``."""
        return self.record.outcome.state

    @property
    def started(self) -> datetime:
        """When it began, in UTC."""
        return datetime.fromisoformat(self.record.times.started).astimezone(UTC)

    @property
    def seconds(self) -> float:
        """How long its commands took."""
        return self.record.times.seconds

    # -- the four coordinates --------------------------------------------------------------------------

    @property
    def code(self) -> Section:
        """The facts of the code."""
        return self.record.code

    @property
    def data(self) -> Section:
        """The facts of the data."""
        return self.record.data

    @property
    def environment(self) -> Section:
        """The facts of the environment."""
        return self.record.environment

    @property
    def randomness(self) -> Section:
        """The facts of randomness."""
        return self.record.randomness

    @property
    def trace(self) -> Section:
        """How it was observed, and what it used."""
        return self.record.trace

    @property
    def seed(self) -> int | None:
        """Its seed; None without one."""
        found = value_of(self.randomness, "seed")
        return found if isinstance(found, int) else None

    @property
    def params(self) -> Mapping[str, Mapping[str, Any]]:
        """Its parameters, by file."""
        return params_of(self.record, self._records.part)

    @property
    def inputs(self) -> tuple[Mapping[str, Any], ...]:
        """The files that it declares to read: path, MD5, BLAKE3, size."""
        return tuple(rows_of(self.record, "inputs"))

    @property
    def outputs(self) -> tuple[Mapping[str, Any], ...]:
        """The files that it wrote, likewise."""
        return tuple(rows_of(self.record, "outputs"))

    @property
    def packages(self) -> Mapping[str, str]:
        """The distributions that were installed, with their versions."""
        listing = mapping(opened(value_of(self.environment, "distributions"), self._records.part))
        return {name: str(mapping(entry).get("version", "")) for name, entry in listing.items()}

    @property
    def findings(self) -> tuple[Finding, ...] | None:
        """What it used without declaring it; None where nobody looked."""
        found = restored(self.trace, self._records.part)
        return found.undeclared if found is not None else None

    def part(self, fact: Fact) -> Any:
        """The value of a fact; where that is a part of its own, the part.

        Raises:
            FourfoldError: the part is not here, or damaged.
        """
        name = reference(fact.value)
        return self._records.part(name) if name is not None else fact.value

    def diff(self, other: "Run") -> "RunDiff":
        """What moved from this run to another one.

        Raises:
            FourfoldError: a record is damaged.
        """
        git = self._place.git
        environ, part = self._place.environ, self._records.part
        files = (lambda record: code_files(record, git, environ, part)) if git is not None else None
        return RunDiff(compare(self._records, self.id, other.id, files))

    def document(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        return self.record.document()

    def _repr_html_(self) -> str:
        color = _COLORS.get(self.state, _RED)
        head = (
            f"<b>{_text(self.stage or 'command')}</b> <code>{self.id[:12]}</code> "
            f"<span style='color:{color}'>{_text(self.state)}</span> "
            f"{_text(self.record.times.started[:19])}, {self.seconds:.1f} s<br>"
            f"<code>{_text('; '.join(self.command))}</code>"
        )
        rows = [
            row
            for coordinate in (*COORDINATES, "trace")
            for row in _section(coordinate, self.record, self._records)
        ]
        return f"<div>{head}{_table(rows)}</div>"


class RunDiff(Sequence[Change]):
    """What moved between two runs: a sequence of changes that may be why results differ.

    Attributes:
        difference: All changes, also those of results, and those that were not read.
    """

    def __init__(self, difference: Difference) -> None:
        self.difference = difference

    @property
    def same(self) -> bool:
        """Whether nothing differs but times."""
        return self.difference.same

    @property
    def results(self) -> tuple[Change, ...]:
        """What came out otherwise."""
        return self.difference.of("result")

    def __getitem__(self, at: Any) -> Any:
        return self.difference.moved[at]

    def __len__(self) -> int:
        return len(self.difference.moved)

    def __repr__(self) -> str:
        if self.same:
            return "<RunDiff: nothing differs but times>"
        names = ", ".join(f"{change.coordinate}: {change.name}" for change in self.difference.moved[:5])
        return f"<RunDiff: {names or 'only results'}{', ...' if len(self) > 5 else ''}>"

    def _repr_html_(self) -> str:
        if self.same:
            return "<div>nothing differs but times</div>"
        changes = [*self.difference.moved, *self.results]
        rows = [
            [
                f"<b>{_text(each.coordinate)}</b>",
                _text(each.name),
                _shown(each.before),
                _shown(each.after),
                _text(each.note),
            ]
            for each in changes
        ]
        return f"<div>{_table(rows)}</div>"


def _section(name: str, record: RunRecord, records: "Records") -> list[list[str]]:
    rows = []
    for number, (fact, said) in enumerate(sorted(record.section(name).items())):
        grade = f"<span style='color:{_COLORS[said.grade]}'>{said.grade}</span>"
        value = _text(said.why) if said.grade == "absent" else _lines(fact, said.value, record, records)
        rows.append([f"<b>{_text(name)}</b>" if number == 0 else "", _text(fact), grade, value])
    return rows


def _lines(name: str, value: Any, record: RunRecord, records: "Records") -> str:
    """A value in few words, the first things of a list below it."""
    first, lines = told(name, value, record, records.part)
    more = f"<br>{_text(', '.join(lines[:_NAMED]))}" if lines else ""
    return (
        _text(short(first, _WIDE))
        + more
        + (f" and {len(lines) - _NAMED} more" if len(lines) > _NAMED else "")
    )


def _shown(value: Any) -> str:
    return "" if value is None else _text(short(value_text(value), _WIDE))


def _text(text: str) -> str:
    """Text that can be nothing else in a page."""
    return escape("".join(letter if letter.isprintable() else " " for letter in text), quote=True)


def _table(rows: list[list[str]]) -> str:
    """Rows of cells that are markup already."""
    lines = "".join(
        "<tr>" + "".join(f"<td style='{_CELL}'>{cell}</td>" for cell in row) + "</tr>" for row in rows[:_ROWS]
    )
    more = f"<div>and {len(rows) - _ROWS} more</div>" if len(rows) > _ROWS else ""
    return f"<table style='{_STYLE}'>{lines}</table>{more}"
