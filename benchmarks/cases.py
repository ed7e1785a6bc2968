"""The named cases: what is prepared, what is put back before each round, what is timed, what it must reach.

A case is prepared once for each tool, by that tool, in a folder of its own; then rounds alternate. The
anchors are ordinary Unix commands over the same files in the same rounds.
"""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.fixtures.sandbox import environment, make_home
from tests.fixtures.servers import S3Server

#: Made before the server starts, which remembers its first list of buckets.
BUCKET = "bench"


class Work:
    """A folder of one tool: the repository ``ws`` with ``data``, the remote beside it, a home of its own."""

    def __init__(self, base: Path, command: str, source: Path, s3: S3Server | None) -> None:
        self.base = base
        self.ws = base / "ws"
        self.command = command
        self.source = source
        self.s3 = s3
        self.round = 0
        self.env = environment(make_home(base / "home"), s3.environ() if s3 else {})
        # Start-up is timed as users have it: with compiled modules.
        del self.env["PYTHONDONTWRITEBYTECODE"], self.env["PYTHONHASHSEED"]

    def run(self, *args: str) -> None:
        """Run the tool, untimed."""
        self.call(self.command, *args)

    def call(self, *command: str) -> None:
        """Run anything in the repository, untimed.

        Raises:
            RuntimeError: it fails.
        """
        done = subprocess.run(
            command, cwd=self.ws, env=self.env, capture_output=True, text=True, umask=0o022, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command} exits with {done.returncode}:\n{done.stdout}{done.stderr}")

    def begin(self, *, data: bool = True) -> None:
        """A fresh repository, with the data set in it."""
        for name in ("ws", "remote", "home"):
            self.park(self.base / name)
        make_home(self.base / "home")
        self.ws.mkdir(parents=True)
        self.call("git", "init", "--quiet", "--initial-branch", "main")
        self.run("init", "--quiet")
        if data:
            self.call("cp", "-r", str(self.source), "data")
        self.call("git", "add", "--all", ".dvc", ".dvcignore")
        self.call("git", "commit", "--quiet", "--message", "begin")

    def drop(self, *names: str) -> None:
        """Remove folders of the repository, or of what lies beside it (``../remote``)."""
        for name in names:
            self.park(self.ws / name)

    def park(self, path: Path) -> None:
        """Take a folder out of the way, to be deleted when everything is measured.

        ext4 does not give out an inode again for minutes after it was freed, and every creation searches past
        those: deleting between two rounds would time that search.
        """
        if os.path.lexists(path):
            parked = self.base.parent.parent / "parked"
            parked.mkdir(exist_ok=True)
            path.rename(
                parked / f"{self.base.parent.name}-{self.base.name}-{path.name}-{time.monotonic_ns()}"
            )


class Anchor(NamedTuple):
    """A shell line over the source of the data (``$1``) into a fresh folder (``$2``)."""

    name: str
    line: str


class Case(NamedTuple):
    """One row of the table.

    Attributes:
        name: What `--case` takes.
        title: The row, for people.
        data: The data set: a key of `benchmarks.data.SHAPES`; "" for none.
        prepare: Makes the folder of one tool, once.
        reset: Puts it back before each round.
        command: What is timed.
        at_least: How many times faster than the peer; 0 where only the anchor counts.
        anchor: The Unix command to hold against.
        within: The most times the anchor that is allowed; 0 where only the peer counts.
        cpu: The most of the peer's CPU seconds that is allowed; 0 for no bound.
        rss: The most resident bytes; 0 for no bound.
        repeat: Timed runs in one round, for short commands.
        peer: Whether the peer runs too.
        rounds: At most this many rounds, for what is slow and varies little.
    """

    name: str
    title: str
    data: str
    prepare: Callable[[Work], None]
    reset: Callable[[Work], None]
    command: tuple[str, ...]
    at_least: float = 0
    anchor: Anchor | None = None
    within: float = 0
    cpu: float = 0
    rss: int = 0
    repeat: int = 1
    peer: bool = True
    rounds: int = 99


def _nothing(_work: Work) -> None:
    """No change between rounds."""


def _begin(work: Work) -> None:
    work.begin()


def _begin_hardlink(work: Work) -> None:
    work.begin()
    work.run("config", "cache.type", "hardlink,copy")


def _begin_linked(work: Work) -> None:
    """As `_begin_hardlink`, without another million inodes."""
    work.begin(data=False)
    work.run("config", "cache.type", "hardlink,copy")
    work.call("cp", "-al", str(work.source), "data")


def _added_linked(work: Work) -> None:
    _begin_linked(work)
    work.run("add", "data")


def _small(work: Work) -> None:
    work.begin(data=False)
    for name in ("one", "two", "three"):
        (work.ws / name).write_text(name)
    work.run("add", "one", "two", "three")
    work.call("git", "add", "--all")
    work.call("git", "commit", "--quiet", "--message", "tracked")


def _added(work: Work) -> None:
    work.begin()
    work.run("add", "data")


def _added_hardlink(work: Work) -> None:
    _begin_hardlink(work)
    work.run("add", "data")


def _without_data(work: Work) -> None:
    work.drop("data")


