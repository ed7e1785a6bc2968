"""What moved between two runs is named, once, and nothing else."""

import time
from typing import Any

import pytest

from fourfold.formats.native.fact import absent, observed
from fourfold.formats.native.record import Outcome, RunRecord
from fourfold.runs.changes import Change
from fourfold.runs.diff import compare
from tests.runs.recordmaking import Parts, blake, distributions, library, make


def changes(first: dict[str, Any], second: dict[str, Any], trees: Any = None) -> tuple[Change, ...]:
    parts = Parts()
    return compare(make(parts, **first), make(parts, **second), parts.read, trees)


def listing(*changed: str) -> Any:
    """Lists code trees, in which these files differ."""
    contents = iter("12")

    def files(_: RunRecord) -> dict[str, str]:
        return {**dict.fromkeys(changed, next(contents)), "same.py": "3"}

    return files


def told(found: tuple[Change, ...], kind: str = "moved") -> list[tuple[str, str, Any, Any]]:
    return [(each.coordinate, each.name, each.before, each.after) for each in found if each.kind == kind]


def test_runs_that_differ_in_times_and_previous_only_do_not_differ() -> None:
    later = {"started": "2027-01-02T03:04:05.000000Z", "previous": "f" * 64}
    assert changes({}, later) == ()


def test_another_library_version_is_named_and_what_comes_with_it_is_not() -> None:
    site = "{prefix}/lib/python3.11/site-packages"
    first = {
        "libraries": library(f"{site}/numpy.libs/libopenblas-aaaaaaaa.so", "1")
        | library(f"{site}/numpy/_core.so", "1"),
        "environment": {"blas": observed([{"file": "libopenblas-aaaaaaaa.so", "version": "0.3.23"}])},
    }
    second = {
        "packages": {"numpy": "2.0.1", "pandas": "2.2.0"},
        "libraries": library(f"{site}/numpy.libs/libopenblas-bbbbbbbb.so", "2")
        | library(f"{site}/numpy/_core.so", "2"),
        "environment": {"blas": observed([{"file": "libopenblas-bbbbbbbb.so", "version": "0.3.27"}])},
        "model": "another",
    }
    found = changes(first, second)
    assert told(found) == [("environment", "numpy", "1.26.4", "2.0.1")]
    assert told(found, "result") == [("outcome", "model.pkl", blake("model"), blake("another"))]


def test_a_library_that_changed_under_the_same_distributions_is_named() -> None:
    site = "{prefix}/lib/python3.11/site-packages/numpy/_core.so"
    found = changes({"libraries": library(site, "1")}, {"libraries": library(site, "2")})
    assert told(found) == [("environment", "_core.so", "1", "2")]


def test_libraries_that_one_run_loaded_besides_are_told_aside_but_one_in_place_of_another_is_named() -> None:
    both = library("{prefix}/lib/libpython3.11.so", "11")
    found = changes({"libraries": both | library("/usr/lib/libfont.so.1", "5")}, {"libraries": both})
    assert told(found) == []
    assert [name for _, name, _, _ in told(found, "aside")] == ["libfont.so.1"]
    found = changes(
        {"libraries": both | library("/usr/lib/libopenblas.so", "5")},
        {"libraries": both | library("/usr/lib/libmkl.so", "6")},
    )
    assert {name for _, name, _, _ in told(found)} == {"libopenblas.so", "libmkl.so"}


def test_a_library_that_a_variable_had_only_one_run_load_is_named_with_the_variable() -> None:
    both = library("{prefix}/lib/libpython3.11.so", "11")

    def loader(**named: list[str]) -> dict[str, Any]:
        return {"loader": observed(named)}

    for named, path in (
        ({"LD_PRELOAD": ["libs/libfast.so"]}, "libs/libfast.so"),
        ({"LD_PRELOAD": ["libfast.so"]}, "/usr/lib/libfast.so"),
        ({"LD_LIBRARY_PATH": ["/opt/lib", "~/lib/"]}, "~/lib/libfast.so"),
    ):
        one = {"libraries": both, "environment": loader()}
        other = {"libraries": both | library(path, "5"), "environment": loader(**named)}
        for found in (changes(one, other), changes(other, one)):
            (told_of,) = [each for each in found if each.name == "libfast.so"]
            assert (told_of.kind, told_of.note) == ("moved", f"by {next(iter(named))}")
        # The same variable in both had nobody load what the other did not.
        found = changes({**other, "libraries": both}, other)
        (told_of,) = [each for each in found if each.name == "libfast.so"]
        assert told_of.kind == "aside"


