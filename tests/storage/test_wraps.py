"""Behaviour by wrapping: read-only, throttle."""

import threading
from pathlib import Path

import pytest

from fourfold.storage.blob.memory import MemoryStore
from fourfold.storage.blob.protocol import BlobThrottledError
from fourfold.storage.wrap.readonly import ReadOnly, ReadOnlyStoreError
from fourfold.storage.wrap.throttle import Gate, Throttle
from fourfold.testing.faults import Fault, Faulty


def test_a_read_only_store_reads_and_refuses_every_write(tmp_path: Path) -> None:
    memory = MemoryStore()
    memory.put("k", b"x")
    source = tmp_path / "source"
    source.write_bytes(b"y")
    store = ReadOnly(memory)
    assert (store.get("k"), b"".join(store.open("k")), dict(store.get_many(["k"]))) == (
        b"x",
        b"x",
        {"k": b"x"},
    )
    assert store.head("k") == memory.head("k")
    assert [*store.list()] == [*memory.list()]
    for write in (
        lambda: store.put("k", b"y"),
        lambda: store.put_file("k", str(source)),
        lambda: store.delete(["k"]),
    ):
        with pytest.raises(ReadOnlyStoreError):
            write()
    assert isinstance(dict(store.put_many([("k", b"y")]))["k"], ReadOnlyStoreError)
    assert memory.objects == {"k": b"x"}


def test_no_more_than_the_limit_work_at_once() -> None:
    at_work, most, lock = 0, 0, threading.Lock()
    leave = threading.Event()

    class Slow(MemoryStore):
        def get(self, key: str, max_size: int | None = None) -> bytes:
            nonlocal at_work, most
            with lock:
                at_work += 1
                most = max(most, at_work)
            leave.wait(0.01)
            with lock:
                at_work -= 1
            return super().get(key, max_size)

    slow = Slow()
    slow.objects.update({str(number): b"" for number in range(30)})
    store = Throttle(slow, 3)
    threads = [threading.Thread(target=lambda: dict(store.get_many(slow.objects))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 3


def test_each_complaint_halves_the_limit_and_success_gives_it_back() -> None:
    store = Throttle(Faulty(MemoryStore(), [Fault("throttled", "head", times=2)]), 16)
    for expected in (8, 4):
        with pytest.raises(BlobThrottledError):
            store.head("k")
        assert store.gate.limit == expected
    for _ in range(32 * 12):
        store.head("k")
    assert store.gate.limit == 16


def test_the_limit_never_falls_below_one() -> None:
    gate = Gate(1)
    for _ in range(3):
        with pytest.raises(BlobThrottledError), gate:
            raise BlobThrottledError("busy")
    assert gate.limit == 1
