"""The lock file cut as text: the same bytes as the round trip of YAML gives, or a refusal."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.formats.dvc import lock, lock_text, yamlio
from fourfold.formats.dvc.lock import LockEntry, LockFile
from fourfold.formats.dvc.pointer import Dependency, Output

NAMES = st.one_of(
    st.sampled_from(["train", "a@1", "fit@x-1", "yes", "no", "1e3", "x.y", "it's", "a b", "-x", "*", "~a"]),
    st.text("ab'-_@ #:é", min_size=1, max_size=6).filter(lambda name: name.strip() == name),
)
TEXTS = st.one_of(
    st.text("abc '\"#:\n-&*[{é", max_size=20),
    st.text("word ", min_size=80, max_size=200),
    st.just("x" * 130),
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS, st.lists(TEXTS)
)
ENTRIES = st.builds(
    lambda cmd, params, deps: LockEntry(
        cmd,
        tuple(Dependency(path) for path in deps),
        {"params.yaml": params} if params else {},
        (Output("o"),),
    ),
    st.one_of(TEXTS, st.lists(TEXTS, min_size=1, max_size=2)),
    st.dictionaries(st.text("abc.", min_size=1, max_size=5), VALUES, max_size=3),
    st.lists(st.sampled_from(["in", "data/x y", "'q'", "#", "ünï"]), unique=True, max_size=3),
)


def by_yaml(old: bytes, name: str, entry: LockEntry) -> bytes:
    """The same change by reading and writing the whole file."""

    def change(document: yamlio.Document) -> yamlio.Document:
        yamlio.mapping_in(document, "stages", "")[name] = lock.entry_document(entry)
        return document

    return yamlio.edit(old, change)


@given(st.dictionaries(NAMES, ENTRIES, min_size=1, max_size=4), NAMES, ENTRIES)
def test_a_change_of_the_text_gives_the_bytes_of_the_round_trip(
    stages: dict[str, LockEntry], name: str, entry: LockEntry
) -> None:
    old = lock.render(LockFile("2.0", stages))
    text = lock_text.cut(old)
    if text is None:
        return
    assert list(text) == list(stages)
    assert text.render() == old
    text.put(name, lock.entry_document(entry))
    assert text.render() == by_yaml(old, name, entry)


def test_the_file_that_a_run_writes_is_cut_and_not_refused() -> None:
    entry = LockEntry("python 'a b'", (Dependency("in"),), {"params.yaml": {"x": [1, "2"]}}, (Output("o"),))
    old = lock.render(LockFile("2.0", {"a": entry, "b@1": entry, "yes": entry}))
    text = lock_text.cut(old)
    assert text is not None
    assert list(text) == ["a", "b@1", "yes"]


@pytest.mark.parametrize(
    "data",
    [
        b"schema: '2.0'\nstages:\n  # why\n  a:\n    cmd: x\n",
        b"schema: '2.0'\nstages:\n  a:\n    cmd: x\n\n  b:\n    cmd: y\n",
        b"schema: '2.0'\nstages: {}\n",
        b"schema: '2.0'\nstages:\n  a:\n    cmd: x\ndatasets: []\n",
        b"schema: '2.0'\nstages:\n  a: &x\n    cmd: x\n",
        b"schema: '2.0'\nstages:\n  a:\n    cmd: x\n  a:\n    cmd: y\n",
        b"schema: '2.0'\nstages:\n    a:\n      cmd: x\n",
        b"stages:\n  a:\n    cmd: x",
        b"nothing",
        b"\xff",
    ],
)
def test_a_file_of_another_shape_is_refused(data: bytes) -> None:
    assert lock_text.cut(data) is None


@pytest.mark.parametrize("start", ["", "# mine\nschema: '2.0'\nstages:\n  old:  # known\n    cmd: old\n"])
def test_a_new_stage_goes_to_its_rank_whatever_finished_first(start: str) -> None:
    rank = {"a": 0, "b": 1, "c": 2, "d": 3}
    data = start.encode()
    first = list(lock.parse(data).stages) if data else []
    for name in "dbca":
        data = lock.update_many(data, {name: LockEntry(name)}, rank=rank)
    assert list(lock.parse(data).stages) == [*first, "a", "b", "c", "d"]
    data = lock.update_many(data, {"z": LockEntry("z")}, rank=rank)
    assert list(lock.parse(data).stages) == [*first, "a", "b", "c", "d", "z"]


def test_a_thousand_stages_are_cut_in_a_fraction_of_what_reading_them_takes() -> None:
    entry = LockEntry("cmd", (Dependency("in"),), {}, (Output("o"),))
    data = lock.render(LockFile("2.0", {f"s{at}": entry for at in range(1000)}))

    def seconds(act: object) -> float:
        start = time.perf_counter()
        assert callable(act)
        act(data)
        return time.perf_counter() - start

    assert min(seconds(lock_text.cut) for _ in range(3)) < min(seconds(lock.parse) for _ in range(3))
