import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.base.errors import InvalidFileError, UnsafeError
from fourfold.base.ids import BadObjectNameError, Oid
from fourfold.formats.dvc import pointer
from fourfold.formats.dvc.fields import BadFieldError
from fourfold.formats.dvc.pointer import Dependency, Output, Pointer, RepoSource

#: Written by DVC 3.67.1, one a command.
FIRST_WRITES = {
    "add a directory": """\
outs:
- md5: a44a9f1e46b4936626a46b49514df39f.dir
  size: 4
  nfiles: 2
  hash: md5
  path: dir
""",
    "add an executable file": """\
outs:
- md5: 764efa883dda1e11db47671c4a3bbd9e
  size: 3
  isexec: true
  hash: md5
  path: file
""",
    "add an odd name": """\
outs:
- md5: c3be117041a113540deb0ff532b19543
  size: 2
  hash: md5
  path: 'a b: c.txt'
""",
    "import": """\
md5: 27c22fb8a07ffdf13af9593712bd3948
frozen: true
deps:
- path: f
  repo:
    url: ../src
    rev: v1
    rev_lock: c8e0eb179d5665d757dd5d6ecb19edbea572e146
outs:
- md5: 401b30e3b8b5d629635a5c613cdb7919
  size: 2
  hash: md5
  path: imp_f
""",
    "import, then unfreeze": """\
md5: 150f544bad7d6a36c04dd19d220eb77f
deps:
- path: d
  repo:
    url: ../src
    rev_lock: c8e0eb179d5665d757dd5d6ecb19edbea572e146
outs:
- md5: c37f8bc8917fdf64a45bb6010380cdab.dir
  size: 4
  nfiles: 2
  hash: md5
  path: imp_d
""",
    "import --no-download": """\
md5: 824db0a6af5ad880c3e685f590d66baf
frozen: true
deps:
- path: f
  repo:
    url: ../src
    rev_lock: c8e0eb179d5665d757dd5d6ecb19edbea572e146
outs:
- hash: md5
  path: imp_nodl
""",
    "import --no-exec": """\
frozen: true
deps:
- path: f
  repo:
    url: ../src
outs:
- hash: md5
  path: imp_noexec
""",
    "import-url": """\
md5: 701490dc255886fb30c1bddd87fc696a
frozen: true
deps:
- md5: 2bb1ab0d4a051c86389bd68a9371f6ba.dir
  size: 2
  nfiles: 1
  hash: md5
  path: ../outdir
outs:
- md5: 2bb1ab0d4a051c86389bd68a9371f6ba.dir
  size: 2
  nfiles: 1
  hash: md5
  path: url_d
""",
    "import-url --no-exec": """\
frozen: true
deps:
- hash: md5
  path: ../outer
outs:
- hash: md5
  path: url_noexec
""",
}


@pytest.mark.parametrize("text", FIRST_WRITES.values(), ids=FIRST_WRITES.keys())
def test_what_dvc_wrote_renders_to_the_same_bytes(text: str) -> None:
    assert pointer.render(pointer.parse(text.encode(), "x.dvc")).decode() == text


@pytest.mark.parametrize("text", FIRST_WRITES.values(), ids=FIRST_WRITES.keys())
def test_the_checksum_of_an_import_is_dvcs(text: str) -> None:
    read = pointer.parse(text.encode(), "x.dvc")
    if read.md5:
        assert pointer.import_checksum(read) == read.md5


