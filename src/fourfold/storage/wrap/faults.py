"""A store that fails on purpose: the n-th call, so that a bad night can be replayed.

A test says which calls go wrong and how; everything else passes. Nothing is random: the same plan
over the same calls does the same. Ships with the tests' tools (`fourfold.testing.faults`).
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.storage.blob import bulk
from fourfold.storage.blob.protocol import (
    BlobDeniedError,
    BlobInfo,
    BlobStore,
    BlobThrottledError,
    BlobTimeoutError,
    BlobUnavailableError,
    BlobUnknownOutcomeError,
    not_found,
    wrong_length,
)

Kind = Literal[
    "unavailable",  # 500: nothing happened
    "throttled",  # 429 or 503
    "denied",  # 403
    "timeout",  # nothing came
    "lost-answer",  # a write happened, its answer was lost
    "lost-request",  # a write did not happen, and nobody knows
    "flip",  # one bit of a body differs
    "truncate",  # a body ends early, and nobody noticed
    "short",  # a body ends early, and its announced length tells
    "vanish",  # the object seems not to be there
    "stall",  # it waits, by the function that the plan brings
]
Call = Literal["head", "get", "open", "put", "put_file", "list", "delete", "any"]


class Fault(NamedTuple):
    """One thing that goes wrong.

    Attributes:
        kind: What.
        call: In which method; ``any`` counts them all together.
        first: Which call of that method, from 1.
        times: For how many calls on end.
        key: Only for keys that contain this.
        bit: Which bit of the body flips, modulo its length; or how many bytes are lost.
    """

    kind: Kind
    call: Call = "any"
    first: int = 1
    times: int = 1
    key: str = ""
    bit: int = 0


class Faulty:
    """A store with a plan of faults.

    Args:
        store: What is wrapped.
        plan: What goes wrong.
        stall: What a stall does: sleeps, by a clock of the test.

    Attributes:
        calls: Every call so far, as (method, key), for a test to look at.
    """

    def __init__(
        self, store: BlobStore, plan: Iterable[Fault] = (), *, stall: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self.plan: list[Fault] = [*plan]
        self._stall = stall
        self._lock = threading.Lock()
        self._counts: dict[int, int] = {}
        self.calls: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        """Of the wrapped store."""
        return self._store.url

    @property
    def local_root(self) -> str | None:
        """None: a folder would be a way around the faults."""
        return None

    def head(self, key: str) -> BlobInfo | None:
        """See `BlobStore.head`."""
        fault = self._next("head", key)
        return None if fault is not None and fault.kind == "vanish" else self._store.head(key)

    def get(self, key: str, max_size: int | None = None) -> bytes:
        """See `BlobStore.get`."""
        fault = self._next("get", key)
        if fault is not None and fault.kind == "vanish":
            raise not_found(key, self.url)
        return self._damaged(fault, key, self._store.get(key, max_size))

    def open(self, key: str) -> Iterator[bytes]:
        """See `BlobStore.open`; a short body fails after the part that came."""
        fault = self._next("open", key)
        if fault is None:
            yield from self._store.open(key)
            return
        whole = b"".join(self._store.open(key))
        if fault.kind == "short":
            yield whole[: len(whole) // 2]
            raise wrong_length(key, self.url, len(whole), len(whole) // 2)
        yield self._damaged(fault, key, whole)

    def put(self, key: str, data: bytes) -> None:
        """See `BlobStore.put`."""
        fault = self._next("put", key)
        if fault is not None and fault.kind == "lost-request":
            raise self._lost(key)
        if fault is not None and fault.kind in {"flip", "truncate"}:
            data = self._damaged(fault, key, data)
        self._store.put(key, data)
        if fault is not None and fault.kind == "lost-answer":
            raise self._lost(key)

    def put_file(self, key: str, path: str) -> None:
        """See `BlobStore.put_file`."""
        fault = self._next("put_file", key)
        if fault is not None and fault.kind == "lost-request":
            raise self._lost(key)
        if fault is not None and fault.kind in {"flip", "truncate"}:
            with open(path, "rb") as source:
                self._store.put(key, self._damaged(fault, key, source.read()))
        else:
            self._store.put_file(key, path)
        if fault is not None and fault.kind == "lost-answer":
            raise self._lost(key)

    def list(self, prefix: str = "") -> Iterator[Sequence[BlobInfo]]:
        """See `BlobStore.list`; a fault strikes after the first page, a vanishing hides the last object."""
        pages = iter(self._store.list(prefix))
        first = next(pages, None)
        fault = self._plan_for("list", prefix)
        if first is not None:
            yield first[:-1] if fault is not None and fault.kind == "vanish" else first
        if fault is not None:
            self._fail(fault, prefix)
        yield from pages

    def delete(self, keys: Iterable[str]) -> None:
        """See `BlobStore.delete`."""
        names = [*keys]
        fault = self._next("delete", " ".join(names))
        self._store.delete(names)
        if fault is not None and fault.kind == "lost-answer":
            raise BlobUnavailableError(f"{self.url}: the answer to a deletion was lost")

    def get_many(
        self, keys: Iterable[str], max_size: int | None = None
    ) -> Iterator[tuple[str, bytes | FourfoldError]]:
        """See `BlobStore.get_many`; one call of ``get`` each, in order, so that the plan counts."""
        return bulk.get_many(lambda key: self.get(key, max_size), keys, jobs=1)

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        """See `BlobStore.put_many`; one call of ``put`` each, in order, so that the plan counts."""
        return bulk.put_many(self.put, items, jobs=1)

    def _next(self, call: Call, key: str) -> Fault | None:
        """The fault of this call, if any; raised here where it is an error before the call."""
        fault = self._plan_for(call, key)
        if fault is not None:
            self._fail(fault, key)
        return fault

    def _plan_for(self, call: Call, key: str) -> Fault | None:
        struck = None
        with self._lock:
            self.calls.append((call, key))
            for number, fault in enumerate(self.plan):
                if fault.call not in {call, "any"} or fault.key not in key:
                    continue
                count = self._counts[number] = self._counts.get(number, 0) + 1
                if struck is None and fault.first <= count < fault.first + fault.times:
                    struck = fault
        return struck

    def _fail(self, fault: Fault, key: str) -> None:
        what = f"{key!r} on {self.url}"
        if fault.kind == "unavailable":
            raise BlobUnavailableError(f"{what}: 500 on purpose")
        if fault.kind == "throttled":
            raise BlobThrottledError(f"{what}: 503 SlowDown on purpose")
        if fault.kind == "denied":
            raise BlobDeniedError(f"{what}: 403 on purpose")
        if fault.kind == "timeout":
            raise BlobTimeoutError(f"{what}: a timeout on purpose")
        if fault.kind == "stall":
            self._stall()

    def _damaged(self, fault: Fault | None, key: str, data: bytes) -> bytes:
        if fault is None or not data:
            return data
        if fault.kind == "flip":
            place, bit = divmod(fault.bit % (len(data) * 8), 8)
            return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]
        if fault.kind == "truncate":
            return data[: max(0, len(data) - max(1, fault.bit))]
        if fault.kind == "short":
            raise wrong_length(key, self.url, len(data), len(data) // 2)
        return data

    def _lost(self, key: str) -> BlobUnknownOutcomeError:
        return BlobUnknownOutcomeError(f"no answer after writing {key!r} to {self.url}, on purpose")
