import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.base.errors import InvalidFileError
from fourfold.formats.dvc import params
from fourfold.formats.dvc.params import BadParamsError


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("params.yaml", "lr: 1e-3\nl: [1, {a: b}]\n", {"lr": 0.001, "l": [1, {"a": "b"}]}),
        ("PARAMS.JSON", '{"a": {"b": 1.5}}', {"a": {"b": 1.5}}),
        (
            "p.toml",
            "a = 1\n[t]\nb = 'x'\nd = 2020-01-01\n",
            {"a": 1, "t": {"b": "x", "d": dt.date(2020, 1, 1)}},
        ),
        ("anything.else", "a: 1\n", {"a": 1}),
        ("params.yaml", "", {}),
        ("params.json", "{}", {}),
    ],
)
def test_the_extension_decides_the_language(name: str, text: str, value: Any) -> None:
    assert params.parse(text.encode(), name) == value


def test_python_is_read_and_not_run(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    text = f"""
open({str(witness)!r}, "w")
A = 1
B: float = -2.5
C = [1, "x"]
D = {{"k": (1, 2)}}
E = F = 3
G = A + 1
x.y = 4
class Train:
    LR = 0.1
    class Deeper:
        N = None
    def __init__(self):
        self.layers = 5
        local = 6
    def other(self):
        self.unseen = 7
"""
    assert params.parse(text.encode(), "params.py") == {
        "A": 1,
        "B": -2.5,
        "C": [1, "x"],
        "D": {"k": (1, 2)},
        "Train": {"LR": 0.1, "Deeper": {"N": None}, "layers": 5},
    }
    assert not witness.exists()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("p.json", b"{"),
        ("p.json", b"[" * 100_000),
        ("p.json", b"1" * 10_000),
        ("p.toml", b"a = 1\na = 2\n"),
        ("p.toml", b"a = " + b"[" * 50_000),
        ("p.py", b"a = ("),
        ("p.py", b"a = '\0'"),
        ("p.py", b"a = " + b"(" * 5_000),
        ("p.py", b"a = " + b"+".join([b"1"] * 50_000)),
        ("p.py", b"#" * 2_000_000),
        ("p.yaml", b"a: [\n"),
        ("p.json", b"\xff"),
    ],
)
def test_what_cannot_be_read_is_refused_typed(name: str, data: bytes) -> None:
    with pytest.raises(InvalidFileError):
        params.parse(data, name)


def test_a_fault_is_told_with_its_place() -> None:
    with pytest.raises(BadParamsError, match=r"^sub/p\.json:2:3: "):
        params.parse(b"{\n  x}", "p.json", "sub/p.json")
    with pytest.raises(BadParamsError, match=r"^p\.py:2:\d+: "):
        params.parse(b"a = 1\nb = )\n", "p.py")


@given(
    st.sampled_from(["p.json", "p.toml", "p.py", "p.yaml"]),
    st.one_of(st.text(max_size=40).map(str.encode), st.binary(max_size=30)),
)
def test_no_bytes_make_a_traceback(name: str, data: bytes) -> None:
    try:
        params.parse(data, name)
    except InvalidFileError as error:
        assert error.message  # noqa: PT017 - a value is as good an answer
