"""Which environment a replay gets: a uv project whose run was recorded; its environment moves on."""

from pathlib import Path

import pytest

from fourfold.evidence.surroundings import EnvironmentDiffersError
from tests.evidence.envworld import World, stock


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stock(tmp_path_factory.mktemp("made"))


@pytest.fixture
def world(tmp_path: Path, made: Path) -> World:
    return World(tmp_path, made)


def test_the_running_environment_is_taken_when_it_is_the_recorded_one(world: World) -> None:
    found = world.choose(*world.record())
    assert (found.how, found.differences, found.wrap, dict(found.environ)) == ("running", (), None, {})
    assert found.executable == str(world.venv.python)


def test_the_recorded_environment_is_found_where_it_stood_though_it_is_not_active(world: World) -> None:
    records, record = world.record()
    found = world.choose(records, record, active=False)
    assert (found.how, found.differences) == ("running", ())
    assert found.environ["PATH"].startswith(f"{world.venv.path}/bin:")
    assert found.environ["VIRTUAL_ENV"] == str(world.venv.path)
    assert world.run(found, "import alpha, sys; print(sys.prefix)").strip() == str(world.venv.path)


def test_another_environment_is_built_from_the_recorded_lock_with_the_groups_of_then(world: World) -> None:
    records, record = world.record()
    world.install("beta==1.0", "extra")
    found = world.choose(records, record)
    assert (found.how, found.differences) == ("lock", ())
    assert found.executable.startswith(str(world.root / ".fourfold" / "environments"))
    said = world.run(found, "import alpha, beta, omega; print(beta.VERSION)")
    assert said.strip() == "1.1"


def test_what_cannot_be_built_is_refused_with_what_differs(world: World) -> None:
    world.install("extra")
    records, record = world.record()
    world.install("beta==1.0")
    world.uv("pip", "uninstall", "--python", str(world.venv.python), "extra")
    with pytest.raises(EnvironmentDiffersError) as caught:
        world.choose(records, record)
    assert caught.value.message == "the environment is not the recorded one: beta is 1.0, recorded is 1.1"
    assert caught.value.hint == "take the running one and be told what differs: --environment running"
    told = caught.value.details
    assert "extra 1 is not installed" in told
    assert "lock: extra 1 is not installed" in told
    assert any(line.startswith("image: ") for line in told)


def test_by_policy_running_the_running_one_is_taken_and_what_differs_is_told(world: World) -> None:
    records, record = world.record()
    world.install("beta==1.0")
    found = world.choose(records, record, "running")
    assert (found.how, found.differences) == ("running", ("beta is 1.0, recorded is 1.1",))
