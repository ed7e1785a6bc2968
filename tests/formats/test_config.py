"""Configuration files: read as ConfigObj reads them, written as the real DVC writes them."""

import contextlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from configobj import ConfigObj, ConfigObjError
from hypothesis import given
from hypothesis import strategies as st

from fourfold.base.errors import ConfigError
from fourfold.formats.dvc import config
from fourfold.formats.dvc.config_text import (
    MAX_SIZE,
    ConfigSyntaxError,
    Entry,
    Text,
    UnquotableValueError,
    parse_text,
    render_text,
)
from tests.fixtures.sandbox import Tool

#: Pieces of configuration files, so that a random sequence is often one.
PIECES = st.sampled_from(
    [
        "a", "b c", '"', "'", ",", "#", " ", "  ", "=", "[", "]", '"x"', "'y'", '"""', "'''", "\n", "\n", "é",
        "k = v\n", "[s]\n", "['remote \"n\"']\n", "url = s3://b/p\n", "    ", "\t", "%(x)s", "# c\n", "\r\n",
    ]
)  # fmt: skip
FILES = st.lists(PIECES, max_size=14).map("".join)
#: Without letters beyond ASCII, which DVC fails to write, and what ConfigObj cannot read back.
VALUES = st.text(st.sampled_from("ab ,#'\"=[]\t\\%:/~"), max_size=8).filter(lambda value: "'''" not in value)


def oracle(text: str) -> object:
    """What ConfigObj makes of a file; None when it refuses it."""
    try:
        return ConfigObj(io.StringIO(text, newline=None), interpolation=False).dict()
    except ConfigObjError:
        return None


def ours(text: str) -> object:
    found: dict[str, object] = {}
    for entry in parse_text(text.encode(), "x").entries:
        if entry.option is None:
            found[entry.section] = {}
        elif entry.section:
            found[entry.section][entry.option] = entry.value  # type: ignore[index]
        else:
            found[entry.option] = entry.value
    return found


def odd_names(parsed: object) -> bool:
    """Whether ConfigObj took a broken section header, or a blank, for the name of an option."""
    if not isinstance(parsed, dict):
        return False
    names = [*parsed, *(name for value in parsed.values() if isinstance(value, dict) for name in value)]
    nested = any(
        isinstance(inner, dict)
        for value in parsed.values()
        if isinstance(value, dict)
        for inner in value.values()
    )
    return nested or any(not name.strip() or name != name.strip() or name[0] in "['\"" for name in names)


@given(FILES)
def test_any_text_is_read_as_configobj_reads_it(text: str) -> None:
    expected = oracle(text)
    try:
        found = ours(text)
    except ConfigSyntaxError:
        assert expected is None or odd_names(expected)
    else:
        assert found == expected


@given(
    st.dictionaries(
        st.text("abc_", min_size=1, max_size=3), VALUES | st.lists(VALUES, max_size=3), max_size=3
    )
)
def test_any_values_are_written_as_configobj_writes_them(options: dict[str, config.Value]) -> None:
    entries = [
        Entry("s", None, "", (), ""),
        *(Entry("s", name, value, (), "") for name, value in options.items()),
    ]
    out = io.BytesIO()
    try:
        ConfigObj({"s": options}).write(out)
    except ConfigObjError:
        with pytest.raises(UnquotableValueError):
            render_text(Text(tuple(entries), (), ()))
    else:
        assert render_text(Text(tuple(entries), (), ())) == out.getvalue()


