"""`.dvcignore` files of a tree: what they exclude, told as the real DVC tells it."""

import json
import os
import random
from pathlib import Path

import pytest

from fourfold.base.fs.walk import scan_directory
from fourfold.formats.dvc.ignore import BadIgnoreFileError
from fourfold.project.ignore import Ignore, IgnoreFileInDataError
from tests.fixtures.sandbox import Tool, Tree, gen


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "repo" / ".dvc").mkdir(parents=True)
    return tmp_path / "repo"


def make(root: Path, tree: Tree) -> Ignore:
    gen(root, tree)
    return Ignore(str(root))


def test_without_patterns_only_the_folders_of_tools_are_ignored(root: Path) -> None:
    ignore = make(root, {"a": {"b": "", ".git": ""}, ".dvcignore": "# only words\n"})
    assert [
        path
        for path in ("a", "a/b", ".git/x", "a/.git", ".dvc/config", ".hg/x", "a.git", "x.dvc", ".dvcignore")
        if ignore.is_ignored(path, is_dir=False)
    ] == [".git/x", "a/.git", ".dvc/config", ".hg/x"]
    assert ignore.is_ignored(".hg", is_dir=True)
    assert not ignore.is_ignored(".hg", is_dir=False)


def test_paths_are_absolute_or_relative_and_what_is_outside_is_not_ignored(root: Path) -> None:
    ignore = make(root, {".dvcignore": "*\n"})
    assert ignore.is_ignored(str(root / "x"), is_dir=False)
    assert ignore.is_ignored("x", is_dir=False)
    assert not ignore.is_ignored(str(root), is_dir=True)
    assert not ignore.is_ignored(str(root) + "2/x", is_dir=False)
    assert not ignore.is_ignored("../x", is_dir=False)
    assert not ignore.is_ignored("/", is_dir=True)


def test_a_file_of_a_folder_speaks_for_what_is_below_it(root: Path) -> None:
    ignore = make(root, {"a": {".dvcignore": "*.log\n!keep.log\n/top\n", "b": {".dvcignore": "!x.log\n"}}})
    ignored = ["a/x.log", "a/b/y.log", "a/top"]
    kept = ["x.log", "a/keep.log", "a/b/x.log", "a/b/top"]
    assert [path for path in ignored + kept if ignore.is_ignored(path, is_dir=False)] == ignored


def test_a_project_inside_is_ignored_as_a_whole(root: Path) -> None:
    ignore = make(root, {"sub": {".dvc": {"config": ""}, "x": ""}, "other": {"x": ""}})
    assert ignore.is_ignored("sub", is_dir=True)
    assert ignore.is_ignored("sub/x", is_dir=False)
    assert not ignore.is_ignored("other/x", is_dir=False)


def test_rules_of_a_revision_come_from_the_given_files(root: Path) -> None:
    gen(root, {".dvcignore": "disk\n"})
    ignore = Ignore(str(root), {".dvcignore": b"git\n", "a/.dvcignore": b"x\n"})
    asked = ["disk", "git", "a/x", "b/x"]
    assert [path for path in asked if ignore.is_ignored(path, is_dir=False)] == ["git", "a/x"]


def test_a_rule_that_is_no_text_is_a_typed_error_that_names_its_file(root: Path) -> None:
    ignore = make(root, {"a": {".dvcignore": b"\xff\n"}})
    with pytest.raises(BadIgnoreFileError, match=r"a/\.dvcignore, line 1"):
        ignore.is_ignored("a/b/c", is_dir=False)


# --- scans of data ----------------------------------------------------------------------------------------


def scan(root: Path, name: str) -> list[str]:
    skip_file, skip_directory = Ignore(str(root)).pruning(str(root / name))
    found = scan_directory(str(root / name), skip_file=skip_file, skip_directory=skip_directory)
    return sorted(found.names)


def test_a_scan_of_data_passes_over_what_is_ignored(root: Path) -> None:
    data = {"x.txt": "", "y.log": "", "tmp": {"z": ""}, ".git": {"z": ""}, "sub": {".dvc": {}, "z": ""}}
    gen(root, {"data": data, "more": {"deep": data}})
    assert scan(root, "data") == ["tmp/z", "x.txt", "y.log"]
    gen(root, {".dvcignore": "*.log\n", "more": {".dvcignore": "tmp/\n"}})
    assert scan(root, "data") == ["tmp/z", "x.txt"]
    assert scan(root, "more/deep") == ["x.txt"]