def test_what_stands_on_the_path_of_python_had_one_run_load_its_libraries() -> None:
    both = library("{prefix}/lib/libpython3.11.so", "11")
    other = {
        "libraries": both | library("lib/fast.so", "5"),
        "environment": {"flags": observed({"pythonpath": ["lib"]})},
    }
    found = changes({"libraries": both, "environment": {"flags": observed({})}}, other)
    assert [each.note for each in found if each.name == "fast.so"] == ["by PYTHONPATH"]


def test_a_variable_of_the_loader_that_moved_is_named_and_one_that_was_not_recorded_is_not() -> None:
    preloaded = {"environment": {"loader": observed({"LD_PRELOAD": ["x.so"]})}}
    found = changes({"environment": {"loader": observed({})}}, preloaded)
    assert told(found) == [("environment", "loader.LD_PRELOAD", None, ["x.so"])]
    assert told(changes({}, preloaded)) == []


def test_another_seed_is_named_and_what_is_derived_from_it_is_not() -> None:
    def with_file(seed: int) -> dict[str, Any]:
        row = {"path": "params.yaml", "role": "params", "blake3": blake(str(seed))}
        return {"seed": seed, "inputs": (row,)}

    found = changes(with_file(1), with_file(2))
    assert told(found) == [("randomness", "seed", 1, 2)]
    assert told(found, "unread") == []


def test_another_number_of_threads_is_named_once_whoever_set_it() -> None:
    by_profile = changes({"threads": 2}, {"threads": 1})
    assert told(by_profile) == [("randomness", "threads", 2, 1)]

    def switched(number: int) -> dict[str, Any]:
        value = {"libraries": {"libopenblas.so": number}, "switches": {"OMP_NUM_THREADS": str(number)}}
        return {"environment": {"threads": observed(value)}}

    assert [row[:2] for row in told(changes(switched(2), switched(1)))] == [("environment", "threads")]
    unset = {"environment": {"threads": observed({"libraries": {"libopenblas.so": 2}})}}
    assert told(changes(unset, switched(1))) == [("environment", "threads", 2, 1)]
    nothing = {"environment": {"threads": observed({})}}
    only = {"environment": {"threads": observed({"switches": {"OMP_NUM_THREADS": "1"}})}}
    found = changes(nothing, only)
    assert [(each.name, each.before, each.after, each.note) for each in found] == [
        ("threads", None, "1", "OMP_NUM_THREADS")
    ]


def test_a_profile_that_only_one_of_them_has_is_a_difference() -> None:
    assert told(changes({}, {"threads": 1})) == [("randomness", "threads", None, 1)]


def test_another_row_of_data_is_told_as_a_row() -> None:
    found = changes({"rows": 100, "data": "a"}, {"rows": 101, "data": "b"})
    assert told(found) == [("data", "data.csv", blake("a"), blake("b"))]
    assert next(each.note for each in found if each.name == "data.csv") == "+1 row"


def test_columns_that_come_go_and_change_are_told() -> None:
    parts = Parts()

    def table(*columns: dict[str, Any]) -> dict[str, Any]:
        document = {"tables": {"data.csv": {"format": "csv", "rows": 100, "columns": list(columns)}}}
        return {"summaries": observed(parts(document))}

    a = make(
        parts, data="a", more=table({"name": "x", "kind": "int"}, {"name": "y", "kind": "int", "nulls": 0})
    )
    b = make(
        parts, data="b", more=table({"name": "y", "kind": "int", "nulls": 3}, {"name": "z", "kind": "text"})
    )
    found = compare(a, b, parts.read)
    assert [each.note for each in found] == ["new column z, column x is gone, empty in y: 0 -> 3"]


