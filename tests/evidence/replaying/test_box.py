"""Boxes: what is put into them, what never leaves them, and records that name odd places."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.base.errors import FourfoldError
from fourfold.evidence.replaying.box import Box, CodeUnknownError, CommitGoneError, RecordPathError, open_box
from fourfold.evidence.replaying.originals import Originals
from fourfold.formats.native.fact import absent, observed
from fourfold.formats.native.record import RunRecord
from fourfold.runs.coderestore import BadCodePartError, CodeTreeDiffersError
from fourfold.runs.place import Place
from fourfold.runs.store import Records, RunNotFoundError, records_of
from fourfold.scm.unpack import FolderNotEmptyError
from fourfold.wiring import find_place
from tests.conftest import find_ff
from tests.fixtures.sandbox import Link, Sandbox, Tool

ODD = [
    "../../../x",
    "a/../../x",
    "a/../../../../../../../etc/x",
    ".git/config",
    ".git",
    ".GIT/hooks/x",
    ".dvc/config",
    "sub/.git/x",
    "a\0b",
    ".",
    "",
]


class World(NamedTuple):
    repo: Sandbox
    place: Place
    records: Records
    record: RunRecord

    def box(self, into: Path | None = None, **code: Any) -> Box:
        """A box for the record, some facts of its code forged."""
        record = self.record._replace(code={**self.record.code, **code})
        return open_box(self.place, self.records, record, None if into is None else str(into))

    def left(self) -> list[str]:
        folder = self.repo.path / ".dvc/fourfold/replays"
        return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("box")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(
        {
            "go.py": "open('out.txt', 'w').write(open('data/a.txt').read())\n",
            "data/a.txt": "a",
            "data/deep/b.txt": "b",
            "way": Link("/tmp"),
            "dvc.yaml": f"stages:\n  go:\n    cmd: {sys.executable} go.py\n"
            "    deps: [go.py, data]\n    outs: [out.txt]\n",
        }
    )
    repo.run("add", "-q", "data")
    repo.commit("one")
    repo.gen({"new.py": "x = 1\n"})
    repo.run("repro", "-q")
    place = find_place(str(repo.path), environ=repo.tool.env, clock=SYSTEM)
    records = records_of(place)
    head = records.head()
    assert head is not None
    return World(repo, place, records, records.get(head))


def row(world: World, path: str) -> dict[str, Any]:
    """The row of an input of the record."""
    return next(dict(one) for one in world.record.data["inputs"].value if one["path"] == path)


def test_a_box_is_a_repository_of_its_own_with_the_code_of_then(made: World) -> None:
    with made.box() as box:
        found = Path(box.root)
        assert (found / "new.py").read_text() == "x = 1\n"
        assert (found / ".git/HEAD").read_text().strip() == made.repo.git("rev-parse", "HEAD").strip()
        assert box.git is not None
        assert box.git.head() == box.place.git.head()  # type: ignore[union-attr]
        assert not (found / "data").exists()
        assert box.left_out == ()
    assert made.left() == []


def test_inputs_are_copies_whose_cache_nobody_can_reach(made: World) -> None:
    with made.box() as box, Originals(made.place, made.records) as originals:
        assert box.bring([row(made, "data"), row(made, "go.py")], originals) == []
        file = Path(box.root) / "data/deep/b.txt"
        assert file.read_text() == "b"
        assert not file.is_symlink()
        assert file.stat().st_nlink == 1
        assert os.access(file, os.W_OK)


def test_an_input_that_is_there_already_with_the_same_bytes_is_left_alone(made: World) -> None:
    with made.box() as box, Originals(made.place, made.records) as originals:
        before = os.stat(os.path.join(box.root, "go.py"))
        box.bring([row(made, "go.py")], originals)
        assert os.stat(os.path.join(box.root, "go.py")).st_ino == before.st_ino


def test_an_input_with_other_bytes_is_replaced(made: World) -> None:
    with made.box() as box, Originals(made.place, made.records) as originals:
        Path(box.root, "go.py").write_text("other")
        originals.knows(made.record)
        assert box.bring([row(made, "go.py")], originals) == []
        assert Path(box.root, "go.py").read_text().startswith("open(")


@pytest.mark.parametrize("path", ODD)
def test_a_record_that_names_an_odd_input_is_refused(made: World, path: str) -> None:
    with made.box() as box, Originals(made.place, made.records) as originals:
        if path.startswith(("../", "a/..")):
            missing = box.bring([{**row(made, "data"), "path": path}], originals)
            assert [one.path for one in missing] == [path]
        else:
            with pytest.raises(RecordPathError):
                box.bring([{**row(made, "data"), "path": path}], originals)
        assert os.path.isfile(os.path.join(box.root, "go.py"))
    assert made.left() == []


@pytest.mark.parametrize("path", ODD)
def test_a_record_that_names_an_odd_output_removes_nothing(made: World, path: str, tmp_path: Path) -> None:
    with made.box(tmp_path / "into") as box:
        outside = tmp_path / "x"
        outside.write_text("mine")
        with suppress(RecordPathError):
            box.clear([{"path": path, "role": "out"}, {"path": str(outside), "role": "out"}])
        assert outside.read_text() == "mine"
        assert os.path.isfile(os.path.join(box.root, "go.py"))
        assert os.path.isfile(os.path.join(box.root, ".git/HEAD"))


def test_a_link_of_the_code_is_no_way_out_of_the_box(made: World) -> None:
    with made.box() as box, Originals(made.place, made.records) as originals:
        for action in (
            lambda: box.clear([{"path": "way/fourfold-was-here/x"}]),
            lambda: box.bring([{**row(made, "data"), "path": "way/fourfold-was-here"}], originals),
            lambda: box.take(str(made.repo.path / "go.py"), os.path.join(box.root, "way/fourfold-was-here")),
        ):
            with pytest.raises(RecordPathError):
                action()
        box.clear([{"path": "way"}])
        assert not os.path.lexists(os.path.join(box.root, "way"))
    assert os.path.isdir("/tmp")
    assert not os.path.lexists("/tmp/fourfold-was-here")


@pytest.mark.parametrize("folder", ["..", "../..", "/tmp", ".git", "a/../..", "a\0b"])
def test_an_odd_folder_of_the_project_is_refused_and_leaves_nothing(made: World, folder: str) -> None:
    with pytest.raises(RecordPathError):
        made.box(folder=observed(folder))
    assert made.left() == []


@pytest.mark.parametrize("cwd", ["..", "../../..", "/tmp", ".git", "way/x"])
def test_an_odd_working_directory_is_refused(made: World, cwd: str) -> None:
    record = made.record._replace(code={**made.record.code, "cwd": observed(cwd)})
    with made.box() as box, pytest.raises(RecordPathError):
        box.cwd(record)


def test_a_working_directory_that_git_does_not_keep_is_made(made: World) -> None:
    record = made.record._replace(code={**made.record.code, "cwd": observed("deep/er")})
    with made.box() as box:
        assert os.path.isdir(box.cwd(record))


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"tree": absent("no Git repository")}, CodeUnknownError),
        ({"tree": observed("0" * 40)}, CodeTreeDiffersError),
        ({"tree": observed(7)}, FourfoldError),
        ({"commit": observed("--upload-pack=x")}, BadCodePartError),
        ({"commit": observed("0" * 40)}, CommitGoneError),
        ({"objects": observed({"part": "0" * 64, "size": 1})}, RunNotFoundError),
        ({"outputs": observed({"part": "0" * 64, "size": 1})}, FourfoldError),
    ],
)
def test_code_that_cannot_be_had_is_a_typed_error_and_leaves_nothing(
    made: World, facts: dict[str, Any], error: type[Exception], tmp_path: Path
) -> None:
    with pytest.raises(error):
        made.box(**facts)
    assert made.left() == []
    there = tmp_path / "there"
    there.mkdir()
    with pytest.raises(error):
        made.box(there, **facts)
    assert list(there.iterdir()) == []
    with pytest.raises(error):
        made.box(tmp_path / "new", **facts)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_has_something_is_refused_and_kept(made: World, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    for folder in (tmp_path, tmp_path / "mine"):
        with pytest.raises(FolderNotEmptyError):
            made.box(folder)
    assert (tmp_path / "mine").read_text() == "x"
    assert made.left() == []


def test_rows_without_a_content_are_told(made: World) -> None:
    with made.box() as box, Originals(made.place, made.records) as originals:
        rows: list[dict[str, Any]] = [
            {"path": "a.txt", "role": "dep"},
            {"path": "b.txt", "role": "dep", "md5": "../../x"},
            {"path": "c.txt", "role": "dep", "md5": 7, "blake3": ["x"]},
            {"path": "go.py", "role": "dep"},
        ]
        assert [one.path for one in box.bring(rows, originals)] == ["a.txt", "b.txt", "c.txt"]


def test_what_lies_outside_of_the_repository_is_held_against_the_record(made: World, tmp_path: Path) -> None:
    file = tmp_path / "raw.txt"
    file.write_text("a")
    with made.box() as box, Originals(made.place, made.records) as originals:
        good = {"path": str(file), "role": "dep", "md5": "0cc175b9c0f1b6a831c399e269772661"}
        assert box.bring([good], originals) == []
        (bad,) = box.bring([{**good, "md5": "1" * 32}], originals)
        assert bad.why == "outside of the repository: it is another one now"
        (gone,) = box.bring([{**good, "path": str(tmp_path / "gone")}], originals)
        assert gone.why == "outside of the repository: it is not there any more"
        os.mkfifo(tmp_path / "pipe")
        assert len(box.bring([{**good, "path": str(tmp_path / "pipe")}], originals)) == 1


def test_a_copy_of_what_a_run_made_has_its_links_and_not_what_they_lead_to(
    made: World, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "everything").symlink_to("/")
    with made.box() as box:
        box.take(str(tmp_path / "out"), f"{box.root}/taken")
        assert os.readlink(f"{box.root}/taken/everything") == "/"
        with pytest.raises(RecordPathError):
            box.take(str(tmp_path / "out"), box.root)


def test_an_output_that_holds_an_input_is_not_cleared(made: World) -> None:
    with made.box() as box:
        for name in ("both/in.txt", "old/out.txt"):
            Path(box.root, name).parent.mkdir()
            Path(box.root, name).write_text("x")
        box.clear([{"path": "both"}, {"path": "old/out.txt"}], ["both/in.txt"])
        assert sorted(os.listdir(f"{box.root}/both")) == ["in.txt"]
        assert os.listdir(f"{box.root}/old") == []
