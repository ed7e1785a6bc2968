"""Who made what a run read: by content, from records alone."""

from pathlib import Path

from fourfold.evidence.lineage import Makers
from fourfold.formats.native.fact import observed
from fourfold.formats.native.record import Outcome, RunId, RunRecord, Times
from fourfold.runs.store import Records


def records_in(folder: Path) -> Records:
    def make(*parts: str) -> str:
        path = folder.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return str(path)

    return Records(str(folder / "runs"), make)


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
