"""Judged: what the runs of two results read, parted by one judgement for both.

A folder that one run declares as a whole, and that holds code, counts to code with all that was read in it. A
file of it that the other result tells of by itself, as data, is data of both: else a hybrid would take it
from the result that it has its code from, and what it did would be nobody's.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress

from fourfold.base.errors import FourfoldError
from fourfold.evidence.lineage import Lineage, Step
from fourfold.evidence.parting import Reads, Row, prefix_of, reads_of
from fourfold.formats.native.record import RunId
from fourfold.runs.changes import Part
from fourfold.runs.codesources import is_code
from fourfold.runs.reading import shown


class Judged:
    """What runs read, as two results tell it together.

    Args:
        sides: The two results.
        part: Reads a part.
        row_of: Gives the digests of a file of the code tree of a step, by its path from the root of the
            project; None where it is not there.
    """

    def __init__(
        self, sides: Iterable[Lineage], part: Part, row_of: Callable[[Step, str], Row | None]
    ) -> None:
        self._part = part
        self._row_of = row_of
        self._reads: dict[RunId, Reads] = {}
        self._rows: dict[tuple[str, str], Row] = {}
        #: Data of either result, by the stage that reads it.
        self._told: dict[str, set[str]] = {}
        for step in (step for side in sides for step in side.steps):
            reads = reads_of(step.record, part)
            told = self._told.setdefault(step.record.stage, set())
            told.update(path for path in {**reads.data, **reads.undeclared} if not is_code(path))

    def reads(self, step: Step) -> Reads:
        """What a step read, of one of the results or of another run of its stage."""
        if step.run not in self._reads:
            self._reads[step.run] = self._parted(step)
        return self._reads[step.run]

    def _parted(self, step: Step) -> Reads:
        reads = reads_of(step.record, self._part)
        above, told = prefix_of(step.record), self._told.get(step.record.stage, set())
        code, undeclared = dict(reads.code), dict(reads.undeclared)
        for path, oid in reads.code.items():
            name = shown(path, above)
            row = self._row(step, name, oid) if name in told else None
            if row is not None:
                del code[path]
                undeclared[name] = row
        return reads._replace(code=code, undeclared=undeclared)

    def _row(self, step: Step, name: str, oid: str | None) -> Row | None:
        """The digests of a file that a step read as code; None where its bytes are not to be had."""
        if oid is None:
            return None
        if (name, oid) not in self._rows:
            found = None
            with suppress(FourfoldError, OSError):  # it stays code: of a run whose code is gone
                found = self._row_of(step, name)
            if found is None:
                return None
            self._rows[name, oid] = found
        return self._rows[name, oid]
