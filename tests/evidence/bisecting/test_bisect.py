"""The search for the first bad version: exact, with gaps, with noise, over many versions."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from fourfold.base.clock import SystemClock
from fourfold.evidence.bisecting.bisect import (
    EndUnknownError,
    NothingToFindError,
    Probe,
    Probed,
    bisect,
    scatter,
)
from fourfold.evidence.bisecting.history import states_of
from fourfold.evidence.lineage import Makers
from fourfold.evidence.states import (
    History,
    Key,
    MetricAmbiguousError,
    MetricNotFoundError,
    State,
    key_of,
    one_metric,
    run_state,
)
from fourfold.formats.native.fact import Fact, absent, observed
from fourfold.formats.native.record import RunId
from fourfold.runs.place import Place
from tests.runs.recordmaking import keep, records_in


def history(*values: float | None, keys: tuple[str, ...] = (), runs: tuple[str, ...] = ()) -> History:
    """States of these values, each of a run of its own; None for one that nobody ran."""
    named = keys or tuple(map(str, range(len(values))))
    made = runs or tuple(map(str, range(len(values))))
    return History(
        "score",
        "metrics.json:auc",
        tuple(
            State(str(at), None, RunId(run), f"version {at}", Key(key, "", "", "", ""), value)
            for at, (value, key, run) in enumerate(zip(values, named, made, strict=True))
        ),
    )


def probing(truth: Sequence[float | None], asked: list[int]) -> Probe:
    """A probe that knows the truth and remembers what it was asked."""

    def probe(state: State) -> Probed:
        asked.append(int(state.name))
        value = truth[int(state.name)]
        return Probed(value, "" if value is not None else "its data is gone")

    return probe


def test_what_is_recorded_is_searched_without_a_probe() -> None:
    found = bisect(history(0.9, 0.91, 0.6, 0.61))
    assert (found.good, found.bad, found.executed, found.free) == (1, 2, 0, 4)
    assert found.side.falls
    assert found.side.threshold == pytest.approx((0.9 + 0.61) / 2)


def test_a_metric_that_should_be_small_is_searched_the_other_way() -> None:
    found = bisect(history(1.0, 1.1, 4.0))
    assert (found.bad, found.side.falls) == (2, False)


@pytest.mark.parametrize("first_bad", range(1, 64))
def test_the_first_bad_of_64_is_found_with_six_probes(first_bad: int) -> None:
    truth = [0.9] * first_bad + [0.5] * (64 - first_bad)
    asked: list[int] = []
    found = bisect(history(0.9, *[None] * 62, 0.5), probing(truth, asked))
    assert found.bad == first_bad
    assert found.good == first_bad - 1
    assert len(asked) == found.executed <= 6


def test_a_version_that_cannot_be_probed_is_passed_over_and_named() -> None:
    truth: list[float | None] = [0.9, 0.9, None, None, 0.5, 0.5]
    found = bisect(history(0.9, None, None, None, None, 0.5), probing(truth, []))
    assert (found.good, found.bad, found.skipped) == (1, 4, (2, 3))
    assert found.history.states[2].why == "its data is gone"


def test_versions_of_one_key_are_probed_once() -> None:
    asked: list[int] = []
    states = history(0.9, None, None, None, 0.5, keys=("a", "b", "b", "b", "c"))
    found = bisect(states, probing([0.9, 0.9, 0.9, 0.9, 0.5], asked))
    assert (found.bad, len(asked)) == (4, 1)


def test_a_metric_that_crossed_before_and_came_back_is_told() -> None:
    found = bisect(history(0.9, 0.5, 0.9, 0.5))
    assert (found.good, found.bad, found.flips) == (2, 3, 2)


def test_nothing_is_searched_where_nothing_is_worse_or_nothing_known() -> None:
    with pytest.raises(NothingToFindError, match=r"is 0\.9 in the good version"):
        bisect(history(0.9, 0.9))
    with pytest.raises(NothingToFindError, match="the bad version is good"):
        bisect(history(0.9, 0.8), threshold=0.7)
    with pytest.raises(EndUnknownError):
        bisect(history(None, 0.8))


def test_noise_is_met_with_repeated_probes_and_a_confidence() -> None:
    right = 0
    for seed in range(40):
        drawn = random.Random(seed)
        first_bad = drawn.randrange(1, 16)

        def probe(state: State, drawn: random.Random = drawn, first_bad: int = first_bad) -> Probed:
            return Probed(drawn.gauss(0.8 if int(state.name) < first_bad else 0.7, 0.04))

        found = bisect(history(0.8, *[None] * 14, 0.7), probe, spread=0.04)
        assert (found.confidence or 0.0) >= 0.95
        right += found.bad == first_bad
    assert right >= 36


def test_a_metric_is_meant_by_its_name_where_one_file_has_it() -> None:
    known = {"score": ["metrics.json:auc", "metrics.json:loss"], "check": ["check.json:loss"]}
    assert one_metric(known, "auc", None) == ("score", "metrics.json:auc")
    assert one_metric(known, "check.json:loss", None) == ("check", "check.json:loss")
    assert one_metric(known, "loss", "check") == ("check", "check.json:loss")
    with pytest.raises(MetricAmbiguousError, match="'loss' is 2 metrics"):
        one_metric(known, "loss", None)
    with pytest.raises(MetricNotFoundError, match="no metric 'auk'") as failure:
        one_metric(known, "auk", None)
    assert "auc" in (failure.value.hint or "")


def test_sixty_four_recorded_runs_are_answered_in_less_than_a_second(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    for at in range(64):
        auc = 0.9 - at / 1000 if at < 40 else 0.7
        keep(
            records,
            started=f"2026-01-02T03:{at:02}:05.000000Z",
            data="old" if at < 40 else "new",
            more={"metrics": observed({"metrics.json": {"auc": auc}})},
        )
    place = Place(str(tmp_path), str(tmp_path), str(tmp_path), {}, SystemClock(), None, None)
    began = time.monotonic()
    found = bisect(states_of(place, records, "train~63", "train", metric="auc"))
    assert time.monotonic() - began < 1
    assert (found.bad, found.free, found.executed) == (40, 64, 0)


def test_one_version_with_two_values_is_noise_and_no_finding() -> None:
    found = bisect(history(0.9, 0.91, 0.6, keys=("a", "b", "b")))
    assert (found.good, found.bad, found.is_noise, found.moved) == (1, 2, True, ())


def test_a_difference_no_larger_than_versions_scatter_is_noise() -> None:
    keys = ("a", "a", "a", "a", "b")
    assert bisect(history(0.90, 0.86, 0.88, 0.91, 0.85, keys=keys)).is_noise
    assert not bisect(history(0.90, 0.86, 0.88, 0.91, 0.50, keys=keys)).is_noise


def test_how_sure_an_answer_is_is_told_where_versions_repeat_and_not_known_where_none_does() -> None:
    assert bisect(history(0.9, 0.91, 0.6, 0.61)).confidence is None
    assert bisect(history(0.9, 0.9, 0.6, 0.6, keys=("a", "a", "b", "b"))).confidence == 1.0
    values = (0.9, 0.87, 0.88, 0.86, 0.9, 0.79, 0.7, 0.7)
    found = bisect(history(*values, keys=(*"aaaa", *"bcde")))
    assert found.bad == 5
    assert 0.5 < (found.confidence or 0.0) < 1.0


def test_one_run_that_many_commits_have_is_one_measurement() -> None:
    once = bisect(history(0.9, 0.84, 0.7, keys=("a", "b", "c")), spread=0.05)
    keys, runs = ("a", *["b"] * 6, "c"), ("1", *["2"] * 6, "3")
    often = bisect(history(0.9, *[0.84] * 6, 0.7, keys=keys, runs=runs), spread=0.05)
    assert often.confidence == pytest.approx(once.confidence)
    assert (once.bad, often.bad) == (2, 7)
    back = bisect(
        history(0.9, 0.84, 0.8, 0.84, 0.7, keys=("a", "b", "x", "b", "c"), runs=tuple("12324")), spread=1.0
    )
    assert back.bad in {1, 2, 3, 4}


def test_equal_values_of_a_version_without_records_are_no_repeats() -> None:
    states = [state._replace(run=None) for state in history(0.9, 0.9, 0.6, keys=("a", "a", "b")).states]
    assert scatter(history(0.9)._replace(states=tuple(states))) == (None, 0.0)


def test_a_threshold_holds_where_values_scatter_too() -> None:
    found = bisect(history(0.9, 0.85, 0.8, 0.75, 0.7), threshold=0.88, spread=0.01)
    assert found.bad == 1
    found = bisect(history(0.9, 0.85, 0.8, 0.75, 0.7), threshold=0.72, spread=0.01)
    assert found.bad == 4


def test_a_version_that_is_the_good_one_again_is_good_for_certain() -> None:
    found = bisect(history(0.9, 0.6, 0.9, 0.6, 0.6, keys=("a", "b", "a", "b", "c")), spread=0.05)
    assert (found.good, found.bad) == (2, 3)


def test_a_version_that_cannot_be_probed_does_not_end_a_search_in_noise() -> None:
    truth = [0.9, 0.9, 0.9, None, 0.6, 0.6, 0.6]
    asked: list[int] = []
    found = bisect(history(0.9, *[None] * 5, 0.6), probing(truth, asked), spread=0.02)
    assert found.bad in {3, 4}
    assert {2, 3, 4} <= set(asked)


def test_no_more_is_run_where_the_whole_change_is_noise() -> None:
    asked: list[int] = []
    states = history(0.90, 0.86, 0.88, None, 0.85, keys=("a", "a", "a", "b", "c"))
    assert bisect(states, probing([0.9] * 5, asked)).is_noise
    assert asked == []


def test_an_answer_is_right_as_often_as_it_is_said_to_be() -> None:
    draw, trials, right, sure = random.Random(11), 600, 0, 0.0
    for _ in range(trials):
        first_bad = draw.randrange(1, 12)
        values = [0.9, *(draw.gauss(0.9 if at < first_bad else 0.7, 0.1) for at in range(1, 12)), 0.7]
        found = bisect(history(*values), spread=0.1)
        right += found.bad == first_bad
        sure += found.confidence or 0.0
    assert right / trials == pytest.approx(sure / trials, abs=3 * (0.25 / trials) ** 0.5)


def test_a_metric_that_is_no_number_is_on_neither_side() -> None:
    found = bisect(history(0.9, float("nan"), 0.6))
    assert (found.good, found.bad, found.skipped) == (0, 2, (1,))
    with pytest.raises(EndUnknownError):
        bisect(history(0.9, float("nan")))


def test_runs_whose_environment_nobody_knows_are_no_repeats_of_one_version(tmp_path: Path) -> None:
    records = records_in(tmp_path)

    def states(**otherwise: dict[str, Fact]) -> History:
        runs = []
        for at, value in enumerate((0.9, 0.6)):
            more = {"metrics": observed({"m.json": {"auc": value}})}
            started = f"2026-01-02T03:04:{at:02}.000000Z"
            runs.append(keep(records, more=more, started=started, **otherwise))
        makers = Makers(records)
        return History(
            "train", "m.json:auc", tuple(run_state(records, makers, run, "m.json:auc") for run in runs)
        )

    known, unknown = states(), states(environment={"digest": absent("no process of Python told")})
    assert scatter(known)[0]
    assert scatter(unknown) == (None, 0.0)
    assert bisect(known).is_noise
    assert not bisect(unknown).is_noise


def test_a_run_that_was_seen_to_read_no_code_follows_from_none(tmp_path: Path) -> None:
    records = records_in(tmp_path)

    def key(tree: str, method: str) -> Key:
        run = keep(records, sources={}, code={"tree": observed(tree * 40)}, method=method)
        return key_of(Makers(records).lineage(run), records.part)

    assert key("1", "seccomp") == key("2", "seccomp")
    assert key("1", "off").code != key("2", "off").code
