"""Asking again: failures that pass are waited out, with back-off, jitter and an end.

Only what the protocol calls unavailable is asked again, and a body of the wrong length; a refusal,
a missing object or a damaged one is final. A write whose answer was lost is looked up before it is
sent again. Time and chance come in, so that a test sleeps for no second.
"""

import hashlib
import os
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from fourfold.base.clock import SYSTEM, Clock
from fourfold.base.errors import FourfoldError
from fourfold.base.events import Noticed, Sink, silent
from fourfold.storage.blob.protocol import (
    BlobInfo,
    BlobShortError,
    BlobStore,
    BlobUnavailableError,
    BlobUnknownOutcomeError,
    NoVersionsError,
    VersionedStore,
)

_Result = TypeVar("_Result")
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
#: Keys of one deletion.
_PAGE = 1000
#: Items of a bulk call that wait for their second chance at once.
_ROUND = 64


class Policy(NamedTuple):
    """How long to keep asking.

    Attributes:
        attempts: Tries of one call, the first among them.
        first: Seconds of the first wait, before chance shortens it.
        longest: Seconds that one wait never exceeds.
        deadline: Seconds from the first try after which there is no further one.
        refused: Tries of a call that a host refuses or that has no host, the first among them.
    """

    attempts: int = 6
    first: float = 0.2
    longest: float = 20.0
    deadline: float = 180.0
    refused: int = 3


DEFAULT_POLICY = Policy()