#: What a user wrote, and what DVC 3.67.1 made of it on adding the changed file again.
UPDATES = {
    "comments, order, styles": (
        """\
# top comment

outs:   # outs comment
# before
  - path: a   # the path
    md5: d751713988987e9331980363e24189ce
    size: 12

    desc: "quoted text"
    meta: {x: 1, y: [1, 2]}
# end
meta:
  # inner
  name: 'John'   # who
  v: 1.50
  h: 0x1F
  l: |
    text
    more
desc: top
""",
        """\
# top comment

outs:   # outs comment
# before
- path: a     # the path
  md5: f4797fde138373cceba7bca97e7b801d
  size: 6

  desc: quoted text
  meta: {x: 1, y: [1, 2]}
  hash: md5
# end
meta:
  # inner
  name: John     # who
  v: 1.50
  h: 0x1F
  l: |
    text
    more
desc: top
""",
    ),
    "flow style": (
        "outs: [{path: b, hash: md5, md5: d751713988987e9331980363e24189ce, size: 3, isexec: true}]\n",
        "outs: [{path: b, hash: md5, md5: beb6aa95679dc7a10095b111a0d14de4, size: 6}]\n",
    ),
    "flags": (
        """\
wdir: .
md5: d751713988987e9331980363e24189cf
outs:
- path: ./c
  hash: md5
  md5: d751713988987e9331980363e24189ce
  size: 3
  remote: foo
  push: false
  labels: [a, b]
  type: model
""",
        """\
md5: d751713988987e9331980363e24189cf
outs:
- path: c
  hash: md5
  md5: 7ba449981488c5f2c26be3626f58581a
  size: 6
  remote: foo
  push: false
  labels: [a, b]
  type: model
""",
    ),
    "a legacy directory that became a file": (
        "outs:\n- md5: d751713988987e9331980363e24189ce.dir\n  size: 3\n  nfiles: 4\n  path: d\n",
        "outs:\n- md5: 966b9deb8db57b57bb71f3a00c542b2b\n  size: 6\n  path: d\n  hash: md5\n",
    ),
    "an anchor": (
        "outs:\n- md5: &x d751713988987e9331980363e24189ce\n  path: f\n  hash: md5\nfrozen: false\n",
        "outs:\n- md5: 018133bc41c236b1c0406845f4785284\n  path: f\n  hash: md5\n  size: 6\n",
    ),
    "line ends of Windows": (
        "outs:\r\n- md5: d751713988987e9331980363e24189ce\r\n  path: g\r\n",
        "outs:\n- md5: 650fde112bbbe6935bb9d3445245db40\n  path: g\n  size: 6\n  hash: md5\n",
    ),
    "a bare path": (
        "outs:\n- path: h\n",
        "outs:\n- path: h\n  md5: abd1555fa96942813da1b5b045d5987e\n  size: 6\n  hash: md5\n",
    ),
    "no outs": (
        "meta:\n  a: 1\n",
        "meta:\n  a: 1\nouts:\n- md5: cadcd8d7de604f1d96d41883924a2c60\n  size: 6\n  hash: md5\n  path: i\n",
    ),
}


@pytest.mark.parametrize(("old", "new"), UPDATES.values(), ids=UPDATES.keys())
def test_an_update_keeps_what_dvc_keeps(old: str, new: str) -> None:
    wanted = pointer.parse(new.encode(), "x.dvc")
    assert pointer.update(old.encode(), wanted, "x.dvc").decode() == new


def test_every_field_is_written_in_dvcs_order() -> None:
    full = Pointer(
        desc="d",
        md5="0" * 32,
        wdir="../w",
        frozen=True,
        deps=(
            Dependency("s3://b/k", etag="e1", size=3, version_id="v", fs_config={"version_aware": True}),
            Dependency("p", repo=RepoSource("u", "r", "l", {"core": {"remote": "x"}}, "y")),
            Dependency("", db={"connection": "c", "query": "q", "table": "", "file_format": "csv"}),
        ),
        outs=(
            Output(
                "o",
                Oid("d" * 32),
                size=1,
                isexec=True,
                desc="text",
                type="model",
                labels=["a"],
                meta={"k": 1},
                cache=False,
                persist=True,
                remote="r",
                push=False,
            ),
            Output("v", Oid("e" * 32), size=2, cloud={"r": {"etag": "e", "version_id": "1"}}),
            Output("f", files=[{"relpath": "a", "md5": "f" * 32, "size": 3}], push=False),
            Output("new", legacy=True),
        ),
        always_changed=True,
        meta={"k": [1]},
    )
    text = """\
desc: d
md5: '00000000000000000000000000000000'
wdir: ../w
frozen: true
deps:
- etag: e1
  size: 3
  version_id: v
  hash: md5
  path: s3://b/k
  fs_config:
    version_aware: true
- path: p
  repo:
    url: u
    rev: r
    rev_lock: l
    config:
      core:
        remote: x
    remote: y
- db:
    connection: c
    query: q
    file_format: csv
outs:
- md5: dddddddddddddddddddddddddddddddd
  size: 1
  isexec: true
  hash: md5
  path: o
  desc: text
  type: model
  labels:
  - a
  meta:
    k: 1
  cache: false
  persist: true
  remote: r
  push: false
- md5: eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee
  size: 2
  cloud:
    r:
      etag: e
      version_id: '1'
  hash: md5
  path: v
- hash: md5
  path: f
  push: false
  files:
  - relpath: a
    md5: ffffffffffffffffffffffffffffffff
    size: 3
- md5:
  path: new
always_changed: true
meta:
  k:
  - 1
"""
    assert pointer.render(full).decode() == text
    assert pointer.render(pointer.parse(text.encode())).decode() == text


