"""How verdicts are reached: levels, what is named first, equivalence of a metric, and documents."""

import json
import pickle
import random
from pathlib import Path

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.evidence.replaying.originals import Originals
from fourfold.evidence.replaying.replay import Pair
from fourfold.evidence.states import MetricAmbiguousError, MetricNotFoundError
from fourfold.evidence.verifying import equivalence
from fourfold.evidence.verifying.declaring import BadTermsError, Declared, parse_terms
from fourfold.evidence.verifying.equivalence import MarginMissingError, check_margin, described, judge
from fourfold.evidence.verifying.matching import Matched, first_byte, match, match_numbers, weakest
from fourfold.evidence.verifying.verdict import (
    LEVELS,
    Asked,
    First,
    Level,
    Measured,
    MetricVerdict,
    Noise,
    OutputLevel,
    OutputVerdict,
    Verdict,
)
from fourfold.formats.attest import verdict as predicate
from fourfold.formats.likeness.model import compare
from fourfold.formats.likeness.reading import read_bytes
from fourfold.formats.native.canonical import canonical
from fourfold.formats.native.fact import observed
from fourfold.formats.native.record import Outcome, RunId, RunRecord, Times
from fourfold.runs.place import Place
from fourfold.runs.store import Records
from tests.runs.recordmaking import records_in

RUN = RunId("ab" * 32)
REPLAY = RunId("cd" * 32)


def output(path: str, level: OutputLevel, reason: str = "why") -> OutputVerdict:
    return OutputVerdict(path, "out", level, reason, "11" * 16, "22" * 16)


def verdict(asked: Asked, level: Level) -> Verdict:
    return Verdict(RUN, asked, level, "why", (output("a", "bitwise"),), ("bitwise",), (REPLAY,))


def matched(before: object, after: object) -> Matched:
    """A JSON output of a repeat beside the original."""
    contents = [read_bytes(json.dumps(value).encode(), "out.json") for value in (before, after)]
    if before == after:
        return Matched(output("out.json", "bitwise"))
    return Matched(output("out.json", "different"), compare(*contents))


# -- levels -----------------------------------------------------------------


def test_that_a_stronger_level_than_was_asked_for_holds_and_a_weaker_one_does_not() -> None:
    for at, asked in enumerate(LEVELS):
        for level in LEVELS:
            assert verdict(asked, level).holds == (LEVELS.index(level) <= at)
        assert not verdict(asked, "different").holds
        assert not verdict(asked, "inconclusive").holds


def test_that_the_weakest_output_speaks_for_all_and_a_difference_before_what_is_not_known() -> None:
    found = [output("a", "bitwise"), output("b", "not-comparable"), output("c", "canonical")]
    assert weakest(found).path == "b"
    assert weakest([*found, output("d", "different")]).path == "d"
    assert weakest([output("a", "numeric"), output("b", "canonical")]).path == "a"


def test_that_a_document_is_what_statements_read_and_the_same_for_the_same_findings() -> None:
    leaf = Measured("w", float("inf"), 2.0, None, 1, 3, (0.0, 0.0), (0.0, 0.0), holds=False)
    first = First("w", "values", "1", "nan", at=(0, 2))
    different = output("m.json", "different")._replace(first=first, leaves=(leaf,), differing=1)
    found = Verdict(
        RUN, "numeric", "different", "why", (different,), LEVELS[:3], (REPLAY,), noise=Noise(3, 7.0, 0.01)
    )
    data = canonical(found.document())
    assert data == canonical(found.document())
    read = predicate.parse(json.loads(data))
    assert (read.run, read.level, read.asked, read.holds) == (RUN, "different", "numeric", False)
    assert read.replay == REPLAY
    assert read.outputs[0]["first"]["index"] == [0, 2]
    assert read.outputs[0]["leaves"][0]["absolute"] == "inf"
    assert read.more["noise"] == {"repeats": 3, "factor": 7.0, "risk": 0.01}


# -- numbers, by repeats ----------------------------------------------------