def test_a_parameter_speaks_for_its_file() -> None:
    def with_file(lr: float, content: str) -> dict[str, Any]:
        return {"lr": lr, "inputs": ({"path": "params.yaml", "role": "params", "blake3": blake(content)},)}

    found = changes(with_file(0.1, "a"), with_file(0.2, "b"))
    assert told(found) == [("data", "params.yaml:lr", 0.1, 0.2)]
    other_key = changes(with_file(0.1, "a"), with_file(0.1, "b"))
    assert told(other_key) == []
    assert [each.name for each in other_key if each.kind == "unread"] == ["params.yaml"]


def test_a_script_that_changed_is_code_and_told_once_though_it_is_declared() -> None:
    found = changes({}, {"sources": {"train.py": "d" * 40, "lib/model.py": "b" * 40}}, listing("train.py"))
    assert told(found) == [("code", "train.py", "a" * 40, "d" * 40)]


def test_a_script_whose_content_nobody_may_keep_is_compared_by_the_digests_of_its_rows() -> None:
    def declaring(content: str, path: str = "secret.py", oid: str | None = None) -> dict[str, Any]:
        row = {"path": path, "role": "dep", "md5": content * 32}
        return {"sources": {"train.py": "a" * 40, "secret.py": oid}, "inputs": (row,)}

    def reading(content: str) -> dict[str, Any]:
        row = {"path": "secret.py", "kind": "code", "how": "read", "md5": content * 32, "size": 1}
        trace = {"undeclared_reads": observed({"count": 1, "files": [row]})}
        return {"sources": {"train.py": "a" * 40, "secret.py": None}, "trace": trace}

    moved = [("code", "secret.py", "1" * 32, "2" * 32)]
    for first, second in ((declaring, declaring), (reading, reading), (reading, declaring)):
        assert told(changes(first("1"), second("2"))) == moved
        assert told(changes(first("1"), second("1"))) == []
    assert told(changes(declaring("1"), declaring("1", oid="b" * 40))) == []
    unknown = changes(declaring("1", "other.py"), declaring("1", "other.py"))
    assert [(each.name, each.kind) for each in unknown] == [("secret.py", "aside")]


def test_a_folder_of_code_of_which_a_file_is_not_kept_is_told_by_its_own_digest() -> None:
    def declaring(content: str) -> dict[str, Any]:
        row = {"path": "lib", "role": "dep", "md5": content * 32}
        listing = {"classes": {"input": ["lib/secret.py"]}, "missing": []}
        trace = {"paths": observed({"listing": listing})}
        return {"sources": {"train.py": "a" * 40, "lib/secret.py": None}, "inputs": (row,), "trace": trace}

    assert told(changes(declaring("1"), declaring("2"))) == [("code", "lib", "1" * 32, "2" * 32)]


def test_a_great_tree_of_code_is_compared_at_once() -> None:
    paths = [f"lib/p{at}/q{at}/r{at}/m.py" for at in range(4000)]
    reads = [path.replace(".py", ".yaml") for path in paths]
    sources = dict.fromkeys(paths, "a" * 40)

    def run(content: str) -> dict[str, Any]:
        rows = tuple({"path": path, "role": "dep", "md5": content * 32} for path in reads)
        listing = {"classes": {"input": reads}, "missing": []}
        return {"sources": sources, "inputs": rows, "trace": {"paths": observed({"listing": listing})}}

    began = time.process_time()
    assert len(told(changes(run("1"), run("2")))) == len(reads)
    assert time.process_time() - began < 5


def test_code_that_changed_and_was_not_read_is_told_apart() -> None:
    files = ["train.py", "notes.md", "dvc.yaml", "data.csv.dvc", "other.py"]
    found = changes({}, {"sources": {"train.py": "d" * 40, "lib/model.py": "b" * 40}}, listing(*files))
    assert told(found) == [("code", "train.py", "a" * 40, "d" * 40)]
    assert [each.name for each in found if each.kind == "unread"] == ["notes.md", "other.py"]
    assert [each.name for each in found if each.kind == "aside"] == ["data.csv.dvc", "dvc.yaml"]


def test_code_of_which_nobody_knows_whether_it_was_read_counts_as_moved() -> None:
    def unseen(tree: str) -> dict[str, Any]:
        return {"code": {"sources": absent("nothing was traced"), "tree": observed(tree)}, "method": "none"}

    found = changes(unseen("1" * 40), unseen("2" * 40), listing("notes.md"))
    assert [row[:2] for row in told(found)] == [("code", "notes.md")]
    assert [row[:2] for row in told(changes(unseen("1" * 40), unseen("2" * 40)))] == [("code", "tree")]


