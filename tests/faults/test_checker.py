"""The checker finds damage that is made by hand: a checker that finds nothing proves nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compat.scenario import md5, object_path
from tests.compat.snapshot import take
from tests.faults import checker
from tests.fixtures.sandbox import gen

TREE_FILES = {"a": "tree one\n", "sub/b": "tree two\n"}
ROWS = [f'{{"md5": "{md5(text)}", "relpath": "{path}"}}' for path, text in TREE_FILES.items()]
MANIFEST = "[" + ", ".join(ROWS) + "]"
TREE = md5(MANIFEST) + ".dir"
CACHE, REMOTE = "ws/.dvc/cache/files/md5", "remote/files/md5"
F_OBJECT = object_path(md5("content\n"), CACHE)


def _box(path: Path) -> Path:
    """A repository with a file and a directory, saved and pushed."""
    made = {
        "ws/f": "content\n",
        "ws/f.dvc": f"outs:\n- md5: {md5('content' + chr(10))}\n  size: 8\n  hash: md5\n  path: f\n",
        "ws/d": TREE_FILES,
        "ws/d.dvc": f"outs:\n- md5: {TREE}\n  size: 18\n  nfiles: 2\n  hash: md5\n  path: d\n",
        "ws/.gitignore": "/f\n/d\n",
    }
    for root in (CACHE, REMOTE):
        contents = {md5("content\n"): "content\n", TREE: MANIFEST, **{md5(t): t for t in TREE_FILES.values()}}
        made |= {object_path(name, root): content for name, content in contents.items()}
    gen(path, made)
    return path


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return _box(tmp_path / "sound")


@pytest.fixture
def harmed(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "harmed")
    return tmp_path / "harmed"


def _kinds(harmed: Path, sound: Path) -> set[str]:
    stored = checker.stored(sound)
    found = [
        *checker.torn_objects(harmed),
        *checker.lost_objects(harmed, stored, stored),
        *checker.unreachable_objects(harmed, set().union(*stored.values())),
        *checker.workspace(take(harmed), take(sound), take(sound)),
    ]
    return {finding.kind for finding in found}


def test_a_sound_folder_has_no_findings(sound: Path, harmed: Path) -> None:
    assert _kinds(harmed, sound) == set()
    assert checker.is_clean(harmed)


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda box: (box / F_OBJECT).write_bytes(b"contenT\n"), "torn"),
        (lambda box: (box / F_OBJECT).write_bytes(b""), "torn"),
        (lambda box: (box / F_OBJECT).unlink(), "lost"),
        (lambda box: (box / object_path(md5("tree one\n"), REMOTE)).unlink(), "lost"),
        (lambda box: (box / "ws/f").unlink(), "missing"),
        (lambda box: (box / "ws/f").write_bytes(b"cont"), "torn"),
        (lambda box: (box / "ws/f.dvc").write_bytes(b""), "torn"),
        (lambda box: (box / "ws/.gitignore").write_bytes(b"/f\n/"), "torn"),
    ],
)
def test_each_kind_of_damage_is_found(
    sound: Path, harmed: Path, damage: Callable[[Path], object], kind: str
) -> None:
    damage(harmed)
    assert kind in _kinds(harmed, sound)


def test_a_pointer_that_names_what_no_store_has_is_found(sound: Path, harmed: Path) -> None:
    for root in (CACHE, REMOTE):
        (harmed / object_path(TREE, root)).unlink()
    found = checker.unreachable_objects(harmed, set().union(*checker.stored(sound).values()))
    assert [f.kind for f in found] == ["lost"]


@pytest.mark.parametrize("path", ["ws/f", "ws/d/a"])
def test_a_changed_workspace_is_not_clean(harmed: Path, path: str) -> None:
    (harmed / path).write_text("edited\n")
    assert not checker.is_clean(harmed)


def test_a_deleted_output_and_an_emptied_pointer_are_not_clean(harmed: Path) -> None:
    (harmed / "ws/d.dvc").write_text("")
    assert not checker.is_clean(harmed)


def test_only_temporary_files_that_stay_are_litter(sound: Path, harmed: Path) -> None:
    gen(harmed, {"ws/.f.abc.tmp": "", "ws/other": "", "ws/.dvc/fourfold/x.part": ""})
    assert {f.what for f in checker.litter(harmed, sound)} == {"ws/.f.abc.tmp", "ws/.dvc/fourfold/x.part"}


def test_an_ignore_file_may_grow_line_by_line(sound: Path, harmed: Path) -> None:
    (sound / "ws/.gitignore").write_text("/f\n")
    before = take(sound)
    (sound / "ws/.gitignore").write_text("/f\n/d\n/e\n")
    after = take(sound)
    (harmed / "ws/.gitignore").write_text("/f\n/d\n")
    assert checker.workspace(take(harmed), before, after) == []
    (harmed / "ws/.gitignore").write_text("/d\n")
    assert [f.kind for f in checker.workspace(take(harmed), before, after)] == ["torn"]


def _lock(**made: str) -> str:
    entry = (
        "  {0}:\n    cmd: make {0}\n"
        "    deps:\n    - path: f\n      hash: md5\n      md5: {2}\n      size: 8\n"
        "    outs:\n    - path: {0}\n      hash: md5\n      md5: {1}\n      size: 1\n"
    )
    stages = [entry.format(name, md5(text), md5("content\n")) for name, text in made.items()]
    return "schema: '2.0'\nstages:\n" + "".join(stages)


PIPELINE = "stages:\n  one:\n    cmd: make one\n  two:\n    cmd: make two\n"


def test_a_pipeline_is_clean_when_all_of_it_is_as_its_lock_says(harmed: Path) -> None:
    gen(harmed, {"ws/dvc.yaml": PIPELINE, "ws/one": "1", "ws/two": "2"})
    assert not checker.is_clean(harmed)
    gen(harmed, {"ws/dvc.lock": _lock(one="1")})
    assert not checker.is_clean(harmed)
    gen(harmed, {"ws/dvc.lock": _lock(one="1", two="2")})
    assert checker.is_clean(harmed)
    gen(harmed, {"ws/two": "changed"})
    assert not checker.is_clean(harmed)


def test_an_output_of_a_lock_that_no_store_has_is_lost(harmed: Path) -> None:
    gen(harmed, {"ws/dvc.lock": _lock(one="1", two="content\n")})
    found = checker.unreachable_objects(harmed, {md5("1"), md5("content\n")})
    assert [f.what for f in found] == [f"dvc.lock names {md5('1')}"]


def test_a_lock_may_change_stage_by_stage(sound: Path, harmed: Path) -> None:
    gen(sound, {"ws/dvc.lock": _lock(one="1", two="2")})
    before = take(sound)
    gen(sound, {"ws/dvc.lock": _lock(one="3", two="4")})
    after = take(sound)
    for text, kinds in (
        (_lock(one="3", two="2"), []),
        (_lock(one="3"), []),
        (_lock(one="5", two="2"), ["torn"]),
        (_lock(one="3", two="2")[:-5], ["torn"]),
    ):
        gen(harmed, {"ws/dvc.lock": text})
        assert [f.kind for f in checker.workspace(take(harmed), before, after)] == kinds


def test_what_a_stage_makes_again_may_be_missing_meanwhile(sound: Path, harmed: Path) -> None:
    gen(harmed, {"ws/d": None})
    both = take(sound), take(sound)
    assert checker.workspace(take(harmed), *both, ("d",)) == []
    assert {f.kind for f in checker.workspace(take(harmed), *both)} == {"missing"}
