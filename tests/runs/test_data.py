"""The facts about the data of a run: contents by both digests, what changed meanwhile, what is not known."""

import hashlib
import math
import os
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
from fourfold.runs import data
from fourfold.runs.contents import folder_digest
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
    rows = [("b", bytes(32), 1), ("a", bytes(32), 2)]
    assert folder_digest(rows) == folder_digest(rows[::-1])


def test_what_the_cache_has_is_not_read_again(work: Workplace) -> None:
    work.gen({"data": {"a": "1", "b": "2"}, "one": "three"})
    project = work.open()
    add(project, [work.path("data"), work.path("one")])
    where = task(work.root, (), (item(work.root, "data", "out"), item(work.root, "one", "out", cached=True)))
    before = told(where, place_of(work.open()))["outputs"]
    for path in ("data/a", "data/b", "one"):
        os.chmod(work.path(path), 0)
    again = told(where, place_of(work.open()))["outputs"]
    for path in ("data/a", "data/b", "one"):
        os.chmod(work.path(path), 0o644)
    assert again == before
    assert again.value[1]["blake3"] == blake3(b"three").hexdigest()


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
    facts = told(task(tmp_path, (Item(secret, secret, "dep", size=3),)), bare(tmp_path))
    assert facts["elsewhere"].grade == "declared"
    assert facts["inputs"].value == []
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
    assert table["columns"][0]["nulls"] == 1
    assert table["columns"][1]["values"] == {"no": 2, "yes": 1}


def test_without_tables_the_summaries_are_absent(tmp_path: Path) -> None:
    assert told(task(tmp_path), bare(tmp_path))["summaries"].grade == "absent"
