"""Two states of a table: what changed in it, what of that is chance, and what is known to harm."""

import json
import random
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from fourfold.evidence.explaining.afar import compare_summaries
from fourfold.evidence.explaining.columns import drift_of, tells
from fourfold.evidence.explaining.harms import document, harms, overlap_harm, restored, told
from fourfold.evidence.explaining.overlap import overlap, pairs
from fourfold.evidence.explaining.rows import read_rows, stacked
from fourfold.evidence.explaining.tables import TableChange
from tests.evidence.planting import people, table
from tests.evidence.tablemaking import compared


def change(a: list[dict[str, Any]], b: list[dict[str, Any]], **said: Any) -> TableChange:
    found = compared(table(a).encode(), table(b).encode(), "people.csv", **said)
    assert found is not None
    return found


# --- rows -------------------------------------------------------------------------------------------------


def test_rows_are_matched_by_a_key_that_is_found_and_their_cells_are_counted() -> None:
    before = people(100)
    after = [{**row, "calls": 9} if at < 7 else row for at, row in enumerate(before[:-5])] + people(103)[100:]
    found = change(before, after)
    assert (found.rows, found.key) == ((100, 98), "id")
    assert (found.added, found.removed, found.changed) == (3, 5, 7)
    assert {column.name: column.changed for column in found.columns if column.changed} == {"calls": 7}
    kinds = [example.kind for example in found.examples]
    assert kinds == ["changed"] * 3 + ["removed"] * 3 + ["added"] * 3
    assert found.examples[0].after == {"id": "p00000", "calls": "9"}


def test_without_a_key_rows_are_counted_as_they_are_copies_too() -> None:
    before = [{"x": 1, "y": 2}] * 5 + [{"x": 3, "y": 4}]
    found = change(before, [*before[1:], {"x": 5, "y": 6}])
    assert (found.added, found.removed, found.changed, found.key) == (1, 1, 0, "")
    assert found.duplicates == (4, 3)


def test_the_same_rows_in_another_order_are_said_to_be_that() -> None:
    rows = people(50)
    found = change(rows, rows[::-1])
    assert found.order_only == "rows"
    assert told(found) == "the same rows in another order"
    assert harms(found) == []
    assert not change(rows, rows).order_only


@pytest.mark.parametrize("quote", ["", '"'])
def test_cells_that_the_head_does_not_name_are_compared_too(quote: str) -> None:
    first = "".join(f"{at},{at * 3 % 7},x,{quote}{at % 2}{quote}\n" for at in range(100))
    second = "".join(f"{at},{at * 3 % 7},x,{quote}{1 - at % 2}{quote}\n" for at in range(100))
    head = "100,y\n"
    found = compared(f"{head}{first}".encode(), f"{head}{second}".encode(), "raw.csv")
    assert found is not None
    assert [column.name for column in found.columns if column.changed] == ["column 4"]
    assert (found.changed, found.rewritten) == (100, 0)
    assert read_rows(f"a,b\n{',' * 10_000}\n".encode(), "a.csv") is None
    few = read_rows(f"a,b\n1,{quote}2{quote}\n3\n".encode(), "a.csv")
    assert few is not None
    assert [list(column) for column in few.columns] == [["1", "3"], ["2", ""]]


def test_the_same_columns_in_another_order_are_said_to_be_that() -> None:
    rows = people(50)
    found = change(rows, [dict(reversed(row.items())) for row in rows], label="left")
    assert (found.order_only, found.share) == ("columns", 0.0)
    assert told(found) == "the same rows, columns in another order"


def test_the_same_values_written_otherwise_are_no_change() -> None:
    rows = [{"id": f"r{at}", "x": f"{at / 4}", "y": "NA" if at % 3 else "1", "z": "True"} for at in range(60)]
    other = [
        {"id": row["id"], "x": f"{float(row['x']):.5f}", "y": "1e0" if row["y"] == "1" else "", "z": "true"}
        for row in rows
    ]
    found = change(rows, other)
    assert (found.rewritten, found.added, found.removed, found.changed, found.share) == (60, 0, 0, 0, 0.0)
    assert told(found) == "the same values written otherwise"
    assert harms(found) == []
    moved = change(rows, [*other[:-1], {**other[-1], "x": "77"}])
    assert (moved.rewritten, moved.changed) == (59, 1)
    assert told(moved).startswith("1 row (2 %) changed, 59 rows the same and written otherwise")


