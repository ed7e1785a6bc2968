"""Fixtures for tests of pipelines."""

from pathlib import Path

import pytest

from tests.project.workplace import Workplace


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    """A fresh project inside a Git repository."""
    return Workplace(tmp_path)
