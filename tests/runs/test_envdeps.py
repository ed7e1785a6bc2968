"""Environment variables as dependencies: compared without anybody knowing their values."""

import os
import stat
from pathlib import Path

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.runs.envdeps import BadEnvKeyError, WeakEnvKeyError, compare, digests
from fourfold.runs.place import Place

TEAM = "a key that a whole team shares"


def place(root: Path, environ: dict[str, str] | None = None) -> Place:
    root.mkdir(exist_ok=True)
    return Place(str(root), str(root / ".fourfold"), str(root), environ or {}, SYSTEM, None, None)


def test_equal_values_have_equal_digests_and_others_do_not(tmp_path: Path) -> None:
    here = place(tmp_path)
    one = digests(here, ["CUSTOMER"], {"CUSTOMER": "acme"})
    again = digests(here, ["CUSTOMER"], {"CUSTOMER": "acme"})
    other = digests(here, ["CUSTOMER"], {"CUSTOMER": "ajax"})
    assert compare(one["CUSTOMER"], again["CUSTOMER"]) == "equal"
    assert compare(one["CUSTOMER"], other["CUSTOMER"]) == "changed"


def test_unset_and_empty_are_two_values(tmp_path: Path) -> None:
    here = place(tmp_path)
    unset, empty = digests(here, ["A"], {}), digests(here, ["A"], {"A": ""})
    assert compare(unset["A"], empty["A"]) == "changed"


def test_two_variables_of_one_value_do_not_show_it(tmp_path: Path) -> None:
    found = digests(place(tmp_path), ["A", "B"], {"A": "x", "B": "x"})
    assert found["A"] != found["B"]


def test_another_key_says_nothing(tmp_path: Path) -> None:
    one = digests(place(tmp_path / "one"), ["A"], {"A": "x"})
    two = digests(place(tmp_path / "two"), ["A"], {"A": "x"})
    assert compare(one["A"], two["A"]) == "unknown"
    assert compare(None, two["A"]) == "unknown"


def test_a_team_compares_with_a_key_that_it_shares(tmp_path: Path) -> None:
    environ = {"FOURFOLD_ENV_KEY": TEAM}
    one = digests(place(tmp_path / "one", environ), ["A"], {"A": "x"})
    two = digests(place(tmp_path / "two", environ), ["A"], {"A": "x"})
    assert compare(one["A"], two["A"]) == "equal"
    assert not (tmp_path / "one" / ".fourfold").exists()


def test_a_key_that_could_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeakEnvKeyError):
        digests(place(tmp_path, {"FOURFOLD_ENV_KEY": "hunter2"}), ["A"], {})


def test_the_key_is_its_owners_only_and_git_does_not_see_it(tmp_path: Path) -> None:
    digests(place(tmp_path), ["A"], {})
    key = tmp_path / ".fourfold" / "env-key"
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    assert len(key.read_bytes()) == 32
    assert (tmp_path / ".fourfold" / ".gitignore").read_text() == "*\n"
    assert (
        os.listdir(tmp_path / ".fourfold") == [".gitignore", "env-key"]
        or len(os.listdir(tmp_path / ".fourfold")) == 2
    )


def test_who_only_looks_draws_no_key(tmp_path: Path) -> None:
    found = digests(place(tmp_path), ["A"], {"A": "x"}, draw=False)
    assert compare(found["A"], found["A"]) == "unknown"
    assert os.listdir(tmp_path) == []


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    here = place(tmp_path)
    digests(here, ["A"], {})
    (tmp_path / ".fourfold" / "env-key").write_bytes(b"short")
    with pytest.raises(BadEnvKeyError):
        digests(here, ["A"], {})


def test_a_digest_holds_neither_value_nor_key(tmp_path: Path) -> None:
    found = digests(place(tmp_path), ["A"], {"A": "a-secret-value"})["A"]
    key = (tmp_path / ".fourfold" / "env-key").read_bytes()
    assert "secret" not in found
    assert key.hex()[:8] not in found