@pytest.mark.parametrize(
    "other",
    [
        b"id;x\nr1;a\nr2;b\n",
        b"id,x\r\nr1,a\r\nr2,b\r\n",
        b"\xef\xbb\xbfid,x\nr1,a\nr2,b",
        b'"id","x"\n"r1","a"\n"r2","b"\n',
        b"id\tx\nr1\ta\nr2\tb\n",
    ],
)
def test_other_marks_between_cells_and_other_ends_of_lines_are_no_change(other: bytes) -> None:
    found = compared(b"id,x\nr1,a\nr2,b\n", other, "t.csv", label="x")
    assert found is not None
    assert (found.rewritten, found.added, found.removed, found.share, found.columns) == (2, 0, 0, 0.0, ())
    assert told(found) == "the same values written otherwise"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("007", "7"),
        ("1_0", "10"),
        ("9007199254740993", "9007199254740992"),
        ("0.1", "0.10000000000000002"),
        ("a", "A"),
        ("1", "True"),
        ("0", ""),
        ("9" * 400, "8" * 400),
    ],
)
def test_what_only_looks_alike_is_a_change(one: str, other: str) -> None:
    head = "id,x\n"
    found = compared(f"{head}a,{one}\n".encode(), f"{head}a,{other}\n".encode(), "t.csv")
    assert found is not None
    assert (found.changed, found.rewritten) == (1, 0)


def test_a_column_that_got_another_name_is_said_to_have_it_and_leaks_nothing_new() -> None:
    rows = [{**row, "fee": f"{row['left'] * 50 + at % 7}"} for at, row in enumerate(people(200))]
    other = [{("price" if name == "fee" else name): cell for name, cell in row.items()} for row in rows]
    found = change(rows, other, label="left")
    assert found.renamed == (("fee", "price"),)
    assert told(found) == "column fee is called price now"
    assert harms(found) == []


def test_texts_that_are_no_utf_8_are_told_apart() -> None:
    one, other = ("name,x\nca\u00e9,1\n".encode("latin-1"), "name,x\nca\u00e8,1\n".encode("latin-1"))
    found = compared(one, other, "t.csv")
    assert found is not None
    assert (found.added, found.removed) == (1, 1)


def test_a_key_that_is_asked_for_and_names_no_rows_is_not_taken_and_that_is_said() -> None:
    before = people(100)
    found = change(
        before, [{**row, "age": 1} if at < 9 else row for at, row in enumerate(before)], key="plan"
    )
    assert (found.key, found.changed) == ("id", 9)
    assert found.why == "column plan does not name rows: some have the same"


def test_a_key_that_is_asked_for_is_taken() -> None:
    before = [{"name": f"n{at}", "code": f"c{at}", "v": at} for at in range(20)]
    after = [{**row, "name": "other" if row["v"] == 3 else row["name"]} for row in before]
    assert change(before, after, key="code").changed == 1
    assert (change(before, after).key, change(before, after).removed) == ("name", 1)


def test_columns_that_come_go_and_change_their_kind_are_told() -> None:
    before = people(60)
    after = [
        {
            "id": row["id"],
            "plan": row["plan"],
            "calls": f"about {row['calls']}",
            "new": 1,
            "left": row["left"],
        }
        for row in before
    ]
    found = change(before, after)
    assert (found.new_columns, found.gone_columns) == (("new",), ("age",))
    assert found.retyped == (("calls", "number", "text"),)
    assert found.changed == 60
    assert "new column new, column age is gone, column calls: number -> text" in told(found)


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("t.tsv", b"id\tx\n1\ta\n2\tb\n", b"id\tx\n1\ta\n2\tc\n"),
        ("t.csv", b'id,x\n1,a\n2,"b, or\nso"\n', b'id,x\n1,a\n2,"b, or\nelse"\n'),
        ("t.csv", b"id,x\n1,a\n2,b\n", b'\xef\xbb\xbfid,x\r\n"1",a\r\n2,"c"\r\n'),
        ("t.csv", b"id;x\n1;a\n2;b\n", b"id;x\n1;a\n2\n"),
        ("t.jsonl", b'{"id": 1, "x": "a"}\n{"id": 2, "x": "b"}\n', b'{"x": "a", "id": 1}\n{"id": 2}\n'),
        ("t.json", b'[{"id": 1, "x": [1]}, {"id": 2, "x": {}}]', b'[{"id": 1, "x": [1]}, {"id": 2, "x": 3}]'),
    ],
)
def test_each_format_is_read_and_one_changed_row_is_found(name: str, a: bytes, b: bytes) -> None:
    found = compared(a, b, name)
    assert found is not None
    assert (found.rows, found.changed, found.added, found.removed) == ((2, 2), 1, 0, 0)


