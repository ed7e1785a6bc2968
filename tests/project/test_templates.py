"""Files with templates in a project: the workspace, revisions, what must not leave it, lazy loading."""

import subprocess
import sys
from pathlib import Path

import pytest

from fourfold.base.ids import UnsafePathError
from fourfold.formats.dvc.templates import UnknownVariableError, VarsFileError
from fourfold.project.files import load_file, load_tracked
from fourfold.project.revisions import Parsed, load_revision
from fourfold.project.targets import StageNotFoundError, named_owners, select
from tests.project.workplace import Workplace

EACH = """\
stages:
  s:
    foreach: ${all}
    do:
      cmd: run ${item} ${options}
      outs: ["${item}"]
  none:
    foreach: []
    do: {cmd: x}
"""


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def names(owners: object) -> list[str | None]:
    return [owner.name for owner in owners]  # type: ignore[attr-defined]


def test_a_revision_is_resolved_with_its_own_variables(work: Workplace) -> None:
    work.gen({"sub/dvc.yaml": EACH, "sub/params.yaml": "all: [a, b]\noptions: {x: 1}\n"})
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message", "one")
    work.gen({"sub/params.yaml": "all: [b, c]\noptions: {x: 2}\n"})
    work.git("commit", "--quiet", "--all", "--message", "two")
    work.gen({"sub/params.yaml": "all: [d]\noptions: {}\n"})
    project = work.open()
    parsed: Parsed = {}
    found = {rev: load_revision(project, rev, parsed=parsed) for rev in ("HEAD~1", "HEAD", "HEAD~1")}
    assert names(found["HEAD~1"].owners) == ["s@a", "s@b"]
    assert [owner.cmd for owner in found["HEAD"].owners] == ["run b --x 2", "run c --x 2"]
    assert names(load_tracked(project).owners) == ["s@d"]
    assert [len(states) for states in parsed.values()] == [2]


def test_variables_that_appear_later_are_seen_in_the_revisions_that_have_them(work: Workplace) -> None:
    work.gen({"dvc.yaml": "stages:\n  s:\n    cmd: run ${n}\n", "params.yaml": "n: 1\n"})
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message", "one")
    work.git("rm", "--quiet", "params.yaml")
    work.git("commit", "--quiet", "--message", "two")
    project = work.open()
    parsed: Parsed = {}
    assert load_revision(project, "HEAD~1", parsed=parsed).owners[0].cmd == "run 1"
    with pytest.raises(UnknownVariableError, match=r"^dvc\.yaml:3:14: "):
        load_revision(project, "HEAD", parsed=parsed)


@pytest.mark.parametrize(
    "path", ["../secret.yaml", "/etc/passwd", "link.yaml", "links/secret.yaml", "sub/../../secret.yaml"]
)
def test_variables_outside_of_the_project_are_refused(work: Workplace, path: str) -> None:
    (work.root.parent / "secret.yaml").write_text("secret: 1\n")
    (work.root / "link.yaml").symlink_to("../secret.yaml")
    (work.root / "links").symlink_to("..")
    work.gen({"dvc.yaml": f"vars: ['{path}']\nstages:\n  s:\n    cmd: echo ${{secret}}\n"})
    with pytest.raises(UnsafePathError):
        load_tracked(work.open())


def test_a_working_directory_from_a_template_stays_in_the_project(work: Workplace) -> None:
    work.gen({"dvc.yaml": "vars: [{up: ../..}]\nstages:\n  s:\n    wdir: ${up}\n    cmd: echo\n"})
    with pytest.raises(UnsafePathError, match="wdir"):
        load_tracked(work.open())


def test_variables_may_lie_anywhere_in_the_project(work: Workplace) -> None:
    work.gen(
        {"top.yaml": "n: 1\n", "a/b/dvc.yaml": "vars: [../../top.yaml]\nstages:\n  s:\n    cmd: run ${n}\n"}
    )
    assert load_tracked(work.open()).owners[0].cmd == "run 1"


def test_the_configuration_says_how_mappings_become_options(work: Workplace) -> None:
    work.gen(
        {
            "dvc.yaml": "vars: [{o: {yes: true, no: false, l: [1, 2]}}]\nstages:\n  s:\n    cmd: run ${o}\n",
            ".dvc/config": "[parsing]\n    bool = boolean_optional\n    list = append\n",
        }
    )
    assert load_tracked(work.open()).owners[0].cmd == "run --yes --no-no --l 1 --l 2"


def test_a_group_stands_for_its_stages_and_a_wrong_name_gets_a_suggestion(work: Workplace) -> None:
    work.gen({"dvc.yaml": EACH, "params.yaml": "all: [one, two]\noptions: {}\n"})
    project = work.open()
    assert names(named_owners(project, "s")) == ["s@one", "s@two"]
    assert names(named_owners(project, "none")) == []
    assert names(item.owner for item in select(project, ["none", "s@two"])) == ["s@two"]
    with pytest.raises(StageNotFoundError) as caught:
        named_owners(project, "dvc.yaml:s@tow")
    assert "s@two" in caught.value.hint


def test_a_broken_template_does_not_hide_the_other_files(work: Workplace) -> None:
    work.gen(
        {"a/dvc.yaml": "stages:\n  s:\n    cmd: run ${n}\n", "b/dvc.yaml": "stages:\n  s:\n    cmd: run\n"}
    )
    tracking = load_tracked(work.open(), strict=False)
    assert [owner.relpath for owner in tracking.owners] == ["b/dvc.yaml"]
    assert [type(error) for error in tracking.errors] == [UnknownVariableError]


def test_a_folder_in_place_of_a_file_of_variables_is_refused(work: Workplace) -> None:
    work.gen({"dvc.yaml": "vars: [v.yaml]\nstages:\n  s:\n    cmd: run\n", "v.yaml/x": ""})
    with pytest.raises(VarsFileError, match=r"v\.yaml"):
        load_tracked(work.open())


def test_nothing_of_templates_is_loaded_for_a_file_without_one(work: Workplace) -> None:
    work.gen({"dvc.yaml": "stages:\n  s:\n    cmd: echo $HOME\n    outs: [a]\n"})
    assert names(load_file(work.open(), work.path("dvc.yaml"))) == ["s"]
    code = (
        "import sys\nfrom fourfold.project.stagefiles import stages_of\n"
        "data = open('dvc.yaml', 'rb').read()\n"
        "assert stages_of('/r', '/r/dvc.yaml', 'dvc.yaml', data, lambda path: None)\n"
        "late = ('templates', 'variables', 'resolve', 'iteration')\n"
        "print([name for name in sys.modules if name.endswith(late)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=work.root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
