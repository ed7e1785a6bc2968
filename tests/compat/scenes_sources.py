"""Scenarios of data from elsewhere and from the past: import, import-url, get, update, DVC 2 repositories."""

from tests.compat.scenario import In, Scenario, dos2unix_md5, object_path
from tests.compat.scenes_files import TREE
from tests.fixtures.sandbox import Link, ReadOnly

#: Another project beside ours, with a file that Git tracks, and data in its own remote.
SOURCE = (
    "!git init -q -b main ../source",
    In("../source", "init -q"),
    In("../source", {"f": "data\n", "d": TREE, "code.py": "print()\n", "sub": {"g": "more\n"}}),
    In("../source", "add f d sub/g"),
    In("../source", "remote add -d store ../source-remote"),
    In("../source", "push"),
    In("../source", "@commit one"),
    In("../source", "!git tag v1"),
)

CRLF = b"a,b\r\n1,2\r\n"
BINARY = bytes(range(256)) * 8 + b"\r\n"
#: Text in its first MiB, binary in its second, and a CRLF across the edge.
MIXED = b"x" * ((1 << 20) - 1) + b"\r\n" + bytes(range(256)) * 64 + b"\r\ntext\r\n"


def _legacy_manifest(tree: dict[str, bytes]) -> bytes:
    rows = ", ".join(f'{{"md5": "{dos2unix_md5(tree[p])}", "relpath": "{p}"}}' for p in sorted(tree))
    return f"[{rows}]".encode()


def _legacy() -> dict[str, object]:
    """A repository as DVC 2 left it: no ``hash`` key, objects in the old place, MD5 with CRLF as LF."""
    folder = {"one.csv": CRLF, "sub/two.bin": BINARY}
    manifest = _legacy_manifest(folder)
    tree_id = dos2unix_md5(manifest) + ".dir"
    made: dict[str, object] = {
        "d/one.csv": CRLF,
        "d/sub/two.bin": BINARY,
        ".gitignore": "/text.csv\n/mixed\n/d\n",
    }
    for name, content in (("text.csv", CRLF), ("mixed", MIXED)):
        digest = dos2unix_md5(content)
        made[name] = content
        made[f"{name}.dvc"] = f"outs:\n- md5: {digest}\n  size: {len(content)}\n  path: {name}\n"
        made[object_path(digest, ".dvc/cache")] = ReadOnly(content)
    for content in folder.values():
        made[object_path(dos2unix_md5(content), ".dvc/cache")] = ReadOnly(content)
    made[object_path(tree_id, ".dvc/cache")] = ReadOnly(manifest)
    size = sum(map(len, folder.values()))
    made["d.dvc"] = f"outs:\n- md5: {tree_id}\n  size: {size}\n  nfiles: 2\n  path: d\n"
    return made


LEGACY = _legacy()

