"""What is planned for the randomness of a run, and what its record says of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fourfold.runs import randomness
from fourfold.runs.declared import PORTABLE
from fourfold.runs.inject import _fourfold_derive as derivation
from fourfold.runs.observation import Coverage, Observation, Trace
from fourfold.runs.task import Declared, Numerics, Task

ROOT = Path(__file__).resolve().parents[2]


def task(environ: Mapping[str, str] | None = None, name: str = "train", **says: Any) -> Task:
    return Task("stage", name, ("x",), "/project", "/project/sub", dict(environ or {}), Declared(**says))


def never() -> int:
    raise AssertionError("no seed is to be drawn")


def seen(*reports: Mapping[str, Any]) -> Observation:
    return Observation(Trace(Coverage("none")), reports)


@pytest.mark.parametrize(
    ("of", "expected", "short"),
    [
        ((0, "", 0, "", "random"), 9038743738989574903, 2453830391),
        ((7, "train", 0, "", "random"), 2487746536847533080, 1812030488),
        ((7, "train", 0, "", "numpy"), 8965955698358728969, 948943113),
        ((7, "train", 1, "", "torch"), 7214070554493026093, 2435415853),
        ((7, "train", 0, "SpawnProcess-1", "random"), 5607567575080754545, 3601849713),
        ((2**63 - 1, "sub/dvc.yaml:\u00e9valuer", 0, "", "hash"), 9058300608483560726, 358485270),
    ],
)
def test_the_derivation_never_changes(of: tuple[int, str, int, str, str], expected: int, short: int) -> None:
    assert (derivation.derive(*of), derivation.short(expected)) == (expected, short)


def test_the_documentation_has_the_derivation_as_it_is() -> None:
    text = (ROOT / "docs" / "concepts" / "randomness.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"
    ]
    found = 0
    for row in rows:
        if len(row) == 7 and row[0].isdigit():
            sub_seed = derivation.derive(int(row[0]), row[1], int(row[2]), row[3], row[4])
            assert row[5:] == [str(sub_seed), str(derivation.short(sub_seed))]
            found += 1
    assert found == 6


def test_sub_seeds_differ_by_every_part_of_what_they_are_for() -> None:
    found = {
        derivation.derive(seed, stage, rank, worker, library)
        for seed in (0, 1)
        for stage in ("", "a")
        for rank in (0, 1, 10)
        for worker in ("", "p1", "1")
        for library in ("random", "numpy", "a")
    }
    assert len(found) == 2 * 2 * 3 * 3 * 3
    assert all(0 <= seed < 2**63 for seed in found)


def test_a_declared_seed_is_taken_and_nothing_drawn() -> None:
    plan = randomness.plan(task(seed=42, seed_from="parameter train.seed"), never)
    assert (plan.seed, plan.drawn, plan.environ["FOURFOLD_SEED"]) == (42, False, "42")
    fact = randomness.section(plan, task(), seen())["seed"]
    assert (fact.grade, fact.value, fact.why) == ("declared", 42, "parameter train.seed")


def test_a_seed_that_nobody_declared_is_drawn_and_observed() -> None:
    plan = randomness.plan(task(), lambda: 5)
    assert (plan.seed, plan.drawn) == (5, True)
    assert randomness.section(plan, task(), seen())["seed"].grade == "observed"


def test_the_environment_may_have_the_seed() -> None:
    plan = randomness.plan(task({"FOURFOLD_SEED": "12"}), never)
    assert (plan.seed, plan.seed_from, plan.drawn) == (12, "FOURFOLD_SEED", False)
    assert randomness.plan(task({"FOURFOLD_SEED": "12"}, seed=3, seed_from="meta"), never).seed == 3
    for bad in ("", "x", "-1", str(2**63), "9" * 5000, "\u0661"):
        assert randomness.plan(task({"FOURFOLD_SEED": bad}), lambda: 5).drawn


def test_without_determinism_no_seed_is_drawn_and_nothing_set_that_a_library_reads() -> None:
    plan = randomness.plan(task(determinism="off"), never)
    assert plan.environ == {
        "FOURFOLD_DETERMINISM": "off",
        "FOURFOLD_NUMERICS": "",
        "FOURFOLD_STAGE": "train",
    }
    section = randomness.section(plan, task(determinism="off"), seen())
    assert [section[name].grade for name in ("seed", "derivation", "hash_seed", "injected")] == ["absent"] * 4


def test_the_hash_seed_is_the_users_where_there_is_one() -> None:
    derived = str(randomness.hash_seed(7, "train"))
    for present, expected in (
        ("", derived),
        ("random", derived),
        ("0", None),
        ("5", None),
    ):
        plan = randomness.plan(task({"PYTHONHASHSEED": present}, seed=7), never)
        assert plan.environ.get("PYTHONHASHSEED") == expected
    fact = randomness.section(plan, task({"PYTHONHASHSEED": "5"}, seed=7), seen())["hash_seed"]
    assert (fact.value, fact.why) == (5, "set by the user")


def test_strict_overrules_a_hash_seed_of_the_user() -> None:
    plan = randomness.plan(task({"PYTHONHASHSEED": "5"}, seed=7, determinism="strict"), never)
    assert plan.environ["PYTHONHASHSEED"] == str(randomness.hash_seed(7, "train"))
    assert plan.overruled == ("PYTHONHASHSEED",)


def test_the_hash_seed_of_an_outer_run_is_not_taken_for_the_users() -> None:
    outer = dict(randomness.plan(task(seed=7), never).environ)
    inner = randomness.plan(task(outer, name="inner", seed=8), never)
    assert inner.environ["PYTHONHASHSEED"] == str(randomness.hash_seed(8, "inner"))


def test_seeded_sets_no_switch_of_numerics() -> None:
    plan = randomness.plan(task(seed=7), never)
    assert [name for name in plan.environ if not name.startswith("FOURFOLD_")] == ["PYTHONHASHSEED"]


def test_a_profile_sets_what_it_says_and_leaves_what_the_user_set() -> None:
    environ = {"OMP_NUM_THREADS": "8", "MKL_NUM_THREADS": "2"}
    stage = task(environ, seed=7, numerics=Numerics(threads=2, tf32=False))
    plan = randomness.plan(stage, never)
    assert plan.kept == ("OMP_NUM_THREADS",)
    assert "OMP_NUM_THREADS" not in plan.environ
    assert plan.environ["OPENBLAS_NUM_THREADS"] == "2"
    assert plan.environ["NVIDIA_TF32_OVERRIDE"] == "0"
    assert "OPENBLAS_CORETYPE" not in plan.environ
    assert randomness.section(plan, stage, seen())["numerics"].value["kept"] == ["OMP_NUM_THREADS"]


def test_strict_sets_the_portable_profile_and_overrules_the_user_and_says_so() -> None:
    stage = task({"OMP_NUM_THREADS": "8", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"}, determinism="strict")
    plan = randomness.plan(stage, lambda: 5)
    assert plan.overruled == ("OMP_NUM_THREADS", "TZ")
    assert plan.environ["OMP_NUM_THREADS"] == "1"
    assert plan.environ["TZ"] == "UTC"
    assert plan.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert randomness.section(plan, stage, seen())["numerics"].value["overruled"] == ["OMP_NUM_THREADS", "TZ"]


def test_strict_takes_what_is_said_over_the_portable_profile() -> None:
    plan = randomness.plan(task(determinism="strict", numerics=Numerics(threads=4)), lambda: 5)
    assert plan.numerics.threads == 4
    assert plan.numerics.workspace == PORTABLE.workspace


def test_strict_adds_to_the_flags_of_xla_and_never_replaces_them() -> None:
    def flags(present: str) -> str | None:
        plan = randomness.plan(task({"XLA_FLAGS": present}, determinism="strict"), lambda: 5)
        return plan.environ.get("XLA_FLAGS")

    assert flags("--xla_dump_to=x") == "--xla_dump_to=x --xla_gpu_deterministic_ops=true"
    assert flags("--xla_gpu_deterministic_ops=false") is None


def report(**seeds: Any) -> dict[str, Any]:
    return {"prefix": "/venv", "base_prefix": "/usr", "seeds": {"libraries": {}, "switches": {}} | seeds}


def test_what_was_seeded_in_any_process_is_told_with_what_failed() -> None:
    plan = randomness.plan(task(seed=7), never)
    first = report(libraries={"random": "ok", "torch": "RuntimeError"})
    second = report(libraries={"numpy": "ok"})
    for reports in ((first, second), (second, first)):
        fact = randomness.section(plan, task(), seen(*reports))["injected"]
        assert fact.value == {"done": ["numpy", "random"], "failed": {"torch": "RuntimeError"}}


def test_call_sites_are_gathered_and_named_without_absolute_paths() -> None:
    plan = randomness.plan(task(seed=7), never)
    sites = [
        {"what": "os.urandom", "file": file, "line": 3, "times": 2}
        for file in (
            "/project/src/a.py",
            "b.py",
            "/venv/lib/x.py",
            "/usr/lib/y.py",
            "/home/me/z.py",
            "<string>",
        )
    ]
    stage = task({"HOME": "/home/me"})
    fact = randomness.section(plan, stage, seen(report() | {"entropy": sites}, report() | {"entropy": sites}))
    assert [(entry["at"], entry["times"]) for entry in fact["entropy"].value] == [
        ("<string>:3", 4),
        ("src/a.py:3", 4),
        ("sub/b.py:3", 4),
        ("{prefix}/lib/x.py:3", 4),
        ("{prefix}/lib/y.py:3", 4),
        ("~/z.py:3", 4),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        {"seeds": 3},
        {"seeds": {"libraries": [1], "switches": None}},
        {"seeds": {}, "entropy": {"a": 1}, "unseeded": [None, {"line": "x"}, {"line": 1, "times": []}]},
        {"seeds": {}, "blas": [1, {"threads": [3]}], "simd": {"numpy": []}, "frameworks": {"torch": 1}},
    ],
)
def test_a_report_of_any_shape_is_read(broken: Mapping[str, Any]) -> None:
    stage = task(determinism="strict")
    section = randomness.section(randomness.plan(stage, lambda: 5), stage, seen(broken))
    assert set(section) == {
        "seed",
        "derivation",
        "determinism",
        "hash_seed",
        "injected",
        "numerics",
        "unseeded",
        "entropy",
    }


def test_a_report_cannot_make_a_record_large() -> None:
    sites = [{"what": "x" * 9999, "file": f"a{at}", "line": 1, "times": 1} for at in range(5000)]
    sites.append({"what": "", "file": "y" * 99999, "line": 1, "times": 1})
    libraries = {f"{at}{'z' * 999}": "ok" for at in range(5000)}
    stage = task(seed=7)
    found = randomness.section(
        randomness.plan(stage, never), stage, seen(report(libraries=libraries) | {"entropy": sites})
    )
    assert len(found["entropy"].value) == len(found["injected"].value["done"]) == 1000
    assert len(str(found)) < 400_000


def test_what_is_in_force_against_the_profile_is_told() -> None:
    stage = task(determinism="strict", numerics=PORTABLE)
    process: Sequence[Mapping[str, Any]] = [
        report()
        | {
            "blas": [
                {"api": "openblas", "threads": 2, "core": "SkylakeX"},
                {"api": "openmp", "threads": 1},
            ],
            "simd": {"numpy": {"used": ["X86_V3", "X86_V4"]}},
            "frameworks": {"torch": {"threads": 1, "deterministic": False}},
        }
    ]
    fact = randomness.section(randomness.plan(stage, lambda: 5), stage, seen(*process))["numerics"]
    assert fact.value["otherwise"] == {
        "blas": ["SkylakeX"],
        "deterministic": ["False"],
        "simd": ["X86_V4"],
        "threads": ["2"],
    }