def test_parquet_is_read_by_its_values(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.parquet", "b.parquet")]
    for path, codec, values in zip(paths, ("snappy", "gzip"), ([1.5, None], [1.5, 2.5]), strict=True):
        parquet.write_table(pa.table({"id": ["a", "b"], "v": values}), path, compression=codec)
    found = compared(paths[0].read_bytes(), paths[1].read_bytes(), "t.parquet")
    assert found is not None
    assert (found.changed, found.columns[0].name, found.columns[0].nulls) == (1, "v", (1, 0))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.csv", b"\0\1\2"),
        ("t.csv", b"a,a\n1,2\n"),
        ("t.jsonl", b"{not json"),
        ("t.jsonl", b"[1, 2]\n"),
        ("t.json", b"{}"),
        ("t.json", b"[" * 100_000),
        ("t.parquet", b"PAR1 no such thing PAR1"),
        ("t.bin", b"1,2\n"),
    ],
)
def test_what_is_no_table_is_not_compared(name: str, data: bytes) -> None:
    assert compared(data, data + b"x", name) is None


def test_an_empty_table_and_one_that_was_empty_are_compared() -> None:
    rows = people(30)
    head = table(rows).split("\n")[0].encode() + b"\n"
    gone = compared(table(rows).encode(), head, "t.csv", label="left")
    new = compared(head, table(rows).encode(), "t.csv", label="left")
    assert gone is not None
    assert new is not None
    assert (gone.removed, new.added) == (30, 30)
    assert compared(b"", b"", "t.csv") is not None


def test_cells_of_examples_are_cut() -> None:
    rows = [{"id": at, "text": "x" * 500} for at in range(3)]
    found = change(rows, rows[:2])
    assert all(len(cell) <= 40 for example in found.examples for cell in example.before.values())


def test_secrets_are_struck_out_of_what_is_shown() -> None:
    token = "ghp_" + "a1B2" * 9
    rows = [
        {"id": at, "api_key": f"k{at}", "url": f"https://u:pass{at}word@example.org", "t": token}
        for at in range(3)
    ]
    found = change(rows, rows[:2])
    text = json.dumps(document(found))
    assert "example.org" in text
    assert not any(secret in text for secret in ("k2", "pass2word", "a1B2a1B2"))


def test_labels_are_shown_as_other_cells_are() -> None:
    rows = [{"id": at, "kind": "x" * 300 if at % 2 else "ghp_" + "a1B2" * 9} for at in range(60)]
    found = change(rows, [{**row, "kind": "y" * 200} for row in rows[:30]] + rows[30:], label="kind")
    text = json.dumps(document(found)) + "".join(harm.told for harm in harms(found))
    assert "a1B2a1B2" not in text
    assert "x" * 41 not in text
    assert found.label is not None
    assert sum(found.label.before.values()) == pytest.approx(1.0)


def test_a_hundred_thousand_rows_take_less_than_two_seconds_of_work() -> None:
    draw = random.Random(1)
    rows = [
        f"{at},{draw.randrange(90)},{draw.choice('abc')},{draw.random():.6f},{at % 2}"
        for at in range(100_000)
    ]
    head = "id,age,plan,score,left\n"
    sides = [(head + "\n".join(some) + "\n").encode() for some in (rows, rows[:90_000])]
    began = time.process_time()
    found = compared(sides[0], sides[1], "t.csv", label="left")
    assert time.process_time() - began < 2.0  # a second where nobody else works
    assert found is not None
    assert (found.removed, harms(found)) == (10_000, [])


