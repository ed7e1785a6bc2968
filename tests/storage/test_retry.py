"""Asking again: what passes is waited out, what is final is not, and there is an end."""

from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Event, Noticed
from fourfold.storage.blob.local import LocalStore
from fourfold.storage.blob.memory import MemoryStore
from fourfold.storage.blob.protocol import (
    BlobDeniedError,
    BlobNotFoundError,
    BlobShortError,
    BlobThrottledError,
    BlobUnavailableError,
    BlobUnknownOutcomeError,
)
from fourfold.storage.wrap.retry import Policy, Retry, retrying
from fourfold.testing.faults import Fault, Faulty
from tests.fixtures.clock import HandClock


def patient(*faults: Fault, policy: Policy | None = None) -> tuple[Retry, Faulty, MemoryStore, HandClock]:
    memory = MemoryStore()
    faulty = Faulty(memory, faults)
    clock = HandClock(0.0)
    return Retry(faulty, policy or Policy(), clock=clock, chance=lambda: 1.0), faulty, memory, clock


@pytest.mark.parametrize("kind", ["unavailable", "throttled", "timeout", "short"])
def test_a_failure_that_passes_is_waited_out(kind: str) -> None:
    store, _faulty, memory, clock = patient(Fault(kind, "get", times=3))  # type: ignore[arg-type]
    memory.put("k", b"value")
    assert store.get("k") == b"value"
    assert clock.slept == [0.2, 0.4, 0.8]


def test_a_refusal_is_final_at_once() -> None:
    store, faulty, memory, clock = patient(Fault("denied", "get"))
    memory.put("k", b"value")
    with pytest.raises(BlobDeniedError):
        store.get("k")
    assert (len(faulty.calls), clock.slept) == (1, [])


def test_a_missing_object_is_final_at_once() -> None:
    store, faulty, _memory, clock = patient()
    with pytest.raises(BlobNotFoundError):
        store.get("k")
    assert (len(faulty.calls), clock.slept) == (1, [])


def test_there_is_a_last_attempt_and_its_error_is_told() -> None:
    store, faulty, _memory, _clock = patient(Fault("unavailable", "get", times=99), policy=Policy(attempts=4))
    with pytest.raises(BlobUnavailableError, match="500 on purpose"):
        store.get("k")
    assert len(faulty.calls) == 4


def test_the_deadline_ends_it_before_the_attempts_do() -> None:
    policy = Policy(attempts=1000, deadline=30.0)
    store, _faulty, _memory, clock = patient(Fault("unavailable", "head", times=1000), policy=policy)
    with pytest.raises(BlobUnavailableError):
        store.head("k")
    assert clock.now <= 30.0


def test_the_jitter_only_shortens_a_wait() -> None:
    memory = MemoryStore()
    memory.put("k", b"x")
    clock = HandClock(0.0)
    faulty = Faulty(memory, [Fault("unavailable", "get", times=2)])
    Retry(faulty, clock=clock, chance=lambda: 0.0).get("k")
    assert clock.slept == [0.1, 0.2]


def test_the_time_that_the_server_asks_for_is_given() -> None:
    class Busy(MemoryStore):
        asked = 0

        def get(self, key: str, max_size: int | None = None) -> bytes:
            self.asked += 1
            if self.asked == 1:
                raise BlobThrottledError("busy", retry_after=7.0)
            return super().get(key, max_size)

    busy, clock = Busy(), HandClock(0.0)
    busy.put("k", b"x")
    assert Retry(busy, clock=clock, chance=lambda: 0.0).get("k") == b"x"
    assert clock.slept == [7.0]


def test_a_write_whose_answer_was_lost_is_looked_up_and_not_sent_again() -> None:
    store, faulty, memory, _clock = patient(Fault("lost-answer", "put"))
    store.put("k", b"value")
    assert memory.get("k") == b"value"
    assert [call for call, _key in faulty.calls] == ["put", "head"]


def test_a_write_that_was_lost_on_its_way_is_sent_again() -> None:
    store, faulty, memory, _clock = patient(Fault("lost-request", "put"))
    store.put("k", b"value")
    assert memory.get("k") == b"value"
    assert [call for call, _key in faulty.calls] == ["put", "head", "put"]


def test_a_write_that_stays_unknown_is_told_as_unknown() -> None:
    store, _faulty, memory, _clock = patient(
        Fault("lost-request", "put", times=99), policy=Policy(attempts=3)
    )
    with pytest.raises(BlobUnknownOutcomeError):
        store.put("k", b"value")
    assert memory.head("k") is None