def test_a_declared_input_that_nobody_read_is_no_reason() -> None:
    def also(content: str) -> dict[str, Any]:
        return {"inputs": ({"path": "extra.csv", "role": "dep", "blake3": blake(content)},)}

    found = changes(also("a"), also("b"))
    assert told(found) == []
    assert [(each.name, each.note) for each in found] == [("extra.csv", "declared, not read")]
    unseen = changes(also("a") | {"method": "audit"}, also("b") | {"method": "audit"})
    assert [row[:2] for row in told(unseen)] == [("data", "extra.csv")]


def test_an_undeclared_file_that_changed_is_named_and_says_so() -> None:
    def reading(content: str) -> dict[str, Any]:
        row = {"path": "schema.yaml", "kind": "tracked", "how": "read", "md5": content * 32, "size": 1}
        return {"trace": {"undeclared_reads": observed({"count": 1, "files": [row]})}}

    found = changes(reading("1"), reading("2"))
    assert told(found) == [("data", "schema.yaml", "1" * 32, "2" * 32)]
    assert found[0].note == "undeclared"
    assert [row[:2] for row in told(changes({}, reading("1")))] == [("data", "schema.yaml")]
    assert told(changes({"method": "none"}, reading("1"))) == []  # nobody looked, so nobody can say


def test_a_file_that_was_read_undeclared_and_is_declared_now_is_told_once_with_both_contents() -> None:
    def reading(content: str) -> dict[str, Any]:
        row = {"path": "lookup/a.csv", "kind": "tracked", "how": "read", "md5": content * 32, "size": 1}
        return {"trace": {"undeclared_reads": observed({"count": 1, "files": [row]})}}

    def declaring(path: str, content: str) -> dict[str, Any]:
        return {"inputs": ({"path": path, "role": "dep", "md5": content * 32},), "method": "seccomp"}

    found = changes(reading("1"), declaring("lookup/a.csv", "2"))
    assert [each for each in found if each.kind != "aside"] == [
        Change("data", "lookup/a.csv", "1" * 32, "2" * 32, "moved", "now declared")
    ]
    back = changes(declaring("lookup/a.csv", "2"), reading("1"))
    assert [(each.before, each.after, each.note) for each in back if each.name == "lookup/a.csv"] == [
        ("2" * 32, "1" * 32, "no longer declared")
    ]
    same = changes(reading("1"), declaring("lookup/a.csv", "1"))
    assert told(same) == []
    assert [(each.name, each.note) for each in same] == [("lookup/a.csv", "now declared")]
    folder = changes(reading("1"), declaring("lookup", "3"))
    assert [row[1] for row in told(folder)] == ["lookup"]


@pytest.mark.parametrize("path", ["conf", "conf/schema.yaml"])
def test_a_file_of_a_declared_folder_of_code_that_is_declared_itself_now_has_not_moved_by_that(
    path: str,
) -> None:
    def declaring(path: str, oid: str) -> dict[str, Any]:
        sources = {"train.py": "a" * 40, "conf/helper.py": "b" * 40, "conf/schema.yaml": oid * 40}
        listing = {"classes": {"input": ["conf/helper.py", "conf/schema.yaml"]}, "missing": []}
        row = {"path": path, "role": "dep", "md5": blake(path + oid)[:32]}
        return {"sources": sources, "inputs": (row,), "trace": {"paths": observed({"listing": listing})}}

    other = "conf" if path != "conf" else "conf/schema.yaml"
    assert told(changes(declaring(path, "1"), declaring(other, "1"))) == []
    moved = told(changes(declaring(path, "1"), declaring(other, "2")))
    assert moved == [("data", "conf/schema.yaml", "1" * 40, "2" * 40)]


def test_a_file_that_is_declared_as_parameters_now_and_is_the_same_has_not_moved() -> None:
    def declaring(role: str, content: str = "1") -> dict[str, Any]:
        row = {"path": "more.yaml", "role": role, "md5": content * 32}
        listing = {"classes": {"input": ["more.yaml"]}, "missing": []}
        return {"inputs": (row,), "trace": {"paths": observed({"listing": listing})}}

    assert told(changes(declaring("dep"), declaring("params"))) == []
    assert told(changes(declaring("dep"), declaring("params", "2"))) == [
        ("data", "more.yaml", "1" * 32, "2" * 32)
    ]


