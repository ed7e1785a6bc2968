"""Hard links at checkout: what each costs, and what the proof on record does not excuse."""

import os
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.content.bench import TICK, Bench, md5


def aged(bench: Bench, count: int = 60) -> str:
    """Save a tree whose files are an hour old, and remove it from the workspace; its name."""
    bench.gen({"data": {f"f{n}": f"content {n}" for n in range(count)}})
    for path in (bench.root / "data").iterdir():
        os.utime(path, (path.stat().st_mtime - 3600,) * 2)
    time.sleep(TICK)
    built = bench.save("data", link_types=("hardlink", "copy"))
    shutil.rmtree(bench.root / "data")  # moves the change time of every object: their proofs are void
    return built.oid


def test_a_link_costs_one_reading_and_one_look(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    oid = aged(bench)
    counted: Counter[str] = Counter()
    for name in ("read", "fstat", "link"):
        real = getattr(os, name)

        def call(*args: object, _real: object = real, _name: str = name, **options: object) -> object:
            counted[_name] += 1
            return _real(*args, **options)  # type: ignore[operator]

        monkeypatch.setattr(os, name, call)
    bench.checkout(oid, "data", "hardlink", "copy")  # type: ignore[arg-type]
    assert counted["link"] == 60
    assert counted["read"] <= 60 + 5
    assert counted["fstat"] <= 60 + 5
    assert bench.hashed("data") == 0


def test_an_object_that_was_damaged_is_not_linked(bench: Bench) -> None:
    oid = aged(bench)
    broken = Path(bench.store.path(md5(b"content 7")))
    info = broken.stat()
    broken.chmod(0o644)
    broken.write_bytes(b"CONTENT 7")
    os.utime(broken, ns=(info.st_atime_ns, info.st_mtime_ns))
    done = bench.checkout(oid, "data", "hardlink", "copy")  # type: ignore[arg-type]
    assert [name for name, _oid in done.corrupt] == ["f7"]
    assert not (bench.root / "data/f7").exists()