# --- drift ------------------------------------------------------------------------------------------------


def test_rows_that_are_lost_by_chance_drift_nothing_and_harm_nothing() -> None:
    for seed in range(20):
        rows = people(600, seed)
        draw = random.Random(seed)
        found = change(rows, [row for row in rows if draw.random() > 0.2], label="left")
        assert [column.name for column in found.columns if column.drifted] == []
        assert harms(found) == []


def test_rows_that_are_lost_by_choice_drift() -> None:
    rows = people(600)
    found = change(rows, [row for row in rows if not (row["left"] and row["plan"] == "c")], label="left")
    assert {column.name for column in found.columns if column.drifted} == {"plan", "left"}
    assert [harm.kind for harm in harms(found)] == ["label"]
    assert found.label is not None
    assert found.label.shift is not None
    assert found.label.shift[:2] == ("1", 0.45)
    assert found.label.shift[2] == pytest.approx(0.3067, abs=0.01)


def test_numbers_that_move_drift_and_the_p_value_is_corrected_for_the_columns() -> None:
    draw = random.Random(2)
    before = [{f"c{at}": f"{draw.gauss(0, 1):.4f}" for at in range(10)} for _ in range(400)]
    after = [
        {**row, "c3": f"{float(row['c3']) + 0.8:.4f}", "c4": f"{float(row['c4']) + 0.0001:.4f}"}
        for row in before
    ]
    found = change(before, after)
    (drifted,) = [column for column in found.columns if column.drifted]
    assert drifted.name == "c3"
    assert drifted.drift is not None
    assert drifted.drift.test == "ks"
    assert drifted.drift.effect > 0.25
    assert drifted.drift.psi > 0.25
    alone = drift_of((), [row["c3"] for row in before], [row["c3"] for row in after])
    assert alone is not None
    assert drifted.drift.p >= alone.p


def test_how_far_numbers_moved_is_of_the_whole_table_however_many_rows_are_looked_at() -> None:
    draw = random.Random(4)
    common = [f"{draw.gauss(0, 1):.4f}" for _ in range(50_000)]
    added = [f"{draw.gauss(5, 1):.4f}" for _ in range(5000)]
    found = drift_of(common, (), added)
    assert found is not None
    assert found.effect == pytest.approx(5000 / 55_000, abs=0.02)
    assert found.p < 1e-9


def test_categories_that_nobody_has_seen_are_named() -> None:
    before = people(200)
    after = [{**row, "plan": "z"} if row["plan"] == "a" else row for row in before]
    found = change(before, after)
    (plan,) = [column for column in found.columns if column.name == "plan"]
    assert plan.drift is not None
    assert (plan.drift.new, plan.drift.gone) == (("z",), ("a",))


def test_names_of_rows_are_no_distribution() -> None:
    assert drift_of((), [f"a{at}" for at in range(500)], [f"b{at}" for at in range(500)]) is None


def test_numbers_that_became_infinite_drift() -> None:
    rows = [{"id": f"r{at}", "x": f"{at % 97}.5"} for at in range(400)]
    found = change(rows, [{**row, "x": "inf"} if at % 3 == 0 else row for at, row in enumerate(rows)])
    (column,) = found.columns
    assert column.drifted
    assert column.drift is not None
    assert column.drift.effect == pytest.approx(1 / 3, abs=0.02)


def test_a_first_column_that_measures_drifts_though_its_cells_are_all_different() -> None:
    draw = random.Random(6)
    rows = [{"x": f"{draw.gauss(0, 1):.9f}", "y": "1"} for _ in range(300)]
    found = change(rows, [{**row, "x": f"{float(row['x']) + 2:.9f}"} for row in rows])
    assert [column.name for column in found.columns if column.drifted] == ["x"]


def test_a_table_of_many_columns_is_compared_in_seconds() -> None:
    draw = random.Random(8)
    names = [f"c{at}" for at in range(300)]
    rows = [{"id": f"r{at}", **{name: f"{draw.random():.5f}" for name in names}} for at in range(1000)]
    other = [{**row, "c0": f"{draw.random():.5f}"} if at % 2 else row for at, row in enumerate(rows[:-20])]
    began = time.process_time()
    change(rows, other)
    assert time.process_time() - began < 8.0


