"""A 2.x cache gets 3.x names: by links, and with the metadata that the real DVC would write."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.fixtures.sandbox import Sandbox, Tool


def _legacy(repo: Sandbox, data: bytes, suffix: str = "") -> str:
    name = hashlib.md5(data.replace(b"\r\n", b"\n")).hexdigest() + suffix
    path = repo.path / ".dvc/cache" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o444)
    return name


@pytest.fixture
def old_repo(ff_repo: Sandbox) -> Sandbox:
    ff_repo.gen({"t": "a\r\nb\r\n", "d": {"x": "x\n", "q": "q\r\n"}})
    text = _legacy(ff_repo, b"a\r\nb\r\n")
    rows = [{"md5": _legacy(ff_repo, ff_repo.read(f"d/{name}")), "relpath": name} for name in ("q", "x")]
    tree = _legacy(ff_repo, json.dumps(rows, sort_keys=True).encode(), ".dir")
    ff_repo.gen({"t.dvc": f"outs:\n- md5: {text}\n  size: 6\n  path: t\n"})
    ff_repo.gen({"d.dvc": f"outs:\n- md5: {tree}\n  size: 5\n  nfiles: 2\n  path: d\n"})
    return ff_repo


def test_pointer_files_become_what_dvc_makes_of_them_and_both_tools_call_it_clean(
    old_repo: Sandbox, dvc: Tool
) -> None:
    old_repo.run("cache", "migrate", "--dvc-files")
    assert old_repo.text("t.dvc") == (
        "outs:\n- md5: 59b0d7772f0561efb95518f3cb8abc60\n  size: 6\n  path: t\n  hash: md5\n"
    )
    assert "e94d15b8171136fdc6a8be6574d91f6f.dir" in old_repo.text("d.dvc")
    assert old_repo.run("status", "--json").json() == {}
    assert dvc("status", "--json", cwd=old_repo.path).json() == {}


def test_objects_are_linked_not_copied_and_the_old_names_stay(old_repo: Sandbox) -> None:
    cache = old_repo.path / ".dvc/cache"
    before = {path for path in cache.rglob("*") if path.is_file()}
    old_repo.run("cache", "migrate")
    new = cache / "files/md5/59/b0d7772f0561efb95518f3cb8abc60"
    assert new.stat().st_nlink == 2
    assert all(path.exists() for path in before)


def test_a_damaged_object_is_told_and_left_alone(old_repo: Sandbox) -> None:
    victim: Path = next((old_repo.path / ".dvc/cache/dd").iterdir())
    victim.chmod(0o644)
    victim.write_bytes(b"flipped")
    ran = old_repo.run("cache", "migrate", check=False)
    assert ran.code == 1
    assert victim.read_bytes() == b"flipped"
