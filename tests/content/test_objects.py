"""The object store: what it says is there, one by one and by the folder."""

import os

import pytest

from fourfold.content.tree import unpack
from tests.content.bench import Bench


@pytest.mark.parametrize("count", [3, 700], ids=["few", "many"])
def test_what_is_missing_is_told_in_its_order(bench: Bench, count: int) -> None:
    bench.gen({"data": {f"f{number}": str(number) for number in range(count)}})
    built = bench.save("data")
    oids = unpack(built.packed)
    assert bench.store.missing(oids) == []
    assert bench.store.holds_all(built.packed)
    gone = [oids[2], oids[0]]
    for oid in gone:
        os.unlink(bench.store.path(oid))
    assert bench.store.missing(oids) == [oids[0], oids[2]]
    assert bench.store.missing([*gone, *gone]) == [*gone, *gone]
    assert not bench.store.holds_all(built.packed)
    assert bench.store.holds_all(built.packed[16:32] + built.packed[48:])


def test_an_empty_store_holds_all_of_nothing(bench: Bench) -> None:
    assert bench.store.holds_all(b"")
    assert not bench.store.holds_all(bytes(16))
    assert not bench.store.holds_all(bytes(16 * 1000))
