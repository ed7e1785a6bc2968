"""Archives: what goes in comes out, at another place and from nothing else; whatever is harmed is named."""

import random
import shutil
import zipfile
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.evidence.export.archive import ArchiveDataMissingError, pack
from fourfold.evidence.export.unarchive import ArchiveCorruptError, BadArchiveError, check, is_archive, unpack
from fourfold.evidence.lineage import Makers
from fourfold.runs.coderestore import restore
from fourfold.runs.place import Place
from fourfold.runs.store import Records, records_of
from fourfold.scm.unpack import FolderNotEmptyError
from fourfold.wiring import find_place
from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool

PIPELINE = """\
stages:
  load:
    cmd: cat raw/*.txt | tr a-z A-Z > table.txt
    deps: [raw]
    outs: [table.txt]
  count:
    cmd: sh count.sh
    deps: [table.txt, count.sh]
    metrics: [count.json: {cache: false}]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Two stages that ran; the script of the second is otherwise than in the commit."""
    folder = tmp_path_factory.mktemp("archive")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(
        {
            "raw": {"a.txt": "one\n", "b.txt": "two\n"},
            "count.sh": "exit 1\n",
            "dvc.yaml": PIPELINE,
        }
    )
    repo.run("add", "-q", "raw")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "one")
    repo.gen({"count.sh": 'echo "{\\"lines\\": $(wc -l < table.txt)}" > count.json\n'})
    repo.run("repro", "-q")
    return repo


def opened(project: Sandbox) -> tuple[Place, Records]:
    place = find_place(str(project.path), environ=project.tool.env)
    return place, records_of(place)


def archive_of(project: Sandbox, file: Path) -> Path:
    place, records = opened(project)
    packed = pack(place, records, records.resolve("count"), str(file))
    assert packed.left_out == ()
    assert packed.objects >= 4  # the folder, its files, the table
    return file


def test_everything_comes_out_at_another_place(project: Sandbox, tmp_path: Path) -> None:
    file = archive_of(project, tmp_path / "run.zip")
    assert is_archive(str(file))
    assert [*check(str(file))] == []
    found = unpack(str(file), str(tmp_path / "there"), project.tool.env)
    place = find_place(found.project_root, environ=project.tool.env)
    records = records_of(place)
    lineage = Makers(records).lineage(found.run)
    assert [step.record.stage for step in lineage.steps] == ["load", "count"]
    assert place.git is not None
    restored = restore(
        place.git, place.environ, lineage.last.record.code, records.part, str(tmp_path / "box")
    )
    assert restored.left_out == ()
    assert (tmp_path / "box" / "count.sh").read_text().startswith("echo")
    assert place.project is not None
    for row in lineage.raw_inputs().values():
        if row["path"] == "raw":
            assert [path for path, _ in place.project.store.read_tree(row["md5"]).items()] == [
                "a.txt",
                "b.txt",
            ]


def test_the_same_run_gives_the_same_bytes(project: Sandbox, tmp_path: Path) -> None:
    first, second = (archive_of(project, tmp_path / name) for name in ("a.zip", "b.zip"))
    assert first.read_bytes() == second.read_bytes()


def test_a_flipped_byte_anywhere_is_named(project: Sandbox, tmp_path: Path) -> None:
    whole = archive_of(project, tmp_path / "run.zip").read_bytes()
    draw = random.Random(7)
    harmed = tmp_path / "harmed.zip"
    unseen = []
    for at in sorted(draw.sample(range(len(whole)), 60)):
        data = bytearray(whole)
        data[at] ^= 1 << draw.randrange(8)
        harmed.write_bytes(data)
        try:
            wrong = [*check(str(harmed))]
        except FourfoldError as error:
            wrong = [error.message]
        if not wrong:
            # What ZIP says beside the bytes (versions, attributes, times) is no content of ours.
            with zipfile.ZipFile(harmed) as one, zipfile.ZipFile(tmp_path / "run.zip") as other:
                assert [one.read(name) for name in one.namelist()] == [
                    other.read(name) for name in other.namelist()
                ]
            unseen.append(at)
    assert len(unseen) < 30


def test_each_member_that_was_changed_is_named(project: Sandbox, tmp_path: Path) -> None:
    file = archive_of(project, tmp_path / "run.zip")
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name in members:
        harmed = tmp_path / "harmed.zip"
        with zipfile.ZipFile(harmed, "w") as archive:
            for other, data in members.items():
                archive.writestr(other, data[:-2] + b"xx" if other == name else data)
        if name == "fourfold-archive.json":
            with pytest.raises(ArchiveCorruptError, match=name):
                [*check(str(harmed))]
        else:
            assert any(name in phrase for phrase in check(str(harmed))), name
        shutil.rmtree(tmp_path / "there", ignore_errors=True)
        if name != "README.md":
            with pytest.raises(ArchiveCorruptError, match=name):
                unpack(str(harmed), str(tmp_path / "there"), project.tool.env)


@pytest.mark.parametrize("name", ["../evil", "/evil", "runs/records/../../../evil", "data/../../evil"])
def test_no_name_leads_out_of_the_folder(project: Sandbox, tmp_path: Path, name: str) -> None:
    file = archive_of(project, tmp_path / "run.zip")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, b"evil")
    with pytest.raises(ArchiveCorruptError):
        unpack(str(file), str(tmp_path / "there"), project.tool.env)
    assert not [*tmp_path.rglob("evil")]


def test_what_is_no_archive_is_refused_in_words(project: Sandbox, tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "text")
    cut = tmp_path / "cut.zip"
    cut.write_bytes(archive_of(project, tmp_path / "run.zip").read_bytes()[:-100])
    for file in (other, cut):
        with pytest.raises(BadArchiveError):
            [*check(str(file))]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(FolderNotEmptyError):
        unpack(str(tmp_path / "run.zip"), str(tmp_path / "full"), project.tool.env)


def test_data_that_is_nowhere_is_named_before_anything_is_written(project: Sandbox, tmp_path: Path) -> None:
    shutil.copytree(project.path, tmp_path / "repo", symlinks=True)
    copy = Sandbox(tmp_path / "repo", project.tool)
    place, records = opened(copy)
    for path in sorted((tmp_path / "repo" / ".dvc" / "cache" / "files" / "md5").rglob("*")):
        if path.is_file() and not path.name.endswith(".dir"):
            path.unlink()
    with pytest.raises(ArchiveDataMissingError, match="raw"):
        pack(place, records, records.resolve("count"), str(tmp_path / "run.zip"))
    assert not (tmp_path / "run.zip").exists()
    packed = pack(place, records, records.resolve("count"), str(tmp_path / "run.zip"), data=False)
    assert packed.left_out == ("data: left out on request",)
