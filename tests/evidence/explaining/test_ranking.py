"""Suspects in order: what was not read or changed nothing last, known harms first, sizes before kinds."""

import pytest

from fourfold.evidence.explaining.ranking import HARM, HARMLESS, Seen, kind_of, suspicion
from fourfold.runs.changes import Change

_DIGEST = "ab" * 20


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (Change("code", "src/train.py", "a", "b"), "code"),
        (Change("code", "command", "a", "b"), "command"),
        (Change("data", "data/raw", "a", "b"), "rows"),
        (Change("data", "params.yaml:train.lr", 1, 2), "parameter"),
        (Change("data", "extra.csv", "a", "b", "moved", "undeclared"), "undeclared"),
        (Change("data", "network: example.org", None, None), "network"),
        (Change("environment", "numpy", "1.26.4", "2.1.0"), "package"),
        (Change("environment", "libopenblas.so.0", _DIGEST, "cd" * 20), "library"),
        (Change("environment", "interpreter.version", "3.11", "3.12"), "interpreter"),
        (Change("environment", "host.cpu.model", "a", "b"), "host"),
        (Change("environment", "threads", 1, 2), "numerics"),
        (Change("environment", "variable CUSTOMER", None, None), "variable"),
        (Change("randomness", "seed", 1, 2), "seed"),
        (Change("randomness", "threads", 1, 2), "numerics"),
        (Change("trace", "something", 1, 2), "other"),
    ],
)
def test_every_change_has_a_kind(change: Change, kind: str) -> None:
    assert kind_of(change) == kind


def test_where_sizes_say_nothing_data_goes_before_code_packages_seeds_and_host() -> None:
    seen = Seen(("train",))
    changes = [
        Change("data", "data/raw", "a", "b"),
        Change("code", "train.py", "a", "b"),
        Change("environment", "numpy", "1.26.4", "1.26.5"),
        Change("randomness", "seed", 1, 2),
        Change("environment", "host.cpu", "a", "b"),
    ]
    scores = [suspicion(change, seen).score for change in changes]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)


def test_a_size_counts_more_than_a_kind() -> None:
    little = suspicion(Change("data", "data/raw", "a", "b"), Seen(("load",), share=0.001))
    much = suspicion(Change("code", "train.py", "a", "b"), Seen(("train",), share=0.9))
    assert much.score > little.score
    major = suspicion(Change("environment", "numpy", "1.26.4", "2.0.0"), Seen(("train",)))
    minor = suspicion(Change("environment", "numpy", "1.26.4", "1.26.5"), Seen(("train",)))
    assert major.score > minor.score


def test_a_known_harm_goes_before_everything_else() -> None:
    harm = suspicion(
        Change("data", "data/raw", "a", "b"), Seen(("load",), distance=3, harms=("labels tipped over",))
    )
    worst = suspicion(Change("data", "other", "a", "b"), Seen(("train",), share=1.0))
    assert harm.why[0] == "labels tipped over"
    assert harm.score > worst.score * 0.97**3
    assert harm.score >= HARM * 0.97**3


def test_what_came_out_the_same_and_what_only_looks_otherwise_cannot_be_why() -> None:
    change = Change("code", "train.py", "a", "b")
    same = suspicion(change, Seen(("train",), reaches=False))
    layout = suspicion(change, Seen(("train",), cosmetic="only comments changed"))
    assert max(same.score, layout.score) < HARMLESS
    assert same.why == ("what came out of train is the same",)
    assert layout.why == ("only comments changed",)


def test_nearer_to_the_result_is_more_suspicious_and_the_same_is_always_scored_the_same() -> None:
    change = Change("code", "lib.py", "a", "b")
    near, far = (suspicion(change, Seen(("x",), distance=distance)) for distance in (0, 2))
    assert near.score > far.score
    assert suspicion(change, Seen(("x",), distance=2)) == far


def test_reasons_name_stages_and_only_what_is_known() -> None:
    change = Change("data", "data/raw", "a", "b")
    assert suspicion(change, Seen(("load",))).why == ("read by load",)
    many = suspicion(change, Seen(("a", "b", "c", "d", "e"), size="lost 3 rows (1 %)"))
    assert many.why == ("lost 3 rows (1 %)", "read by a, b, c and 2 more")
    gone = Change("code", "old.py", "a", None, "moved", "no longer read")
    assert suspicion(gone, Seen(("train",))).why == ("no longer read by train",)
