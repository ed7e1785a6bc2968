"""The world of environments that tests of replays share; files that need another one have their own."""

from pathlib import Path

import pytest

from tests.evidence.envworld import World, stock


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stock(tmp_path_factory.mktemp("made"))


@pytest.fixture
def world(tmp_path: Path, made: Path) -> World:
    return World(tmp_path, made)
