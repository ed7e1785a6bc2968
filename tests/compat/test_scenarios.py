"""Every scenario, by the real DVC and by ours: equal bytes, and each calls clean what the other wrote.

Both tools are forked from processes that have loaded them, but where a server is asked.
"""

from pathlib import Path

import pytest

from tests.compat.bucket import Bucket
from tests.compat.harness import Stage, same
from tests.compat.scenario import Scenario
from tests.compat.scenarios import SCENARIOS, SERVED
from tests.compat.scenes_pipelines import PIPELINES
from tests.compat.scenes_templates import TEMPLATES
from tests.conftest import find_ff
from tests.fixtures.forked import Worker


@pytest.mark.parametrize("scenario", [*PIPELINES, *TEMPLATES], ids=lambda scenario: scenario.name)
def test_ff_runs_pipelines_as_dvc_runs_them(
    tmp_path: Path, dvc_template: Path, real_dvc: str, workers: dict[str, Worker], scenario: Scenario
) -> None:
    found = same(Stage(tmp_path, dvc_template, workers=workers), scenario, real_dvc, find_ff())
    assert not found, "\n" + "\n".join(map(str, found))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_ff_leaves_what_dvc_leaves(
    tmp_path: Path, dvc_template: Path, real_dvc: str, workers: dict[str, Worker], scenario: Scenario
) -> None:
    found = same(Stage(tmp_path, dvc_template, workers=workers), scenario, real_dvc, find_ff())
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