def _one_changed(work: Work) -> None:
    work.round += 1
    path = next((work.ws / "data" / "000").iterdir())
    path.write_text(f"changed in round {work.round} of {os.path.basename(work.command)}\n")


def _with_folder(work: Work) -> None:
    _added(work)
    work.run("remote", "add", "-d", "store", "../remote")


def _pushed_to_folder(work: Work) -> None:
    _with_folder(work)
    work.run("push")


def _without_remote(work: Work) -> None:
    """An empty remote, and no memory of what an earlier round pushed."""
    work.drop("../remote")
    work.round += 1
    work.run("remote", "modify", "store", "url", f"../remote/{work.round}")


def _without_copies(work: Work) -> None:
    work.drop("data", ".dvc/cache")


def _with_s3(work: Work) -> None:
    _added(work)
    if work.s3 is None:
        raise RuntimeError("this case needs an S3 server")
    work.run("remote", "add", "-d", "store", f"s3://{BUCKET}/{work.base.name}/0")


def _next_prefix(work: Work) -> None:
    work.round += 1
    work.run("remote", "modify", "store", "url", f"s3://{BUCKET}/{work.base.name}/{work.round}")


def _pushed_to_s3(work: Work) -> None:
    _with_s3(work)
    work.run("push")


MD5SUM = 'find "$1" -type f -print0 | xargs -0 md5sum > /dev/null'
COPY = Anchor("cp -r", 'cp -r "$1" "$2/c"')
COPY_AND_HASH = Anchor("cp -r and md5sum", f'cp -r "$1" "$2/c" && {MD5SUM}')
COPIES_AND_HASH = Anchor("2 cp -r and md5sum", f'cp -r "$1" "$2/c" && cp -r "$1" "$2/d" && {MD5SUM}')
LINKS = Anchor("cp -al", 'cp -al "$1" "$2/c"')
FIND = Anchor("find", "find \"$1\" -printf '%s %T@ %i\\n' > /dev/null")
PARALLEL_HASH = Anchor(
    "md5sum on all cores and cp -r",
    'find "$1" -type f -print0 | xargs -0 -n 1 -P "$(nproc)" md5sum > /dev/null && cp -r "$1" "$2/c"',
)
PYTHON = Anchor("python -I -c pass", "for i in 1 2 3 4 5 6 7 8 9 10; do $PYTHON -I -c pass; done")
#: How many times the shell line of an anchor does its work.
ANCHOR_REPEATS: Mapping[str, int] = {PYTHON.name: 10}

CASES: tuple[Case, ...] = (
    Case("version", "`--version`", "", _small, _nothing, ("--version",), 5, PYTHON, repeat=11),
    Case("status-small", "`status`, small repository", "", _small, _nothing, ("status",), 5, repeat=5),
    Case("status-noop", "no-op `status`, (b)", "b", _added, _nothing, ("status",), 5, FIND, repeat=3),
    Case(
        "add-copied", "first `add`, (a), copied", "a", _nothing, _begin, ("add", "data"), 2.5, COPY_AND_HASH
    ),
    Case(
        "add-hardlink",
        "first `add`, (a), hard links",
        "a",
        _nothing,
        _begin_hardlink,
        ("add", "data"),
        3.5,
        LINKS,
    ),
    Case(
        "add-one-changed", "`add` of one changed file in (b)", "b", _added, _one_changed, ("add", "data"), 8
    ),
    Case("checkout-copied", "`checkout`, (a), copied", "a", _added, _without_data, ("checkout",), 2, COPY),
    Case(
        "checkout-hardlink",
        "`checkout`, (a), hard links",
        "a",
        _added_hardlink,
        _without_data,
        ("checkout",),
        3,
        LINKS,
    ),
    Case(
        "push-folder",
        "`push` to a folder, (a)",
        "a",
        _with_folder,
        _without_remote,
        ("push",),
        2.5,
        COPY_AND_HASH,
    ),
    Case(
        "pull-folder",
        "`pull` from a folder, (a)",
        "a",
        _pushed_to_folder,
        _without_copies,
        ("pull",),
        2.5,
        COPIES_AND_HASH,
    ),
    Case(
        "push-s3",
        "`push` to S3 on loopback, (a)",
        "a",
        _with_s3,
        _next_prefix,
        ("push",),
        3,
        cpu=1 / 3,
        rounds=2,
    ),
    Case(
        "pull-s3",
        "`pull` from S3 on loopback, (a)",
        "a",
        _pushed_to_s3,
        _without_copies,
        ("pull",),
        3,
        cpu=1 / 3,
        rounds=2,
    ),
    Case(
        "add-large",
        "`add`, (c)",
        "c",
        _nothing,
        _begin,
        ("add", "data"),
        0,
        PARALLEL_HASH,
        within=1.25,
        rounds=2,
    ),
    Case(
        "memory-add",
        "`add`, one million entries",
        "m",
        _nothing,
        _begin_linked,
        ("add", "data"),
        rss=400_000_000,
        peer=False,
        rounds=1,
    ),
    Case(
        "memory-status",
        "no-op `status`, one million entries",
        "m",
        _added_linked,
        _nothing,
        ("status",),
        rss=400_000_000,
        peer=False,
        rounds=1,
    ),
)