def test_an_entry_without_hash_is_of_dvc_2_unless_it_is_a_url() -> None:
    data = (
        b"outs:\n- md5: d751713988987e9331980363e24189ce\n  path: a\ndeps:\n- etag: abc\n  path: s3://b/k\n"
    )
    read = pointer.parse(data, "x.dvc")
    assert read.outs[0].legacy
    assert not read.deps[0].legacy


def test_an_empty_file_tracks_nothing() -> None:
    assert pointer.parse(b"") == pointer.parse(b"{}\n") == Pointer()


REFUSED = {
    "unknown key": (b"outs:\n- path: a\n  nfilez: 3\n", r"x.dvc:3:3: unknown key 'nfilez' in outs\[0\]"),
    "unknown key at the top": (b"outs:\n- path: a\nstages: {}\n", r"x.dvc:3:1: unknown key 'stages'$"),
    "command": (b"cmd: echo\nouts:\n- path: a\n", r"x.dvc:1:1: .*'cmd'"),
    "no path": (b"outs:\n- size: 3\n", r"x.dvc:2:3: outs\[0\] lacks the key 'path'"),
    "wrong type": (
        b"outs:\n- path: a\n  size: big\n",
        r"x.dvc:3:9: outs\[0\].size must be a whole number, not 'big'",
    ),
    "not a mapping": (b"- a\n", r"x.dvc:1:1: the document must be a mapping"),
    "outs not a list": (b"outs: a\n", r"x.dvc:1:7: outs must be a list, not 'a'"),
    "metric": (b"outs:\n- path: a\n  metric: true\n", "unknown key 'metric'"),
    "hash": (b"outs:\n- path: a\n  hash: sha256\n", "unknown hash algorithm 'sha256'"),
    "two clouds": (b"outs:\n- path: a\n  cloud: {a: {etag: xyz}, b: {etag: xyz}}\n", "more than one remote"),
    "repo without url": (b"deps:\n- path: a\n  repo: {rev: x}\n", r"deps\[0\].repo lacks the key 'url'"),
    "files": (b"outs:\n- path: a\n  files:\n  - size: 3\n", r"outs\[0\].files\[0\] lacks the key 'relpath'"),
    "labels": (b"outs:\n- path: a\n  labels: [1]\n", r"outs\[0\].labels must be a list of text"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_dvc_refuses_is_refused_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(BadFieldError, match=message):
        pointer.parse(data, "x.dvc")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "D" * 32, "d" * 31, "d" * 32 + ".dir.dir", "d" * 32 + "\\n"]
)
def test_a_hash_that_is_no_object_name_is_refused(name: str) -> None:
    with pytest.raises(BadObjectNameError, match=r"x\.dvc.*outs\[0\]\.md5"):
        pointer.parse(f'outs:\n- path: a\n  md5: "{name}"\n'.encode(), "x.dvc")


KEYS = st.sampled_from(
    ["outs", "deps", "md5", "path", "size", "files", "cloud", "repo", "url", "hash", "meta", "x", "cmd"]
)
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just("d" * 32)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, JUNK, max_size=4))
def test_no_document_makes_a_traceback(document: dict[str, object]) -> None:
    data = pointer.yamlio.dump(document)
    try:
        read = pointer.parse(data, "x.dvc")
    except (InvalidFileError, UnsafeError) as error:
        assert error.message  # noqa: PT017 - reading it is as good an answer
    else:
        assert len(pointer.parse(pointer.render(read), "x.dvc").outs) == len(read.outs)
