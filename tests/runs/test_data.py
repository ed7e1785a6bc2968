"""The facts about the data of a run: contents by both digests, what changed meanwhile, what is not known."""

import hashlib
import math
import os
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from fourfold.base.clock import SYSTEM
from fourfold.base.ids import Oid
from fourfold.formats.native.canonical import canonical
from fourfold.formats.native.fact import Section
from fourfold.project.add import add
from fourfold.runs import data, summaries
from fourfold.runs.contents import Content, Contents, folder_digest
from fourfold.runs.place import Place, place_of
from fourfold.runs.task import Item, Task
from tests.project.workplace import Workplace


class Shelf:
    """Parts in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, Any]] = {}

    def __call__(self, document: Mapping[str, Any]) -> dict[str, Any]:
        stored = canonical(document)
        name = blake3(stored).hexdigest()
        self.kept[name] = document
        return {"part": name, "size": len(stored)}


def bare(root: Path) -> Place:
    """A folder that is no project."""
    return Place(str(root), str(root / ".fourfold"), str(root), {}, SYSTEM, None, None)


def item(root: Path, name: str, role: str = "dep", **more: Any) -> Item:
    return Item(str(root / name), name, role, **more)


def task(root: Path, inputs: tuple[Item, ...] = (), outputs: tuple[Item, ...] = (), **more: Any) -> Task:
    return Task("stage", "train", ("true",), str(root), str(root), {}, inputs=inputs, outputs=outputs, **more)


def told(where: Task, place: Place) -> Section:
    """The section of a run in which nothing happened."""
    return data.section(where, place, Shelf(), data.before(where, place))


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def test_a_file_is_told_by_both_digests_and_its_size(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"hello")
    facts = told(task(tmp_path, (item(tmp_path, "a.bin"),)), bare(tmp_path))
    assert facts["inputs"].grade == "observed"
    assert facts["inputs"].value == [
        {
            "path": "a.bin",
            "role": "dep",
            "md5": hashlib.md5(b"hello").hexdigest(),
            "blake3": blake3(b"hello").hexdigest(),
            "size": 5,
        }
    ]


def test_a_folder_is_told_by_the_digest_of_its_sorted_files(work: Workplace) -> None:
    work.gen({"data": {"b": "2", "a": {"x": "1", "y": ""}}})
    place = place_of(work.open())
    (found,) = told(task(work.root, (item(work.root, "data"),)), place)["inputs"].value
    rows = [("a/x", b"1"), ("a/y", b""), ("b", b"2")]
    lines = "".join(f"{blake3(body).hexdigest()} {len(body)} {name}\0" for name, body in rows)
    assert found["blake3"] == blake3(lines.encode()).hexdigest()
    assert found["md5"].endswith(".dir")
    assert (found["size"], found["nfiles"]) == (2, 3)


def test_the_digest_of_a_folder_does_not_depend_on_the_order_in_which_it_is_read() -> None:
    one, two = b"1" * 32, b"2" * 32
    assert folder_digest(["b", "a"], one + two, [1, 2]) == folder_digest(["a", "b"], two + one, [2, 1])


def test_what_the_cache_has_is_known_without_reading(work: Workplace) -> None:
    work.gen({"data": {"a": "1", "b": "2"}, "one": "three"})
    add(work.open(), [work.path("data"), work.path("one")])
    time.sleep(0.03)  # files of this very moment could change once more without showing it
    told(
        task(work.root, (), (item(work.root, "data", "out"), item(work.root, "one", "out"))),
        place_of(work.open()),
    )
    contents = Contents(place_of(work.open()))
    for name, size in (("data", 2), ("one", 5)):
        seen = contents.glimpse(work.path(name))
        assert seen is not None
        known = contents.recall(work.path(name), seen)
        assert known is not None
        assert known.size == size


def test_an_input_that_changed_while_the_run_went_is_told_as_it_was_and_named(work: Workplace) -> None:
    work.gen({"small": "old", "large": ""})
    os.truncate(work.path("large"), 9 << 20)
    place = place_of(work.open())
    both = task(work.root, (item(work.root, "small"), item(work.root, "large", oid=Oid("0" * 32))))
    seen = data.before(both, place)
    work.gen({"small": "new bytes", "large": "new bytes"})
    facts = data.section(both, place, Shelf(), seen)
    assert facts["changed_during"].value == ["large", "small"]
    assert facts["inputs"].value[0] == {"path": "large", "role": "dep", "md5": "0" * 32}
    assert facts["inputs"].value[1]["blake3"] == blake3(b"old").hexdigest()
    assert facts["unread"].value == {"large": "changed-during-read"}


def test_an_input_that_was_only_touched_has_not_changed(work: Workplace) -> None:
    work.gen({"a": "same"})
    place = place_of(work.open())
    where = task(work.root, (item(work.root, "a"),))
    seen = data.before(where, place)
    os.utime(work.path("a"), (2, 2))
    assert "changed_during" not in data.section(where, place, Shelf(), seen)


def test_inputs_that_nobody_foresaw_are_said_to_be_those_of_the_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    where = task(tmp_path, (item(tmp_path, "a"),))
    foreseen = told(where, bare(tmp_path))["inputs"]
    found = data.section(where, bare(tmp_path), Shelf(), data.before(task(tmp_path), bare(tmp_path)))[
        "inputs"
    ]
    assert foreseen.why == ""
    assert found.why.startswith("as they were at the end")
    assert found.value == foreseen.value


def test_what_is_missing_is_said_to_be_missing(tmp_path: Path) -> None:
    where = task(tmp_path, (item(tmp_path, "in"),), (item(tmp_path, "out", "out"),))
    facts = told(where, bare(tmp_path))
    assert facts["missing"].value == ["in", "out"]
    assert facts["inputs"].value == [{"path": "in", "role": "dep"}]


def test_a_socket_or_a_link_to_nothing_does_not_fail_the_section(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to("nowhere")
    facts = told(task(tmp_path, (item(tmp_path, "pipe"), item(tmp_path, "folder"))), bare(tmp_path))
    assert facts["unread"].value == {"folder": "dangling-symlink", "pipe": "special-file"}


def test_urls_are_declared_and_lose_their_secrets(tmp_path: Path) -> None:
    secret = "https://me:hunter2@example.org/data.csv?token=abcdef"
    facts = told(task(tmp_path, (Item(secret, secret, "dep", size=3, version='"abc"'),)), bare(tmp_path))
    assert facts["elsewhere"].grade == "declared"
    assert facts["inputs"].value == []
    assert facts["elsewhere"].value[0]["version"] == '"abc"'
    assert "hunter2" not in str(facts)
    assert "abcdef" not in str(facts)


def test_lists_are_sorted_and_the_same_run_gives_the_same_facts(work: Workplace) -> None:
    work.gen({"b": "2", "a": "1", "c.csv": "x,y\n1,2\n"})
    items = tuple(item(work.root, name) for name in ("c.csv", "b", "a"))
    shelf, other = Shelf(), Shelf()
    place = place_of(work.open())
    first = data.section(task(work.root, items), place, shelf)
    second = data.section(task(work.root, items[::-1]), place, other)
    assert first == second
    assert shelf.kept == other.kept
    assert [entry["path"] for entry in first["inputs"].value] == ["a", "b", "c.csv"]


def test_parameters_become_what_json_holds(tmp_path: Path) -> None:
    values = {"t": (1, 2), "nan": math.nan, "day": date(2024, 1, 2), "deep": {"k": None}}
    facts = told(task(tmp_path, params={"params.yaml": values}), bare(tmp_path))
    assert facts["params"].value == {
        "params.yaml": {"t": [1, 2], "nan": "nan", "day": "2024-01-02", "deep": {"k": None}}
    }


def test_a_parameter_that_holds_itself_ends(tmp_path: Path) -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    assert "..." in str(told(task(tmp_path, params={"p.yaml": loop}), bare(tmp_path))["params"].value)


def test_long_parameters_are_a_part(tmp_path: Path) -> None:
    shelf = Shelf()
    values = {f"key{at}": "x" * 100 for at in range(500)}
    facts = data.section(task(tmp_path, params={"params.yaml": values}), bare(tmp_path), shelf)
    assert shelf.kept[facts["params"].value["part"]] == {"params": {"params.yaml": values}}


def test_tables_are_summed_up_with_their_label(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("age,churn\n1,yes\n2,no\n,no\n")
    shelf = Shelf()
    where = task(tmp_path, (item(tmp_path, "t.csv"),), params={"params.yaml": {"train.target": "churn"}})
    facts = data.section(where, bare(tmp_path), shelf)
    (table,) = shelf.kept[facts["summaries"].value["part"]]["tables"].values()
    assert table["rows"] == 3
    assert table["label"] == "churn"
    assert table["columns"][0] == {
        "name": "age",
        "kind": "integer",
        "nulls": 1,
        "values": {"1": 1, "2": 1},
        "quantiles": [1.0, 1.0, 1.0, 2.0, 2.0],
    }
    assert table["columns"][1]["values"] == {"no": 2, "yes": 1}


def test_without_tables_the_summaries_are_absent(tmp_path: Path) -> None:
    assert told(task(tmp_path), bare(tmp_path))["summaries"].grade == "absent"


def test_of_a_long_table_the_beginning_is_summed_up_and_the_lines_are_counted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 200_000)
    shelf = Shelf()
    facts = data.section(task(tmp_path, (item(tmp_path, "t.csv"),)), bare(tmp_path), shelf)
    table = shelf.kept[facts["summaries"].value["part"]]["tables"]["t.csv"]
    assert "rows" not in table
    assert table["lines"] == 200_001
    assert table["sample"]["bytes"] == summaries.WHOLE
    assert table["sample"]["of"] == 800_004
    assert 60_000 < table["sample"]["rows"] < 66_000


def test_which_tables_are_summed_up_depends_on_their_sizes_alone(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.csv").write_text(f"{name},n\n" + "1,2\n" * 60_000)
    where = task(tmp_path, tuple(item(tmp_path, f"{name}.csv") for name in "abc"))
    first, second = Shelf(), Shelf()
    facts = data.section(where, bare(tmp_path), first)
    assert data.section(where, bare(tmp_path), second) == facts
    assert first.kept == second.kept
    tables = first.kept[facts["summaries"].value["part"]]["tables"]
    assert [name for name, table in tables.items() if "absent" in table] == ["c.csv"]


def test_a_summary_is_made_once_for_each_content(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    content = Content(Oid("0" * 32), "f" * 64, 8, None)
    found = [(item(tmp_path, "t.csv"), content)]
    first, second = Shelf(), Shelf()
    table.write_text("a,b\n1,2\n")
    summaries.fact(found, {}, bare(tmp_path), first)
    table.write_text("c,d\n1,2\n")  # as if it were the same content
    summaries.fact(found, {}, bare(tmp_path), second)
    assert first.kept == second.kept


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1}', '{"version": 1, "summary": 7}', "\x00"])
def test_a_damaged_summary_is_made_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    where = task(tmp_path, (item(tmp_path, "t.csv"),))
    told(where, bare(tmp_path))
    (kept,) = (tmp_path / ".fourfold" / "runs" / "facts").glob("table-csv-*.json")
    kept.write_text(text)
    shelf = Shelf()
    facts = data.section(where, bare(tmp_path), shelf)
    assert shelf.kept[facts["summaries"].value["part"]]["tables"]["t.csv"]["rows"] == 1


def test_what_only_bears_the_name_of_a_table_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"nonsense" * 10)
    (tmp_path / "t.csv").write_bytes(b"\0\1\2")
    items = (item(tmp_path, "t.parquet"), item(tmp_path, "t.csv"))
    assert told(task(tmp_path, items), bare(tmp_path))["summaries"].grade == "absent"


def test_a_path_that_is_both_read_and_written_is_told_in_both_lists(work: Workplace) -> None:
    work.gen({"state": "old"})
    where = task(work.root, (item(work.root, "state"),), (item(work.root, "state", "out"),))
    place = place_of(work.open())
    seen = data.before(where, place)
    work.gen({"state": "new"})
    facts = data.section(where, place, Shelf(), seen)
    assert facts["inputs"].value[0]["blake3"] == blake3(b"old").hexdigest()
    assert facts["outputs"].value[0]["blake3"] == blake3(b"new").hexdigest()
    assert facts["changed_during"].value == ["state"]


def test_what_is_ignored_is_no_part_of_a_folder(work: Workplace) -> None:
    work.gen({".dvcignore": "*.tmp\n", "data": {"a": "1", "b.tmp": "2"}})
    (found,) = told(task(work.root, (item(work.root, "data"),)), place_of(work.open()))["inputs"].value
    assert found["nfiles"] == 1


def test_outside_of_projects_our_own_folder_and_gits_are_no_data(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("x")
    (tmp_path / "a").write_text("1")
    where = task(tmp_path, (Item(str(tmp_path), ".", "dep"),))
    first = told(where, bare(tmp_path))["inputs"].value
    assert first[0]["nfiles"] == 1
    assert told(where, bare(tmp_path))["inputs"].value == first


def test_a_folder_that_may_not_be_written_is_told_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / ".fourfold").write_text("somebody's file, where our folder would be")
    facts = told(task(tmp_path, (item(tmp_path, "a"),)), bare(tmp_path))
    assert facts["inputs"].value[0]["blake3"] == blake3(b"1").hexdigest()


def test_tables_in_folders_are_summed_up_by_their_paths(work: Workplace) -> None:
    files = {f"part-{at:03}.csv": f"a,b\n{at},2\n" for at in range(30)}
    work.gen({"data": {"train": {"x.csv": "a,b\n1,2\n3,4\n"}, "readme.txt": "no table"}, "many": files})
    shelf = Shelf()
    where = task(work.root, (item(work.root, "data"), item(work.root, "many")))
    facts = data.section(where, place_of(work.open()), shelf)
    tables = shelf.kept[facts["summaries"].value["part"]]["tables"]
    assert tables["data/train/x.csv"]["rows"] == 2
    assert [name for name in tables if name.startswith("data/")] == ["data/train/x.csv"]
    assert max(name for name in tables if name.startswith("many/")) == "many/part-019.csv"


def test_a_file_that_became_a_folder_has_changed(work: Workplace) -> None:
    work.gen({"a": "1"})
    place = place_of(work.open())
    where = task(work.root, (item(work.root, "a"),))
    seen = data.before(where, place)
    os.unlink(work.path("a"))
    work.gen({"a": {"b": "1"}})
    facts = data.section(where, place, Shelf(), seen)
    assert facts["changed_during"].value == ["a"]
    assert facts["inputs"].value[0]["blake3"] == blake3(b"1").hexdigest()


def test_an_input_that_goes_or_comes_while_the_run_goes_has_changed(work: Workplace) -> None:
    work.gen({"goes": "1"})
    place = place_of(work.open())
    where = task(work.root, (item(work.root, "goes"), item(work.root, "comes")))
    seen = data.before(where, place)
    os.unlink(work.path("goes"))
    work.gen({"comes": "1"})
    facts = data.section(where, place, Shelf(), seen)
    assert facts["changed_during"].value == ["comes", "goes"]
    assert facts["missing"].value == ["comes"]
    assert "blake3" in facts["inputs"].value[1]


def test_a_name_that_is_not_utf8_is_told_and_fails_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / os.fsdecode(b"bad\xff")).write_text("x")
    facts = told(task(tmp_path, (item(tmp_path, "data"),)), bare(tmp_path))
    assert facts["unread"].value == {"data": "file-name-not-utf8"}


def test_what_a_failed_stage_left_is_not_read_when_it_is_large(tmp_path: Path) -> None:
    for name, size in (("large", (64 << 20) + 1), ("small", 5)):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, size)
    where = task(tmp_path, (), (item(tmp_path, "large", "out"), item(tmp_path, "small", "out")))
    facts = told(where, bare(tmp_path))
    assert facts["unread"].value == {"large": "not-saved"}
    assert "blake3" in facts["outputs"].value[1]
    saved = where._replace(outputs=(item(tmp_path, "large", "out", oid=Oid("0" * 32)),))
    assert "unread" not in told(saved, bare(tmp_path))
    assert "unread" not in told(where._replace(kind="command"), bare(tmp_path))


def test_old_summaries_are_let_go_when_there_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summaries, "MOST_KEPT", 4)
    folder = tmp_path / ".fourfold" / "runs" / "facts"
    for at in range(5):
        (tmp_path / "t.csv").write_text(f"a,b\n{at},{'x' * at}\n")
        told(task(tmp_path, (item(tmp_path, "t.csv"),)), bare(tmp_path))
        for kept in folder.glob("table-*"):
            os.utime(kept, ns=(kept.stat().st_mtime_ns - 10**9,) * 2)
    (folder / "other").touch()
    assert len(list(folder.glob("table-*"))) == 3
    told(task(tmp_path, (item(tmp_path, "t.csv"),)), bare(tmp_path))
    assert (folder / "other").exists()
