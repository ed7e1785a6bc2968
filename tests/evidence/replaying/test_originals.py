"""Originals: where the bytes of then are still had, and that nothing else is ever handed out for them."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.base.events import Event, Warned
from fourfold.evidence.replaying.originals import Originals
from fourfold.formats.native.record import RunRecord
from fourfold.runs.place import Place
from fourfold.runs.store import Records, records_of
from fourfold.wiring import find_place
from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool

GO = """\
import os
open("out.txt", "w").write("result")
open("small.json", "w").write('{"a": 1}')
os.makedirs("many/deep")
open("many/a", "w").write("a")
open("many/deep/b", "w").write("b")
"""


class World:
    """A project whose one stage wrote a file, a folder, and a small result that no cache keeps."""

    def __init__(self, folder: Path, tool: Tool) -> None:
        self.repo = Sandbox(folder, tool)
        self.place: Place = find_place(str(folder), environ=tool.env, clock=SYSTEM)
        self.records: Records = records_of(self.place)
        head = self.records.head()
        assert head is not None
        self.record: RunRecord = self.records.get(head)
        self.heard: list[Event] = []

    def row(self, path: str) -> dict[str, Any]:
        return next(dict(one) for one in self.record.data["outputs"].value if one["path"] == path)

    def originals(self, **options: Any) -> Originals:
        return Originals(self.place, self.records, events=self.heard.append, **options)

    def objects(self, folder: str = ".dvc/cache") -> list[Path]:
        return sorted(path for path in (self.repo.path / folder).rglob("*") if path.is_file())

    def warnings(self) -> list[str]:
        return [event.code for event in self.heard if isinstance(event, Warned)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(
        {
            "go.py": GO,
            "dvc.yaml": f"stages:\n  go:\n    cmd: {sys.executable} go.py\n    deps: [go.py]\n"
            "    outs: [out.txt, many]\n    metrics: [small.json: {cache: false}]\n",
        }
    )
    repo.commit("one")
    repo.run("remote", "add", "-d", "store", "../store")
    repo.run("repro", "-q")
    repo.run("push", "-q")
    return folder


@pytest.fixture
def world(made: Path, tmp_path: Path, ff: Tool) -> World:
    for name in ("repo", "store"):
        shutil.copytree(made / name, tmp_path / name, symlinks=True)
    found = World(tmp_path / "repo", ff)
    found.repo.gen({"out.txt": "now", "small.json": "{}", "many/a": "now"})
    return found


def text(path: str | None) -> str:
    assert path is not None
    return Path(path).read_text()


def test_a_file_a_folder_and_a_small_result_are_had_from_cache_and_record(world: World) -> None:
    with world.originals() as originals:
        assert text(originals.path(world.record, world.row("out.txt"))) == "result"
        assert text(originals.path(world.record, world.row("small.json"))) == '{"a": 1}'
        folder = originals.path(world.record, world.row("many"))
        assert text(f"{folder}/deep/b") == "b"
        assert text(f"{folder}/a") == "a"
        assert originals.path(world.record, world.row("many")) == folder
    assert folder is not None
    assert not os.path.exists(folder)
    assert world.heard == []


def test_what_the_workspace_still_has_is_named_where_it_is(world: World) -> None:
    world.repo.gen({"out.txt": "result"})
    with world.originals() as originals:
        assert originals.path(world.record, world.row("out.txt")) == str(world.repo.path / "out.txt")


def test_what_the_cache_lost_comes_from_the_remote(world: World) -> None:
    shutil.rmtree(world.repo.path / ".dvc/cache")
    with world.originals() as originals:
        assert text(originals.path(world.record, world.row("out.txt"))) == "result"
        assert text(f"{originals.path(world.record, world.row('many'))}/a") == "a"


def test_without_leave_no_remote_is_asked(world: World) -> None:
    shutil.rmtree(world.repo.path / ".dvc/cache")
    with world.originals(remote=False) as originals:
        assert originals.path(world.record, world.row("out.txt")) is None
    assert world.objects() == []


def test_one_damaged_file_of_a_folder_is_healed_by_the_remote_or_all_of_it_is_refused(world: World) -> None:
    (bad,) = [path for path in world.objects() if path.read_bytes() == b"b"]
    bad.chmod(0o644)
    bad.write_bytes(b"c")
    with world.originals() as originals:
        assert text(f"{originals.path(world.record, world.row('many'))}/deep/b") == "b"
    assert "corrupt-object" in world.warnings()
    assert bad.read_bytes() == b"b"
    bad.chmod(0o644)
    bad.write_bytes(b"c")
    with world.originals(remote=False) as originals:
        assert originals.path(world.record, world.row("many")) is None


def test_a_damaged_manifest_is_healed_too(world: World) -> None:
    (bad,) = [path for path in world.objects() if path.name.endswith(".dir")]
    bad.chmod(0o644)
    bad.write_bytes(b'[{"md5": "x", "relpath": "../../x"}]')
    with world.originals(remote=False) as originals:
        assert originals.path(world.record, world.row("many")) is None
    with world.originals() as originals:
        assert text(f"{originals.path(world.record, world.row('many'))}/a") == "a"


def test_a_remote_with_damaged_bytes_gives_nothing(world: World) -> None:
    shutil.rmtree(world.repo.path / ".dvc/cache")
    for path in world.objects("../store"):
        path.chmod(0o644)
        path.write_bytes(b"damaged")
    with world.originals() as originals:
        assert originals.path(world.record, world.row("out.txt")) is None
        assert originals.path(world.record, world.row("many")) is None


def test_a_remote_that_is_not_there_is_a_warning_and_no_error(world: World) -> None:
    shutil.rmtree(world.repo.path / ".dvc/cache")
    world.repo.run("remote", "modify", "store", "url", "http://127.0.0.1:9/none")
    again = World(world.repo.path, world.repo.tool)
    with again.originals() as originals:
        assert originals.path(again.record, again.row("out.txt")) is None
    assert again.warnings()


@pytest.mark.parametrize(
    "row",
    [
        {"path": "x"},
        {"path": "x", "md5": "../../../etc/passwd"},
        {"path": "x", "md5": 7},
        {"path": "..", "md5": "0" * 32},
        {"path": "a/..", "blake3": "0" * 64},
        {"path": "/etc/passwd", "md5": "0" * 32},
        {"path": "~/x", "md5": "0" * 32},
        {"path": "s3://bucket/x", "md5": "0" * 32},
        {"path": "x\0y", "blake3": "0" * 64},
        {"path": "many", "nfiles": 2, "md5": "0" * 32 + ".dir"},
        {"path": "out.txt", "blake3": "0" * 64, "md5": "1" * 32},
    ],
)
def test_rows_that_name_nothing_give_nothing(world: World, row: dict[str, Any]) -> None:
    with world.originals() as originals:
        assert originals.path(world.record, row) is None
        target = world.repo.path / "mine"
        target.write_text("mine")
        assert originals.put(row, str(target)) == ""
        assert target.read_text() == "mine"
        assert [path.name for path in world.repo.path.glob(".*.part")] == []


def test_a_file_of_the_code_is_no_way_out_for_what_is_written_beside_it(world: World, tmp_path: Path) -> None:
    box, elsewhere = tmp_path / "box", tmp_path / "elsewhere"
    box.mkdir()
    elsewhere.write_text("mine")
    (box / ".small.json.part").symlink_to(elsewhere)
    row = {key: value for key, value in world.row("small.json").items() if key != "md5"}
    with world.originals() as originals:
        assert originals.put(row, str(box / "small.json")) == "record"
    assert elsewhere.read_text() == "mine"
    assert sorted(os.listdir(box)) == [".small.json.part", "small.json"]


def test_a_small_result_is_found_with_whichever_run_wrote_it(world: World) -> None:
    world.repo.gen({"go.py": GO.replace('"a": 1', '"a": 2')})
    world.repo.run("repro", "-q")
    row = {key: value for key, value in world.row("small.json").items() if key != "md5"}
    target = world.repo.path.parent / "target.json"
    with world.originals() as originals:
        assert originals.put(row, str(target)) == "record"
    assert target.read_text() == '{"a": 1}'