def test_an_ignore_file_inside_data_is_refused_as_by_dvc(root: Path) -> None:
    gen(root, {"data": {"deep": {".dvcignore": "x\n"}}})
    with pytest.raises(IgnoreFileInDataError, match=r"should not be in collected dir path: '.*/data/deep'"):
        scan(root, "data")
    gen(root, {".dvcignore": ".dvcignore\n"})
    assert scan(root, "data") == []


def test_data_in_an_ignored_folder_has_no_files(root: Path) -> None:
    gen(root, {"data": {"x": ""}, ".dvcignore": "data\n"})
    assert scan(root, "data") == []


# --- against the real DVC ---------------------------------------------------------------------------------

#: Asks DVC's own filter about every path of many trees; "error" where it fails on a pattern.
DRIVER = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
from dvc.fs import localfs
from dvc.ignore import DvcIgnoreFilter
said = []
for root, paths in json.load(sys.stdin):
    answers = []
    try:
        asked = DvcIgnoreFilter(localfs, root)
        for path in paths:
            full = root + "/" + path
            checked = asked.check_ignore(full)
            ignored = asked.is_ignored_dir(full) if os.path.isdir(full) else asked.is_ignored_file(full)
            answers.append([ignored, checked.match, [str(rule) for rule in checked.pattern_infos][-1:]])
    except Exception:
        answers = "error"
    said.append(answers)
print(json.dumps(said))
"""
NAMES = ["a", "b", "ab", "foo", "bar.txt", "x[1]", "a b", "!z", "#c", ".git", ".hg", "q.dvc", "\\s", "é"]
PATTERNS = [
    "*", "**", "?", "a", "b", "ab", "foo", "bar.txt", "*.txt", "[ab]", "[!a]", "[a-c]b", "x[1]", "x\\[1\\]",
    "#", "\\#c", "\\!z", "**/", "/**", "*/", "a/", "a/b", "a/**", "**/b", "a b", ".", "é", "*b*", "a*b", "?b",
]  # fmt: skip


def pattern(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.5:
        text = rng.choice(PATTERNS)
    elif kind < 0.8:
        text = "/".join(rng.choice(PATTERNS) for _ in range(rng.randint(2, 3)))
    else:
        text = rng.choice(PATTERNS) + rng.choice(PATTERNS)
    return (
        ("!" if rng.random() < 0.3 else "")
        + ("/" if rng.random() < 0.2 else "")
        + text
        + rng.choice(["", "", "/"])
    )


def random_tree(rng: random.Random, root: Path) -> list[str]:
    """A tree with ignore files, and perhaps a project inside; its paths."""
    folders = [""]
    for _ in range(rng.randint(2, 6)):
        path = os.path.join(rng.choice(folders), rng.choice(NAMES))
        (root / path).mkdir(parents=True, exist_ok=True)
        folders.append(path)
    for folder in folders:
        for name in rng.sample(NAMES, 3):
            if not (root / folder / name).exists():
                (root / folder / name).touch()
    for folder in rng.sample(folders, min(len(folders), 2)):
        lines = [pattern(rng) for _ in range(rng.randint(1, 5))]
        (root / folder / ".dvcignore").write_text("\n".join(lines) + "\n")
    plain = [folder for folder in folders[1:] if not set(folder) & set("[]!#\\")]
    if plain and rng.random() < 0.2:  # with other names DVC misses that there is a project
        (root / rng.choice(plain) / ".dvc").mkdir(exist_ok=True)
    found = []
    for folder, names, files in os.walk(root):
        found += [os.path.relpath(os.path.join(folder, name), root) for name in [*names, *files]]
    return found


def test_random_trees_are_ignored_as_by_dvc_and_for_the_same_reason(
    tmp_path: Path, real_dvc: str, ff: Tool
) -> None:
    rng = random.Random(20240101)
    roots = [tmp_path / f"tree{number}" for number in range(150)]
    trees = [(str(root), random_tree(rng, root)) for root in roots]
    python = Tool([str(Path(real_dvc).with_name("python"))], ff.home)
    said = json.loads(python("-c", DRIVER, cwd=tmp_path, stdin=json.dumps(trees)).stdout.splitlines()[-1])
    compared = 0
    for (root, paths), expected in zip(trees, said, strict=True):
        ignore = Ignore(root)
        found = []
        for path in paths:
            is_dir = os.path.isdir(os.path.join(root, path))
            verdict = ignore.check(path, is_dir)
            rules = [] if verdict.rule is None else [str(verdict.rule)]
            found.append([ignore.is_ignored(path, is_dir), verdict.ignored, rules])
        if expected != "error":
            assert dict(zip(paths, found, strict=True)) == dict(zip(paths, expected, strict=True)), root
            compared += 1
    assert compared > 75