def test_a_variable_a_host_and_the_command_are_named() -> None:
    a = {"trace": {"env": observed({"declared": {"CUSTOMER": "1"}})}}
    b = {
        "trace": {"env": observed({"declared": {"CUSTOMER": "2"}}), "network": observed([["10.0.0.1", 443]])}
    }
    assert [row[:2] for row in told(changes(a, b | {"command": ("python train.py -v",)}))] == [
        ("code", "command"),
        ("data", "network: 10.0.0.1"),
        ("environment", "variable CUSTOMER"),
    ]


def test_an_outcome_is_a_result() -> None:
    found = changes({}, {"outcome": Outcome("failed", 3)})
    assert told(found) == []
    assert told(found, "result") == [("outcome", "outcome", "succeeded (0)", "failed (3)")]


def test_what_only_one_of_them_recorded_is_not_said_to_have_moved() -> None:
    found = changes({}, {"environment": {"distributions": absent("no process of Python told about itself")}})
    assert told(found) == []
    assert [(each.kind, each.note) for each in found] == [("aside", "no process of Python told about itself")]


def test_a_part_that_is_not_here_is_said_and_stops_nothing() -> None:
    parts = Parts()
    a, b = make(parts), make(parts, packages={"numpy": "2.0.1"}, seed=2, sources={"train.py": "e" * 40})

    found = compare(a, b, Parts().read)
    assert ("randomness", "seed", 1, 2) in told(found)
    assert any(each.coordinate == "environment" for each in found)


def test_hostile_facts_are_compared_and_break_nothing() -> None:
    parts = Parts()
    strange: list[Any] = [None, 7, "x", [], [1, [2]], {"files": 3}, {"part": "z", "size": 1}, {"count": "no"}]
    for value in strange:
        for section in ("code", "more", "environment", "randomness", "trace"):
            plain = make(parts)
            names = plain.section("data" if section == "more" else section)
            strange_facts: dict[str, Any] = {section: dict.fromkeys(names, observed(value))}
            odd = make(parts, **strange_facts)
            compare(plain, odd, parts.read)
            compare(odd, plain, parts.read)


@pytest.mark.parametrize("path", ["", "a\0b", "../../x", "/etc/passwd", "\udcff.py"])
def test_hostile_paths_are_compared_and_break_nothing(path: str) -> None:
    parts = Parts()
    plain = make(parts)
    for folder in (".", "app", "..", "/", "a/../.."):
        row = {"path": path, "kind": [], "how": {}, "md5": [1]}
        odd = make(
            parts,
            code={
                "folder": observed(folder),
                "sources": observed({"files": {"files": {path: None, "lib/x.py": [1]}}}),
            },
            trace={"undeclared_reads": observed({"count": 1, "files": [row]})},
        )
        for pair in ((plain, odd), (odd, plain), (odd, odd)):
            compare(*pair, parts.read)


def test_a_distribution_that_no_run_imported_is_told_apart() -> None:
    parts = Parts()
    idle = {"black": {"version": "1", "record": "x", "imported": False}}
    newer = {"black": {"version": "2", "record": "y", "imported": False}}
    a = make(parts, environment={"distributions": observed(parts(distributions(numpy="1") | idle))})
    b = make(parts, environment={"distributions": observed(parts(distributions(numpy="1") | newer))})
    found = compare(a, b, parts.read)
    assert [(each.kind, each.name, each.before, each.after) for each in found] == [
        ("unread", "black", "1", "2")
    ]


def test_an_editable_installation_that_nobody_imported_is_told_apart() -> None:
    def flags(commit: str, imported: int) -> dict[str, Any]:
        entry = {"commit": commit, "imported": imported, "source": "/src"}
        return {"environment": {"flags": observed({"editable": {"my.tool": entry}, "pth": {}})}}

    found = changes(flags("1", 0), flags("2", 0))
    assert [(each.kind, each.name) for each in found] == [("unread", "flags.editable.my.tool.commit")]
    found = changes(flags("1", 3), flags("2", 3))
    assert [(each.kind, each.name) for each in found] == [("moved", "flags.editable.my.tool.commit")]
