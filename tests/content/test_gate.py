"""The gate of a store: writers together, a collector alone."""

from pathlib import Path

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.content import gate


def test_writers_pass_together_and_a_collector_only_alone(tmp_path: Path) -> None:
    first, second = gate.enter(str(tmp_path)), gate.enter(str(tmp_path))
    refused = pytest.raises(gate.StoreBusyError, match="another process is writing")
    with refused, gate.alone(str(tmp_path), SYSTEM, patience=0.1):
        raise AssertionError("a writer is inside")
    gate.leave(first)
    gate.leave(second)
    with gate.alone(str(tmp_path), SYSTEM, patience=0.1) as alone:
        assert alone
    gate.leave(gate.enter(str(tmp_path)))
    assert not list(tmp_path.iterdir())


def test_a_store_that_does_not_exist_has_no_gate(tmp_path: Path) -> None:
    assert gate.enter(str(tmp_path / "nothing")) is None
    gate.leave(None)
    with gate.alone(str(tmp_path / "nothing"), SYSTEM, patience=0) as alone:
        assert not alone
