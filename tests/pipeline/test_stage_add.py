"""Writing stages; that the bytes are the real DVC's is proven in ``tests/compat/scenes_stages.py``."""

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.base.ids import UnsafePathError
from fourfold.formats.dvc.pointer import Output
from fourfold.formats.dvc.stages import ParamsSpec, StageSpec
from fourfold.pipeline.graph import CycleError
from fourfold.pipeline.stage_add import (
    BadStageFolderError,
    BadStageNameError,
    NamedTwiceError,
    NoStageCommandError,
    NotUtf8Error,
    StageExistsError,
    add_stage,
    command_line,
    parameters,
)
from fourfold.project.add import CannotBeTrackedError
from fourfold.project.outs import DuplicateOutputError, OverlappingOutputError, OwnerInsideOutputError
from fourfold.project.undo import undo
from tests.project.workplace import Workplace


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), ""),
        (("python train.py --lr '1'",), "python train.py --lr '1'"),
        (("echo", "two words", "", 'a "b" c', "$HOME", "-n"), 'echo "two words" "" a "b" c $HOME -n'),
        (("--", "echo", "--", "x"), "echo -- x"),
    ],
)
def test_words_become_a_command_as_dvc_quotes_them(words: tuple[str, ...], line: str) -> None:
    assert command_line(words) == line


def test_parameters_of_one_file_come_together() -> None:
    assert parameters(["lr,x", "a.yaml:k", "y", "a.yaml:l,", "all.json:", "C:/x.yaml:z"]) == (
        ParamsSpec(None, ("lr", "x", "y")),
        ParamsSpec("a.yaml", ("k", "l")),
        ParamsSpec("all.json", None),
        ParamsSpec("C:/x.yaml", ("z",)),
    )


REFUSALS: dict[str, tuple[StageSpec, type[FourfoldError]]] = {
    "no name": (StageSpec("", "echo"), BadStageNameError),
    "a dot": (StageSpec("a.b", "echo"), BadStageNameError),
    "a line end": (StageSpec("a\nb", "echo"), BadStageNameError),
    "a name that is not UTF-8": (StageSpec("\udcff", "echo"), BadStageNameError),
    "no command": (StageSpec("x", ""), NoStageCommandError),
    "a command that is not UTF-8": (StageSpec("x", "echo \udcff"), NotUtf8Error),
    "a parameter that is not UTF-8": (
        StageSpec("x", "x", params=(ParamsSpec(None, ("\udcff",)),)),
        NotUtf8Error,
    ),
    "there already": (StageSpec("made", "echo"), StageExistsError),
    "no such folder": (StageSpec("x", "echo", wdir="nowhere"), BadStageFolderError),
    "a file for a folder": (StageSpec("x", "echo", wdir="raw"), BadStageFolderError),
    "a folder outside": (StageSpec("x", "echo", wdir=".."), UnsafePathError),
    "a cached output outside": (StageSpec("x", "echo", outs=(Output("/nowhere"),)), UnsafePathError),
    "an output that climbs out": (StageSpec("x", "echo", outs=(Output("../out"),)), UnsafePathError),
    "an output in .git": (StageSpec("x", "echo", outs=(Output(".git/hooks"),)), FourfoldError),
    "a URL to be cached": (StageSpec("x", "echo", outs=(Output("s3://b/k"),)), UnsafePathError),
    "an empty path": (StageSpec("x", "echo", deps=("",)), CannotBeTrackedError),
    "a NUL": (StageSpec("x", "echo", deps=("a\0b",)), CannotBeTrackedError),
    "a pointer file": (StageSpec("x", "echo", deps=("raw.dvc",)), CannotBeTrackedError),
    "a pipeline as an output": (StageSpec("x", "echo", outs=(Output("s/dvc.yaml"),)), CannotBeTrackedError),
    "twice a dependency": (StageSpec("x", "echo", deps=("z", "./z")), NamedTwiceError),
    "its own output": (StageSpec("x", "echo", deps=("z",), outs=(Output("z"),)), NamedTwiceError),
    "somebody's output": (StageSpec("x", "echo", outs=(Output("out"),)), DuplicateOutputError),
    "inside an output": (StageSpec("x", "echo", outs=(Output("out/f"),)), OverlappingOutputError),
    "around a pipeline": (StageSpec("x", "echo", outs=(Output("sub"),)), OwnerInsideOutputError),
    "a cycle": (StageSpec("x", "echo", deps=("out",), outs=(Output("src"),)), CycleError),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_stage_that_the_project_cannot_have_is_refused_and_nothing_is_written(
    work: Workplace, case: str
) -> None:
    stage, error = REFUSALS[case]
    text = "stages:\n  made:  # kept\n    cmd: echo\n    deps: [src]\n    outs: [out]\n"
    work.gen({"dvc.yaml": text})
    work.gen({"sub/dvc.yaml": "stages: {s: {cmd: echo}}\n"})
    work.gen({"raw": "1"})
    with pytest.raises(error):
        add_stage(work.open(), stage)
    assert work.text("dvc.yaml") == text
    assert not work.exists(".gitignore")


def test_what_git_tracks_does_not_become_an_output(work: Workplace) -> None:
    work.gen({"code": "1"})
    work.git("add", "code")
    with pytest.raises(FourfoldError, match="already tracked by SCM"):
        add_stage(work.open(), StageSpec("x", "echo", outs=(Output("code"),)))
    add_stage(work.open(), StageSpec("x", "echo", outs=(Output("code", cache=False),)))
    assert (
        work.text("dvc.yaml")
        == "stages:\n  x:\n    cmd: echo\n    outs:\n    - code:\n        cache: false\n"
    )


def test_a_stage_is_taken_back_by_undo(work: Workplace) -> None:
    add_stage(work.open(), StageSpec("x", "echo", outs=(Output("out"),)))
    assert work.text(".gitignore") == "/out\n"
    undo(work.open())
    assert not work.exists("dvc.yaml")
    assert not work.exists(".gitignore")


def test_a_description_that_is_given_replaces_the_old_one(work: Workplace) -> None:
    add_stage(work.open(), StageSpec("x", "echo", desc="old"))
    assert add_stage(work.open(), StageSpec("x", "echo 2"), force=True).owner.desc == "old"
    assert add_stage(work.open(), StageSpec("x", "echo 2", desc="new"), force=True).owner.desc == "new"
