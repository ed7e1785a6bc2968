"""What a stage says about its capture: read strictly, every mistake told with the way to it."""

from typing import Any

import pytest

from fourfold.formats.dvc.fields import Fault
from fourfold.runs.declared import PORTABLE, SEEDS, parse
from fourfold.runs.task import Declared, Numerics

PARAMETERS = {"seed": 7, "train.seed": 8, "name": "x", "share": 0.5}


def read(**item: Any) -> Declared:
    return parse(item, PARAMETERS.get)


def test_a_stage_that_says_nothing_is_seeded_with_a_seed_that_is_drawn() -> None:
    found = read(mutex="gpu", timeout=3)
    assert found == Declared()
    assert (found.seed, found.determinism, found.trace) == (None, "seeded", "auto")


def test_a_seed_is_a_number_or_the_name_of_a_parameter() -> None:
    assert read(seed=42)[:2] == (42, "meta")
    assert read(seed="train.seed")[:2] == (8, "parameter train.seed")
    assert read(seed=SEEDS - 1).seed == SEEDS - 1


def test_profiles_are_named_or_said_switch_by_switch() -> None:
    assert read(numerics="portable").numerics == PORTABLE
    assert read(numerics={"threads": 2, "tf32": False}).numerics == Numerics(threads=2, tf32=False)


@pytest.mark.parametrize(("said", "meant"), [(False, "off"), (True, "auto"), ("strace", "strace")])
def test_off_is_off_although_yaml_reads_it_as_false(said: object, meant: str) -> None:
    assert read(trace=said).trace == meant


def test_variables_are_names_sorted_once_each() -> None:
    assert read(env=["B", "A", "B"]).env == ("A", "B")
    assert read(env="HOME").env == ("HOME",)


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"seed": -1}, ("seed",)),
        ({"seed": SEEDS}, ("seed",)),
        ({"seed": True}, ("seed",)),
        ({"seed": 1.5}, ("seed",)),
        ({"seed": "nobody"}, ("seed",)),
        ({"seed": "name"}, ("seed",)),
        ({"seed": "share"}, ("seed",)),
        ({"determinism": "very"}, ("determinism",)),
        ({"numerics": "fast"}, ("numerics",)),
        ({"numerics": {"threads": 0}}, ("numerics", "threads")),
        ({"numerics": {"warp": 9}}, ("numerics", "warp")),
        ({"numerics": {"blas": "a b; rm"}}, ("numerics", "blas")),
        ({"env": ["A=secret"]}, ("env", 0)),
        ({"env": [3]}, ("env", 0)),
        ({"trace": "magic"}, ("trace",)),
        ({"strict": "yes"}, ("strict",)),
        ({"image": 3}, ("image",)),
    ],
)
def test_what_means_nothing_is_refused_where_it_stands(
    item: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    with pytest.raises(Fault) as caught:
        parse(item, PARAMETERS.get)
    assert caught.value.path == path