def test_sections_and_options_are_lower_case_and_remotes_have_names() -> None:
    data = b"[Core]\n    Remote = Storage\n['Remote \"Storage\"']\nURL = S3://B\n['db \"x\"']\nurl = y\n"
    assert config.parse(data, "x") == {
        "core": {"remote": "Storage"},
        ("remote", "storage"): {"url": "S3://B"},
        ("db", "x"): {"url": "y"},
    }


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('url = "a # b"  # comment', "a # b"),
        ("url = a # b, c", "a"),
        ("url = ", ""),
        ("url = a, 'b, c',", ["a", "b, c"]),
        ("url = ,", []),
        ("url = it's", "it's"),
        ("url = '''a\nb'''", "a\nb"),
        ("url = %(home)s/x", "%(home)s/x"),
        ("url = C:\\data", "C:\\data"),
    ],
)
def test_a_value_is_read_with_its_quotes_lists_and_comments(line: str, value: config.Value) -> None:
    assert config.parse(f"[s]\n{line}\n".encode(), "x") == {"s": {"url": value}}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"[core]\nremote", 2),
        (b"[core\n", 1),
        (b"[core]\na = 1\na = 2\n", 3),
        (b"[core]\n[core]\n", 2),
        (b'[core]\na = "x\n', 2),
        (b"[core]\na = '''x\n\n", 3),
        (b"[core]\n[[deep]]\n", 2),
        (b"[core]\na = \xff\n", 2),
    ],
)
def test_a_broken_file_is_an_error_that_names_file_and_line_and_no_value(data: bytes, line: int) -> None:
    with pytest.raises(ConfigSyntaxError, match=rf"^\.dvc/config, line {line}: ") as caught:
        config.parse(data, ".dvc/config")
    assert isinstance(caught.value, ConfigError)


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(ConfigSyntaxError, match="larger than 1 MiB"):
        config.parse(b"#" * (MAX_SIZE + 1), "x")


