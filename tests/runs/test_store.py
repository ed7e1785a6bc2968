"""Records on disk: named by their bytes, chained, found by what a user types."""

import json
import os
from pathlib import Path

import pytest

from fourfold.base.errors import InvalidFileError
from fourfold.base.fs.atomic import temp_name
from fourfold.formats.native.fact import absent, observed
from fourfold.formats.native.record import (
    Outcome,
    RunId,
    RunRecord,
    State,
    Times,
    parse_record,
    parts_of,
    render,
)
from fourfold.runs.store import NotSoManyRunsError, RecordCorruptError, RunAmbiguousError, RunNotFoundError
from tests.runs.recordmaking import records_in


def record(
    previous: RunId | None = None,
    *,
    stage: str = "train",
    at: int = 0,
    state: State = "succeeded",
    entry: str = "",
) -> RunRecord:
    moment = f"2026-01-01T00:00:{at:02}.000000Z"
    return RunRecord(
        kind="stage",
        stage=stage,
        command=("python train.py",),
        outcome=Outcome(state),
        times=Times(moment, moment, 0.5),
        code={"commit": absent("no Git repository")},
        data={"entry": observed(entry)} if entry else {},
        environment={},
        randomness={"seed": observed(7, "drawn")},
        trace={},
        previous=previous,
        tool="0",
    )


def test_a_record_comes_back_as_it_went_and_names_the_one_before(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    first = records.append(lambda before: record(before, at=1))
    second = records.append(lambda before: record(before, at=2))
    assert records.get(first).previous is None
    assert records.get(second).previous == first
    assert records.head() == second
    assert records.get(first) == record(at=1)
    assert parse_record(render(records.get(second))) == records.get(second)


def test_a_part_is_kept_once_and_the_record_knows_it(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    one = records.keep({"b": 1, "a": [1, 2]})
    assert records.keep({"a": [1, 2], "b": 1}) == one
    assert records.ids("parts") == [one["part"]]
    assert records.part(one["part"]) == {"a": [1, 2], "b": 1}
    whole = record()._replace(environment={"distributions": observed({"main": one})})
    assert parts_of(whole) == (one["part"],)


def test_what_a_killed_writer_left_goes_with_the_next_record(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    records.append(record)
    left = tmp_path / "runs" / temp_name("6c")
    left.write_bytes(b"half")
    records.keep({"a": 1})
    records.append(lambda before: record(before, at=2))
    assert not left.exists()
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        *("head", "list", "lock", "parts", "records")
    ]


def test_damage_is_told_and_never_read(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    name = records.append(record)
    path = tmp_path / "runs" / "records" / name[:2] / name[2:]
    path.write_bytes(path.read_bytes().replace(b"train.py", b"tramp.py"))
    with pytest.raises(RecordCorruptError, match=name[:12]):
        records.get(name)
    with pytest.raises(RecordCorruptError):
        records.adopt("0" * 64, b"{}", "parts")


def test_a_run_is_found_by_stage_by_place_in_time_and_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    made = [records.append(lambda before, at=at: record(before, at=at, entry=f"e{at}")) for at in range(12)]
    other = records.append(lambda before: record(before, at=20, stage="sub/dvc.yaml:load", state="failed"))
    assert records.resolve("train") == made[-1]
    assert records.resolve("train~2") == made[-3]
    assert records.resolve("@") == other
    assert records.resolve("sub/dvc.yaml:load") == other
    assert records.resolve(made[0][:12]) == made[0]
    assert records.made("e3") == made[3]
    assert records.made("never") is None
    assert records.resolve("train~") == records.resolve("train~001") == made[-2]
    assert records.resolve("train~0") == made[-1]
    assert records.resolve("@~") == made[-1]
    for unknown in (
        "nothing",
        "ffffffffffff",
        "",
        "~1",
        "train~x",
        "train~1~1",
        "train~-1",
        "train~1.0",
        "train~²",
    ):
        with pytest.raises(RunNotFoundError) as error:
            records.resolve(unknown)
        assert not isinstance(error.value, NotSoManyRunsError)
    for far in ("train~12", "@~99", "train~12345678", "train~" + "9" * 9000):
        with pytest.raises(NotSoManyRunsError):
            records.resolve(far)


def test_a_short_beginning_that_several_share_is_refused(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    seen: dict[str, str] = {}
    for at in range(60):
        for _ in range(20):
            name = records.append(lambda before, at=at: record(before, at=at))
            if name[:4] in seen:
                with pytest.raises(RunAmbiguousError):
                    records.resolve(name[:4])
                return
            seen[name[:4]] = name
    pytest.fail("1,200 ids without two that begin alike: the odds of that are one in fifty thousand")


@pytest.mark.parametrize("harm", ["remove", "garbage", "half", "types", "depth"])
def test_the_list_is_a_cache(tmp_path: Path, harm: str) -> None:
    records = records_in(tmp_path)
    for at in range(3):
        records.append(lambda before, at=at: record(before, at=at))
    before = records.summaries()
    path = tmp_path / "runs" / "list"
    if harm == "remove":
        path.unlink()
    elif harm == "types":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps([*line[:2], [], *line[3:]]) + "\n" for line in lines))
    elif harm == "depth":
        path.write_text("[" * 100_000)
    else:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if harm == "half" else os.urandom(300))
    assert records.summaries() == before
    assert records.summaries() == before


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b'{"schema":"fourfold.run/9"}',
        b'{"schema":"fourfold.run/1"}',
        b"[" * 100_000,
        render(record()).replace(b'"grade":"absent"', b'"grade":"certain"'),
        render(record()).replace(b'"kind":"stage"', b'"kind":"dream"'),
        render(record()).replace(b'"previous":null', b'"previous":"../../etc"'),
        render(record())
        .replace(b'"tool":"0"', b'"tool":"0","more":1')
        .replace(b'"outcome":{', b'"outcome":{"x":1,'),
    ],
)
def test_bytes_that_are_no_record_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidFileError):
        parse_record(data)
