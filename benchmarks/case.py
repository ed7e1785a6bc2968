"""What a case of the benchmarks is: a folder of one tool, a command to time, what it must reach.

A case is prepared once for each tool, by that tool, in a folder of its own; then rounds alternate. The
anchors are ordinary Unix commands over the same files in the same rounds.
"""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.fixtures.sandbox import environment, make_home
from tests.fixtures.servers import S3Server


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
        ours: Arguments that only our command takes.
        versus: Another command of ours that takes the peer's place; empty for the peer itself.
        by_hand: Lines of the shell that take its place: what one does with the peer (``$1``), which has no
            such command.
        most: The most seconds that are allowed; 0 for no bound.
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
    ours: tuple[str, ...] = ()
    versus: tuple[str, ...] = ()
    by_hand: str = ""
    most: float = 0


def nothing(_work: Work) -> None:
    """No change between rounds."""
