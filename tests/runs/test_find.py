"""Runs are found by what they read, wrote and ran with; conditions are joined by and."""

from pathlib import Path
from typing import Any

import pytest

from fourfold.formats.native.fact import observed
from fourfold.formats.native.record import Outcome
from fourfold.runs.find import Criteria, find
from fourfold.runs.store import Records
from tests.runs.recordmaking import blake, keep, records_in


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """Three runs: ``first``, ``second`` with another seed, library, data and model, ``third`` that failed."""
    found = records_in(tmp_path)
    keep(found, started="2026-01-01T00:00:01.000000Z")
    read = {"path": "schema.yaml", "kind": "tracked", "how": "read", "md5": "9" * 32, "size": 1}
    keep(
        found,
        started="2026-01-01T00:00:02.000000Z",
        seed=2,
        lr=0.2,
        data="other",
        model="better",
        packages={"numpy": "2.0.1", "scikit_learn": "1.5.0"},
        trace={"undeclared_reads": observed({"count": 1, "files": [read]})},
    )
    keep(found, started="2026-01-01T00:00:03.000000Z", stage="evaluate", outcome=Outcome("failed", 1))
    return found


def found(records: Records, **criteria: Any) -> list[int]:
    """Numbers of the runs that are found, newest first."""
    return [int(one.record.times.started[18]) for one in find(records, Criteria(**criteria))]


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, [3, 2, 1]),
        ({"stage": "train"}, [2, 1]),
        ({"stage": "nobody"}, []),
        ({"seed": 2}, [2]),
        ({"wrote": "model.pkl"}, [3, 2, 1]),
        ({"wrote": blake("better")[:8]}, [2]),
        ({"wrote": blake("better").upper()}, [2]),
        ({"wrote": "3" * 32}, [3, 2, 1]),
        ({"wrote": "data.csv"}, []),
        ({"read": "data.csv"}, [3, 2, 1]),
        ({"read": blake("other")}, [2]),
        ({"read": "schema.yaml"}, [2]),
        ({"read": "9" * 10}, [2]),
        ({"params": (("lr", "0.2"),)}, [2]),
        ({"params": (("params.yaml:lr", "0.20"),)}, [2]),
        ({"params": (("lr", "nothing"),)}, []),
        ({"packages": (("numpy", None),)}, [3, 2, 1]),
        ({"packages": (("numpy", "1.26.4"),)}, [3, 1]),
        ({"packages": (("Scikit_Learn", "1.5.0"), ("numpy", None))}, [2]),
        ({"packages": (("torch", None),)}, []),
        ({"code": "cccc"}, [3, 2, 1]),
        ({"code": "dddd"}, []),
        ({"since": "2026-01-01T00:00:02"}, [3, 2]),
        ({"until": "2026-01-01T00:00:02"}, [1]),
        ({"since": "2026-01-01T00:00:02", "until": "2026-01-01T00:00:03"}, [2]),
        ({"failed": True}, [3]),
        ({"failed": True, "seed": 2}, []),
        ({"seed": 2, "wrote": "model.pkl", "packages": (("numpy", "2.0.1"),)}, [2]),
    ],
)
def test_a_condition_finds_the_runs_that_meet_it(
    records: Records, criteria: dict[str, Any], expected: list[int]
) -> None:
    assert found(records, **criteria) == expected


def test_an_environment_is_found_by_its_digest(records: Records) -> None:
    digest = next(find(records, Criteria(seed=2))).record.environment["digest"].value
    assert found(records, environment=digest[:9]) == [2]


def test_a_file_in_a_folder_that_a_run_wrote_is_found(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    out = {"path": "features", "role": "out", "blake3": blake("x"), "nfiles": 2}
    keep(records, more={"outputs": observed([out])})
    assert len(list(find(records, Criteria(wrote="features/part-1.csv")))) == 1
    assert not list(find(records, Criteria(wrote="features-2")))


@pytest.mark.parametrize(
    ("held", "typed"), [(True, "true"), (True, "True"), (None, "null"), ([1, 2], "[1,2]")]
)
def test_a_parameter_is_found_by_its_value_as_it_is_typed(tmp_path: Path, held: Any, typed: str) -> None:
    records = records_in(tmp_path)
    keep(records, more={"params": observed({"params.yaml": {"train": {"x": held, "n": 1}}})})
    assert len(list(find(records, Criteria(params=(("train.x", typed),))))) == 1
    assert not list(find(records, Criteria(params=(("train.n", "true"),))))
