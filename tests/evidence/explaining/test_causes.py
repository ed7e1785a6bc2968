"""Whose fault it is: runs as values, put against each other in every way that could name the wrong one."""

import time
from typing import Any

import pytest

from fourfold.evidence.explaining.explanation import apart, number
from fourfold.evidence.explaining.lastgood import Noise
from fourfold.evidence.explaining.pairing import MOST, pairs_of
from fourfold.evidence.lineage import Filled, Lineage, Step
from fourfold.formats.native.fact import Fact, observed
from fourfold.formats.native.record import RunId
from fourfold.runs.code import packed
from fourfold.scm.blobs import blob_id
from tests.evidence.stepmaking import names, row, step, told
from tests.runs.recordmaking import Parts, blake

# --- which runs are compared ------------------------------------------------------------------------------


def test_a_stage_of_which_two_runs_stand_behind_one_result_is_compared_at_both_places() -> None:
    parts = Parts()
    split = step(parts, "split", "1", {"raw.csv": "r1"}, {"a.csv": "a", "t.csv": "t1"})
    train = step(parts, "train", "1", {"a.csv": "a"}, {"z.bin": "z"}, {"a.csv": split})
    makers = {"t.csv": split, "z.bin": train}
    first = step(parts, "evaluate", "1", {"t.csv": "t1", "z.bin": "z"}, {"m.json": "1"}, makers)
    # Other raw data moved the test rows only: what train read is still of the run before.
    again = step(parts, "split", "2", {"raw.csv": "r2"}, {"a.csv": "a", "t.csv": "t2"})
    makers = {"t.csv": again, "z.bin": train}
    second = step(parts, "evaluate", "2", {"t.csv": "t2", "z.bin": "z"}, {"m.json": "2"}, makers)
    a, b = [split, train, first], [again, split, train, second]
    places = {pair.place for pair in pairs_of(Lineage(tuple(a)), Lineage(tuple(b)))}
    assert (split.run, again.run) in places
    assert names(told(parts, a, b)) == names(told(parts, b, a)) == ["raw.csv"]


def test_commands_are_compared_though_they_are_no_stages_and_do_not_begin_alike() -> None:
    parts = Parts()
    a, b = (
        step(parts, "", version, {"raw.csv": "r"}, {"out.csv": version})._replace() for version in ("1", "2")
    )
    b = b._replace(record=b.record._replace(command=("python work.py --rate 2",)))
    found = told(parts, [a], [b])
    assert names(found) == ["command"]


def test_a_stage_with_another_name_is_compared_and_what_it_read_is_the_cause() -> None:
    parts = Parts()
    made = [
        step(parts, name, name, {"raw.csv": content}, {"a.csv": content}, sources={"s.py": "1" * 40})
        for name, content in (("split", "1"), ("prepare", "2"))
    ]
    made = [each._replace(record=each.record._replace(command=("python s.py",))) for each in made]
    sides = [
        [one, step(parts, "train", each, {"a.csv": each}, {"m.json": each}, {"a.csv": one})]
        for one, each in zip(made, ("1", "2"), strict=True)
    ]
    assert names(told(parts, *sides)) == ["raw.csv"]


def test_a_new_stage_is_the_cause_and_not_what_its_reader_reads_of_it() -> None:
    parts = Parts()
    raw = {"raw.csv": "r"}
    clean = step(parts, "clean", "1", raw, {"clean.csv": "c"})
    first = step(parts, "train", "1", {**raw, "old.csv": "o"}, {"m.json": "1"})
    second = step(
        parts, "train", "2", {"clean.csv": "c", "old.csv": "o", **raw}, {"m.json": "2"}, {"clean.csv": clean}
    )
    assert names(told(parts, [first], [clean, second])) == ["stage clean"]
    assert names(told(parts, [clean, second], [first])) == ["stage clean"]