class Retry:
    """A store that is asked again.

    Args:
        store: What is wrapped.
        policy: How long.
        clock: Measures and waits.
        chance: Gives numbers from 0 to 1, for the jitter.
        events: Hears of each wait.
    """

    def __init__(
        self,
        store: BlobStore,
        policy: Policy = DEFAULT_POLICY,
        *,
        clock: Clock = SYSTEM,
        chance: Callable[[], float] = random.random,
        events: Sink = silent,
    ) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._events = events

    @property
    def url(self) -> str:
        """Of the wrapped store."""
        return self._store.url

    @property
    def local_root(self) -> str | None:
        """Of the wrapped store."""
        return self._store.local_root

    def head(self, key: str) -> BlobInfo | None:
        """See `BlobStore.head`."""
        return self._ask(lambda: self._store.head(key))

    def get(self, key: str, max_size: int | None = None) -> bytes:
        """See `BlobStore.get`."""
        return self._ask(lambda: self._store.get(key, max_size))

    def put(self, key: str, data: bytes) -> None:
        """See `BlobStore.put`."""
        self._write(lambda: self._store.put(key, data), lambda: self._is_there(key, data))

    def put_file(self, key: str, path: str) -> None:
        """See `BlobStore.put_file`."""
        self._write(lambda: self._store.put_file(key, path), lambda: self._file_is_there(key, path))

    def put_version(self, key: str, path: str) -> BlobInfo:
        """See `VersionedStore.put_version`."""
        store = self._versioned()
        for attempt in self._attempts():
            try:
                return store.put_version(key, path)
            except BlobUnavailableError as error:
                attempt(error)
            except BlobUnknownOutcomeError as error:
                found = self.head(key) if self._file_is_there(key, path) else None
                if found is not None:
                    return found
                attempt(error)
        raise AssertionError("the last attempt raises")

    def head_version(self, key: str, version: str) -> BlobInfo | None:
        """See `VersionedStore.head_version`."""
        return self._ask(lambda: self._versioned().head_version(key, version))

    def get_version(self, key: str, version: str, max_size: int | None = None) -> bytes:
        """See `VersionedStore.get_version`."""
        return self._ask(lambda: self._versioned().get_version(key, version, max_size))

    def open_version(self, key: str, version: str) -> Iterator[bytes]:
        """See `VersionedStore.open_version`; a stream that breaks is opened again, as in `open`."""
        store = self._versioned()
        return self._stream(lambda: store.open_version(key, version))

    def _versioned(self) -> VersionedStore:
        if isinstance(self._store, VersionedStore):
            return self._store
        raise NoVersionsError(f"{self.url} keeps no versions")

    def delete(self, keys: Iterable[str]) -> None:
        """See `BlobStore.delete`."""
        pending = iter(keys)
        while page := [*islice(pending, _PAGE)]:
            self._ask(lambda page=page: self._store.delete(page))  # type: ignore[misc]

    def open(self, key: str) -> Iterator[bytes]:
        """See `BlobStore.open`; a stream that breaks is opened again and read up to where it was.

        What was given out is never given twice. Whoever reads verifies the whole by its digest, so a
        second copy that differs from the first is found there.
        """
        return self._stream(lambda: self._store.open(key))

    def _stream(self, begin: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        given = 0
        for attempt in self._attempts():
            try:
                for chunk in _after(begin(), given):
                    given += len(chunk)
                    yield chunk
            except (BlobUnavailableError, BlobShortError) as error:
                attempt(error)
            else:
                return

    def list(self, prefix: str = "") -> Iterator[Sequence[BlobInfo]]:
        """See `BlobStore.list`; a listing that breaks begins again, and tells nothing twice."""
        told: set[str] = set()
        for attempt in self._attempts():
            try:
                for page in self._store.list(prefix):
                    fresh = [info for info in page if info.key not in told] if told else page
                    yield fresh
                    told.update(info.key for info in fresh)
            except BlobUnavailableError as error:
                attempt(error)
            else:
                return

    def get_many(
        self, keys: Iterable[str], max_size: int | None = None
    ) -> Iterator[tuple[str, bytes | FourfoldError]]:
        """See `BlobStore.get_many`; what failed is asked for again, in rounds.

        Once a round has brought nothing the store counts as down: what is left is told, not asked.
        """
        state = _Bulk()

        def ask(some: Iterable[str]) -> Iterator[tuple[str, bytes | FourfoldError]]:
            return self._store.get_many(some, max_size)

        for key, found in ask(state.feed(keys)):
            if isinstance(found, (BlobUnavailableError, BlobShortError)):
                state.failed[key] = found
                if len(state.failed) >= _ROUND:
                    yield from self._rounds(state, ask)
            else:
                yield key, found
        yield from self._rounds(state, ask)
        yield from state.refuse()

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        """See `BlobStore.put_many`; what failed is sent again, in rounds, from bytes kept till then."""
        state = _Bulk()
        kept: dict[str, bytes] = {}
        pending = iter(items)

        def feed() -> Iterator[tuple[str, bytes]]:
            for key, data in pending:
                kept[key] = data
                yield key, data
                if state.down is not None:
                    return

        def send(keys: Iterable[str]) -> Iterator[tuple[str, FourfoldError | None]]:
            return self._store.put_many((key, kept[key]) for key in keys)

        for key, failure in self._store.put_many(feed()):
            if isinstance(failure, (BlobUnavailableError, BlobUnknownOutcomeError)) and key in kept:
                state.failed[key] = failure
                if len(state.failed) >= _ROUND:
                    yield from self._rounds(state, send)
            else:
                kept.pop(key, None)
                yield key, failure
        yield from self._rounds(state, send)
        if state.down is not None:
            yield from ((key, state.down) for key, _data in pending)

    def _rounds(
        self, state: "_Bulk", ask: "Callable[[Iterable[str]], Iterator[tuple[str, _Result | FourfoldError]]]"
    ) -> "Iterator[tuple[str, _Result | FourfoldError]]":
        """Ask again for everything that failed, at most as often as the policy says.

        Objects are named by their content, so a write of unknown outcome is simply sent again.
        """
        start = self._clock.monotonic()
        brought = state.down is not None
        for number in range(self._policy.attempts - 1):
            longest = max((self._pause(number, error) for error in state.failed.values()), default=0.0)
            left = self._policy.deadline - (self._clock.monotonic() - start)
            refused = bool(state.failed) and all(_is_refused(error) for error in state.failed.values())
            if not state.failed or state.down is not None or longest > left:
                break
            if refused and number + 1 >= self._policy.refused:
                break
            worst = max(state.failed.values(), key=lambda error: self._pause(number, error))
            self._wait(number, worst)
            again, state.failed = state.failed, {}
            for key, found in ask([*again]):
                if isinstance(found, (BlobUnavailableError, BlobShortError, BlobUnknownOutcomeError)):
                    state.failed[key] = found
                else:
                    brought = True
                    yield key, found
        if state.failed and not brought:
            state.down = next(iter(state.failed.values()))
        yield from state.failed.items()
        state.failed = {}

    def _ask(self, call: Callable[[], _Result]) -> _Result:
        for attempt in self._attempts():
            try:
                return call()
            except (BlobUnavailableError, BlobShortError) as error:
                attempt(error)
        raise AssertionError("the last attempt raises")

    def _write(self, call: Callable[[], None], is_there: Callable[[], bool]) -> None:
        for attempt in self._attempts():
            try:
                call()
            except BlobUnavailableError as error:
                attempt(error)
            except BlobUnknownOutcomeError as error:
                if is_there():
                    return
                attempt(error)
            else:
                return

    def _is_there(self, key: str, data: bytes) -> bool:
        """Whether what we sent has arrived, as far as a look without reading can tell."""
        found = self.head(key)
        if found is None or found.size != len(data) or found.etag is None:
            return False
        # Only a tag that is a digest proves anything; with another one the write is sent again.
        return (
            bool(_MD5.fullmatch(found.etag))
            and found.etag == hashlib.md5(data, usedforsecurity=False).hexdigest()
        )

    def _file_is_there(self, key: str, path: str) -> bool:
        found = self.head(key)
        if found is None or found.etag is None or not _MD5.fullmatch(found.etag):
            return False
        try:
            if os.stat(path).st_size != found.size:
                return False
            with open(path, "rb") as source:
                return hashlib.file_digest(source, "md5").hexdigest() == found.etag
        except OSError:
            return False

    def _attempts(self) -> Iterator[Callable[[FourfoldError], None]]:
        """Give, for each try, the function that its failure goes to: it waits, or raises at the end."""
        start = self._clock.monotonic()
        for number in range(self._policy.attempts):

            def failed(error: FourfoldError, number: int = number) -> None:
                left = self._policy.deadline - (self._clock.monotonic() - start)
                most = self._policy.refused if _is_refused(error) else self._policy.attempts
                if number + 1 >= min(most, self._policy.attempts) or self._pause(number, error) > left:
                    raise error
                self._wait(number, error)

            yield failed

    def _pause(self, number: int, error: FourfoldError | None = None) -> float:
        asked = getattr(error, "retry_after", None)
        if asked is not None:
            return float(asked)
        return min(self._policy.longest, self._policy.first * (1 << number))

    def _wait(self, number: int, error: FourfoldError) -> None:
        pause = self._pause(number, error)
        if getattr(error, "retry_after", None) is None:
            pause *= 0.5 + 0.5 * self._chance()
        self._events(Noticed(f"{error.message}; asking again in {pause:.1f} s"))
        self._clock.sleep(pause)


class _Bulk:
    """What a bulk call remembers: what failed so far, and that the store is down.

    Attributes:
        failed: Keys to ask for again, with their last failure.
        down: Why nothing more is asked; None while the store answers.
    """

    def __init__(self) -> None:
        self.failed: dict[str, FourfoldError] = {}
        self.down: FourfoldError | None = None
        self._pending: Iterator[str] = iter(())

    def feed(self, keys: Iterable[str]) -> Iterator[str]:
        """The keys, until the store is down."""
        self._pending = iter(keys)
        for key in self._pending:
            yield key
            if self.down is not None:
                return

    def refuse(self) -> Iterator[tuple[str, FourfoldError]]:
        """The keys that were never asked for, with the reason."""
        if self.down is not None:
            for key in self._pending:
                yield key, self.down


def retrying(
    store: BlobStore, policy: Policy = DEFAULT_POLICY, *, clock: Clock = SYSTEM, events: Sink = silent
) -> BlobStore:
    """``store``, asked again where that can help.

    A folder of this machine is left as it is: it answers for good at once, and refuses again what it refused.
    """
    return store if store.local_root is not None else Retry(store, policy, clock=clock, events=events)


def _is_refused(error: FourfoldError) -> bool:
    return isinstance(error, BlobUnavailableError) and error.refused


def _after(chunks: Iterator[bytes], skip: int) -> Iterator[bytes]:
    """The chunks without their first ``skip`` bytes."""
    for chunk in chunks:
        if skip >= len(chunk):
            skip -= len(chunk)
            continue
        yield chunk[skip:] if skip else chunk
        skip = 0
