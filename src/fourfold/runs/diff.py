"""What moved between two runs, by coordinate, each thing once and with what it means.

Two records are compared fact by fact. What follows from something else that moved (the digest of an
environment, derived seeds, the tree of a commit) is not told again; what came out otherwise is a result and
no cause; what changed and was not read is told apart. When a run was, what it is called, and which run was
before it are never a difference. Files are `diff_files`; the rest is `diff_environment`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.formats.native.record import COORDINATES, RunId, RunRecord
from fourfold.runs.changes import (
    Change,
    Kind,
    Part,
    by_path,
    content_of,
    coverage_of,
    differing,
    mapping,
    value_of,
)
from fourfold.runs.diff_environment import compare_environments, compare_randomness
from fourfold.runs.diff_files import CodeFiles, compare_files

if TYPE_CHECKING:
    from fourfold.runs.store import Records

_TRACE_KNOWN = frozenset(
    {"paths", "undeclared_reads", "undeclared_writes", "network", "env", "coverage", "replay"}
)


class Difference(NamedTuple):
    """Two runs compared.

    Attributes:
        first: The id of the one.
        second: The id of the other.
        changes: By coordinate in their order, results last.
    """

    first: RunId
    second: RunId
    changes: tuple[Change, ...]

    def of(self, kind: Kind) -> tuple[Change, ...]:
        """The changes of one kind."""
        return tuple(change for change in self.changes if change.kind == kind)

    @property
    def moved(self) -> tuple[Change, ...]:
        """What may be why results differ."""
        return self.of("moved")

    @property
    def same(self) -> bool:
        """Whether nothing differs but times: neither what went in nor what came out."""
        return not any(change.kind in {"moved", "result"} for change in self.changes)

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        kinds: tuple[tuple[str, Kind], ...] = (
            ("moved", "moved"),
            ("unread", "unread"),
            ("results", "result"),
            ("asides", "aside"),
        )
        found = {name: [change.document() for change in self.of(kind)] for name, kind in kinds}
        return {"a": self.first, "b": self.second, "same": self.same, **found}


def diff(records: "Records", first: RunId, second: RunId, code_files: CodeFiles | None = None) -> Difference:
    """Compare two runs.

    Args:
        records: Where they are.
        first: The one.
        second: The other.
        code_files: Lists the code tree of a run; None where there is no Git.

    Raises:
        FourfoldError: one of them is not here, or damaged.
    """
    a, b = records.get(first), records.get(second)
    return Difference(first, second, compare(a, b, records.part, code_files))


def compare(
    a: RunRecord, b: RunRecord, part: Part, code_files: CodeFiles | None = None
) -> tuple[Change, ...]:
    """What moved from one run to another; arguments as for `diff`, ``part`` reads a part."""
    found = [
        *compare_files(a, b, part, code_files),
        *compare_environments(a, b, part),
        *compare_randomness(a, b, part),
        *_trace(a, b, part),
        *_outcome(a, b),
    ]
    order = (*COORDINATES, "trace", "outcome")
    return tuple(sorted(found, key=lambda change: order.index(change.coordinate)))


def _trace(a: RunRecord, b: RunRecord, part: Part) -> Iterable[Change]:
    before, after = coverage_of(a), coverage_of(b)
    if before != after:
        yield Change("trace", "watched by", before, after, "aside")
    for name in sorted({*a.trace, *b.trace} - _TRACE_KNOWN):
        yield from differing("trace", name, a.trace.get(name), b.trace.get(name), part, "aside")
    if a.tool != b.tool:
        yield Change("trace", "Fourfold", a.tool, b.tool, "aside")
    kinds = {a.kind, b.kind} - {"replay"}
    if len(kinds) > 1 or a.stage != b.stage:
        yield Change("trace", "stage", a.stage or a.kind, b.stage or b.kind, "aside")


def _outcome(a: RunRecord, b: RunRecord) -> Iterable[Change]:
    if a.outcome != b.outcome:
        before, after = (f"{each.outcome.state} ({each.outcome.code})" for each in (a, b))
        yield Change("outcome", "outcome", before, after, "result")
    first, second = (by_path(value_of(each.data, "outputs")) for each in (a, b))
    for path in sorted({*first, *second}):
        old, new = first.get(path), second.get(path)
        before, after = content_of(old, new), content_of(new, old)
        if before != after or (old is None) != (new is None):
            yield Change("outcome", path, before, after, "result")
    if coverage_of(a) != coverage_of(b):
        return
    written = [by_path(mapping(value_of(each.trace, "undeclared_writes")).get("files")) for each in (a, b)]
    for path in sorted(written[0].keys() ^ written[1].keys()):
        note = "undeclared, now written" if path in written[1] else "undeclared, no longer written"
        yield Change("outcome", path, None, None, "result", note)
