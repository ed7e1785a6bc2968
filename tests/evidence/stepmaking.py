"""Runs as values, and lineages of them, for tests of what is made of them."""

from collections.abc import Mapping
from typing import Any

from fourfold.evidence.explaining.codechanges import Codes
from fourfold.evidence.explaining.examine import Examiner
from fourfold.evidence.explaining.explain import explain
from fourfold.evidence.explaining.explanation import Explanation
from fourfold.evidence.lineage import Lineage, Step
from fourfold.evidence.replaying.holdings import Holdings
from fourfold.formats.native.fact import Fact, observed
from fourfold.formats.native.record import RunId
from fourfold.runs.store import records_of
from fourfold.wiring import find_place
from tests.runs.recordmaking import Parts, blake, make

SOURCES = {"split.py": "1" * 40, "train.py": "2" * 40, "evaluate.py": "3" * 40}


def row(path: str, content: str, role: str = "dep") -> dict[str, Any]:
    return {"path": path, "role": role, "md5": blake(content)[:32], "blake3": blake(content)}


def step(
    parts: Parts,
    stage: str,
    version: str,
    reads: Mapping[str, str],
    writes: Mapping[str, str],
    makers: Mapping[str, Step] | None = None,
    *,
    tables: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    used: Mapping[str, str] | None = None,
    **said: Any,
) -> Step:
    """A run: what it read and wrote, contents by path; a path that ends with ``.json`` is of metrics."""
    trace = dict(said.pop("trace", {}))
    if used:
        files = [{**row(path, content), "kind": "output"} for path, content in used.items()]
        trace["undeclared_reads"] = observed({"count": len(files), "files": files})
    data: dict[str, Fact] = {
        "inputs": observed([row(*each) for each in reads.items()]),
        "outputs": observed(
            [row(path, what, "metric" if path.endswith(".json") else "out") for path, what in writes.items()]
        ),
        "summaries": observed(parts({"tables": dict(tables or {})})),
        "metrics": observed({"m.json": dict(metrics or {})}),
    }
    said.setdefault("sources", {f"{stage}.py": SOURCES.get(f"{stage}.py", "9" * 40)})
    listing = parts({"classes": {"input": list(reads)}, "missing": []})
    trace.setdefault("paths", observed({"counts": {}, "listing": listing}))
    record = make(parts, stage=stage, command=(stage,), more=data, trace=trace, **said)
    made = {path: maker.run for path, maker in (makers or {}).items() if path in reads}
    also = {path: maker.run for path, maker in (makers or {}).items() if path in (used or {})}
    return Step(RunId(blake(stage + version)), record, made, also)


def told(parts: Parts, a: list[Step], b: list[Step], *, look: bool = False, **said: Any) -> Explanation:
    place = find_place("/", environ={})
    examiner = Examiner(Holdings(place, records_of(place)), None, parts.read) if look else None
    codes = Codes(None, {}, parts.read)
    return explain(Lineage(tuple(a)), Lineage(tuple(b)), parts.read, codes=codes, examiner=examiner, **said)


def names(found: Explanation) -> list[str]:
    return [cause.change.name for cause in found.suspects]
