"""Executable files inside tracked directories, for whose bits DVC's format has no place."""

import os
from pathlib import Path

import pytest

from fourfold.project.add import add
from fourfold.project.checkout import checkout
from tests.project.workplace import Workplace


@pytest.mark.parametrize("kind", ["copy", "hardlink", "symlink"])
def test_a_file_that_no_command_has_to_write_keeps_its_executable_bits(work: Workplace, kind: str) -> None:
    """Defect D6 of DVC, which writes it anew without them."""
    work.gen({".dvc/config.local": f"[cache]\n    type = {kind}\n", "d": {"run": "#!/bin/sh\n", "data": "1"}})
    os.chmod(work.path("d/run"), 0o755)
    add(work.open(), ["d"])
    first = work.text("d.dvc")
    os.unlink(work.path("d/data"))
    work.gen({"d": {"data": "2"}})
    add(work.open(), ["d"])
    work.gen({"d.dvc": first})
    checkout(work.open())
    assert work.text("d/data") == "1"
    assert os.access(work.path("d/run"), os.X_OK)
    assert not os.path.islink(work.path("d/run"))
    objects = [path for path in Path(work.path(".dvc/cache/files")).rglob("*") if path.is_file()]
    assert objects
    assert {path.stat().st_mode & 0o777 for path in objects} == {0o444}