@pytest.mark.parametrize(
    "piece", ['"a', "'a'", ' "', "a, ", "] ", "[ ", '"" ,', "'''", " = ", "#", "a = '\"' # ", "\t", "[a] ] x"]
)
@pytest.mark.parametrize("start", ["", "[", "a = ", '"', "a = '''", '["'])
def test_no_line_is_slow_to_read(start: str, piece: str) -> None:
    data = (start + piece * (300_000 // len(piece))).encode()
    begun = time.monotonic()
    with contextlib.suppress(ConfigSyntaxError):
        config.parse(data, "x")
    assert time.monotonic() - begun < 3


# --- the bytes of the real DVC ----------------------------------------------------------------------------

COMMENTED = """\
# head

[core]
    # the default
    remote = a  # inline
['remote "a"']
    url = s3://x/y

# tail
"""


def test_comments_survive_an_edit() -> None:
    new = config.edit(
        COMMENTED.encode(), "core", "autostage", "true", directory="/r/.dvc", cwd="/r", source="x"
    )
    assert new.decode() == COMMENTED.replace("  # inline\n", "  # inline\n    autostage = true\n")


NO_SCM = "[core]\n    no_scm = True\n"
MESSY = (
    '[cache]\ndir=./a//b\n  type = "hardlink,symlink"\n\n[exp]\n[core]\nno_scm=True\n'
    "['remote \"z\"']\n        url=../x/./y\n['remote \"A\"']\nURL = S3://Bucket/K\n"
    "secret_access_key = 'a#b'\n[plots]\nauto_open = true\n"
)
EDITS: list[tuple[str, tuple[str, ...], str, config.Key, str, str | None]] = [
    (NO_SCM, ("config", "cache.dir", "some/where"), ".", "cache", "dir", "some/where"),
    (NO_SCM, ("config", "cache.dir", "x"), "sub", "cache", "dir", "x"),
    (NO_SCM, ("config", "cache.dir", "../../x"), "sub", "cache", "dir", "../../x"),
    (NO_SCM, ("config", "cache.dir", "/abs/x"), ".", "cache", "dir", "/abs/x"),
    (NO_SCM, ("config", "cache.dir", "~/x"), ".", "cache", "dir", "~/x"),
    (NO_SCM, ("config", "cache.type", "hardlink,symlink"), ".", "cache", "type", "hardlink,symlink"),
    (NO_SCM, ("config", "core.site_cache_dir", "a # b"), ".", "core", "site_cache_dir", "a # b"),
    (NO_SCM, ("config", "core.site_cache_dir", " a 'b\" "), ".", "core", "site_cache_dir", " a 'b\" "),
    (NO_SCM, ("config", "core.site_cache_dir", ""), ".", "core", "site_cache_dir", ""),
    (NO_SCM, ("remote", "add", "Up", "s3://B/c"), ".", ("remote", "up"), "url", "s3://B/c"),
    (NO_SCM, ("remote", "add", "up", "../store"), "sub", ("remote", "up"), "url", "../store"),
    (NO_SCM, ("remote", "add", "up", "user@host:x"), ".", ("remote", "up"), "url", "user@host:x"),
    (
        NO_SCM + "['remote \"u\"']\n    url = /x\n",
        ("config", "--unset", "core.no_scm"),
        ".",
        "core",
        "no_scm",
        None,
    ),
    (MESSY, ("remote", "modify", "z", "jobs", "3"), ".", ("remote", "z"), "jobs", "3"),
    (MESSY, ("config", "plots.auto_open", "--unset"), ".", "plots", "auto_open", None),
    (MESSY, ("config", "parsing.bool", "store_true"), ".", "parsing", "bool", "store_true"),
    (MESSY, ("remote", "modify", "a", "profile", "x, y"), ".", ("remote", "a"), "profile", "x, y"),
]


#: Runs many commands in one process of DVC's interpreter, for starting it is what takes the time.
DRIVER = """
import json, os, sys
from dvc.cli import main
os.chdir(sys.argv[1])
left = []
for old, command, cwd in json.load(sys.stdin):
    with open(".dvc/config", "w") as file:
        file.write(old)
    os.chdir(cwd)
    code = main(command)
    os.chdir(sys.argv[1])
    assert code == 0, command
    with open(".dvc/config") as file:
        left.append(file.read())
print(json.dumps(left))
"""


class Case(NamedTuple):
    """A file, a command of DVC, where it runs, and the same edit by us."""

    old: str
    command: tuple[str, ...]
    cwd: str
    edit: Callable[[bytes, str, str], bytes]


def set_option(section: config.Key, option: str, value: str | None) -> Callable[[bytes, str, str], bytes]:
    return lambda old, directory, cwd: config.edit(
        old, section, option, value, directory=directory, cwd=cwd, source="x"
    )


def cases() -> list[Case]:
    edits = [
        Case(old, command, cwd, set_option(section, option, value))
        for old, command, cwd, section, option, value in EDITS
    ]
    return [
        *edits,
        Case(
            MESSY,
            ("remote", "remove", "z"),
            ".",
            lambda old, directory, _: config.remove_section(
                old, ("remote", "z"), directory=directory, source="x"
            ),
        ),
        Case(
            MESSY,
            ("remote", "rename", "z", "b"),
            ".",
            lambda old, directory, _: config.rename_section(
                old, ("remote", "z"), ("remote", "b"), directory=directory, source="x"
            ),
        ),
        Case(NO_SCM, ("config", "--unset", "core.no_scm"), ".", set_option("core", "no_scm", None)),
    ]


def test_edits_leave_the_bytes_that_dvc_leaves(tmp_path: Path, real_dvc: str, ff: Tool) -> None:
    repo = tmp_path / "repo"
    (repo / ".dvc" / "tmp").mkdir(parents=True)
    (repo / "sub").mkdir()
    python = Tool([str(Path(real_dvc).with_name("python"))], ff.home)
    asked = json.dumps([(case.old, case.command, case.cwd) for case in cases()])
    said = python("-c", DRIVER, str(repo), cwd=repo, stdin=asked).stdout
    expected = json.loads(said.splitlines()[-1])
    directory = str(repo / ".dvc")
    found = [case.edit(case.old.encode(), directory, str(repo / case.cwd)).decode() for case in cases()]
    names = [case.command for case in cases()]
    assert list(zip(names, found, strict=True)) == list(zip(names, expected, strict=True))


@pytest.mark.parametrize("value", ["ü", "'''\"", "a\nb", '\'"\n"""'])
def test_what_dvc_cannot_write_is_written_so_that_it_reads_back(value: str) -> None:
    data = config.edit(b"", "core", "remote", value, directory="/r/.dvc", cwd="/r", source="x")
    assert config.parse(data, "x") == {"core": {"remote": value}}
