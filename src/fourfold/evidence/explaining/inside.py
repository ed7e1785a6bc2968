"""What is inside of the things that changed, and whose each known harm is: lines, functions, rows, columns.

A harm in what a stage wrote is put to what can have done it: to code and parameters of that stage, if they
moved; else to the data that it read otherwise, and so to whoever changed that; else to what else moved there.
"""

from collections.abc import Iterable, Mapping

from fourfold.evidence.explaining.codechanges import CodeChange, Codes
from fourfold.evidence.explaining.examine import Examiner, Looked
from fourfold.evidence.explaining.explanation import Cause
from fourfold.evidence.explaining.found import Found, Key, key_of
from fourfold.evidence.explaining.harms import Harm
from fourfold.evidence.explaining.pairing import Pair, Place
from fourfold.evidence.explaining.ranking import DRAWN, Seen, kind_of, suspicion
from fourfold.evidence.explaining.reach import Reach
from fourfold.evidence.explaining.tables import TableChange
from fourfold.evidence.lineage import Lineage
from fourfold.runs.changes import rows_of

#: Outputs that are no data for a later stage.
_NO_DATA = frozenset({"metric", "plot"})
#: Of one stage, what it does with what it reads; and what it reads.
_DOES = frozenset({"code", "command", "parameter"})
_READS = frozenset({"rows", "undeclared", "network"})
_COSMETIC = "only comments, docstrings or layout changed"


