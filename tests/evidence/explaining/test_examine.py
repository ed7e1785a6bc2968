"""Data of two runs looked into, with the real store: folders, train and test, and what is kept of it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from fourfold.evidence.explaining.examine import Examiner, Looked
from fourfold.evidence.lineage import Lineage, Makers
from fourfold.evidence.replaying.holdings import Holdings
from fourfold.formats.native.fact import absent
from fourfold.runs.place import Place
from fourfold.runs.store import Records, records_of
from fourfold.wiring import find_place
from tests.conftest import find_ff
from tests.evidence.planting import people, table
from tests.fixtures.sandbox import Sandbox, Tool

PIPELINE = """\
stages:
  fit:
    cmd: cat data/train.csv data/test.csv months/* git.csv > model.txt
    deps: [data/train.csv, data/test.csv, months, git.csv]
    outs: [model.txt]
"""
ROWS = people(400)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examine")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(
        {
            "dvc.yaml": PIPELINE,
            "data": {"train.csv": table(ROWS[:300]), "test.csv": table(ROWS[300:])},
            "months": {"01.csv": table(ROWS[:100]), "02.csv": table(ROWS[100:200])},
            "git.csv": table(ROWS[:50]),
        }
    )
    repo.run("add", "-q", "data/train.csv", "data/test.csv", "months")
    repo.commit("begin")
    repo.run("repro", "-q")
    return folder


@pytest.fixture
def repo(template: Path, tmp_path: Path) -> Sandbox:
    shutil.copytree(template / "repo", tmp_path / "repo", symlinks=True)
    return Sandbox(tmp_path / "repo", Tool([find_ff()], tmp_path / "home"))


def again(repo: Sandbox, tree: dict[str, Any]) -> tuple[Place, Records, Lineage, Lineage]:
    """Change data, run again: the lineages of before and after."""
    repo.gen(tree)
    repo.run("add", "-q", "data/train.csv", "data/test.csv", "months")
    repo.run("repro", "-q")
    place = find_place(str(repo.path), environ=dict(repo.tool.env))
    records = records_of(place)
    makers = Makers(records)
    a, b = (makers.lineage(records.resolve(name)) for name in ("fit~1", "fit"))
    return place, records, a, b


def look(repo: Sandbox, path: str, tree: dict[str, Any], **said: Any) -> Looked:
    place, records, a, b = again(repo, tree)
    examiner = Examiner(Holdings(place, records), place, records.part, **said)
    return examiner.look(a.last, b.last, path)


def test_of_a_folder_the_files_that_changed_are_told_and_compared(repo: Sandbox) -> None:
    found = look(repo, "months", {"months": {"02.csv": table(ROWS[100:180])}})
    assert found.told == "of 2 files 1 changed; 02.csv: lost 20 rows (20 %)"
    assert [change.path for change in found.tables] == ["months/02.csv"]


def test_a_folder_that_got_a_file_is_compared_as_one_table(repo: Sandbox) -> None:
    other = [{**row, "left": 1} for row in ROWS[200:300]]
    found = look(repo, "months", {"months": {"03.csv": table(other)}}, label="left")
    assert found.told.startswith("of 3 files 1 new; 100 rows (33 %) new")
    assert [harm.kind for harm in found.harms] == ["label"]


def test_a_table_that_git_keeps_is_had_from_its_commit(repo: Sandbox) -> None:
    found = look(repo, "git.csv", {"git.csv": table(ROWS[:40])})
    assert found.told == "lost 10 rows (20 %)"
    assert found.tables[0].source == "rows"


@pytest.mark.parametrize(
    ("changed", "at"),
    [
        ({"data": {"train.csv": table(ROWS[:330])}}, "data/train.csv"),
        ({"data": {"test.csv": table(ROWS[270:])}}, "data/test.csv"),
    ],
)
def test_rows_that_got_into_train_and_test_are_put_to_the_file_that_changed(
    repo: Sandbox, changed: dict[str, Any], at: str
) -> None:
    place, records, a, b = again(repo, changed)
    (found,) = Examiner(Holdings(place, records), place, records.part).overlaps(a, b).items()
    assert found[0] == at
    assert found[1][0].told.startswith("30 rows of data/test.csv")
    assert Examiner(Holdings(place, records), place, records.part).overlaps(a, a) == {}


def test_rows_that_are_equal_only_because_a_column_is_gone_are_not_in_train_and_test(repo: Sandbox) -> None:
    plain = [{name: cell for name, cell in row.items() if name != "id"} for row in ROWS]
    changed = {"data": {"train.csv": table(plain[:300]), "test.csv": table(plain[300:])}}
    place, records, a, b = again(repo, changed)
    assert Examiner(Holdings(place, records), place, records.part).overlaps(a, b) == {}


def test_that_train_and_test_were_not_read_is_said(repo: Sandbox) -> None:
    place, records, a, b = again(repo, {"data": {"train.csv": table(ROWS[:330])}})
    examiner = Examiner(Holdings(place, records), place, records.part, budget=1000)
    assert examiner.overlaps(a, b) == {}
    assert examiner.unknown == [
        "whether data/test.csv has rows of data/train.csv is not known: they were not read"
    ]


def test_of_many_tables_that_changed_it_is_said_how_many_were_looked_into(repo: Sandbox) -> None:
    months = {f"{at:02}.csv": table(ROWS[at * 20 : at * 20 + 20]) for at in range(12)}
    again(repo, {"months": months})
    later = {name: text.replace("p0", "q0") for name, text in months.items()}
    found = look(repo, "months", {"months": later})
    assert found.told.startswith("of 12 files 12 changed")
    assert found.note == "of 12 tables that changed 8 were looked into"


def test_what_was_found_is_kept_and_what_is_damaged_of_it_is_found_again(repo: Sandbox) -> None:
    place, records, a, b = again(repo, {"data": {"train.csv": table(ROWS[:250])}})

    def now() -> Looked:
        examiner = Examiner(Holdings(place, records), place, records.part)
        return examiner.look(a.last, b.last, "data/train.csv")

    first = now()
    (kept,) = (repo.path / ".dvc/fourfold/runs/facts").glob("change-*.json")
    assert now() == first
    assert [*now().tables[0].examples[0].before] == ["id", "age", "plan", "calls", "left"]
    for damaged in (b"", b"{}", kept.read_bytes().replace(b"300", b"299"), b"[" * 1000):
        kept.write_bytes(damaged)
        assert now() == first


def test_what_is_larger_than_may_be_read_is_told_from_afar(repo: Sandbox) -> None:
    found = look(repo, "data/train.csv", {"data": {"train.csv": table(ROWS[:240])}}, budget=1000)
    assert found.told == "lost 60 rows (20 %)"
    assert found.tables[0].source == "summary"
    assert found.note.startswith(
        "rows were not compared (larger than 0 MB): this is what the summaries in the "
    )


def test_that_nothing_is_known_of_a_table_is_said(repo: Sandbox) -> None:
    place, records, a, b = again(repo, {"data": {"train.csv": table(ROWS[:240])}})
    bare = [
        side.last._replace(
            record=side.last.record._replace(data={**side.last.record.data, "summaries": absent("none")})
        )
        for side in (a, b)
    ]
    found = Examiner(Holdings(place, records), None, records.part, budget=1000).look(
        bare[0], bare[1], "data/train.csv"
    )
    assert (found.told, found.tables) == ("", ())
    assert found.note == "rows were not compared (larger than 0 MB): nor do the records say more"


def test_a_damaged_object_of_the_cache_is_not_looked_at(repo: Sandbox) -> None:
    place, records, a, b = again(repo, {"data": {"train.csv": table(ROWS[:240])}})
    (row,) = [row for row in a.last.record.data["inputs"].value if row["path"] == "data/train.csv"]
    path = repo.path / ".dvc/cache/files/md5" / row["md5"][:2] / row["md5"][2:]
    path.chmod(0o644)
    path.write_bytes(table(ROWS[:300]).replace("p00001", "p9").encode())
    found = Examiner(Holdings(place, records), None, records.part).look(a.last, b.last, "data/train.csv")
    assert found.tables[0].source == "summary"
