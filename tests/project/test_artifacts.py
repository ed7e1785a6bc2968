"""Artifacts: found by their tags, read at their commit, and brought."""

import random
from pathlib import Path

import pytest

from fourfold.base.clock import SystemClock
from fourfold.base.errors import FourfoldError, UnsafeError
from fourfold.base.ids import CommitId
from fourfold.project.add import add
from fourfold.project.artifacts import (
    ArtifactNotFoundError,
    BadArtifactNameError,
    artifact_url,
    find_artifact,
    get_artifact,
    is_name,
    registry,
    split_name,
)
from fourfold.project.elsewhere import Surroundings, open_source
from fourfold.project.import_ import SettingsConflictError
from fourfold.scm.git import Tag
from tests.project.workplace import Workplace

ARTIFACTS = "artifacts:\n  model: {path: model, type: model, labels: [a]}\n  out: {path: ../../x}\n"


@pytest.fixture
def models(work: Workplace) -> Workplace:
    """Two commits with a model; ``v1.0.0`` stands at ``prod``."""
    work.gen({"model": "1\n", "dvc.yaml": ARTIFACTS[: ARTIFACTS.index("  out")]})
    add(work.open(), ["model"])
    commit(work, "one", "model@v1.0.0", "model#prod#1")
    work.gen({"model": "2\n"})
    add(work.open(), ["model"])
    commit(work, "two", "model@v1.10.0", "model@v1.9.0", "model@v2.0.0-rc.1")
    return work


def commit(work: Workplace, message: str, *tags: str) -> None:
    """Commit everything, and tag it."""
    work.git("add", "--all")
    work.git("commit", "--quiet", "--allow-empty", "--message", message)
    for name in tags:
        work.git("tag", "--annotate", "--message", name, name)


def around(work: Workplace, base: Path) -> Surroundings:
    """Whoever asks stands elsewhere."""
    return Surroundings(work.environ, str(base), SystemClock())


def found(work: Workplace, base: Path, name: str, **wanted: str) -> str:
    """The message of the commit that is meant."""
    source = open_source(str(work.root), around(work, base))
    rev = find_artifact(source, name, **wanted).rev
    return work.git("log", "--format=%s", "-1", rev).strip()


def tag(name: str, time: int, number: int = 0) -> Tag:
    """An annotated tag."""
    return Tag(name, CommitId(f"{number or time:040x}"), time)


def test_the_newest_version_a_named_one_or_a_stage_is_brought(models: Workplace, tmp_path: Path) -> None:
    assert found(models, tmp_path, "model") == "two"
    assert found(models, tmp_path, "model", version="v1.0.0") == "one"
    assert found(models, tmp_path, "model", stage="prod") == "one"
    got = get_artifact(
        str(models.root), "model", around(models, tmp_path), stage="prod", out=str(tmp_path / "m")
    )
    assert got.size == 2
    assert (tmp_path / "m").read_text() == "1\n"


def test_versions_are_sorted_as_versions_and_a_pre_release_is_older() -> None:
    names = ["v2.0.0-rc.10", "v1.9.0", "v1.10.0", "v2.0.0-rc.9", "v2.0.0", "v2.0.0-rc.a", "v2.0.0-alpha"]
    versions, _ = registry([tag(f"m@{name}", at + 1) for at, name in enumerate(names)], "m")
    newest = ["v2.0.0", "v2.0.0-rc.a", "v2.0.0-rc.10", "v2.0.0-rc.9", "v2.0.0-alpha", "v1.10.0", "v1.9.0"]
    assert list(versions) == newest


def test_what_was_taken_back_counts_no_more() -> None:
    tags = [
        tag("m@v1.0.0", 1),
        tag("m#prod#1", 2, 1),
        tag("m@v2.0.0", 3),
        tag("m#prod#2", 4, 3),
        tag("m@v2.0.0!", 5, 3),
        tag("m#prod!#3", 6, 3),
    ]
    versions, stages = registry(tags, "m")
    assert list(versions) == ["v1.0.0"]
    assert stages == {"prod": tag("", 1).commit}
    assert registry([*tags, tag("m@v2.0.0#7", 7)], "m")[0]["v2.0.0"] == tag("", 7).commit


