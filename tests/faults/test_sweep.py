"""A slice of the sweep: each command killed, or refused, at some of its mutating system calls."""

from pathlib import Path

import pytest

from tests.conftest import find_ff
from tests.faults.cases import CASES, Case
from tests.faults.harness import Bench, sample
from tests.faults.tracing import Fault

#: Kills and errors of a case that `make test` tries; `make faults` tries all of them.
SLICE = (3, 2)
#: The same of the commands that most people use.
LARGER = (6, 4)
USUAL = {"add", "commit", "checkout", "push", "pull", "gc"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_command_that_is_hit_loses_and_tears_nothing(tmp_path: Path, case: Case) -> None:
    bench = Bench(tmp_path, case, find_ff())
    kills, errors = LARGER if case.name in USUAL else SLICE
    faults: list[Fault] = [
        *sample(bench.kills(), kills, seed=1),
        *sample(list(bench.errors()), errors, seed=1),
    ]
    broken = []
    for fault in faults:
        _, found = bench.attempt(fault)
        broken += [f"{fault}: {f.kind}: {f.what}\n    {fault.point.what}" for f in found]
    assert not broken, "\n" + "\n".join(broken)
