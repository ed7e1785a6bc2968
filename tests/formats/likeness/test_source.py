import time

import pytest

from fourfold.formats.likeness.source import Budget, ContentTooLargeError, Named, leaf

ANY = leaf("value", "any", b"")


def test_leaves_of_one_name_are_kept_apart() -> None:
    named = Named({"a": ANY, "a~2": ANY})
    for _ in range(2):
        named.put("a", ANY)
    named.put("b", ANY)
    assert list(named.found) == ["a", "a~2", "a~3", "a~4", "b"]


def test_very_many_leaves_of_one_name_take_the_time_of_their_number() -> None:
    named, started = Named(), time.monotonic()
    for _ in range(100_000):
        named.put("a", ANY)
    assert len(named.found) == 100_000
    assert time.monotonic() - started < 5


def test_what_is_looked_at_again_and_again_is_bounded_by_what_went_in() -> None:
    budget = Budget(ratio=10)
    budget.begin(1 << 30)
    budget.look(10 << 30, "a")
    with pytest.raises(ContentTooLargeError):
        budget.look(1, "a")


def test_a_budget_goes_on_elsewhere_and_never_gives_back() -> None:
    here = Budget(parts=10)
    here.begin(5)
    there = Budget(parts=10)
    there.resume(here.state())
    there.part("a", 4)
    there.expand(7, "a")
    here.resume(there.state())
    assert here.state() == there.state()
    for name, value in (("parts", 7), ("_out", 6)):
        with pytest.raises(ValueError, match=name):
            here.resume({**here.state(), name: value})
