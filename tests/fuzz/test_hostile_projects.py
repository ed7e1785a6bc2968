"""Projects made by an enemy: nothing outside of them changes, nothing crashes, every refusal is typed."""

import hashlib
import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.fuzz.arena import SECRET, Arena, preload, verdict

COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("status", "-c"),
    ("data", "status", "--json"),
    ("diff",),
    ("checkout",),
    ("checkout", "-f"),
    ("fetch",),
    ("pull", "-f"),
    ("push",),
    ("commit", "-f"),
    ("add", "d"),
    ("add", "d/a"),
    ("remove", "d.dvc", "--outs"),
    ("move", "d", "e"),
    ("unprotect", "d"),
    ("freeze", "d.dvc"),
    ("why", "d"),
    ("check-ignore", "d/a"),
    ("gc", "-w", "-f"),
    ("gc", "-w", "-c", "-f"),
    ("repro", "--dry"),
    ("dag",),
    ("metrics", "show"),
    ("report", "--no-remote"),
    ("undo",),
    ("undo", "--force"),
)
#: Six tests share what one would take: a command costs a fork.
SHARE = settings(max_examples=max(30, settings().max_examples // 2))
#: A few a project: what one leaves, the next one meets.
SEQUENCES = st.lists(st.sampled_from(COMMANDS), min_size=2, max_size=5)

WORDS = st.sampled_from(
    [
        *(
            "..",
            ".",
            "",
            "~",
            "$HOME",
            "a",
            "d",
            "sub",
            "CON",
            "nul.txt",
            "C:",
            "a:b",
            "%2e%2e",
            "..;",
            ".. ",
        ),
        *(".git", ".GIT", ".Git", "git~1", ".git ", ".git.", ".g\u200cit", ".git::$INDEX_ALLOCATION"),
        *(".dvc", ".DVC", "dvc~1", "config", "HEAD", "hooks", "outside", "secret", "victim", "project"),
        *("a\0b", "a\nb", "a\\b", "..\\..", "\\\\host\\share", "\ud800", "\u202e", "e\u0301", "x" * 300),
        *("link", "out", "{outside}", "${x}", "-rf", "--force", "*", "[a", "d.dvc", "dvc.yaml", ".gitignore"),
    ]
)
PATHS = st.one_of(
    st.lists(WORDS, min_size=1, max_size=5).map("/".join),
    st.lists(WORDS, min_size=1, max_size=4).map(lambda words: "/" + "/".join(words)),
    st.sampled_from(["../outside/victim", "{base}/outside/victim", "d/../../outside/victim", "link/victim"]),
    st.text(max_size=12),
    st.just("a/" * 3000 + "b"),
)
OIDS = st.one_of(
    st.sampled_from(
        [
            *(
                "../../../../outside/victim",
                "..",
                "ab",
                "/" * 32,
                "ab/../../../../outside/victim",
                "{secret}",
            ),
            *("{secret}.dir", "0" * 32, "0" * 32 + ".dir", "0" * 31 + "/", "A" * 32, "a" * 10_000, "\0" * 32),
            *("{manifest}", "{manifest}", "{manifest}", "{object}", "../" * 10 + "etc/passwd", ".dir"),
        ]
    ),
    st.text("0123456789abcdef./\\", min_size=30, max_size=36),
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from([10**4000, -1, 2**63, "1" * 5000]),
)


def fields(**known: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """A mapping with some of the known fields, a few of them odd."""
    return st.fixed_dictionaries(
        {}, optional={name: st.one_of(made, made, made, ODD) for name, made in known.items()}
    )


OUTPUTS = fields(
    path=PATHS,
    md5=OIDS,
    hash=st.sampled_from(["md5", "md5-dos2unix", "../x"]),
    size=st.integers(0, 10**30),
    nfiles=st.integers(0, 10**30),
    isexec=st.booleans(),
    cache=st.booleans(),
    persist=st.booleans(),
    push=st.booleans(),
    remote=PATHS,
    files=st.lists(fields(relpath=PATHS, md5=OIDS, size=st.integers()), max_size=2),
    cloud=fields(r=fields(version_id=st.text(max_size=3), etag=OIDS)),
)
POINTERS = fields(
    wdir=PATHS,
    md5=OIDS,
    frozen=st.booleans(),
    outs=st.lists(OUTPUTS, min_size=1, max_size=3),
    deps=st.lists(fields(path=PATHS, md5=OIDS, repo=fields(url=PATHS, rev=PATHS, rev_lock=OIDS)), max_size=2),
    meta=ODD,
)
ROWS = st.lists(fields(relpath=PATHS, md5=OIDS), max_size=4)
STAGES = fields(
    cmd=st.sampled_from(["touch ../outside/ran", ["true"]]),
    wdir=PATHS,
    deps=st.lists(PATHS, max_size=2),
    outs=st.lists(st.one_of(PATHS, st.dictionaries(PATHS, ODD, max_size=1)), max_size=2),
    params=st.lists(st.one_of(PATHS, st.dictionaries(PATHS, ODD, max_size=1)), max_size=2),
    metrics=st.lists(PATHS, max_size=2),
    foreach=ODD,
    do=ODD,
)
PIPELINES = fields(
    stages=st.dictionaries(st.one_of(WORDS, st.just("s")), STAGES, max_size=2),
    vars=st.lists(st.one_of(PATHS, ODD), max_size=2),
    params=st.lists(PATHS, max_size=2),
    metrics=st.lists(PATHS, max_size=2),
    artifacts=ODD,
    datasets=ODD,
)
LOCKS = fields(
    schema=st.sampled_from(["2.0", "1.0", "../x"]),
    stages=st.dictionaries(
        st.just("s"),
        fields(cmd=st.text(max_size=4), deps=st.lists(OUTPUTS), outs=st.lists(OUTPUTS)),
        max_size=1,
    ),
)
RAW = {
    "alias bomb": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        b"%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n" % (98 + i, 98 + i, *[97 + i] * 7) for i in range(12)
    ),
    "deep lists": b"outs: " + b"[" * 50_000,
    "deep mappings": b"outs: " + b"{a: " * 50_000,
    "deep blocks": b"- " * 50_000 + b"a\n",
    "deep keys": b"? " * 20_000,
    "UTF-16": b"\xff\xfe\x00outs",
    "no UTF-8": b"\x80\x81\x82",
    "a path that is no UTF-8": b"outs:\n- path: \xff\xfe\n",
    "NUL": b"\0" * 5000,
    "Python": b"outs: !!python/object/apply:os.system ['touch ../outside/ran']\n",
    "self": b"outs: &a\n- *a\n",
    "merge of nothing": b"<<: *x\n",
    "version": b"%YAML 9.9\n---\nouts: []\n",
    "twice": b"outs:\n- path: d\n  path: e\n",
    "two documents": b"---\nouts: []\n---\nouts: []\n",
    "huge number": b"outs:\n- md5: 1" + b"0" * 100_000 + b"\n  path: d\n",
    "one long word": b"x" * 3_000_000,
    "many keys": b"a: b\n" * 200_000,
    "many entries": b"outs:\n" + b"- path: d\n" * 100_000,
    "empty": b"",
}
CONFIGS = st.sampled_from(
    [
        b"[cache]\n    dir = {base}/outside\n",
        (
            b"[cache]\n    dir = ../../outside\n"
            b"[core]\n    remote = r\n['remote \"r\"']\n    url = ../../outside\n"
        ),
        b"[cache]\n    dir = ../../outside/new\n",
        b"[cache]\n    dir = /proc/self\n    type = symlink,\xff\n",
        b"[cache]\n    dir = \n    type = nonsense\n    shared = everybody\n",
        b"[core]\n    remote = r\n['remote \"r\"']\n    url = {base}/outside\n",
        b"[core]\n    remote = r\n['remote \"r\"']\n    url = {base}/outside/../outside/folder\n",
        b"[core]\n    remote = r\n['remote \"r\"']\n    url = ~\n",
        b"[core]\n    remote = r\n['remote \"r\"']\n    url = remote://r/x\n",
        b"[core]\n    remote = r\n['remote \"r\"']\n    url = file://{base}/outside\n",
        b"[core]\n    remote = r\n['remote \"r\"']\n    url = http://[::1\n    jobs = -1\n",
        b"[core]\n    remote = r\n['remote \"r\"']\n    url = ext::sh -c touch% ../outside/ran\n",
        b"[core]\n    remote = r\n['remote \"r\"']\n    url = ../remote\n    jobs = 99999999999999999999\n",
        b"[core]\n    remote = nowhere\n    autostage = perhaps\n    hardlink_lock = 17\n",
        b"[core]\n    autostage = true\n    hardlink_lock = true\n    site_cache_dir = {base}/outside/site\n",
        b"[[[[" * 1000,
        b"\xff\xfe",
        b"[core\nremote",
        b"x = " + b"9" * 1_000_000,
        b"[" + b"[" * 3000 + b"a" + b"]" * 3000 + b"]\n",
    ]
)
#: Links that a repository may hold: where, and what they lead to.
LINKS = st.sampled_from(
    [
        *(
            (".dvc/tmp", "{outside}"),
            (".dvc/tmp/lock", "{outside}/victim"),
            (".dvc/tmp/lock", "{outside}/new"),
        ),
        *(
            (".dvc/tmp/rwlock", "{outside}/victim"),
            (".dvc/fourfold", "{outside}"),
            (".dvc/cache", "{outside}"),
        ),
        *((".dvc/cache/files", "{outside}"), (".dvc/cache/files/md5", "{outside}")),
        *((".dvc/cache/files/md5/{ab}", "{outside}"), (".dvc/cache/files/md5/{ab}", "{outside}/new")),
        *((".dvc/fourfold/index", "{outside}"), (".dvc/fourfold/ops", "{outside}/folder")),
        *((".dvc/fourfold/trash", "{outside}"), (".dvc/fourfold/.gitignore", "{outside}/new")),
        *((".dvc/cache/.fourfold", "{outside}"), (".dvc/config", "{outside}/victim")),
        *((".dvc/config.local", "{outside}/victim"), (".gitignore", "{outside}/victim")),
        *(
            ("d", "{outside}"),
            ("d", "../outside/folder"),
            ("d/a", "{outside}/secret"),
            ("d/sub", "{outside}"),
        ),
        *(("d.dvc", "{outside}/victim"), ("dvc.yaml", "{outside}/victim"), ("dvc.lock", "{outside}/victim")),
        *((".dvcignore", "{outside}/secret"), ("d/.gitignore", "{outside}/victim"), ("remote", "{outside}")),
        *(("e", "{outside}/new"), ("e.dvc", "{outside}/new"), ("link", "{outside}"), ("sub", "{outside}")),
        *(
            (".dvc", "{outside}/.dvc"),
            ("remote/files/md5/{ab}", "{outside}"),
            ("remote/.fourfold", "{outside}"),
        ),
        *(("d.dvc", "/dev/zero"), (".dvc/config", "/dev/zero"), (".dvcignore", "/dev/zero"), ("d", "d")),
    ]
)


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    preload()


def fill(value: object, names: dict[str, str]) -> object:
    """The value with the placeholders of its texts filled in."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, dict):
        return {fill(key, names): fill(item, names) for key, item in value.items()}
    return [fill(item, names) for item in value] if isinstance(value, list) else value


def written(value: object) -> bytes:
    """The document as YAML, which JSON is, as far as it can be encoded."""
    return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")


def survives(arena: Arena, commands: list[tuple[str, ...]]) -> None:
    """Run the commands; nothing outside changes, nothing crashes, nothing leaks."""
    before = arena.neighbourhood()
    leaks = arena.leaks()
    for command in commands:
        wrong = verdict(arena.run(*command))
        assert not wrong, wrong
        after = arena.neighbourhood()
        changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
        assert not changed, f"{command} changed {sorted(changed)}"
        assert arena.leaks() == leaks, f"{command} copied the secret to {arena.leaks()}"


def names_of(arena: Arena, rows: object) -> dict[str, str]:
    """Put what objects a hostile pointer file needs where commands find them; the placeholders."""
    names = {"base": str(arena.base), "outside": str(arena.outside)}
    for where in ("project/.dvc/cache", "project/remote"):
        names["object"] = arena.store(where, b"an object\n")
    manifest = written(fill(rows, names))
    for where in ("project/.dvc/cache", "project/remote"):
        names["manifest"] = arena.store(where, manifest, ".dir")
    names["secret"] = hashlib.md5(SECRET).hexdigest()
    names["ab"] = names["object"][:2]
    return names


REMOTE = b"[core]\n    remote = r\n['remote \"r\"']\n    url = ../remote\n"


@SHARE
@given(pointer=POINTERS, rows=ROWS, commands=SEQUENCES)
def test_a_hostile_pointer_file_or_manifest_does_nothing_outside(
    pointer: object, rows: object, commands: list[tuple[str, ...]]
) -> None:
    arena = Arena()
    try:
        names = names_of(arena, rows)
        arena.make({"project/.dvc/config": REMOTE, "project/d.dvc": written(fill(pointer, names))})
        survives(arena, commands)
    finally:
        arena.close()


@SHARE
@given(rows=ROWS, commands=SEQUENCES, only_remote=st.booleans())
def test_a_hostile_manifest_of_a_sound_pointer_file_does_nothing_outside(
    rows: object, commands: list[tuple[str, ...]], only_remote: bool
) -> None:
    arena = Arena()
    try:
        names = names_of(arena, rows)
        if only_remote:
            (arena.project / ".dvc/cache/files/md5" / names["manifest"][:2] / names["manifest"][2:]).unlink()
        pointer = f"outs:\n- md5: {names['manifest']}\n  hash: md5\n  path: d\n".encode()
        arena.make({"project/.dvc/config": REMOTE, "project/d.dvc": pointer})
        survives(arena, [("pull", "-f"), *commands])
    finally:
        arena.close()


@SHARE
@given(pipeline=PIPELINES, lock=LOCKS, rows=ROWS, commands=SEQUENCES)
def test_a_hostile_pipeline_that_is_not_run_does_nothing_outside(
    pipeline: object, lock: object, rows: object, commands: list[tuple[str, ...]]
) -> None:
    arena = Arena()
    try:
        names = names_of(arena, rows)
        arena.make(
            {
                "project/.dvc/config": REMOTE,
                "project/dvc.yaml": written(fill(pipeline, names)),
                "project/dvc.lock": written(fill(lock, names)),
            }
        )
        survives(arena, commands)
    finally:
        arena.close()


@SHARE
@given(
    raw=st.sampled_from(sorted(RAW)),
    name=st.sampled_from(
        ["d.dvc", "dvc.yaml", "dvc.lock", ".dvc/config", ".dvcignore", "params.yaml", ".gitignore"]
    ),
    commands=SEQUENCES,
)
def test_bytes_that_are_no_document_are_refused_in_time(
    raw: str, name: str, commands: list[tuple[str, ...]]
) -> None:
    arena = Arena()
    try:
        pointer = b"outs:\n- path: d\n"
        arena.make({"project/d.dvc": pointer, "project/d/a": b"a", f"project/{name}": RAW[raw]})
        survives(arena, commands)
    finally:
        arena.close()


@SHARE
@given(config=CONFIGS, commands=SEQUENCES)
def test_a_hostile_committed_configuration_does_nothing_outside(
    config: bytes, commands: list[tuple[str, ...]]
) -> None:
    arena = Arena()
    try:
        names = names_of(arena, [])
        pointer = f"outs:\n- md5: {names['object']}\n  hash: md5\n  path: d\n".encode()
        arena.make(
            {
                "project/.dvc/config": config.replace(b"{base}", str(arena.base).encode()),
                "project/d.dvc": pointer,
                "project/d": b"mine\n",
            }
        )
        survives(arena, commands)
    finally:
        arena.close()


@SHARE
@given(links=st.lists(LINKS, min_size=1, max_size=2), commands=SEQUENCES, tree=st.booleans())
def test_planted_links_lead_no_command_outside(
    links: list[tuple[str, str]], commands: list[tuple[str, ...]], tree: bool
) -> None:
    arena = Arena()
    try:
        names = names_of(
            arena, [{"md5": "{object}", "relpath": "a"}, {"md5": "{object}", "relpath": "sub/b"}]
        )
        oid = names["manifest" if tree else "object"]
        arena.make(
            {
                "project/.dvc/config": REMOTE,
                "project/d.dvc": f"outs:\n- md5: {oid}\n  hash: md5\n  path: d\n".encode(),
                "outside/.dvc/config": b"",
                "project/s.dvc": f"outs:\n- md5: {oid}\n  hash: md5\n  path: sub/s\n".encode(),
            }
        )
        for where, target in links:
            path = arena.project / str(fill(where, names))
            assume(not path.is_symlink() and not any(above.is_symlink() for above in path.parents))
            if path.is_dir():
                path.rename(arena.base / "project" / f"moved-{path.name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(str(fill(target, names)))
        survives(arena, commands)
    finally:
        arena.close()
