"""Pipelines drawn at random, of which things move: who is suspected is known from how they compute."""

import random
from collections.abc import Mapping

import pytest

from fourfold.evidence.lineage import Lineage, Step
from fourfold.runs.changes import rows_of
from tests.evidence.stepmaking import names, row, step, told
from tests.runs.recordmaking import Parts, blake


class _Drawn:
    """A pipeline whose stages compute what they write from what they read, of which a change may be lost."""

    def __init__(self, draw: random.Random) -> None:
        self.raw = {f"raw{at}.csv": "0" for at in range(draw.randint(1, 3))}
        self.stages: list[tuple[str, dict[str, list[str]]]] = []
        known = list(self.raw)
        for at in range(draw.randint(2, 6)):
            writes = {}
            for out in range(draw.randint(1, 2)):
                writes[f"s{at}/{out}.csv"] = draw.sample(known, min(len(known), draw.randint(1, 2)))
            self.stages.append((f"s{at}", writes))
            known += writes
        self.stages.append(("last", {"m.json": draw.sample(known, min(len(known), 3))}))
        self.code = {name: "0" for name, _ in self.stages}
        self.blunt = {path for _, writes in self.stages for path in writes if draw.random() < 0.2}

    def contents(self) -> dict[str, str]:
        """Of every file; a blunt one stays as it is whatever it is made of."""
        found = dict(self.raw)
        for name, writes in self.stages:
            for path, reads in writes.items():
                made = self.code[name] + "".join(found[each] for each in reads)
                found[path] = "x" if path in self.blunt and path != "m.json" else blake(path + made)
        return found

    def run(self, parts: Parts, ran: list[Step]) -> Lineage:
        """Run what has not run with the same: the lineage of the last stage, made of all that ever ran."""
        contents = self.contents()
        for name, writes in self.stages:
            reads = sorted({each for inputs in writes.values() for each in inputs})
            makers: dict[str, Step] = {}
            for path in reads:
                for old in ran:  # the newest is left
                    if any(
                        row(path, contents[path], "out") == each for each in rows_of(old.record, "outputs")
                    ):
                        makers[path] = old
            key = blake(name + self.code[name] + "".join(path + contents[path] for path in reads))
            source = {f"{name}.py": blake(self.code[name])[:40]}
            fresh = step(
                parts, name, key, {path: contents[path] for path in reads},
                {path: contents[path] for path in writes}, makers, sources=source,
            )  # fmt: skip
            if all(fresh.run != old.run for old in ran):
                ran.append(fresh)
        by_run = {each.run: each for each in ran}
        last = next(each for each in reversed(ran) if each.record.stage == "last")
        found: dict[str, Step] = {}

        def visit(one: Step) -> None:
            for maker in one.made_by.values():
                visit(by_run[maker])
            found.setdefault(one.run, one)

        visit(last)
        return Lineage(tuple(found.values()))

    def led(self, before: Mapping[str, str], after: Mapping[str, str], *, surely: bool) -> set[str]:
        """Code and raw data that moved and led to the last result.

        Args:
            before: Contents of then.
            after: Contents of now.
            surely: By what each file is made of; else by what its stage read for any of its files.
        """
        of = {path: name for name, writes in self.stages for path in writes}
        reads = {path: set(inputs) for _, writes in self.stages for path, inputs in writes.items()}
        if not surely:
            together = {name: set().union(*map(set, writes.values())) for name, writes in self.stages}
            reads = {path: together[name] for path, name in of.items()}
        todo = ["m.json"] if before["m.json"] != after["m.json"] else []
        for path in todo:
            todo += [each for each in reads.get(path, ()) if before[each] != after[each] and each not in todo]
        code = {f"{of[path]}.py" for path in todo if path in of and self.code[of[path]] != "0"}
        return code | {path for path in todo if path in self.raw}


@pytest.mark.parametrize("seed", range(150))
def test_what_led_to_the_result_is_suspected_and_nothing_that_cannot_have(
    seed: int,
) -> None:
    draw = random.Random(seed)
    pipeline, parts = _Drawn(draw), Parts()
    ran: list[Step] = []
    first, before = pipeline.run(parts, ran), pipeline.contents()
    for version in range(1, draw.randint(2, 4)):  # some versions lie between
        for name in draw.sample(sorted({**pipeline.raw, **pipeline.code}), 2):
            (pipeline.raw if name in pipeline.raw else pipeline.code)[name] = f"{version}"
        second = pipeline.run(parts, ran)
    after = pipeline.contents()
    suspected = set(names(told(parts, list(first.steps), list(second.steps))))
    assert pipeline.led(before, after, surely=True) <= suspected
    assert suspected <= pipeline.led(before, after, surely=False)
