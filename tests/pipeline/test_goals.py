"""Goals: who says them, what they mean, and that nothing is judged without one."""

import pytest

from fourfold.base.errors import UsageError
from fourfold.pipeline.goals import BadGoalError, declared_goals, parse_goals, verdict
from fourfold.project.outs import Owner


def stage(meta: object) -> Owner:
    return Owner(file="/p/dvc.yaml", relpath="dvc.yaml", name="train", wdir="/p", outs=(), meta=meta)


def test_goals_are_typed_and_declared() -> None:
    assert parse_goals(["auc=max", "m.json:loss=min", "a=b=max"]) == {
        "auc": "max",
        "m.json:loss": "min",
        "a=b": "max",
    }
    owners = [
        stage({"fourfold": {"goal": {"auc": "max", 1: "min"}}}),
        stage({"other": 1}),
        stage("text"),
        stage(None),
    ]
    assert declared_goals(owners) == {"auc": "max", "1": "min"}


@pytest.mark.parametrize("text", ["auc", "auc=", "=max", "auc=up", "auc=MAX", ""])
def test_what_is_no_goal_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a goal"):
        parse_goals([text])


@pytest.mark.parametrize("goal", ["max", ["auc"], {"auc": "up"}, {"auc": ["max"]}])
def test_a_stage_that_declares_nonsense_is_named(goal: object) -> None:
    with pytest.raises(BadGoalError, match=r"dvc\.yaml: stage 'train'"):
        declared_goals([stage({"fourfold": {"goal": goal}})])


def test_more_is_better_only_where_somebody_said_so() -> None:
    goals = {"auc": "max", "loss": "min", "b.json:auc": "min"}
    assert verdict(goals, "a.json", "auc", 0.1) == "better"
    assert verdict(goals, "b.json", "auc", 0.1) == "worse"
    assert verdict(goals, "a.json", "loss", -0.1) == "better"
    for difference in (0, None, float("nan"), "text"):
        assert verdict(goals, "a.json", "auc", difference) == ""
    assert verdict(goals, "a.json", "unknown", 5) == ""
