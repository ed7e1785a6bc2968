"""Parts that no record names go when they are old; records never do."""

import os
from pathlib import Path

import pytest

from fourfold.formats.native.record import parts_of
from fourfold.runs.store import RecordCorruptError, Records
from fourfold.runs.tidy import YOUNG, tidy
from tests.runs.recordmaking import keep, records_in

NOW = 2_000_000_000 * 1_000_000_000


def age(records: Records, part: str, ns: int) -> Path:
    path = Path(records.folder, "parts", part[:2], part[2:])
    os.utime(path, ns=(NOW - ns, NOW - ns))
    return path


def test_a_part_that_nobody_names_goes_when_it_is_a_day_old(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    run = keep(records)
    for part in parts_of(records.get(run)):
        age(records, part, 9 * YOUNG)
    old, young = (str(records.keep({"left": number})["part"]) for number in (1, 2))
    path = age(records, old, YOUNG)
    age(records, young, YOUNG - 1)
    assert tidy(records, NOW, dry=True).parts == (old,)
    assert path.exists()
    found = tidy(records, NOW)
    assert (found.parts, found.size) == ((old,), len(b'{"left":1}'))
    assert not path.exists()
    assert set(records.ids("parts")) == {*parts_of(records.get(run)), young}
    assert records.ids() == [run]
    assert tidy(records, NOW).parts == ()


def test_where_a_record_is_damaged_no_part_goes(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    run = keep(records)
    left = str(records.keep({"left": 1})["part"])
    age(records, left, 9 * YOUNG)
    Path(records.folder, "records", run[:2], run[2:]).write_bytes(b"{}")
    with pytest.raises(RecordCorruptError):
        tidy(records, NOW)
    assert left in records.ids("parts")


def test_where_nothing_has_run_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert tidy(records_in(tmp_path), NOW).parts == ()