def test_that_numbers_within_the_noise_of_repeats_are_numeric() -> None:
    before = {"w": [1.0, 2.0], "n": 3}
    found = [matched(before, {"w": [1.0 + each, 2.0], "n": 3}) for each in (1e-12, 2e-12, -1e-12)]
    said = match_numbers(found)
    assert said.level == "numeric"
    assert said.leaves[0].floor is not None
    assert said.leaves[0].floor[0] == pytest.approx(3e-12, rel=0.01)
    assert "within the noise of 3 repeats" in said.reason


def test_that_a_number_beyond_the_noise_is_named_with_index_and_both_values() -> None:
    before = {"w": [1.0, 2.0], "n": 3}
    found = [matched(before, {"w": [1.0 + each, 2.5], "n": 3}) for each in (1e-12, 2e-12, -1e-12)]
    said = match_numbers(found)
    assert said.level == "different"
    assert said.first == First("w", "values", "2", "2.5", at=(1,))
    assert "3 repeats differ by 3e-12 at most, this by 0.5" in said.reason


def test_that_repeats_that_agree_with_each_other_and_not_with_the_original_are_no_noise() -> None:
    said = match_numbers([matched({"auc": 0.8}, {"auc": 0.7})] * 3)
    assert said.level == "different"
    assert "repeats are the same here, so this is no noise" in said.reason


def test_that_results_that_are_random_as_a_whole_are_no_noise_of_numbers() -> None:
    said = match_numbers([matched({"w": [0.3, 1.0]}, {"w": [each, 1.0]}) for each in (0.1, 0.5, 0.9)])
    assert said.level == "inconclusive"
    assert "w is random: 3 repeats differ by 0.8, the largest value is 1" in said.reason
    lucky = match_numbers([matched({"n": 1}, {"n": each}) for each in (1, 0, 1)])
    assert lucky.level == "inconclusive"


def test_that_a_text_that_some_repeats_have_is_not_known_to_be_the_same() -> None:
    said = match_numbers([matched({"day": "Monday"}, {"day": day}) for day in ("Monday", "Tuesday")])
    assert said.level == "inconclusive"
    other = match_numbers([matched({"day": "Monday"}, {"day": day}) for day in ("Sunday", "Tuesday")])
    assert other.level == "different"
    assert "another one in each repeat" in other.reason


def test_that_a_leaf_that_is_gone_or_of_another_shape_is_no_noise() -> None:
    before = {"a": 1.0, "w": [1.0, 2.0]}
    for after in ({"w": [1.0, 2.0]}, {"a": 1.0, "w": [1.0, 2.0, 3.0]}, {"a": 1.0, "w": [1.0, 2.0], "b": 1.0}):
        said = match_numbers([matched(before, after)] * 3)
        assert said.level == "different"


def test_that_numbers_of_another_type_are_no_noise_however_near_they_are() -> None:
    contents = [read_bytes(pickle.dumps({"n": number}), "out.pkl") for number in (3, 3.0)]
    found = Matched(output("out.pkl", "different"), compare(*contents))
    assert found.differences[0].what == "kind"
    assert match_numbers([found] * 3).level == "different"


def test_that_an_output_that_did_not_come_out_then_and_does_now_is_different(tmp_path: Path) -> None:
    (tmp_path / "plot.json").write_text("{}")
    row = {"path": "plot.json", "role": "plot"}
    pair = Pair(
        "plot.json", "plot", row, {**row, "blake3": "1" * 64}, same=False, file=str(tmp_path / "plot.json")
    )
    place = Place(str(tmp_path), str(tmp_path), str(tmp_path), {}, SYSTEM, None, None)
    records = records_in(tmp_path)
    with Originals(place, records) as originals:
        found = match(pair, records.get(keep(records, 1, 0.8)), originals)
    assert (found.verdict.level, found.verdict.reason) == ("different", "it came out, and had not then")


def test_that_bytes_in_a_format_that_nobody_reads_have_no_numbers() -> None:
    found = Matched(output("model.bin", "different", "other bytes"))
    assert match_numbers([found, found]).reason == "other bytes"


# -- bytes ------------------------------------------------------------------


