"""Many small objects at once, by threads: the bulk methods of stores that have no better way.

The caller's thread feeds keys and takes results; worker threads do nothing but one call a key.
What is in flight is bounded by count and by bytes. Stores with an asynchronous client of their
own have their own bulk methods (`object_store`).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from fourfold.base.clock import SYSTEM
from fourfold.base.errors import FourfoldError

#: Bytes that may wait in memory between the network and the caller.
MAX_BYTES = 64 << 20
#: Threads, where nobody says.
DEFAULT_JOBS = 16
#: Results that a thread hands over together, and calls that wait for each thread.
_HANDFUL = 8
#: Seconds below which a call is quick.
_QUICK = 0.01
#: Seconds that a caller who leaves early waits for calls under way.
_PATIENCE = 1.0

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class _Crew(Generic[_In, _Out]):
    """Worker threads over one function, for the length of one bulk call."""

    def __init__(self, work: Callable[[_In], _Out], jobs: int) -> None:
        self._work = work
        self._inbox: SimpleQueue[_In | None] = SimpleQueue()
        self._outbox: SimpleQueue[list[tuple[_In, _Out | BaseException]]] = SimpleQueue()
        self._taken: deque[tuple[_In, _Out | BaseException]] = deque()
        self._jobs = jobs
        self._threads: list[threading.Thread] = []
        self._stopped = False

    def submit(self, item: _In) -> None:
        """Hand over an item; threads start one by one as items come."""
        self._inbox.put(item)
        if len(self._threads) < self._jobs:
            thread = threading.Thread(target=self._run, name="fourfold-blob", daemon=True)
            self._threads.append(thread)
            thread.start()

    def take(self) -> tuple[_In, _Out | BaseException]:
        """The next result, waiting for it."""
        if not self._taken:
            self._taken.extend(self._outbox.get())
        return self._taken.popleft()

    def _run(self) -> None:
        while (item := self._inbox.get()) is not None and not self._stopped:
            start = SYSTEM.monotonic()
            results = [(item, self._call(item))]
            # Where calls are quick, results go out a few at a time: to wake the caller for each costs
            # as much as the call. Where they are not, nobody waits for a slow one beside them.
            while len(results) < _HANDFUL and SYSTEM.monotonic() - start < _QUICK * len(results):
                try:
                    item = self._inbox.get_nowait()
                except Empty:
                    break
                if item is None or self._stopped:
                    self._outbox.put(results)
                    return
                results.append((item, self._call(item)))
            self._outbox.put(results)

    def _call(self, item: _In) -> _Out | BaseException:
        try:
            return self._work(item)
        except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, raised there
            return error

    def close(self) -> None:
        """Stop after the calls that are under way; one that hangs is left behind, for nobody waits for it.

        Only a caller that leaves early (an interrupt) can meet such a call: it may be an upload, which
        either completes or leaves nothing under its key.
        """
        self._stopped = True
        for _ in self._threads:
            self._inbox.put(None)
        patience = SYSTEM.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, patience - SYSTEM.monotonic()))


def get_many(
    get: Callable[[str], bytes], keys: Iterable[str], *, jobs: int = DEFAULT_JOBS, max_bytes: int = MAX_BYTES
) -> Iterator[tuple[str, bytes | FourfoldError]]:
    """`BlobStore.get_many` by threads over a single-object ``get``.

    Sizes are not known beforehand: the window shrinks to ``max_bytes`` over the largest object seen.
    """
    crew = _Crew(get, jobs)
    pending = iter(keys)
    in_flight, window, largest = 0, jobs * _HANDFUL, 1
    more = True
    try:
        while more or in_flight:
            while more and in_flight < max(1, min(window, max_bytes // largest)):
                key = next(pending, None)
                if key is None:
                    more = False
                    break
                crew.submit(key)
                in_flight += 1
            if in_flight:
                key, result = crew.take()
                in_flight -= 1
                if isinstance(result, bytes):
                    largest = max(largest, len(result))
                    yield key, result
                elif isinstance(result, FourfoldError):
                    yield key, result
                else:
                    raise result
    finally:
        crew.close()


def put_many(
    put: Callable[[str, bytes], None],
    items: Iterable[tuple[str, bytes]],
    *,
    jobs: int = DEFAULT_JOBS,
    max_bytes: int = MAX_BYTES,
) -> Iterator[tuple[str, FourfoldError | None]]:
    """`BlobStore.put_many` by threads over a single-object ``put``."""

    def work(item: tuple[str, bytes]) -> None:
        put(*item)

    crew = _Crew(work, jobs)
    in_flight, weight = 0, 0

    def take() -> tuple[str, FourfoldError | None]:
        nonlocal in_flight, weight
        (key, data), result = crew.take()
        in_flight -= 1
        weight -= len(data)
        if result is None or isinstance(result, FourfoldError):
            return key, result
        raise result

    try:
        for item in items:
            while in_flight and (in_flight >= jobs * _HANDFUL or weight + len(item[1]) > max_bytes):
                yield take()
            crew.submit(item)
            in_flight += 1
            weight += len(item[1])
        while in_flight:
            yield take()
    finally:
        crew.close()
