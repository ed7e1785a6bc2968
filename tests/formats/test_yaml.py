import io
import math
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from fourfold.formats.dvc import yaml_emit, yaml_read, yamlio
from fourfold.formats.dvc.yaml_scalars import is_text
from fourfold.formats.dvc.yamlio import BadYamlError


def ruamel_load(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def ruamel_dump(value: Any) -> bytes:
    yaml = YAML()
    yaml.default_flow_style = False
    stream = io.BytesIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def ruamel_update(text: str, new: Mapping[str, Any]) -> bytes:
    document = YAML().load(text)
    yamlio.merge_into(document, new)
    return ruamel_dump(document)


def same(one: Any, other: Any) -> bool:
    """Equal values of equal types, in equal order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(map(same, one.items(), other.items()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return math.isnan(one) and math.isnan(other) if one != one else one == other  # noqa: PLR0124
    return bool(one == other)


WORDS = [
    *(
        "true",
        "True",
        "yes",
        "off",
        "null",
        "~",
        "=",
        "<<",
        "1",
        "-1",
        "+1",
        "012",
        "0o7",
        "0x1F",
        "0b1",
        "1_000",
    ),
    *("1.5", "1.", ".5", "1e3", "1e-05", "1e+20", "0e1", "._1", "-_", ".inf", "-.INF", ".nan", "2020-01-01"),
    *(
        "2001-12-14 21:59:43",
        "190:20:30",
        "-",
        "--lr",
        "?",
        "? a",
        "?a",
        ":",
        ":a",
        "a:",
        "a: b",
        "a:b",
        "#x",
        "x#y",
    ),
    *(
        "x #y",
        "it's",
        "'q'",
        '"q"',
        "{a}",
        "[b]",
        "*x",
        "&y",
        "!t",
        "|",
        ">",
        "%",
        "@",
        "`",
        "---",
        "...",
        "...a",
    ),
    *(
        "a,b",
        "${a.b}",
        "$X",
        "\\n",
        "\\",
        "é",
        "中文",
        "😀",
        "\xa0",
        "\u2028",
        "\ufeff",
        "\x85",
        "\t",
        "\n",
        "",
        " ",
    ),
    *("/a/b", "a" * 60, "b" * 90, "python", "train.py", "--epochs=10", "e" * 31 + "1", "0e" + "1" * 30),
]
sentences = st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)
texts = st.one_of(
    sentences,
    st.lists(st.sampled_from(WORDS), max_size=3).map("".join),
    st.text(max_size=20),
    st.text(alphabet="0123456789.eE+-_:xobTZ ", max_size=12),
    st.lists(st.sampled_from(["foo", "--x", "'a','b'", '"c"', "a: b", "qux"]), min_size=10, max_size=30).map(
        " ".join
    ),
)
scalars = st.one_of(texts, st.integers(), st.floats(), st.booleans(), st.none())
keys = st.one_of(st.sampled_from(["a", "b", "c", "path", "md5"]), texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=8,
)
documents = st.dictionaries(keys, values, min_size=1, max_size=4)


@pytest.mark.parametrize("word", sorted({*WORDS, *tomllib.__name__}))
def test_a_word_is_text_exactly_when_ruamel_writes_it_unquoted_or_may_not(word: str) -> None:
    if not word.strip() or any(char in word for char in "\n\t\x85\u2028\ufeff'\"") or word != word.strip():
        return
    plain = ruamel_dump({"k": word}) == f"k: {word}\n".encode()
    if plain:
        assert is_text(word)
    elif is_text(word):  # quoted for its characters, not for its meaning
        assert yaml_emit.emit({"k": word}) == ruamel_dump({"k": word})


@pytest.mark.parametrize(
    "digest",
    [
        "0" * 32,
        "12e4" + "5" * 28,
        "e" + "1" * 31,
        "1" * 31 + "e",
        "0b" + "01" * 15,
        "0b" + "02" * 15,
        "1e1e" + "1" * 28,
        "d751713988987e9331980363e24189ce",
    ],
)
@pytest.mark.parametrize("suffix", ["", ".dir"])
def test_a_digest_that_could_be_a_number_is_written_and_read_as_ruamel_does(digest: str, suffix: str) -> None:
    document = {"outs": [{"md5": digest + suffix, "size": 1}]}
    data = ruamel_dump(document)
    assert yaml_emit.emit(document) in {None, data}
    assert yamlio.load(data) == document
    assert yamlio.load(f"md5: {digest}{suffix}\n".encode()) == ruamel_load(f"md5: {digest}{suffix}\n")


@given(documents)
def test_the_quick_writer_equals_ruamel_byte_for_byte(document: dict[str, Any]) -> None:
    written = yaml_emit.emit(document)
    assert written is None or written == ruamel_dump(document)


@given(st.dictionaries(st.sampled_from("abcdef"), sentences, min_size=1))
def test_text_of_every_length_folds_as_ruamel_folds_it(document: dict[str, Any]) -> None:
    written = yaml_emit.emit(document)
    assert written is None or written == ruamel_dump(document)


@pytest.mark.parametrize("length", range(60, 100))
@pytest.mark.parametrize("lead", ["", "a ", "a  b ", "some words before it and "])
def test_a_fold_stands_at_the_same_column_as_ruamels(length: int, lead: str) -> None:
    text = lead + "x" * (length - len(lead)) + " and then some"
    document = {"k": {"cmd": text, "list": [text, {"deeper": text}]}}
    assert yaml_emit.emit(document) == ruamel_dump(document)


def test_a_shared_value_is_left_to_ruamel_which_makes_it_an_anchor() -> None:
    shared = {"a": 1}
    assert yaml_emit.emit({"x": shared, "y": shared}) is None
    assert yamlio.dump({"x": shared, "y": shared}) == b"x: &id001\n  a: 1\ny: *id001\n"


EDITS = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.sampled_from(["insert", "delete", "double", "swap"]),
        st.sampled_from(
            [
                "#",
                " # c",
                "\n",
                "\n\n",
                "  ",
                " ",
                "- ",
                ": ",
                "'",
                '"',
                "x",
                "[",
                "{}",
                "|",
                "\n# c\n",
                "1",
                ">-",
                "\\",
            ]
        ),
    ),
    max_size=2,
)


def edited(text: str, edits: list[tuple[int, str, str]]) -> str:
    for position, act, what in edits:
        at = position % (len(text) + 1)
        if act == "insert":
            text = text[:at] + what + text[at:]
        elif act == "delete":
            text = text[:at] + text[at + 1 :]
        else:
            lines = text.split("\n")
            line = position % len(lines)
            if act == "double":
                lines.insert(line, lines[line])
            else:
                other = (line + 1) % len(lines)
                lines[line], lines[other] = lines[other], lines[line]
            text = "\n".join(lines)
    return text


@given(documents, EDITS)
def test_the_quick_reader_gives_what_ruamel_gives_or_nothing(
    document: dict[str, Any], edits: list[tuple[int, str, str]]
) -> None:
    text = edited(ruamel_dump(document).decode(), edits)
    quick = yaml_read.read(text)
    assume(quick is not None)
    assert quick is not None
    assert same(quick.value, ruamel_load(text))


TOKENS = [
    *(
        "a",
        "b",
        "key",
        "a: ",
        "b: ",
        "key:",
        "- ",
        "-",
        "? ",
        ": ",
        "# c",
        " #c",
        "'",
        '"',
        "\\",
        "[",
        "]",
        "{",
        "}",
    ),
    *(
        ", ",
        "|",
        "|-",
        ">",
        ">-",
        "&x ",
        "*x",
        "!t ",
        "<<: ",
        "---",
        "true",
        "null",
        "~",
        "1",
        "012",
        "1.5",
        "1e3",
    ),
    *(
        "2020-01-01",
        "\n",
        "\n",
        "\n",
        "\n  ",
        "\n    ",
        "\n ",
        "\n- ",
        "\n  - ",
        "  ",
        "'x'",
        '"y"',
        "a b",
        "x:y",
    ),
    *(
        "\na: ",
        "\nb:",
        "\nc:\n  ",
        "\n  d: ",
        "[]",
        "{}",
        "[1, 2]",
        "{a: 1}",
        "\t",
        "é",
        "yes",
        "${a}",
        "http://x",
    ),
]


@given(st.lists(st.sampled_from(TOKENS), max_size=20).map("".join))
def test_the_quick_reader_never_reads_what_ruamel_refuses(text: str) -> None:
    quick = yaml_read.read(text)
    assume(quick is not None)
    assert quick is not None
    assert same(quick.value, ruamel_load(text))


plain_words = st.sampled_from(
    ["a", "data/x", "train.py --lr 0.1", "x" * 90, "1e3", "a: b", "", "012", "é", "it is"]
)
plain_scalars = st.one_of(
    plain_words, st.integers(), st.booleans(), st.none(), st.sampled_from([0.1, 2.5, -1.25])
)
plain_documents = st.dictionaries(
    st.sampled_from("abcd"),
    st.recursive(
        plain_scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
        ),
        max_leaves=10,
    ),
    min_size=1,
    max_size=4,
)


@given(plain_documents, plain_documents)
def test_an_update_without_ruamel_equals_ruamels(old: dict[str, Any], new: dict[str, Any]) -> None:
    text = ruamel_dump(old).decode()
    assert yamlio.update(text.encode(), new) == ruamel_update(text, new)


def test_a_number_that_nobody_changed_keeps_its_last_digit() -> None:
    old = b"# c\ne: 2.026619832316721e+17\nn: 1.50\no: 0x1F\nx: 1\n"
    new = {"e": 2.026619832316721e17, "n": 1.5, "o": 31, "x": 2}
    assert yamlio.update(old, new) == old.replace(b"x: 1", b"x: 2")


def test_filling_a_flow_list_keeps_its_style_unless_it_was_empty_as_ruamel_does() -> None:
    assert yamlio.update(b"a: []\nb: [1]\n", {"a": [1], "b": [1, 2]}) == b"a:\n- 1\nb: [1, 2]\n"


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b"a: 1\nb: 2\na: 3\n", 3, 1),
        (b"a: 1\nb: [1, 2\n", 3, 1),
        (b"a:\n\t- b\n", 2, 1),
        (b"a: \xff\n", 1, 4),
        (b"a: b\nc: \0\n", 2, 4),
        (b"a: *nowhere\n", 1, 4),
    ],
)
def test_a_fault_is_told_with_its_place(data: bytes, line: int, column: int) -> None:
    with pytest.raises(BadYamlError) as caught:
        yamlio.load(data, "x.dvc")
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.message.startswith(f"x.dvc:{line}:{column}: ")


def test_conflict_markers_are_named_in_the_hint() -> None:
    with pytest.raises(BadYamlError) as caught:
        yamlio.load(b"outs:\n<<<<<<< HEAD\n- md5: a\n=======\n- md5: b\n>>>>>>> x\n", "x.dvc")
    assert "merge conflict" in caught.value.hint


def test_plain_files_are_read_and_written_without_ruamel() -> None:
    code = """
import sys
from fourfold.formats.dvc import lock, pointer, stages
data = b"outs:\\n- md5: d751713988987e9331980363e24189ce\\n  size: 12\\n  hash: md5\\n  path: 'a b'\\n"
read = pointer.parse(data)
pointer.update(data, read._replace(desc="some text"))
pointer.render(read)
stages.parse(b"# c\\nstages:\\n  a:\\n    cmd: python a.py   # run\\n\\n    deps: [a.py, 'b']\\n")
entry = lock.LockEntry("python a.py --lr 0.1", outs=(pointer.Output("o"),))
lock.update(lock.update(b"", "a", entry), "b", entry)
assert "ruamel.yaml" not in sys.modules and "json" not in sys.modules, sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-I", "-c", code], check=True)


BOMB = b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (code, code, b",".join([b"*%c" % (code - 1)] * 10)) for code in range(98, 112)
)


