"""Both tools as processes that have loaded them, for tests of many commands."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import find_ff
from tests.fixtures.forked import Worker


@pytest.fixture(scope="session")
def workers(tmp_path_factory: pytest.TempPathFactory, real_dvc: str) -> Iterator[dict[str, Worker]]:
    """The real DVC and ours, by name."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(Worker(command, tmp_path_factory.mktemp(name)))
            for name, command in (("dvc", real_dvc), ("ff", find_ff()))
        }
