"""What `meta: fourfold:` means, and how a machine is shared out."""

from typing import Any

import pytest

from fourfold.formats.dvc.fields import Fault
from fourfold.pipeline.resources import Machine, Needs, gpus_of, memory_of_machine, parse


@pytest.mark.parametrize(
    ("value", "needs"),
    [
        ({}, Needs()),
        ({"mutex": "db"}, Needs(mutexes=("db",))),
        ({"mutex": ["db", "web", "db"]}, Needs(mutexes=("db", "web"))),
        ({"gpus": 2, "retries": 3}, Needs(gpus=2, retries=3)),
        ({"memory": 1024}, Needs(memory=1024)),
        ({"memory": "4GB"}, Needs(memory=4_000_000_000)),
        ({"memory": "1.5 GiB"}, Needs(memory=1_610_612_736)),
        ({"memory": "512m"}, Needs(memory=512_000_000)),
        ({"goal": {"auc": "max"}}, Needs()),
        ({"timeout": 90}, Needs(timeout=90.0)),
        ({"timeout": "1h30m"}, Needs(timeout=5400.0)),
        ({"timeout": "2d 0.5s"}, Needs(timeout=172_800.5)),
    ],
)
def test_what_is_asked_for_is_understood(value: dict[str, Any], needs: Needs) -> None:
    assert parse(value) == needs


@pytest.mark.parametrize(
    "value",
    [
        [],
        "mutex",
        {"mutx": "a"},
        {"mutex": ""},
        {"mutex": [1]},
        {"mutex": None},
        {"gpus": "1"},
        {"gpus": True},
        {"gpus": -1},
        {"gpus": 1.5},
        {"memory": "lots"},
        {"memory": -1},
        {"memory": "4 PB"},
        {"timeout": "soon"},
        {"timeout": ""},
        {"timeout": 0},
        {"timeout": -3},
        {"timeout": float("nan")},
        {"timeout": "30m1h"},
        {"retries": -1},
        {"retries": 10**9},
        {"retries": "two"},
        {"verify": []},
        {"verify": {"levl": "bitwise"}},
        {"verify": {"level": "perfect"}},
        {"verify": {"margin": 0}},
        {"verify": {"margin": float("inf")}},
        {"verify": {"margin": 10**400}},
        {"verify": {"seeds": 1 << 50_000}},
        {"verify": {"repeats": True}},
    ],
)
def test_what_means_nothing_is_refused(value: Any) -> None:
    with pytest.raises(Fault):
        parse(value)


def machine(gpus: int = 2, memory: int = 100) -> Machine:
    return Machine({}, find_gpus=lambda _environ: [str(at) for at in range(gpus)], find_memory=lambda: memory)


def test_what_is_held_is_nobody_elses_until_it_is_released() -> None:
    here = machine()
    first = here.take(Needs(gpus=1))
    second = here.take(Needs(gpus=1))
    assert first is not None
    assert second is not None
    assert (first.gpus, second.gpus) == (("0",), ("1",))
    assert here.take(Needs(gpus=1)) is None
    here.release(first)
    again = here.take(Needs(gpus=1))
    assert again is not None
    assert again.environment() == {"CUDA_VISIBLE_DEVICES": "0"}


def test_memory_is_shared_up_to_its_sum() -> None:
    here = machine()
    held = here.take(Needs(memory=60))
    assert held is not None
    assert here.take(Needs(memory=50)) is None
    assert here.take(Needs(memory=40)) is not None
    assert here.refuse("s", Needs(memory=100)) is None
    refused = here.refuse("s", Needs(memory=101))
    assert refused is not None
    assert "stage 's' wants 101 bytes of memory, this machine has 100" in refused.message


def test_nothing_is_looked_up_for_whoever_asks_for_nothing() -> None:
    def never(*_: object) -> Any:
        raise AssertionError

    here = Machine({}, find_gpus=never, find_memory=never)
    assert here.refuse("s", Needs(mutexes=("a",))) is None
    assert here.take(Needs()) is not None


@pytest.mark.parametrize(
    ("visible", "names"),
    [("0,2", ["0", "2"]), ("", []), ("-1", []), ("1,-1,3", ["1"]), ("GPU-a, MIG-b", ["GPU-a", "MIG-b"])],
)
def test_gpus_are_those_that_cuda_would_show(visible: str, names: list[str]) -> None:
    assert gpus_of({"CUDA_VISIBLE_DEVICES": visible}) == names


def test_this_machine_has_memory() -> None:
    assert memory_of_machine() > 1 << 20
