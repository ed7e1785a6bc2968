"""``fourfold.lock``: written the same way by everybody, read with care, kept for later versions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.base.errors import InvalidFileError
from fourfold.formats.native.lockfile import (
    MOST,
    BadLockFileError,
    LockBook,
    LockDocument,
    LockStage,
    LockVerdict,
    parse,
    render,
    updated,
)

RUN = "3f" * 32
WHOLE = LockStage(
    run=RUN,
    tree="9c" * 20,
    environment="1b" * 32,
    lock="uv.lock@sha256:77",
    verified=True,
    image="python:3.12@sha256:88",
    seed=42,
    determinism="strict",
    numerics={"threads": 1, "blas": "Haswell"},
    env={"CUSTOMER": "ab12:cd34"},
)
TEXT = f"""\
schema: fourfold.lock/1
stages:
  train:
    run: {RUN}
    code:
      tree: {"9c" * 20}
    environment:
      digest: {"1b" * 32}
      lock: uv.lock@sha256:77
      verified: true
      image: python:3.12@sha256:88
    randomness:
      seed: 42
      determinism: strict
      numerics:
        blas: Haswell
        threads: 1
    env:
      CUSTOMER: ab12:cd34
"""


def test_a_stage_is_a_few_short_lines() -> None:
    assert render(LockDocument({"train": WHOLE})).decode() == TEXT


def test_what_is_not_known_is_not_said() -> None:
    data = render(LockDocument({"a": LockStage(RUN)}))
    assert data.decode() == f"schema: fourfold.lock/1\nstages:\n  a:\n    run: {RUN}\n"


def test_stages_are_sorted_whatever_the_order_they_ran_in() -> None:
    one = updated(updated(b"", {"b": WHOLE}) or b"", {"a": WHOLE})
    other = updated(updated(b"", {"a": WHOLE}) or b"", {"b": WHOLE})
    assert one == other
    assert one is not None
    assert list(parse(one).stages) == ["a", "b"]


def test_a_stage_that_runs_again_changes_no_line_of_another() -> None:
    old = render(LockDocument(dict.fromkeys("abc", WHOLE))).decode()
    new = (updated(old.encode(), {"b": WHOLE._replace(seed=43)}) or b"").decode()
    changed = [pair for pair in zip(old.splitlines(), new.splitlines(), strict=True) if pair[0] != pair[1]]
    assert changed == [("      seed: 42", "      seed: 43")]


def test_the_last_stage_that_goes_takes_the_file_along() -> None:
    assert updated(TEXT.encode(), {"train": None}) is None
    assert updated(b"", {"never": None}) is None


def test_keys_of_a_later_version_survive_where_nothing_new_is_said() -> None:
    later = (
        TEXT.replace("    code:\n", "    witness: [x, y]\n    code:\n      forest: 12\n") + "signed: abc\n"
    )
    document = parse(later.encode())
    assert document.stages["train"].extra == {"": {"witness": ["x", "y"]}, "code": {"forest": 12}}
    again = updated(later.encode(), {"a": WHOLE})
    assert again is not None
    assert parse(again).stages["train"] == document.stages["train"]
    assert parse(again).extra == {"signed": "abc"}
    kept = updated(later.encode(), {"train": None})
    assert kept is not None
    assert parse(kept) == LockDocument({}, {"signed": "abc"})


def test_a_verdict_stays_while_the_run_is_the_same_and_goes_with_it() -> None:
    verdict = LockVerdict("bitwise", "ae" * 32)
    old = render(LockDocument({"a": WHOLE, "train": WHOLE._replace(verdict=verdict)}))
    assert f"    verdict:\n      level: bitwise\n      stated: {'ae' * 32}\n".encode() in old
    other = WHOLE._replace(run="0" * 64)
    for change, kept in ((WHOLE, verdict), (other, None)):
        for new in (updated(old, {"train": change}), LockBook().updated("x", old, {"train": change}, "x")):
            assert new is not None
            assert parse(new).stages["train"].verdict == kept


def test_an_empty_file_has_no_stages() -> None:
    assert parse(b"") == LockDocument({})
    assert parse(b"# nothing yet\n") == LockDocument({})


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "schema: fourfold.lock/2\nstages: {}",
        "stages: {}",
        "schema: fourfold.lock/1\nstages: []",
        "schema: fourfold.lock/1\nstages: {1: {}}",
        "schema: fourfold.lock/1\nstages: {a: {}}",
        "schema: fourfold.lock/1\nstages: {a: {run: ../../etc}}",
        TEXT.replace("seed: 42", "seed: true"),
        TEXT.replace("seed: 42", "seed: [1]"),
        TEXT.replace("verified: true", "verified: maybe"),
        TEXT.replace("9c" * 20, "$(rm -r x)"),
        TEXT.replace("CUSTOMER: ab12:cd34", "CUSTOMER: {}"),
        TEXT.replace("CUSTOMER: ab12:cd34", "1: x"),
        TEXT.replace("strict", '"a\\nb"'),
        "code: &a [*a]\n",
        "schema: fourfold.lock/1\nstages: {a: {run: {run: {}}, code: 7}}",
    ],
)
def test_what_is_no_such_file_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidFileError) as caught:
        parse(text.encode(), "sub/fourfold.lock")
    assert "sub/fourfold.lock" in caught.value.message
    assert caught.value.hint


def test_a_file_beyond_all_measure_is_refused() -> None:
    with pytest.raises(BadLockFileError, match="larger"):
        parse(b"#" * (MOST + 1))


_hex = st.text("0123456789abcdef", min_size=4, max_size=64)
_line = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=30)
_stage = st.builds(
    LockStage,
    run=st.sampled_from(["0" * 64, RUN]) | st.text("0123456789abcdef", min_size=64, max_size=64),
    tree=st.none() | _hex,
    environment=st.none() | _hex,
    lock=st.none() | _line,
    verified=st.none() | st.booleans(),
    image=st.none() | _line,
    seed=st.none() | st.integers(-(2**63), 2**64),
    determinism=st.none() | st.sampled_from(["off", "seeded", "strict"]),
    numerics=st.dictionaries(_line, st.integers() | st.booleans() | _line, max_size=3),
    env=st.dictionaries(_line, _hex, max_size=3),
    extra=st.just({}),
    verdict=st.none() | st.builds(LockVerdict, st.sampled_from(["bitwise", "numeric"]), st.just("ae" * 32)),
)


@given(st.dictionaries(_line, _stage, max_size=4))
def test_whatever_is_written_reads_the_same_and_is_written_the_same(stages: dict[str, LockStage]) -> None:
    data = render(LockDocument(stages))
    assert parse(data) == LockDocument(stages)
    assert render(parse(data)) == data


@given(st.lists(st.tuples(_line, st.none() | _stage), max_size=8))
def test_a_run_that_keeps_its_text_writes_the_same_bytes(changes: list[tuple[str, LockStage | None]]) -> None:
    book, quick, slow = LockBook(), b"", b""
    for name, stage in changes:
        quick = book.updated("fourfold.lock", quick, {name: stage}, "fourfold.lock") or b""
        slow = updated(slow, {name: stage}) or b""
        assert quick == slow


def test_what_somebody_else_wrote_meanwhile_is_not_lost() -> None:
    book = LockBook()
    first = book.updated("x", b"", {"a": WHOLE}, "x")
    assert first is not None
    other = updated(first, {"z": WHOLE})
    assert other is not None
    second = book.updated("x", other, {"b": WHOLE}, "x")
    assert second is not None
    assert list(parse(second).stages) == ["a", "b", "z"]


def test_a_comment_or_a_conflict_takes_the_careful_way() -> None:
    commented = TEXT.encode() + b"# by hand\n"
    found = LockBook().updated("x", commented, {"a": WHOLE}, "x")
    assert found is not None
    assert list(parse(found).stages) == ["a", "train"]
    with pytest.raises(InvalidFileError):
        LockBook().updated("x", b"<<<<<<< ours\n" + TEXT.encode(), {"a": WHOLE}, "x")
    with pytest.raises(InvalidFileError):
        LockBook().updated("x", TEXT.encode().replace(b"lock/1", b"lock/2"), {"a": WHOLE}, "x")