# --- harms ------------------------------------------------------------------------------------------------


def test_what_chance_alone_does_to_tables_that_are_drawn_anew_harms_nothing() -> None:
    for seed in range(30):
        draw = random.Random(seed)
        pool = [
            {"a": draw.choice("xyz"), "b": draw.choice("pq"), "c": draw.choice(("", "1", "2"))}
            for _ in range(400)
        ]
        one, two = (draw.sample(pool, 80) for _ in range(2))
        assert [harm.told for harm in harms(change(one, two, label="b"))] == []
        tests = [read_rows(table(draw.sample(pool, 60)).encode(), "t.csv") for _ in range(2)]
        trains = [read_rows(table(side).encode(), "t.csv") for side in (one, two)]
        overlaps = [
            overlap(train, test, ("train.csv", "test.csv"))
            for train, test in zip(trains, tests, strict=True)
            if train is not None and test is not None
        ]
        assert overlap_harm(overlaps[0], overlaps[1]) is None


def test_a_column_of_few_rows_tells_no_label_by_chance() -> None:
    for seed in range(300):
        draw = random.Random(seed)
        cells, labels = ([draw.choice("ab") for _ in range(20)] for _ in range(2))
        assert tells(cells, labels) < 0.9


def test_labels_that_are_others_are_told_though_their_balance_stays() -> None:
    rows = people(400)
    ones = [at for at, row in enumerate(rows) if row["left"]][:20]
    zeros = [at for at, row in enumerate(rows) if not row["left"]][:20]
    swapped = {at: 1 - rows[at]["left"] for at in (*ones, *zeros)}
    found = change(
        rows, [{**row, "left": swapped.get(at, row["left"])} for at, row in enumerate(rows)], label="left"
    )
    assert [harm.told for harm in harms(found)] == ["labels of 40 rows (10 %) are others now"]


def test_a_column_that_tells_the_label_is_a_leak_and_one_that_hints_at_it_is_none() -> None:
    draw = random.Random(3)
    rows = people(500)
    leaking = [
        {**row, "fee": f"{row['left'] * 50 + draw.random():.3f}", "id2": f"x{at}"}
        for at, row in enumerate(rows)
    ]
    found = change(rows, leaking, label="left")
    assert [leak.name for leak in found.leaks] == ["fee"]
    hinting = [{**row, "hint": row["left"] if draw.random() < 0.7 else 1 - row["left"]} for row in rows]
    assert change(rows, hinting, label="left").leaks == ()
    assert change(leaking, [*leaking, *people(510)[500:]][:500], label="left").leaks == ()


def test_a_name_of_its_own_for_each_row_tells_no_label() -> None:
    labels = [str(at % 2) for at in range(400)]
    assert tells([f"r{at}" for at in range(400)], labels) == 0.0
    assert tells(labels, labels) == 1.0
    assert tells([str(at % 2 + at % 3 * 0.001) for at in range(400)], labels) == 1.0
    assert tells(labels, ["1"] * 400) == 0.0


def test_cells_that_are_empty_and_rows_that_are_copies_are_harms() -> None:
    rows = people(300)
    holes = [{**row, "calls": "NA" if at % 3 == 0 else row["calls"]} for at, row in enumerate(rows)]
    assert [harm.told for harm in harms(change(rows, holes))] == ["empty cells in calls: 0 % -> 33 %"]
    copies = [harm.told for harm in harms(change(rows, rows + rows[:30]))]
    assert copies == ["rows that are copies of others: 0 % -> 9 %"]


def test_rows_in_train_and_test_are_counted_by_themselves_and_by_key() -> None:
    rows = people(100)
    train = read_rows(table(rows[:80]).encode(), "train.csv")
    test = read_rows(table([{**row, "age": 1} for row in rows[70:80]] + rows[75:100]).encode(), "test.csv")
    assert train is not None
    assert test is not None
    found = overlap(train, test, ("train.csv", "test.csv"), "id")
    assert (found.rows, found.keys, found.total) == (5, 15, 35)
    harm = overlap_harm(None, found)
    assert harm is not None
    assert harm.told == "15 rows of test.csv (43 %) stand in train.csv too"
    assert overlap_harm(found, found) is None