@pytest.mark.parametrize(
    "data",
    [
        BOMB,
        b"a: &a [*a]\n",
        b"a: &a\n  b: *a\n",
        b"[" * 20_000,
        b"{a: " * 20_000,
        b"- " * 50_000,
        b"".join(b" " * depth + b"a:\n" for depth in range(500)),
    ],
    ids=["bomb", "itself", "itself in a mapping", "brackets", "braces", "dashes", "steps"],
)
def test_hostile_nesting_ends_soon_and_typed(data: bytes) -> None:
    start = time.process_time()
    with pytest.raises(BadYamlError):
        yamlio.load(data, "x")
    assert time.process_time() - start < 3  # under a second where nothing else runs


def test_aliases_within_the_cap_are_read() -> None:
    assert yamlio.load(b"a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}


def test_a_large_plain_document_is_no_bomb() -> None:
    data = b"a:\n" + b"- x\n" * 200_000
    assert len(yamlio.load(data)["a"]) == 200_000


@given(
    st.one_of(
        st.binary(max_size=60), st.lists(st.sampled_from(TOKENS), max_size=12).map("".join).map(str.encode)
    )
)
def test_no_bytes_make_a_traceback(data: bytes) -> None:
    try:
        yamlio.load(data, "x")
    except BadYamlError as error:
        assert "\n" not in error.message  # noqa: PT017 - a value is as good an answer


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object:os.system x",
        "!!int x",
        "!!timestamp x",
        "2020-99-99",
        "9" * 10_000,
        "!!binary x",
        '"\\ud800"',
    ],
)
def test_odd_scalars_are_read_or_refused_typed(text: str) -> None:
    try:
        yamlio.load(f"a: {text}\n".encode(), "x")
    except BadYamlError as error:
        assert error.message  # noqa: PT017 - a value is as good an answer
