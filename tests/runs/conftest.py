"""What tests of runs share: a Python that has PyTorch."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def torch_python() -> str:
    """The Python of ``.venv-torch``, which ``make envs`` creates, or ``FF_TEST_TORCH``."""
    path = os.environ.get("FF_TEST_TORCH") or str(ROOT / ".venv-torch" / "bin" / "python")
    if not os.access(path, os.X_OK):
        pytest.fail(f"no PyTorch at {path}; run: make envs  (or set FF_TEST_TORCH=<a python with torch>)")
    return path
