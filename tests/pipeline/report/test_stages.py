"""Which stages changed and why, from what is recorded of them alone."""

import pytest

from fourfold.base.ids import Oid
from fourfold.formats.dvc.pointer import Dependency, Output
from fourfold.pipeline.report.layout import sections
from fourfold.pipeline.report.markdown import markdown
from fourfold.pipeline.report.stages import stage_changes
from fourfold.pipeline.report.value import Reason, Report, Side, StageChange
from fourfold.project.outs import Owner
from fourfold.project.project import Project
from fourfold.wiring import open_project
from tests.fixtures.sandbox import Sandbox

A, B = Oid("a" * 32), Oid("b" * 32)


@pytest.fixture
def project(ff_repo: Sandbox) -> Project:
    return open_project(str(ff_repo.path), environ=ff_repo.tool.env)


def stage(
    project: Project, name: str = "train", *, dep: Oid | None = A, out: Oid | None = A, **how: object
) -> Owner:
    fields = {
        "cmd": "run",
        "locked_cmd": "run",
        "locked": True,
        "params": {"params.yaml": {"lr": 1, "tree": {"depth": 3, "kind": [1, 2]}}},
        "deps": (Dependency("../raw", dep),),
        "outs": (Output("model", out),),
        **how,
    }
    file = f"{project.root}/sub/dvc.yaml"
    return Owner(file=file, relpath="sub/dvc.yaml", name=name, wdir=f"{project.root}/sub", **fields)  # type: ignore[arg-type]


def changes(project: Project, old: Owner | None, new: Owner | None) -> tuple[tuple[StageChange, ...], int]:
    return stage_changes(project, {"train": old} if old else {}, {"train": new} if new else {})


def reasons(project: Project, old: Owner, new: Owner) -> tuple[Reason, ...]:
    found, _same = changes(project, old, new)
    return found[0].reasons


def test_what_records_the_same_did_not_change(project: Project) -> None:
    assert changes(project, stage(project), stage(project, cmd="run it differently")) == ((), 1)


def test_command_dependency_and_parameter_are_told_with_what_they_were(project: Project) -> None:
    new = stage(
        project,
        dep=B,
        out=B,
        locked_cmd=["run", "more"],
        params={"params.yaml": {"lr": 2, "tree": {"depth": 3, "kind": [1, 2]}, "new": None}},
    )
    assert reasons(project, stage(project), new) == (
        Reason("command", old="run", new=["run", "more"]),
        Reason("dependency", "raw", "", A, B),
        Reason("parameter", "sub/params.yaml", "lr", 1, 2),
    )


def test_a_result_that_differs_for_no_reason_is_said(project: Project) -> None:
    found = reasons(project, stage(project), stage(project, out=B))
    assert found == (Reason("output", "sub/model", "", A, B),)
    report = Report(
        Side(None, "workspace"), Side(None, "workspace"), stages=(StageChange("train", "changed", found),)
    )
    assert "nothing that it declares differs, but its result does: `sub/model`" in markdown(sections(report))


def test_stages_that_came_went_or_never_ran(project: Project) -> None:
    never = stage(project, locked=False)
    assert changes(project, None, stage(project)) == ((StageChange("train", "added"),), 0)
    assert changes(project, None, never) == ((StageChange("train", "added", (Reason("never"),)),), 0)
    assert changes(project, stage(project), None) == ((StageChange("train", "removed"),), 0)
    assert changes(project, stage(project), never) == (
        (StageChange("train", "changed", (Reason("never"),)),),
        0,
    )
    assert changes(project, never, never) == ((), 1)
    assert changes(project, never, stage(project)) == (
        (StageChange("train", "changed", (Reason("never"),)),),
        0,
    )