def test_tables_belong_together_by_their_names() -> None:
    paths = [
        "d/train.csv",
        "d/test.csv",
        "d/valid.csv",
        "train/x.csv",
        "test/x.csv",
        "retrained.csv",
        "e/train.csv",
    ]
    assert list(pairs(paths)) == [
        ("d/train.csv", "d/test.csv"),
        ("d/train.csv", "d/valid.csv"),
        ("train/x.csv", "test/x.csv"),
    ]


# --- kept, and from afar ----------------------------------------------------------------------------------


def test_a_change_is_the_same_after_json() -> None:
    rows = people(200)
    found = change(rows, [{**row, "left": 1, "extra": 2} for row in rows[:150]], label="left")
    assert restored(json.loads(json.dumps(document(found)))) == found


def test_tables_with_the_same_columns_are_stacked() -> None:
    some = [read_rows(table(people(count)).encode(), "t.csv") for count in (10, 20)]
    whole = stacked([each for each in some if each is not None])
    assert whole is not None
    assert len(whole.texts) == len(whole.column("age")) == 30
    other = read_rows(b"x\ny\n", "t.csv")
    assert some[0] is not None
    assert other is not None
    assert stacked([some[0], other]) is None


def test_summaries_of_records_tell_rows_columns_empty_cells_and_labels() -> None:
    def summary(rows: int, ones: int, nulls: int, *more: str) -> dict[str, Any]:
        columns = [
            {"name": "left", "kind": "integer", "nulls": 0, "values": {"0": rows - ones, "1": ones}},
            {"name": "calls", "kind": "integer", "nulls": nulls},
            *({"name": name, "kind": "text"} for name in more),
        ]
        return {"format": "csv", "rows": rows, "columns": columns}

    found = compare_summaries(summary(1000, 300, 0), summary(800, 80, 200, "new"), "t.csv", label="left")
    assert found is not None
    assert found.source == "summary"
    assert told(found) == "lost 200 rows (20 %), new column new"
    assert [harm.kind for harm in harms(found)] == ["label", "nulls"]
    assert compare_summaries({}, {"columns": 7}, "t.csv") is None


def test_what_the_beginning_of_a_table_says_is_told_as_that_and_is_no_harm() -> None:
    def summary(lines: int, rows: int, ones: int, nulls: int) -> dict[str, Any]:
        values = {"0": rows - ones, "1": ones}
        columns = [{"name": "left", "kind": "integer", "nulls": nulls, "values": values}]
        return {"format": "csv", "sample": {"rows": rows}, "lines": lines, "columns": columns}

    found = compare_summaries(
        summary(90_001, 4000, 100, 0), summary(95_001, 4000, 3900, 900), "t.csv", label="left"
    )
    assert found is not None
    assert (found.rows, found.sample, found.columns) == ((90_000, 95_000), (4000, 4000), ())
    assert harms(found) == []
    assert told(found) == "gained 5,000 rows (5 %), of the first 4,000 rows left=1 are 98 %, 2 % before"
    odd = compare_summaries(
        {"sample": 7, "columns": [{"name": "left", "values": {"a": -1, "b": 10**400}}]}, {}, "t"
    )
    assert odd is None


@pytest.mark.parametrize("count", [-5, 10**400, True, "7", None, 1.5])
def test_counts_of_records_that_are_none_break_nothing(count: Any) -> None:
    column = {"name": "left", "kind": "integer", "nulls": count, "values": {"0": count, "1": 5}}
    odd = {"rows": count, "lines": count, "columns": [column]}
    plain = {
        "rows": 9,
        "columns": [{"name": "left", "kind": "integer", "nulls": 1, "values": {"0": 4, "1": 5}}],
    }
    for one, other in ((odd, plain), (plain, odd), (odd, odd)):
        found = compare_summaries(one, other, "t.csv", label="left")
        assert found is not None
        assert isinstance(told(found), str)
        assert all(0 <= harm.share <= 1 for harm in harms(found))
