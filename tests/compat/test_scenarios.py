"""Every scenario, by the real DVC and by ours: equal bytes, and each calls clean what the other wrote."""

from pathlib import Path

import pytest

from tests.compat.bucket import Bucket
from tests.compat.harness import Stage, same
from tests.compat.scenario import Scenario
from tests.compat.scenarios import SCENARIOS, SERVED
from tests.conftest import find_ff


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_ff_leaves_what_dvc_leaves(
    tmp_path: Path, dvc_template: Path, real_dvc: str, scenario: Scenario
) -> None:
    found = same(Stage(tmp_path, dvc_template), scenario, real_dvc, find_ff())
    assert not found, "\n" + "\n".join(map(str, found))


@pytest.mark.parametrize("scenario", SERVED, ids=lambda scenario: scenario.name)
def test_ff_leaves_what_dvc_leaves_on_a_server(
    tmp_path: Path, dvc_template: Path, real_dvc: str, scenario: Scenario, request: pytest.FixtureRequest
) -> None:
    versioned = scenario.server == "versioned"
    server = request.getfixturevalue("moto_s3" if versioned else "rclone_s3")
    stage = Stage(tmp_path, dvc_template, Bucket(server, versioned=versioned))
    found = same(stage, scenario, real_dvc, find_ff())
    assert not found, "\n" + "\n".join(map(str, found))
