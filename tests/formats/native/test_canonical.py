"""Documents from elsewhere: too deep, not finite, or not UTF-8 is refused; brackets in text are text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.formats.native.canonical import DEEPEST, BadDocumentError, canonical, parse


def nested(depth: int, text: str = "") -> bytes:
    """An object with so many brackets one in the other, and a text in each."""
    inner = "1"
    for at in range(depth - 1):
        said = json.dumps(text)
        inner = f"[{said},{inner}]" if at % 2 else f'{{{said}:"",{said}:{inner}}}'
    return f'{{"a":{inner}}}'.encode()


@pytest.mark.parametrize("text", ["", "]", "[", '"]', "\\", '\\"[', "]}" * 50, "é["])
def test_what_is_nested_too_deeply_is_refused_whatever_its_texts_are(text: str) -> None:
    parse(nested(DEEPEST, text), "it")
    for depth in (DEEPEST + 1, DEEPEST * 3):
        with pytest.raises(BadDocumentError, match="nested deeper"):
            parse(nested(depth, text), "it")


@pytest.mark.parametrize("opened", [b"[", b'{"a":'])
def test_what_is_nested_beyond_all_measure_is_refused(opened: bytes) -> None:
    with pytest.raises(BadDocumentError):
        parse(b'{"a":' + opened * 100_000, "it")


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "-1e999", "1" * 5000])
def test_a_number_that_readers_would_not_agree_on_is_refused(number: str) -> None:
    with pytest.raises(BadDocumentError, match="it is not JSON"):
        parse(b'{"a":%s}' % number.encode(), "it")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_document_in_another_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(BadDocumentError):
        parse('{"a":"é"}'.encode(encoding), "it")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=200,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=5), _VALUES, max_size=5))
def test_what_we_write_is_read_again(document: dict[str, object]) -> None:
    many = {"copies": [document] * 60}  # brackets enough to be looked at
    assert parse(canonical(many), "it") == json.loads(canonical(many))