def test_results_that_stand_on_a_thousand_runs_in_many_ways_are_paired_in_no_time() -> None:
    parts = Parts()
    record = step(parts, "grow", "0", {"state": "0", "best": "0"}, {"state": "1"}).record
    steps: list[Step] = []
    for at in range(1200):
        makers = {"state": steps[-1].run, "best": steps[at // 2].run} if steps else {}
        steps.append(Step(RunId(blake(str(at))), record, makers))
    began = time.process_time()
    found = pairs_of(Lineage(tuple(steps[:-1])), Lineage(tuple(steps)))
    assert time.process_time() - began < 2.0
    assert len(found) <= MOST
    assert (steps[-2].run, steps[-1].run) in {pair.place for pair in found}


# --- what follows from what -------------------------------------------------------------------------------


def test_what_lies_where_a_stage_wrote_and_is_not_what_it_wrote_is_a_cause() -> None:
    parts = Parts()
    split = step(parts, "split", "1", {"raw.csv": "r"}, {"a.csv": "a", "t.csv": "t"})
    reads = {"a.csv": "a", "t.csv": "t"}
    first = step(parts, "train", "1", reads, {"m.json": "1"}, {"a.csv": split, "t.csv": split})
    by_hand = step(parts, "train", "2", {**reads, "a.csv": "edited"}, {"m.json": "2"}, {"t.csv": split})
    assert names(told(parts, [split, first], [split, by_hand])) == ["a.csv"]


def test_what_was_read_undeclared_and_an_earlier_stage_wrote_is_no_cause() -> None:
    parts = Parts()
    sides = []
    for each in ("1", "2"):
        split = step(parts, "split", each, {"raw.csv": each}, {"a.csv": each, "t.csv": each})
        makers = {"a.csv": split, "t.csv": split}
        sides.append(
            [
                split,
                step(parts, "train", each, {"a.csv": each}, {"m.json": each}, makers, used={"t.csv": each}),
            ]
        )
    assert names(told(parts, *sides)) == ["raw.csv"]


def test_of_a_folder_that_several_stages_filled_only_what_none_of_them_wrote_is_a_cause() -> None:
    parts = Parts()

    def side(version: str, made: str, own: str) -> list[Step]:
        prepare = step(parts, "prepare", version, {"raw.csv": made}, {"data/x.csv": made})
        train = step(parts, "train", version, {"data": made + own}, {"m.json": made + own})
        left = {"data/own.csv": row("data/own.csv", own)}
        return [prepare, train._replace(filled={"data": Filled({"data/x.csv": prepare.run}, left)})]

    assert names(told(parts, side("1", "x", "o"), side("2", "y", "o"))) == ["raw.csv"]
    assert names(told(parts, side("1", "x", "o"), side("2", "x", "p"))) == ["data/own.csv"]
    assert set(names(told(parts, side("1", "x", "o"), side("2", "y", "p")))) == {"raw.csv", "data/own.csv"}
    assert sorted(Lineage(tuple(side("1", "x", "o"))).raw_inputs()) == ["data/own.csv", "raw.csv"]


def test_code_that_a_stage_wrote_is_no_cause_either() -> None:
    parts = Parts()
    sides = []
    for each in ("1", "2"):
        write = step(parts, "write", each, {"shape.csv": each}, {"net.py": each})
        sides.append(
            [write, step(parts, "train", each, {"net.py": each}, {"m.json": each}, {"net.py": write})]
        )
    assert names(told(parts, *sides)) == ["shape.csv"]


# --- what leads to the result -----------------------------------------------------------------------------


def two_stages(parts: Parts, version: str, *, model: str, log: str, **said: Any) -> list[Step]:
    train = step(
        parts,
        "train",
        version,
        {"raw.csv": "r"},
        {"model.bin": model, "log.txt": log},
        **said.pop("train", {}),
    )
    makers = {"model.bin": train}
    metrics = {"auc": float(said.pop("auc", 0))}
    last = step(
        parts, "evaluate", version, {"model.bin": model}, {"m.json": version}, makers, metrics=metrics, **said
    )
    return [train, last]


def test_what_nobody_read_of_a_stage_leads_nowhere() -> None:
    parts = Parts()
    logging = {"sources": {"train.py": "a" * 40}}
    a = two_stages(parts, "1", model="m", log="1", auc=1)
    b = two_stages(parts, "2", model="m", log="2", auc=2, train=logging, sources={"evaluate.py": "b" * 40})
    found = told(parts, a, b)
    assert names(found) == ["evaluate.py"]
    (other,) = found.harmless
    assert other.why == ("what came out of train otherwise was not read on the way to the result",)
    # Where not all reading was seen, evaluate may have read it.
    blind = {"method": "audit"}
    a = two_stages(parts, "1", model="m", log="1", auc=1, **blind)
    b = two_stages(
        parts, "2", model="m", log="2", auc=2, train=logging, sources={"evaluate.py": "b" * 40}, **blind
    )
    assert set(names(told(parts, a, b))) == {"evaluate.py", "train.py"}


def test_what_did_not_lead_to_the_metric_that_is_asked_about_is_no_suspect() -> None:
    parts = Parts()
    a, b = (
        [
            step(
                parts, "train", each, {"raw.csv": "r"}, {"model.bin": "m", "loss.json": each},
                metrics={"loss": float(each)}, sources={"train.py": each * 40},
            ),
            step(
                parts, "evaluate", each, {"model.bin": "m"}, {"auc.json": each},
                metrics={"auc": float(each)}, lr=float(each),
            ),
        ]
        for each in ("1", "2")
    )  # fmt: skip
    for side in (a, b):
        side[1] = side[1]._replace(made_by={"model.bin": side[0].run})
    asked = told(parts, a, b, metric="m.json:auc")
    assert names(asked) == ["params.yaml:lr"]
    plain = told(parts, a, b)
    assert names(plain) == ["params.yaml:lr", "train.py"]
    assert plain.metrics[0].name == "m.json:auc"
    assert plain.suspects[1].why[-1] == "leads to other results than m.json:auc"


# --- code -------------------------------------------------------------------------------------------------


def test_a_file_that_two_stages_had_differently_is_judged_for_each_of_them() -> None:
    parts = Parts()
    texts = {
        name: text.encode() for name, text in (("1", "x = 1\n"), ("2", "x = 2\n"), ("3", "x = 2  # two\n"))
    }
    ids = {name: blob_id(text, long=False) for name, text in texts.items()}
    blobs = {ids[name]: packed(text) for name, text in texts.items()}

    def code(version: str) -> dict[str, Fact]:
        files = parts({"files": {"lib.py": ids[version]}, "ignored": [], "blobs": blobs})
        return {"sources": observed({"count": 1, "files": files})}

    def side(version: str, old: str, new: str) -> list[Step]:
        train = step(parts, "train", version, {"raw.csv": "r"}, {"model.bin": version}, code=code(old))
        makers = {"model.bin": train}
        return [
            train,
            step(
                parts,
                "evaluate",
                version,
                {"model.bin": version},
                {"m.json": version},
                makers,
                code=code(new),
            ),
        ]

    found = told(parts, side("a", "1", "2"), side("b", "3", "3"))
    assert [(cause.change.name, cause.stages) for cause in found.suspects] == [("lib.py", ("train",))]
    assert [(cause.change.name, cause.stages) for cause in found.harmless] == [("lib.py", ("evaluate",))]


# --- chance -----------------------------------------------------------------------------------------------


def test_that_chance_may_be_why_is_said_where_only_little_speaks_for_the_suspect() -> None:
    def sides(**moved: Any) -> tuple[list[Step], list[Step]]:
        found = []
        for each, said in (("1", {}), ("2", moved)):
            drawn = {"seed": observed(int(each), "drawn")}
            metrics = {"auc": float(each)}
            found.append(
                [step(parts, "train", each, {}, {"m.json": each}, metrics=metrics, randomness=drawn, **said)]
            )
        return found[0], found[1]

    parts = Parts()
    weak = told(parts, *sides(packages={"numpy": "1.26.5", "pandas": "2.2.0"}), noise=lambda _: Noise())
    assert names(weak) == ["numpy"]
    (line,) = weak.unknown
    assert line.startswith("train draws its seed anew for each run: how far m.json:auc moves by that is not")
    known = told(parts, *sides(packages={"numpy": "1.26.5"}), noise=lambda _: Noise(0.1, 4))
    assert known.unknown == ()
    strong = told(parts, *sides(sources={"train.py": "b" * 40}), noise=lambda _: Noise())
    assert (names(strong), strong.unknown) == (["train.py"], ())


def test_what_moved_is_blamed_for_nothing_where_the_metric_moved_no_farther_than_by_itself() -> None:
    parts = Parts()
    a, b = (
        [step(parts, "train", each, {}, {"m.json": each}, metrics={"auc": float(each)}, lr=float(each))]
        for each in ("1", "2")
    )
    within, beyond = (told(parts, a, b, noise=lambda _, width=width: Noise(width, 5)) for width in (1.0, 0.9))
    assert within.is_noise
    assert within.verdict.endswith(
        "no farther than it moves by itself (1 among 5 runs of the same): nothing is to blame"
    )
    assert not beyond.is_noise
    assert beyond.verdict.endswith("most likely: params.yaml:lr (1.0 -> 2.0)")


# --- whose a harm is --------------------------------------------------------------------------------------


def holed(nulls: int) -> dict[str, Any]:
    return {"format": "csv", "rows": 1000, "columns": [{"name": "x", "kind": "integer", "nulls": nulls}]}


def harmed(parts: Parts, version: str, *, raw: str, split: str, **said: Any) -> list[Step]:
    """Two stages, of which the second writes a table; the later version of it has holes."""
    first = step(parts, "split", version, {"raw.csv": raw}, {"a.csv": split}, **said.pop("first", {}))
    tables = {"b.csv": holed(300 if version == "2" else 0)}
    second = step(
        parts, "fill", version, {"a.csv": split}, {"b.csv": version}, {"a.csv": first}, tables=tables, **said
    )
    return [first, second]


NEW = {"packages": {"numpy": "2.0.0"}}
OLD = {"packages": {"numpy": "1.26.4"}}


def test_a_harm_in_what_a_stage_wrote_is_put_to_the_data_that_led_there_and_not_to_its_environment() -> None:
    parts = Parts()
    a = harmed(parts, "1", raw="1", split="1", **OLD)
    b = harmed(parts, "2", raw="2", split="2", **NEW)
    found = told(parts, a, b, look=True)
    assert names(found) == ["raw.csv", "numpy"]
    assert found.suspects[0].harm == "empty cells in x: 0 % -> 30 %"
    assert found.suspects[1].harm == ""


def test_a_harm_is_put_to_the_environment_where_nothing_else_can_have_led_there() -> None:
    parts = Parts()
    a = harmed(parts, "1", raw="1", split="1", **OLD)
    b = harmed(parts, "2", raw="1", split="1", **NEW)
    found = told(parts, a, b, look=True)
    assert [(cause.change.name, cause.harm) for cause in found.suspects] == [
        ("numpy", "empty cells in x: 0 % -> 30 %")
    ]


def test_a_harm_is_put_to_nobody_whose_stage_gave_the_same_as_before() -> None:
    parts = Parts()
    a = harmed(parts, "1", raw="1", split="1", first=OLD)
    b = harmed(parts, "2", raw="2", split="1", first=NEW, lr=0.2)
    found = told(parts, a, b, look=True)
    assert [(cause.change.name, bool(cause.harm)) for cause in found.suspects] == [("params.yaml:lr", True)]


def test_a_harm_that_an_unsteady_stage_led_to_is_put_to_nobody() -> None:
    parts = Parts()
    a = harmed(parts, "1", raw="1", split="1", **OLD)
    b = harmed(parts, "2", raw="1", split="2", **NEW)
    found = told(parts, a, b, look=True)
    assert found.unsteady == ("split",)
    assert [cause.harm for cause in found.suspects] == [""]


def test_code_of_which_only_comments_changed_takes_no_harm_from_others() -> None:
    parts = Parts()
    texts = [b"x = 1\n", b"x = 1  # one\n"]
    ids = [blob_id(text, long=False) for text in texts]
    blobs = {oid: packed(text) for oid, text in zip(ids, texts, strict=True)}
    sides = []
    for version, oid, packages in (("1", ids[0], OLD), ("2", ids[1], NEW)):
        files = parts({"files": {"fill.py": oid}, "ignored": [], "blobs": blobs})
        code = {"sources": observed({"count": 1, "files": files})}
        sides.append(harmed(parts, version, raw="1", split="1", code=code, **packages))
    found = told(parts, *sides, look=True)
    assert [(cause.change.name, bool(cause.harm)) for cause in found.suspects] == [("numpy", True)]


# --- numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd",
    [float("nan"), float("inf"), -float("inf"), 10**400, -(10**400)],
    ids=["nan", "inf", "-inf", "large", "-large"],
)
def test_metrics_and_parameters_that_are_no_number_to_count_with_break_nothing(odd: float) -> None:
    parts = Parts()
    for before, after in ((odd, 1.0), (1.0, odd), (odd, odd), (1, odd)):
        a, b = (
            step(parts, "train", each, {}, {"m.json": each}, metrics={"auc": value, "n": 1.0}, lr=value)
            for each, value in (("1", before), ("2", after))
        )
        found = told(parts, [a], [b])
        assert found.document()["verdict"]
        assert all(0 <= cause.score <= 1 for cause in found.causes)


def test_two_numbers_are_told_in_as_many_digits_as_tell_them_apart() -> None:
    assert apart(0.27403, 0.27396) == ("0.27403", "0.27396")
    assert apart(0.5, 0.25) == ("0.5", "0.25")
    assert apart(0.1, 0.1) == ("0.1", "0.1")
    assert apart(1.0, 1.0 + 2**-52)[0] != apart(1.0, 1.0 + 2**-52)[1]
    assert (number(1234567), number(1e300), number(0.123456)) == ("1,234,567", "1e+300", "0.1235")
