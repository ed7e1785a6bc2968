"""Many objects by threads: bounded, lazy, and free to leave."""

import threading
import time
from collections.abc import Iterator

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.storage.blob import bulk
from fourfold.storage.blob.memory import MemoryStore


def test_no_more_threads_work_than_there_are_jobs() -> None:
    names: set[str] = set()

    def get(key: str) -> bytes:
        names.add(threading.current_thread().name + str(threading.get_ident()))
        time.sleep(0.001)
        return key.encode()

    assert len(dict(bulk.get_many(get, map(str, range(200)), jobs=3))) == 200
    assert len(names) <= 3


def test_what_waits_in_memory_is_bounded_by_its_bytes() -> None:
    held, most, lock = 0, 0, threading.Lock()
    piece = 1 << 20

    def items() -> Iterator[tuple[str, bytes]]:
        nonlocal held, most
        for number in range(60):
            with lock:
                held += 1
                most = max(most, held)
            yield str(number), b"x" * piece

    def put(_key: str, _data: bytes) -> None:
        time.sleep(0.001)

    for _key, failure in bulk.put_many(put, items(), jobs=4, max_bytes=8 * piece):
        assert failure is None
        with lock:
            held -= 1
    assert most <= 10


def test_one_object_larger_than_the_bound_still_goes() -> None:
    store = MemoryStore()
    items = [("small", b"1"), ("large", b"x" * 1000), ("last", b"2")]
    assert dict(bulk.put_many(store.put, items, max_bytes=100)) == dict.fromkeys(["small", "large", "last"])
    assert dict(bulk.get_many(store.get, ["small", "large", "last"], max_bytes=100)) == dict(items)


def test_whoever_leaves_early_does_not_wait_for_a_call_that_hangs() -> None:
    hang = threading.Event()

    def get(key: str) -> bytes:
        if key == "0":
            time.sleep(0.05)
        else:
            hang.wait(30)
        return b""

    arriving = bulk.get_many(get, map(str, range(100)), jobs=4)
    start = time.monotonic()
    try:
        next(arriving)
        arriving.close()  # type: ignore[attr-defined]
        assert time.monotonic() - start < 5
    finally:
        hang.set()


def test_a_bug_in_a_store_comes_out_as_the_bug_that_it_is() -> None:
    def get(_key: str) -> bytes:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        list(bulk.get_many(get, ["k"]))


def test_an_interrupt_in_the_callers_thread_ends_it() -> None:
    def keys() -> Iterator[str]:
        yield "1"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(bulk.get_many(lambda _key: b"", keys()))


def test_nothing_asked_is_nothing_done() -> None:
    before = threading.active_count()
    assert [*bulk.get_many(lambda _key: b"", [])] == []
    assert [*bulk.put_many(lambda _key, _data: None, [])] == []
    assert threading.active_count() == before


def test_a_typed_failure_is_a_value_among_the_others() -> None:
    store = MemoryStore()
    store.put("there", b"x")
    found = dict(bulk.get_many(store.get, ["there", "absent"]))
    assert found["there"] == b"x"
    assert isinstance(found["absent"], FourfoldError)
