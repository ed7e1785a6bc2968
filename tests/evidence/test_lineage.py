"""Who made what a run read: by content, from records alone."""

from pathlib import Path

from fourfold.evidence.lineage import Makers
from fourfold.formats.native.fact import observed
from fourfold.formats.native.record import Outcome, RunId, RunRecord, Times, render, run_id
from fourfold.runs.store import Records
from tests.runs.recordmaking import records_in


def row(path: str, md5: str) -> dict[str, str]:
    return {"path": path, "role": "dep", "md5": md5 * 32}


def run(records: Records, at: int, stage: str, reads: dict[str, str], writes: dict[str, str]) -> RunId:
    moment = f"2026-01-01T00:00:{at:02}.000000Z"
    return records.append(
        lambda before: RunRecord(
            kind="stage",
            stage=stage,
            command=(stage,),
            outcome=Outcome("succeeded"),
            times=Times(moment, moment, 0.5),
            code={},
            data={
                "inputs": observed([row(*item) for item in reads.items()]),
                "outputs": observed([row(*item) for item in writes.items()]),
            },
            environment={},
            randomness={},
            trace={},
            previous=before,
            tool="0",
        )
    )


def test_each_input_leads_to_the_newest_run_before_that_wrote_its_bytes(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    old = run(records, 1, "load", {"raw": "a"}, {"table": "b"})
    again = run(records, 2, "load", {"raw": "a"}, {"table": "b"})
    other = run(records, 3, "load", {"raw": "c"}, {"table": "d"})
    train = run(records, 4, "train", {"table": "b", "settings": "e"}, {"model": "f"})
    late = run(records, 5, "load", {"raw": "a"}, {"table": "b"})
    score = run(records, 6, "score", {"table": "d", "model": "f"}, {"metrics": "9"})
    lineage = Makers(records).lineage(score)
    assert [step.run for step in lineage.steps] == [other, again, train, score]
    assert lineage.last.made_by == {"table": other, "model": train}
    assert sorted(lineage.raw_inputs()) == ["raw", "settings"]
    assert lineage.of_stage("train").run == train  # type: ignore[union-attr]
    assert old not in {step.run for step in lineage.steps} != {late}


def test_a_file_of_a_folder_leads_to_the_run_that_wrote_the_folder_where_its_content_is_known(
    tmp_path: Path,
) -> None:
    records = records_in(tmp_path)
    folder = {"path": "split", "role": "out", "md5": "b" * 32 + ".dir", "nfiles": 2}
    split = run(records, 1, "split", {"raw": "a"}, {})
    record = records.get(split)
    split = records.append(
        lambda before: record._replace(
            data={**record.data, "outputs": observed([folder])},
            previous=before,
            times=record.times._replace(started="2026-01-01T00:00:02.000000Z"),
        )
    )
    train = run(records, 3, "train", {"split/deep/train.csv": "c", "split/other.csv": "d"}, {"model": "e"})

    def inside(tree: str, path: str) -> str | None:
        return {(folder["md5"], "deep/train.csv"): "c" * 32, (folder["md5"], "other.csv"): "9" * 32}.get(
            (tree, path)
        )

    assert Makers(records, inside).lineage(train).last.made_by == {"split/deep/train.csv": split}
    assert Makers(records).lineage(train).last.made_by == {}


def test_what_failed_and_what_is_a_replay_stand_on_what_was_made_before_them(tmp_path: Path) -> None:
    records = records_in(tmp_path)

    def noted(at: int, kind: str, state: str) -> RunId:
        made = run(records, at, "train", {"table": "b"}, {"model": "f"})
        record = records.get(made)._replace(kind=kind, outcome=Outcome(state, 1))  # type: ignore[arg-type]
        return records.append(lambda before: record._replace(previous=before))

    failing = [noted(at, "stage", "failed") for at in range(3)]
    first = run(records, 10, "load", {"raw": "a"}, {"table": "b"})
    failed, again = noted(11, "stage", "failed"), noted(12, "replay", "succeeded")
    run(records, 13, "load", {"raw": "a"}, {"table": "b"})
    makers = Makers(records)
    assert [makers.lineage(name).last.made_by for name in (failing[0], failed, again)] == [
        {},
        {"table": first},
        {"table": first},
    ]


def test_runs_that_each_go_on_from_the_one_before_are_one_lineage_however_many(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    first = records.get(run(records, 0, "train", {}, {"model": "0"}))
    names: list[RunId] = []
    for at in range(1500):
        reads, writes = ([{"path": "model", "role": "dep", "md5": f"{each:032x}"}] for each in (at, at + 1))
        record = first._replace(
            times=Times(f"2026-01-02T00:00:00.{at:06}Z", "2026-01-02T01:00:00.000000Z", 1.0),
            data={"inputs": observed(reads), "outputs": observed(writes)},
        )
        data = render(record)
        records.adopt(run_id(data), data, "records")
        names.append(run_id(data))
    steps = Makers(records).lineage(names[-1]).steps
    assert [step.run for step in steps][1:] == names
