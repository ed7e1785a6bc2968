"""Archives: what goes in comes out, at another place and from nothing else; whatever is harmed is named."""

import json
import os
import random
import shutil
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.evidence.export.archive import (
    MANIFEST,
    ArchiveDataDamagedError,
    ArchiveDataMissingError,
    ExportFileExistsError,
    pack,
)
from fourfold.evidence.export.dossier import gather
from fourfold.evidence.export.unarchive import (
    ArchiveCorruptError,
    ArchiveTooLargeForDiskError,
    BadArchiveError,
    check,
    is_archive,
    unpack,
)
from fourfold.evidence.lineage import Makers
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.fact import observed
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


# --- what others made, or changed -------------------------------------------------------------------------


def members_of(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(file: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """The same archive with other members, and a list that says so."""
    about = json.loads(members[MANIFEST])
    about["files"] = {
        name: {"blake3": digest(data), "size": len(data)}
        for name, data in members.items()
        if name != MANIFEST
    }
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(MANIFEST, canonical(about))
        for name in sorted(about["files"]):
            archive.writestr(name, members[name])
    return file


def refused(file: Path, folder: Path, environ: dict[str, str]) -> str:
    """What is said of an archive, by who looks at it and by who unpacks it."""
    try:
        said = [*check(str(file))]
    except ArchiveCorruptError as error:
        said = [error.message]
    with pytest.raises(ArchiveCorruptError) as caught:
        unpack(str(file), str(folder), environ)
    assert said == [caught.value.message]
    return caught.value.message


def test_a_record_from_elsewhere_brings_no_file_of_this_machine_into_an_archive(
    project: Sandbox, tmp_path: Path
) -> None:
    secret = tmp_path / "id_ed25519"
    secret.write_bytes(b"PRIVATE")
    shutil.copytree(project.path, tmp_path / "repo", symlinks=True)
    place, records = opened(Sandbox(tmp_path / "repo", project.tool))
    record = records.get(records.resolve("count"))
    assert place.project is not None
    store = place.project.store
    leading_out = os.path.relpath(secret, store.base())
    assert os.path.samefile(store.path(leading_out), secret)  # were it followed
    rows = [
        {"path": "model", "role": "out", "md5": leading_out, "blake3": digest(b"PRIVATE"), "size": 7},
        {"path": "../../x", "role": "dep", "md5": "../../../../etc/passwd"},
    ]
    data = {**record.data, "outputs": observed(rows), "inputs": observed(rows)}
    run = records.append(lambda previous: record._replace(data=data, previous=previous))
    pack(place, records, run, str(tmp_path / "run.zip"))
    assert all(b"PRIVATE" not in each for each in members_of(tmp_path / "run.zip").values())
    dossier = gather(place, records, run)
    assert [(item.md5, item.sha256) for item in dossier.act.outputs] == [("", ""), ("", "")]


def test_a_damaged_object_is_named_and_no_archive_is_left(project: Sandbox, tmp_path: Path) -> None:
    shutil.copytree(project.path, tmp_path / "repo", symlinks=True)
    place, records = opened(Sandbox(tmp_path / "repo", project.tool))
    cache = tmp_path / "repo" / ".dvc" / "cache" / "files" / "md5"
    harmed = next(path for path in sorted(cache.rglob("*")) if path.is_file() and path.suffix != ".dir")
    harmed.chmod(0o644)
    harmed.write_bytes(b"forged")
    (tmp_path / "out").mkdir()
    with pytest.raises(ArchiveDataDamagedError, match=harmed.parent.name + harmed.name):
        pack(place, records, records.resolve("count"), str(tmp_path / "out" / "run.zip"))
    assert [*(tmp_path / "out").iterdir()] == []


def test_no_file_beside_an_archive_is_touched_and_none_is_replaced_unasked(
    project: Sandbox, tmp_path: Path
) -> None:
    place, records = opened(project)
    file, mine = tmp_path / "run.zip", tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / "run.zip.part").symlink_to(mine)
    file.symlink_to(mine)
    with pytest.raises(ExportFileExistsError):
        pack(place, records, records.resolve("count"), str(file))
    pack(place, records, records.resolve("count"), str(file), replace=True)
    assert (mine.read_text(), file.is_symlink(), is_archive(str(file))) == ("mine", False, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "run.zip", "run.zip.part"]


def test_a_page_that_shows_other_commands_than_those_that_run_is_named(
    project: Sandbox, tmp_path: Path
) -> None:
    members = members_of(archive_of(project, tmp_path / "run.zip"))
    assert b"\n    sh count.sh\n" in members["README.md"]
    members["README.md"] = members["README.md"].replace(b"    sh count.sh", b"    echo harmless")
    file = rewritten(tmp_path / "lying.zip", members)
    assert "does not show the commands" in refused(file, tmp_path / "there", project.tool.env)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_compression_that_takes_memory_as_the_file_says_is_refused(
    project: Sandbox, tmp_path: Path, method: int
) -> None:
    members = members_of(archive_of(project, tmp_path / "run.zip"))
    file = rewritten(tmp_path / "packed.zip", members, method)
    assert "is compressed by method" in refused(file, tmp_path / "there", project.tool.env)


def test_an_archive_that_others_compressed_otherwise_is_read(project: Sandbox, tmp_path: Path) -> None:
    members = members_of(archive_of(project, tmp_path / "run.zip"))
    file = rewritten(tmp_path / "stored.zip", members, zipfile.ZIP_STORED)
    assert [*check(str(file))] == []
    unpack(str(file), str(tmp_path / "there"), project.tool.env)


def test_members_that_share_bytes_are_refused(project: Sandbox, tmp_path: Path) -> None:
    members = members_of(archive_of(project, tmp_path / "run.zip"))
    file = rewritten(tmp_path / "bomb.zip", {**members, f"data/{'0' * 32}": bytes(10 << 20)})
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo(f"data/{'0' * 32}")
    for size in (info.file_size, info.compress_size):
        at = data.rindex(struct.pack("<L", size))
        for claimed in (0xFFFFFFF0, size * 1000):
            changed = bytearray(data)
            changed[at : at + 4] = struct.pack("<L", claimed & 0xFFFFFFFF)
            file.write_bytes(changed)
            assert "more than its bytes can hold" in refused(file, tmp_path / "there", project.tool.env)


@pytest.mark.parametrize("folder", ["..", "/etc", "a/../..", ".git/hooks", "a\0b", "\ud800", 7, None, ["a"]])
def test_a_folder_that_a_project_cannot_lie_in_is_refused(
    project: Sandbox, tmp_path: Path, folder: object
) -> None:
    members = members_of(archive_of(project, tmp_path / "run.zip"))
    members[MANIFEST] = canonical({**json.loads(members[MANIFEST]), "folder": folder})
    file = rewritten(tmp_path / "elsewhere.zip", members)
    with pytest.raises(ArchiveCorruptError, match="says what cannot be"):
        unpack(str(file), str(tmp_path / "there"), project.tool.env)


def test_a_list_that_two_readers_could_read_differently_is_refused(project: Sandbox, tmp_path: Path) -> None:
    members = members_of(archive_of(project, tmp_path / "run.zip"))
    run = json.loads(members[MANIFEST])["run"]
    members[MANIFEST] = members[MANIFEST].replace(b'"run":', b'"run":"%s","run":' % (b"0" * 64), 1)
    assert json.loads(members[MANIFEST])["run"] == run
    with zipfile.ZipFile(tmp_path / "twice.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert "not written as such lists are" in refused(
        tmp_path / "twice.zip", tmp_path / "there", project.tool.env
    )


def test_a_list_larger_than_its_members_is_not_read_whole(project: Sandbox, tmp_path: Path) -> None:
    members = members_of(archive_of(project, tmp_path / "run.zip"))
    about = json.loads(members[MANIFEST])
    about["left_out"] = ["x" * 1000] * 10_000
    members[MANIFEST] = canonical(about)
    file = rewritten(tmp_path / "long.zip", members)
    assert "larger than a list" in refused(file, tmp_path / "there", project.tool.env)


def test_an_archive_for_which_there_is_no_room_is_refused_before_anything_is_written(
    project: Sandbox, tmp_path: Path
) -> None:
    members = members_of(archive_of(project, tmp_path / "run.zip"))
    about = json.loads(members[MANIFEST])
    about["files"][next(name for name in about["files"] if name.startswith("data/"))]["size"] = 1 << 60
    with zipfile.ZipFile(tmp_path / "wide.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**members, MANIFEST: canonical(about)}.items():
            archive.writestr(name, data)
    with pytest.raises(ArchiveTooLargeForDiskError, match="there is room for"):
        unpack(str(tmp_path / "wide.zip"), str(tmp_path / "there"), project.tool.env)
    assert [*(tmp_path / "there").iterdir()] == []


def test_no_byte_of_the_list_of_members_that_is_changed_is_a_bug(project: Sandbox, tmp_path: Path) -> None:
    whole = archive_of(project, tmp_path / "run.zip").read_bytes()
    harmed = tmp_path / "harmed.zip"
    start = whole.index(b"PK\x01\x02")
    for at in range(start, len(whole)):
        data = bytearray(whole)
        data[at] ^= 0xFF
        harmed.write_bytes(data)
        with suppress(FourfoldError):
            [*check(str(harmed))]