class Inside:
    """Looks into causes, and judges them.

    Args:
        found: The causes.
        codes: Looks into files of code; None to say only which changed.
        examiner: Looks into data; likewise.
    """

    def __init__(self, found: Found, codes: Codes | None, examiner: Examiner | None) -> None:
        self._found = found
        self._codes = codes
        self._examiner = examiner
        self._code: dict[Key, CodeChange] = {}
        self._data: dict[Key, Looked] = {}
        #: Harms in what was written, by the place where it was.
        self._written: dict[Place, list[Harm]] = {}
        self._blamed: dict[Key, list[Harm]] = {}
        self.made: list[tuple[str, TableChange]] = []
        #: What could not be looked into, in sentences.
        self.unknown: list[str] = []

    def look(self, a: Lineage, b: Lineage) -> None:
        """Look at all that changed."""
        causes = self._found.of("moved")
        self._look_at_code([cause for cause in causes if kind_of(cause.change) == "code"])
        if self._examiner is not None:
            self._examiner.learn(b, a)
            self._look_at_data(self._examiner, causes, a, b)
            self.unknown += self._examiner.unknown
        self._blame(causes)

    def _pair(self, cause: Cause) -> Pair | None:
        """Two runs that a cause touches."""
        return next((pair for pair in self._found.touched[key_of(cause.change)] if pair.both), None)

    def _look_at_code(self, causes: Iterable[Cause]) -> None:
        by_place: dict[Place, tuple[Pair, dict[str, Cause]]] = {}
        for cause in causes:
            pair = self._pair(cause)
            if pair is not None:
                by_place.setdefault(pair.place, (pair, {}))[1][cause.change.name] = cause
        for pair, files in by_place.values():
            if self._codes is not None and pair.both is not None:
                one, two = (step.record for step in pair.both)
                sides = {name: (cause.change.before, cause.change.after) for name, cause in files.items()}
                for name, change in self._codes.look(one, two, sides).items():
                    self._code[key_of(files[name].change)] = change

    def _look_at_data(self, examiner: Examiner, causes: Iterable[Cause], a: Lineage, b: Lineage) -> None:
        known: set[tuple[str, str]] = set()
        names: dict[str, Key] = {}
        for cause in causes:
            pair, key = self._pair(cause), key_of(cause.change)
            if kind_of(cause.change) in {"rows", "undeclared"} and pair is not None and pair.both is not None:
                looked = self._data[key] = examiner.look(*pair.both, cause.change.name)
                known |= {(harm.kind, harm.about) for harm in looked.harms}
                names[cause.change.name] = key
        overlaps = examiner.overlaps(a, b)
        for path in overlaps.keys() & names.keys():
            looked = self._data[names[path]]
            self._data[names[path]] = looked._replace(harms=(*looked.harms, *overlaps[path]))
        for pair, result in self._found.results:
            if pair.both is None or not result.change.before or result.change.coordinate != "outcome":
                continue
            path, rows = result.change.name, rows_of(pair.both[1].record, "outputs")
            if path in {row["path"] for row in rows if row.get("role") not in _NO_DATA}:
                looked = examiner.look(*pair.both, path)
                self.made += [(pair.stage, table) for table in looked.tables]
                fresh = [harm for harm in looked.harms if (harm.kind, harm.about) not in known]
                known |= {(harm.kind, harm.about) for harm in fresh}
                self._written.setdefault(pair.place, []).extend([*fresh, *overlaps.get(path, ())])

    # -- whose a harm is -------------------------------------------------------------------------------

    def _blame(self, causes: Iterable[Cause]) -> None:
        """Put the harms in what was written to the causes that can have led there."""
        at: dict[Place, list[Cause]] = {}
        for cause in causes:
            if not self._why_not(cause):
                for pair in self._found.touched[key_of(cause.change)]:
                    at.setdefault(pair.place, []).append(cause)
        for place, harms in self._written.items():
            for key in self._culprits(place, at) if harms else ():
                self._blamed.setdefault(key, []).extend(harms)

    def _culprits(self, place: Place, at: Mapping[Place, list[Cause]]) -> list[Key]:
        """The causes that can have led to what was written at a place."""
        found: list[Key] = []
        seen, todo = {place}, [place]
        for here in todo:  # grows: back along the ways
            causes = {key_of(cause.change): kind_of(cause.change) for cause in at.get(here, ())}
            does = [key for key, kind in causes.items() if kind in _DOES]
            if does:
                found += does
                continue
            reads = [key for key, kind in causes.items() if kind in _READS]
            before = self._found.ways.get(here, set()) & self._found.otherwise
            found += reads if reads or before else causes
            todo += sorted(before - seen)
            seen |= before
        return list(dict.fromkeys(found))

    def _why_not(self, cause: Cause) -> str:
        """Why a cause can be none, although it moved; "" where it can."""
        key = key_of(cause.change)
        if key in self._found.drawn:
            return DRAWN
        return _COSMETIC if key in self._code and self._code[key].cosmetic else ""

    # -- judgement -------------------------------------------------------------------------------------

    def judged(self, cause: Cause, reach: Reach, first: tuple[str, Reach] | None = None) -> Cause:
        """A cause with its score, and what is known of its inside.

        Args:
            cause: The cause.
            reach: What leads to the results that are to be explained.
            first: The metric that is told first, and what leads to that.
        """
        key = key_of(cause.change)
        pairs = self._found.touched[key]
        code, data = self._code.get(key), self._data.get(key)
        harms = [*(data.harms if data is not None else ()), *self._blamed.get(key, ())]
        told = code.told if code is not None else data.told if data is not None else ""
        differs = any(pair.place in self._found.otherwise for pair in pairs)
        seen = Seen(
            cause.stages,
            reach.distance(pairs),
            differs,
            share=code.share if code is not None else data.share if data is not None else None,
            size=told,
            harms=tuple(harm.told for harm in harms),
            cosmetic=self._why_not(cause),
            lost=differs and not reach.leads(pairs),
            beside=first[0] if first is not None and not first[1].leads(pairs) else "",
            kind=data.kind if data is not None else "",
        )
        score, why = suspicion(cause.change, seen)
        return cause._replace(
            score=score,
            why=(*why, *((data.note,) if data is not None and data.note else ())),
            told=told,
            harm=harms[0].told if harms else "",
            commits=code.commits if code is not None else (),
            tables=data.tables if data is not None else (),
        )
