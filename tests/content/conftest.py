"""Fixtures for tests of the content floor."""

from pathlib import Path

import pytest

from tests.content.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A workspace folder, a store and an index."""
    return Bench(tmp_path)