def test_that_the_first_byte_that_differs_is_found_beyond_the_first_block(tmp_path: Path) -> None:
    same = b"x" * (3 << 20)
    (tmp_path / "a").write_bytes(same + b"1" + same)
    (tmp_path / "b").write_bytes(same + b"2" + same)
    (tmp_path / "c").write_bytes(same)
    paths = {name: str(tmp_path / name) for name in "abc"}
    assert first_byte(paths["a"], paths["b"]) == First("", "bytes", offset=3 << 20)
    assert first_byte(paths["a"], paths["c"]) == First("", "bytes", offset=3 << 20)
    assert first_byte(paths["a"], paths["a"]) is None


def test_that_of_two_folders_the_first_file_that_differs_is_named(tmp_path: Path) -> None:
    for folder, files in (("a", {"x/1": b"1", "y": b"2"}), ("b", {"x/1": b"1", "y": b"3", "z": b""})):
        for name, data in files.items():
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).write_bytes(data)
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    assert first_byte(a, b) == First("y", "bytes", offset=0)
    (tmp_path / "a/y").write_bytes(b"3")
    assert first_byte(a, b) == First("z", "new")
    assert first_byte(b, a) == First("z", "missing")
    found = first_byte(a, str(tmp_path / "b/z"))
    assert found is not None
    assert found.what == "kind"


# -- a metric ---------------------------------------------------------------


def judged(before: list[float], after: list[float], margin: float = 0.01) -> MetricVerdict:
    against = "recorded value" if len(before) == 1 else "recorded runs"
    return judge("m.json:auc", margin, against, before, after, range(len(after)))


def test_that_values_near_the_recorded_one_are_equivalent_and_far_ones_different() -> None:
    near = judged([0.8], [0.801, 0.799, 0.8, 0.802, 0.798, 0.8])
    assert near.answer == "equivalent"
    assert "within the margin" in described(near)
    far = judged([0.8], [0.701, 0.699, 0.7, 0.702, 0.698, 0.7])
    assert far.answer == "different"
    assert far.difference == pytest.approx(-0.1)


def test_that_five_values_certify_nothing_however_near_they_are() -> None:
    found = judged([0.8], [0.8] * 5)
    assert found.answer == "inconclusive"
    assert found.needed == 6
    assert "fewer than 6" in described(found)
    assert judged([0.8], [0.8]).answer == "inconclusive"
    assert judged([0.8], []).answer == "inconclusive"


def test_that_values_that_scatter_too_much_are_inconclusive_with_how_many_would_do() -> None:
    found = judged([0.8], [0.80, 0.83, 0.78, 0.81, 0.77, 0.82])
    assert found.answer == "inconclusive"
    assert found.needed is not None
    assert found.needed > 6
    assert found.power is not None
    assert found.power < 0.8
    assert f"about {found.needed} would be needed" in described(found)


def test_that_a_difference_as_large_as_the_margin_is_never_settled_by_more_values() -> None:
    found = judged([0.8], [0.79, 0.79, 0.791, 0.789, 0.7901, 0.7899])
    assert (found.answer, found.needed) == ("inconclusive", None)


@pytest.mark.parametrize("count", [2, 5, 6, 8])
@pytest.mark.parametrize("recorded", [1, 6])
@pytest.mark.parametrize("spread", [0.001, 0.004])
def test_that_values_a_margin_apart_are_called_equivalent_no_more_often_than_alpha(
    count: int, recorded: int, spread: float
) -> None:
    rng, trials, wrong = random.Random(count + recorded), 400, 0
    for _ in range(trials):
        # One recorded value is taken as it is: the claim is about that.
        before = [0.8] if recorded == 1 else [rng.gauss(0.8, spread) for _ in range(recorded)]
        after = [rng.gauss(0.81, spread) for _ in range(count)]
        wrong += judged(before, after).answer == "equivalent"
    assert wrong / trials <= 0.05 + 3 * (0.05 * 0.95 / trials) ** 0.5
    assert count >= 6 or not wrong, "so few certify nothing, whatever they say"