SOURCES: tuple[Scenario, ...] = (
    Scenario(
        "import",
        (15,),
        (
            *SOURCE,
            "import ../source f",
            "import {here}/source d -o data",
            "import ../source code.py --rev v1",
            "import ../source sub/g --no-download -o later",
            "import ../source f --no-exec -o unfetched",
            "~import ../source nothing",
            "~import ../source f",
            "@commit",
            "status --json",
            "!rm -rf .dvc/cache f data",
            "pull f data",
        ),
    ),
    Scenario(
        "import-of-a-path-inside-a-directory",
        (15,),
        (*SOURCE, "import ../source d/sub", "import ../source d/a -o one", "pull"),
    ),
    Scenario(
        "update-of-an-import",
        (17,),
        (
            *SOURCE,
            "import ../source f",
            "import ../source d --rev main",
            "@commit",
            In("../source", {"f": "newer data\n", "d": {"new": "n\n"}}),
            In("../source", "add f d"),
            In("../source", "push"),
            In("../source", "@commit two"),
            "status --json",
            "update f.dvc",
            "update f.dvc --rev v1",
            "update d.dvc --rev v1",
            "status --json",
            "!rm -rf d .dvc/cache/files",
            "update d.dvc",
            "unfreeze f.dvc",
            "status --json --no-updates",
            "freeze f.dvc",
            "~update nothing.dvc",
        ),
    ),
    Scenario(
        "update-without-download",
        (17,),
        (
            *SOURCE,
            "import ../source f",
            "@commit",
            In("../source", {"f": "newer data\n"}),
            In("../source", "add f"),
            In("../source", "@commit two"),
            "update f.dvc --no-download",
            "update f.dvc",
        ),
    ),
    Scenario(
        "import-url",
        (16, 17),
        (
            In("../elsewhere", {"f": "1\n", "d": TREE}),
            "import-url {here}/elsewhere/f",
            "import-url ../elsewhere/d data",
            "import-url ../elsewhere/f later --no-exec",
            "import-url ../elsewhere/f bare --no-download",
            "~import-url ../elsewhere/nothing",
            "@commit",
            In("../elsewhere", {"f": "2\n", "d": {"new": "x"}}),
            "status --json",
            "update f.dvc data.dvc",
            "update bare.dvc later.dvc",
            "status --json",
            "unfreeze f.dvc",
            In("../elsewhere", {"f": "3\n"}),
            "status --json",
            {"f": "of my own\n"},
            "update f.dvc",
        ),
    ),
    Scenario(
        "import-url-to-remote",
        (16,),
        (
            In("../elsewhere", {"f": "1\n", "d": TREE}),
            "remote add -d store ../remote",
            "import-url ../elsewhere/f --to-remote",
            "import-url ../elsewhere/d data --to-remote",
            "pull",
            In("../elsewhere", {"f": "2\n", "d": {"a": "changed\n"}}),
            "update f.dvc data.dvc --to-remote",
        ),
    ),
    Scenario(
        "get",
        (15,),
        (
            *SOURCE,
            "get ../source f -o got",
            "get ../source d",
            "get {here}/source code.py",
            "get ../source d/sub -o part --rev v1",
            "~get ../source nothing",
            "~get ../source f -o got",
            "get ../source f -o got -f",
            "=get ../source f --show-url",
            In("../elsewhere", {"u": "1\n", "e": TREE}),
            "get-url ../elsewhere/u",
            "get-url ../elsewhere/e tree",
            "~get-url ../elsewhere/none",
            "=list-url ../elsewhere -R",
            "=list-url ../elsewhere",
            "ls ../source --json",
            "ls ../source d -R --json",
        ),
    ),
    Scenario(
        "legacy-repository",
        (10,),
        (
            LEGACY,
            "@commit",
            "status --json",
            "data status --json --granular",
            "!rm -rf text.csv d mixed",
            "checkout",
            "remote add -d store ../remote",
            "push",
            "status --json -c",
            "!rm -rf .dvc/cache d text.csv mixed",
            "pull",
            "commit -f",
            "add text.csv",
            {"text.csv": b"changed\r\n", "d": {"one.csv": b"changed\r\n"}},
            "add text.csv d",
            "commit -f",
            "push",
        ),
    ),
    Scenario(
        "legacy-status-after-a-change",
        (10,),
        (
            LEGACY,
            "@commit",
            {"text.csv": b"changed\r\n", "d": {"one.csv": b"changed\r\n"}},
            "status --json",
            "add text.csv d",
            "status --json",
        ),
    ),
    Scenario(
        "legacy-text-differs-only-in-line-ends",
        (10,),
        (
            LEGACY,
            {"text.csv": CRLF.replace(b"\r\n", b"\n")},
            "status --json",
            "checkout -f text.csv",
            "?add text.csv",
        ),
    ),
    Scenario(
        "cache-migrate",
        (50,),
        (
            LEGACY,
            "@commit",
            "cache migrate --dry",
            "cache migrate",
            "status --json",
            "cache migrate --dvc-files",
            "status --json",
            "!rm -rf text.csv d",
            "checkout",
        ),
    ),
    Scenario(
        "legacy-gc",
        (10, 21),
        (
            LEGACY,
            "@commit",
            {"new": "1"},
            "add new",
            {"new": "2"},
            "add new",
            {"text.csv": "other"},
            "add text.csv",
            "gc -w -f",
        ),
    ),
    Scenario(
        "import-url-through-a-link",
        (16, 40),
        (In("../elsewhere", {"f": "1\n", "l": Link("f")}), "import-url ../elsewhere/l", "status --json"),
    ),
)
