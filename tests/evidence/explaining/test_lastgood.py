"""The last good run, and how far a metric moves by itself: from records alone."""

from pathlib import Path
from typing import Any

import pytest

from fourfold.evidence.explaining.lastgood import Noise, Runs, Wanted
from fourfold.evidence.lineage import Makers
from fourfold.formats.native.fact import absent, observed
from fourfold.formats.native.record import RunId
from fourfold.runs.store import Records, RunNotFoundError
from tests.runs.recordmaking import keep, records_in

METRIC = "m.json:auc"


def measured(records: Records, value: float, at: int, **said: Any) -> RunId:
    more = {"metrics": observed({"m.json": {"auc": value}})}
    return keep(records, more=more, started=f"2026-01-02T03:04:{at:02}.000000Z", **said)


def noise(records: Records, run: RunId) -> Noise:
    return Runs(records, Makers(records), records.part).noise(run, METRIC)


def test_runs_of_the_same_tell_how_far_a_metric_moves_by_itself(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    runs = [measured(records, value, at) for at, value in enumerate((0.5, 0.75, 0.5))]
    measured(records, 9.0, 5, lr=0.7)
    measured(records, 9.0, 6, inputs=({"path": "more.csv", "role": "dep", "md5": "5" * 32},))
    assert noise(records, runs[0]) == Noise(0.25, 3)


@pytest.mark.parametrize(
    "otherwise",
    [
        {"environment": {"threads": observed({"switches": {"OMP_NUM_THREADS": "8"}})}},
        {"environment": {"host": observed({"cpu": {"model": "another"}})}},
        {"environment": {"accelerators": observed([{"name": "a card"}])}},
        {"trace": {"env": observed({"declared": {"CUSTOMER": "KEY:HASH"}})}},
    ],
)
def test_what_ran_with_other_threads_variables_or_processors_is_no_run_of_the_same(
    tmp_path: Path, otherwise: dict[str, Any]
) -> None:
    records = records_in(tmp_path)
    run = measured(records, 0.5, 1)
    other = measured(records, 0.75, 2, **otherwise)
    assert noise(records, run) == noise(records, other) == Noise()
    measured(records, 0.625, 3, **otherwise)
    assert noise(records, other) == Noise(0.125, 2)


def test_where_the_environment_is_not_known_nothing_is_the_same(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    unknown = {"environment": {"digest": absent("nobody looked")}}
    runs = [measured(records, value, at, **unknown) for at, value in enumerate((0.5, 0.75))]
    assert noise(records, runs[1]) == Noise()


def test_what_was_looked_for_in_vain_is_said_as_it_was_asked(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    runs = [measured(records, value, at, lr=value) for at, value in enumerate((0.5, 0.75))]
    known = Runs(records, Makers(records), records.part)
    with pytest.raises(RunNotFoundError, match=r"m\.json:auc that is more than 0\.9$"):
        known.last_good(runs[1], METRIC, Wanted(above=0.9))
    with pytest.raises(RunNotFoundError, match=r"more than 0\.1 and less than 0\.2$"):
        known.last_good(runs[1], METRIC, Wanted(above=0.1, below=0.2))
    with pytest.raises(RunNotFoundError, match=r"that is more than 0\.75$"):
        known.last_good(runs[1], METRIC, Wanted("max"))
    assert known.last_good(runs[1], METRIC, Wanted("min")) == runs[0]
