"""The order of runs: what was appended here last is the last, whatever a clock elsewhere said."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fourfold.formats.native.canonical import digest
from fourfold.formats.native.record import RunId, render
from fourfold.runs.store import Records
from tests.runs.recordmaking import Parts, keep, make, records_in


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return records_in(tmp_path)


def moment(month: int, year: int = 2026) -> str:
    return f"{year}-{month:02}-01T00:00:00.000000Z"


def pulled(records: Records, started: str, arrived: int | None = None) -> RunId:
    """A record from elsewhere, that says so of its time, and came now, or in a month of 2026."""
    data = render(make(Parts(), started=started, previous="e" * 64, model=started))
    run = RunId(digest(data))
    records.adopt(run, data, "records")
    if arrived is not None:
        when = datetime(2026, arrived, 1, tzinfo=UTC).timestamp()
        os.utime(Path(records.folder, "records", run[:2], run[2:]), (when, when))
    return run


def order(records: Records) -> list[RunId]:
    """As it is, and as it is again where the list was lost."""
    found = [one.id for one in records.summaries()]
    Path(records.folder, "list").unlink()
    assert [one.id for one in records.summaries()] == found
    return found


def test_a_run_of_elsewhere_from_the_future_is_not_taken_for_the_newest(records: Records) -> None:
    here = keep(records, started=moment(1))
    future = pulled(records, moment(1, 2999))
    assert records.resolve("train") == records.resolve("@") == here
    assert order(records) == [future, here]
    later = keep(records, started=moment(2))
    assert order(records) == [future, here, later]


def test_a_moment_that_was_ahead_when_it_came_is_not_believed_once_it_has_passed(records: Records) -> None:
    here = keep(records, started=moment(1))
    ahead = pulled(records, moment(4), arrived=3)
    assert order(records) == [ahead, here]


def test_a_run_of_elsewhere_stands_where_it_says_that_it_began(records: Records) -> None:
    first, last = keep(records, started=moment(1)), keep(records, started=moment(5))
    between, after = pulled(records, moment(3)), pulled(records, moment(6))
    assert order(records) == [first, between, last, after]


def test_runs_of_this_place_stand_as_they_were_appended_where_the_clock_was_put_back(
    records: Records,
) -> None:
    runs = [keep(records, started=moment(month)) for month in (1, 6, 3, 4)]
    assert order(records) == runs
    other = pulled(records, moment(5))
    assert order(records) == [runs[0], other, *runs[1:]]
    assert records.resolve("train") == runs[-1]


def test_a_clock_elsewhere_that_is_a_little_ahead_makes_no_run_the_oldest(records: Records) -> None:
    here = keep(records, started=moment(1))
    ahead = pulled(records, "2026-03-01T00:04:00.000000Z", arrived=3)
    assert order(records) == [here, ahead]
    later = keep(records, started="2026-03-01T00:01:00.000000Z")
    assert order(records) == [here, ahead, later], "it came before that"


@pytest.mark.parametrize("when", [0, 1, 315_532_800])
def test_records_whose_times_a_copy_lost_stand_where_they_say_that_they_began(
    records: Records, when: int
) -> None:
    first, last = keep(records, started=moment(1)), keep(records, started=moment(5))
    between, after, future = (
        pulled(records, moment(3)),
        pulled(records, moment(6)),
        pulled(records, moment(1, 2999)),
    )
    for path in Path(records.folder, "records").glob("*/*"):
        os.utime(path, (when, when))
    assert order(records) == [future, first, between, last, after]


@pytest.mark.parametrize("when", [-(2**33), 2**33, 2**55])
def test_a_file_of_any_time_at_all_is_in_some_order(records: Records, when: int) -> None:
    here, other = keep(records, started=moment(2)), pulled(records, moment(1))
    path = Path(records.folder, "records", other[:2], other[2:])
    try:
        os.utime(path, (when, when))
    except OSError:
        return  # this file system knows no such time
    assert order(records) == [other, here]


@pytest.mark.parametrize("started", ["", "soon", "9", "\U0010ffff", "2026-13-45"])
def test_a_time_that_is_none_is_older_than_all_that_is_known(records: Records, started: str) -> None:
    odd = pulled(records, started)
    here = keep(records, started=moment(1))
    assert order(records) == [odd, here]