def test_tags_of_others_and_of_other_shapes_are_passed_over() -> None:
    names = [
        "v1",
        "m@latest",
        "m@v1",
        "m@1.0.0",
        "other@v1.0.0",
        "x=m@v1.0.0",
        "m#",
        "m@v1.0.0@v2.0.0",
        "m@v01.0.0",
    ]
    assert registry([tag(name, 1) for name in names], "m") == ({}, {})
    assert list(registry([tag(name, 1) for name in names], "x:m")[0]) == ["v1.0.0"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("m", ("", "m")),
        ("sub:m", ("sub", "m")),
        ("sub/dvc.yaml:m", ("sub", "m")),
        ("dvc.yaml:m", ("", "m")),
        ("a/b/c:group/m", ("a/b/c", "group/m")),
        ("./sub/:m", ("sub", "m")),
    ],
)
def test_a_name_may_say_its_folder(name: str, parts: tuple[str, str]) -> None:
    assert split_name(name) == parts


@pytest.mark.parametrize(
    "name", ["", ":m", "-m", "m-", "a b", "m:", "a:b:c", "é", "a\n", "m@v1.0.0", "../x y:m"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadArtifactNameError):
        split_name(name)
    assert not is_name(name)


def test_an_unknown_name_version_or_stage_is_told_with_what_there_is(
    models: Workplace, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactNotFoundError) as caught:
        found(models, tmp_path, "modle")
    assert caught.value.hint == "did you mean 'model'?"
    with pytest.raises(ArtifactNotFoundError, match=r"'model @ v3\.0\.0'"):
        found(models, tmp_path, "model", version="v3.0.0")
    with pytest.raises(ArtifactNotFoundError) as caught:
        found(models, tmp_path, "model", stage="dev")
    assert "prod" in caught.value.hint
    with pytest.raises(SettingsConflictError):
        found(models, tmp_path, "model", stage="prod", version="v1.0.0")


def test_an_artifact_of_a_project_below_the_root_of_git_is_found_by_its_whole_folder(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    work = Workplace(tmp_path / "all", no_scm=True)
    top = tmp_path / "all"
    work.git("init", "--quiet", str(top))
    (work.root / ".dvc" / "config").write_text("")
    work.gen({"m": "1\n", "dvc.yaml": "artifacts:\n  m: {path: m}\n"})
    add(work.open(), ["m"])
    commit(work, "one", "work=m@v1.0.0")
    source = open_source(str(work.root), around(work, tmp_path))
    assert find_artifact(source, "work:m").path == "m"
    with pytest.raises(ArtifactNotFoundError):
        find_artifact(source, "m")


def test_a_path_that_leaves_the_repository_is_refused(work: Workplace, tmp_path: Path) -> None:
    work.gen({"dvc.yaml": ARTIFACTS})
    commit(work, "one", "out@v1.0.0")
    with pytest.raises(UnsafeError):
        found(work, tmp_path, "out")


def test_the_url_of_a_version_is_that_of_its_object(models: Workplace, tmp_path: Path) -> None:
    url = artifact_url(str(models.root), "model", around(models, tmp_path), version="v1.0.0")
    assert Path(url).read_text() == "1\n"


def test_a_repository_behind_an_address_is_asked_for_its_tags(models: Workplace, tmp_path: Path) -> None:
    (models.root / ".dvc" / "config").write_text(
        f"[core]\n    remote = s\n['remote \"s\"']\n    url = {models.root}/.dvc/cache\n"
    )
    models.git("commit", "--quiet", "--all", "--message", "remote")
    models.git("tag", "-a", "-m", "x", "model@v3.0.0")
    got = get_artifact(models.root.as_uri(), "model", around(models, tmp_path), out=str(tmp_path / "m"))
    assert got.rev == models.git("rev-parse", "HEAD").strip()
    assert (tmp_path / "m").read_text() == "2\n"


def test_hostile_names_and_tags_end_in_typed_errors_or_answers(models: Workplace, tmp_path: Path) -> None:
    draw = random.Random(44)
    letters = "mv1.0-_/:=#@!+ \n\0é"
    source = open_source(str(models.root), around(models, tmp_path))
    for _ in range(500):
        text = "".join(draw.choice(letters) for _ in range(draw.randrange(12)))
        registry([tag(text, 1), tag(f"m@v1.0.0-{text}", 2)], "m")
        try:
            split_name(text)
        except BadArtifactNameError:
            continue
        with pytest.raises(FourfoldError):
            find_artifact(source, text)
