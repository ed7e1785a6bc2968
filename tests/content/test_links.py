"""Making one file of the workspace from one object."""

import os

import pytest

from fourfold.content.links import Linker
from fourfold.content.proofs import ProofBook
from fourfold.content.statindex import StatIndex
from tests.content.bench import Bench


@pytest.mark.parametrize("size", [5, 3 << 20])
@pytest.mark.parametrize(("kind", "call"), [("hardlink", "link"), ("symlink", "symlink")])
def test_a_link_that_is_refused_after_the_object_was_read_becomes_a_copy_and_is_no_damage(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: str, call: str, size: int
) -> None:
    data = os.urandom(size)
    oid = bench.put(data)

    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, refuse)
    unproven = ProofBook(StatIndex(None), bench.store)
    linker = Linker(bench.store, unproven, (kind,))
    outcome, info = linker.make(oid, bench.path("made"))
    assert (outcome, info is None) == ("copy", False)
    assert (bench.root / "made").read_bytes() == data