def test_another_object_under_the_key_does_not_pass_for_ours() -> None:
    store, _faulty, memory, _clock = patient(Fault("lost-request", "put"))
    memory.put("k", b"VALUE")
    store.put("k", b"value")
    assert memory.get("k") == b"value"


def test_a_file_whose_answer_was_lost_is_looked_up(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    store, faulty, memory, _clock = patient(Fault("lost-answer", "put_file"))
    store.put_file("k", str(source))
    assert memory.get("k") == b"content"
    assert [call for call, _key in faulty.calls] == ["put_file", "head"]


def test_a_stream_that_breaks_goes_on_where_it_was() -> None:
    data = bytes(range(256)) * 40_000
    store, _faulty, memory, _clock = patient(Fault("short", "open", times=2))
    memory.put("k", data)
    assert b"".join(store.open("k")) == data


def test_a_listing_that_breaks_tells_nothing_twice() -> None:
    store, _faulty, memory, _clock = patient(Fault("unavailable", "list"))
    for number in range(2500):
        memory.put(f"k/{number}", b"")
    keys = [info.key for page in store.list("k") for info in page]
    assert sorted(keys) == sorted(memory.objects)


def test_what_failed_among_many_comes_in_a_later_round() -> None:
    store, _faulty, memory, _clock = patient(
        Fault("unavailable", "get", first=3, times=5), Fault("throttled", "get", first=30, times=80)
    )
    items = {f"k/{number}": str(number).encode() for number in range(200)}
    memory.objects.update(items)
    assert dict(store.get_many(items)) == items


def test_what_was_not_sent_among_many_is_sent_in_a_later_round() -> None:
    store, _faulty, memory, _clock = patient(
        Fault("unavailable", "put", first=3, times=5),
        Fault("lost-request", "put", first=20, times=3),
        Fault("lost-answer", "put", first=40, times=100),
    )
    items = {f"k/{number}": str(number).encode() for number in range(200)}
    assert dict(store.put_many(items.items())) == dict.fromkeys(items)
    assert memory.objects == items


def test_a_store_that_is_down_is_not_asked_a_hundred_thousand_times() -> None:
    store, faulty, _memory, clock = patient(Fault("unavailable", times=10**9))
    keys = [f"k/{number}" for number in range(100_000)]
    found = dict(store.get_many(keys))
    assert all(isinstance(found[key], BlobUnavailableError) for key in keys)
    asked = len(faulty.calls)
    assert asked < 1000
    put = dict(store.put_many((key, b"x") for key in keys))
    assert all(isinstance(put[key], BlobUnavailableError) for key in keys)
    assert len(faulty.calls) - asked < 1000
    assert clock.now < 60


def test_a_refusal_among_many_is_told_and_not_asked_again() -> None:
    store, faulty, memory, _clock = patient(Fault("denied", "get", key="secret", times=9))
    memory.objects.update({"open": b"1", "secret": b"2"})
    found = dict(store.get_many(["open", "secret", "absent"]))
    assert found["open"] == b"1"
    assert isinstance(found["secret"], BlobDeniedError)
    assert isinstance(found["absent"], BlobNotFoundError)
    assert len(faulty.calls) == 3


def test_each_wait_is_news() -> None:
    heard: list[Event] = []
    memory = MemoryStore()
    memory.put("k", b"x")
    faulty = Faulty(memory, [Fault("unavailable", "get")])
    Retry(faulty, clock=HandClock(0.0), chance=lambda: 1.0, events=heard.append).get("k")
    assert [type(event) for event in heard] == [Noticed]


def test_a_folder_of_this_machine_needs_no_second_asking(tmp_path: Path) -> None:
    local, memory = LocalStore(str(tmp_path)), MemoryStore()
    assert retrying(local) is local
    assert isinstance(retrying(memory), Retry)


@pytest.mark.parametrize("kind", ["flip", "truncate"])
def test_damage_that_nobody_notices_passes_through_for_the_digest_to_find(kind: str) -> None:
    store, _faulty, memory, _clock = patient(Fault(kind, "get", bit=3))  # type: ignore[arg-type]
    memory.put("k", b"value")
    assert store.get("k") != b"value"


def test_every_error_of_a_fault_is_typed() -> None:
    for kind in ("unavailable", "throttled", "denied", "timeout", "short", "vanish"):
        faulty = Faulty(MemoryStore(), [Fault(kind, "get")])  # type: ignore[arg-type]
        faulty.put("k", b"value")
        with pytest.raises(FourfoldError):
            faulty.get("k")
    with pytest.raises(BlobShortError):
        list(Faulty(_with_one_object(), [Fault("short", "open")]).open("k"))


def _with_one_object() -> MemoryStore:
    memory = MemoryStore()
    memory.put("k", b"value")
    return memory
