"""Manifests of directories: DVC's bytes exactly, and hostile bytes refused with a reason."""

import hashlib
import json

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.base.ids import UnsafePathError
from fourfold.formats.dvc.manifest import BadManifestError, parse, render

MD5 = "c4ca4238a0b923820dcc509a6f75849b"
NAMES = [
    "a b",
    "a-b",
    "a.txt",
    "a/z",
    'quo"te',
    "back\\slash",
    "new\nline",
    "tab\t",
    "\x7f",
    "é",
    "e\u0301",
    "\U0001f600",
    "\uffee",
]


def rows(*paths: str, md5: str = MD5) -> bytes:
    return json.dumps([{"md5": md5, "relpath": path} for path in paths]).encode()


def test_the_bytes_are_those_of_sorted_json_with_ascii_escapes() -> None:
    paths = sorted(NAMES)
    packed = b"".join(hashlib.md5(path.encode()).digest() for path in paths)
    written = b"".join(render(paths, packed))
    expected = [{"md5": hashlib.md5(path.encode()).hexdigest(), "relpath": path} for path in paths]
    assert written == json.dumps(expected, sort_keys=True).encode()
    assert parse(written, "it") == (paths, packed)


def test_nothing_is_the_empty_list() -> None:
    assert b"".join(render([], b"")) == b"[]"
    assert parse(b"[]", "it") == ([], b"")


def test_more_rows_than_one_chunk_are_one_list() -> None:
    paths = sorted(f"f{number}" for number in range(10_000))
    packed = bytes(16) * len(paths)
    assert parse(b"".join(render(paths, packed)), "it") == (paths, packed)


@pytest.mark.parametrize("spelling", ["indented", "keys the other way", "unsorted", "more keys"])
def test_other_spellings_of_the_same_are_read(spelling: str) -> None:
    entries = [{"md5": MD5, "relpath": name} for name in ("a", "b")]
    data = {
        "indented": json.dumps(entries, indent=2),
        "keys the other way": json.dumps([{"relpath": e["relpath"], "md5": MD5} for e in entries]),
        "unsorted": json.dumps(entries[::-1]),
        "more keys": json.dumps([{**entry, "size": 1} for entry in entries]),
    }[spelling]
    assert parse(data.encode(), "it") == (["a", "b"], bytes.fromhex(MD5) * 2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"{}",
        b"[",
        b"[1]",
        b"[null]",
        b'["a"]',
        b"\xff\xfe",
        b"[]trailing",
        b"[" * 100_000,
        b'[{"md5": "%s"}]' % MD5.encode(),
        b'[{"relpath": "a"}]',
        b'[{"md5": 1, "relpath": "a"}]',
        b'[{"md5": null, "relpath": "a"}]',
        b'[{"md5": "%s", "relpath": 1}]' % MD5.encode(),
        b'[{"md5": "%s", "relpath": null}]' % MD5.encode(),
        b'[{"md5": "%s", "relpath": ["a"]}]' % MD5.encode(),
        rows("a", md5="../../../../etc/passwd"),
        rows("a", md5=MD5.upper()),
        rows("a", md5=MD5 + ".dir"),
        rows("a", md5=MD5[:-1]),
        rows("a", "a"),
        rows("a", "a/b"),
        rows("a/b", "x", "a"),
        b'[{"md5": "%s", "relpath": "lone\\ud800surrogate"}]' % MD5.encode(),
        b'[{"relpath": "lone\\udfffsurrogate", "md5": "%s"}]' % MD5.encode(),
        b'[{"md5": "%s", "relpath": "a"}, ]' % MD5.encode(),
        b'[{"md5": "%s", "relpath": "bad\\escape"}]' % MD5.encode(),
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(FourfoldError, match="it"):
        parse(data, "it")


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/abs", "..", "../up", "a/../../up", "a/..", ".", "./a", "a/./b", "a//b", "a/",
        "nul\0byte", ".git/config", ".GIT/hooks/post-checkout", "sub/.git/config", ".dvc/config",
        "x/.dvc/tmp/f", ".g\u200cit/config", "git~1/config",
    ],
)  # fmt: skip
def test_a_path_that_could_leave_its_folder_is_refused(path: str) -> None:
    for data in (rows(path), json.dumps([{"relpath": path, "md5": MD5}]).encode()):
        with pytest.raises(UnsafePathError):
            parse(data, "it")


def test_a_manifest_beyond_the_bound_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fourfold.formats.dvc.manifest.MAX_BYTES", 10)
    with pytest.raises(BadManifestError, match="larger"):
        parse(rows("a"), "it")