def test_that_a_margin_is_declared_and_above_zero() -> None:
    assert check_margin(0.5) == 0.5
    for margin in (None, 0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(MarginMissingError):
            check_margin(margin)


def keep(
    records: Records,
    seed: int,
    auc: float,
    *,
    lr: str = "1",
    stage: str = "train",
    environment: str | None = "5" * 64,
    level: str | None = "seeded",
) -> RunId:
    """Record a run with a seed and a metric."""
    rows = [{"path": "data.csv", "role": "dep", "md5": "3" * 32}]

    return records.append(
        lambda previous: RunRecord(
            kind="stage",
            stage=stage,
            command=("python train.py",),
            outcome=Outcome("succeeded"),
            times=Times("2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:01.000000Z", 1.0),
            previous=previous,
            data={
                "inputs": observed(rows),
                "params": observed({"params.yaml": {"lr": lr}}),
                "metrics": observed({"m.json": {"auc": auc, "f1": auc}}),
            },
            randomness={"seed": observed(seed), **({"determinism": observed(level)} if level else {})},
            code={"tree": observed("4" * 40)},
            environment={"digest": observed(environment)} if environment else {},
            trace={},
            tool="0",
        )
    )


@pytest.mark.parametrize("unknown", ["environment", "level"])
def test_that_runs_of_which_something_is_not_known_are_held_against_none(
    tmp_path: Path, unknown: str
) -> None:
    records = records_in(tmp_path)
    runs = [keep(records, seed, 0.8 + seed / 1000, **{unknown: None}) for seed in range(3)]
    found = equivalence.comparable_runs(records, runs[0], records.get(runs[0]), "m.json:auc")
    assert set(found) == {runs[0]}


def test_that_runs_that_differ_in_their_seed_alone_are_what_a_metric_is_held_against(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    runs = [keep(records, seed, 0.8 + seed / 1000) for seed in range(3)]
    keep(records, 9, 0.5, lr="2")
    keep(records, 9, 0.5, stage="other")
    found = equivalence.comparable_runs(records, runs[0], records.get(runs[0]), "m.json:auc")
    assert set(found) == set(runs)


def test_that_repeats_of_one_seed_are_no_sample_of_seeds(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    runs = [keep(records, 7, 0.8) for _ in range(6)]
    record = records.get(runs[0])
    assert len(equivalence.comparable_runs(records, runs[0], record, "m.json:auc")) == 6
    assert equivalence.sample(records, runs[0], record, "m.json:auc") == []
    keep(records, 8, 0.9)
    assert sorted(equivalence.sample(records, runs[0], record, "m.json:auc")) == pytest.approx([0.8, 0.9])


def test_that_runs_of_one_seed_that_draw_what_no_seed_reaches_are_a_sample(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    runs = [keep(records, 7, 0.8 + at / 1000) for at in range(6)]
    assert len(equivalence.sample(records, runs[0], records.get(runs[0]), "m.json:auc")) == 6


def test_that_a_metric_is_named_by_its_name_alone_where_that_is_clear(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    record = records.get(keep(records, 1, 0.8))
    assert equivalence.metric_of(record, records, "auc") == ("m.json:auc", 0.8)
    assert equivalence.metric_of(record, records, "m.json:f1") == ("m.json:f1", 0.8)
    with pytest.raises(MetricAmbiguousError, match="none was named"):
        equivalence.metric_of(record, records, "")
    with pytest.raises(MetricNotFoundError):
        equivalence.metric_of(record, records, "loss")


# -- what stages declare ----------------------------------------------------


def test_that_terms_that_mean_nothing_are_refused_by_key_and_stage() -> None:
    for item, named in (
        ({"level": "perfect"}, "level"),
        ({"margin": 0}, "margin"),
        ({"margin": True}, "margin"),
        ({"margin": float("inf")}, "margin"),
        ({"margin": 10**400}, "margin"),
        ({"margin": 1 << 50_000}, "margin"),
        ({"seeds": 0}, "seeds"),
        ({"repeats": 2.5}, "repeats"),
        ({"metric": 3}, "metric"),
        ({"margins": 1}, "margins"),
    ):
        with pytest.raises(BadTermsError, match=f"'train' as it ran: verify.*{named}"):
            parse_terms(item, "train")
    said = parse_terms({"level": "statistical", "metric": "auc", "margin": 1, "seeds": 8}, "train")
    assert said == Declared("statistical", "auc", 1, 8, None)
