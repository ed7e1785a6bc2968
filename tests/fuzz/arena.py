"""A hostile project in a watched neighbourhood, and commands that are run in it under tight limits.

`Arena` is a folder that holds a project, what lies outside of it, and a secret there; `run` is one command in
a forked child with two seconds of processor time and a bound on memory; `Arena.verdict` says what is wrong
with how it ended and what it did. Knows nothing of what makes a project hostile.
"""

import hashlib
import io
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

from fourfold.cli.main import Invocation
from tests.fixtures.sandbox import environment, make_home

#: What a command may end with; 3 is a bug and 141 has no part here.
CODES = frozenset({0, 1, 251, 253, 254, 255})
SECONDS = 2
MEMORY = 256 << 20
SECRET = b"the secret that lies outside\n"


class Ended(NamedTuple):
    """How a command ended; ``signal`` is 0, or what killed it (SIGXCPU: too slow)."""

    argv: tuple[str, ...]
    code: int
    signal: int
    output: str
    errors: str


def preload() -> None:
    """Import what commands import, once: a child then measures work and not the loading of modules."""
    from importlib import import_module  # noqa: PLC0415 - only this test's process pays

    from fourfold.base import suggest  # noqa: F401, PLC0415 - as above
    from fourfold.cli import failure, options, pages, render, table  # noqa: F401, PLC0415 - as above

    for command in table.COMMANDS.values():
        import_module(f"{table.PACKAGE}.{command.module}")
    for name in (
        "fourfold.storage.redact",
        "fourfold.storage.schemes",
        "fourfold.storage.blob.local",
        "fourfold.storage.wrap.retry",
        "fourfold.formats.dvc.yaml_ruamel",
        "fourfold.content.checkout",
        "fourfold.content.relink",
        "fourfold.content.transfer",
        "fourfold.project.config_policy",
        "fourfold.project.trust",
        "fourfold.scm.git",
    ):
        import_module(name)


class Arena:
    """The watched folder: ``project`` with Git and an empty ``.dvc``, and ``outside`` beside it."""

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="ff-arena-"))
        self.home = make_home(self.base / "home")
        self.environ = environment(self.home)
        self.project = self.base / "project"
        self.outside = self.base / "outside"
        self.make({"outside/secret": SECRET, "outside/victim": b"victim\n", "outside/folder/file": b"file\n"})
        self.make({"project/.dvc/config": b"", "project/.git/HEAD": b"ref: refs/heads/main\n"})
        for name in ("refs/heads", "objects/info", "objects/pack"):
            (self.project / ".git" / name).mkdir(parents=True)
        (self.project / ".git" / "config").write_bytes(
            b"[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
        )

    def make(self, files: dict[str, bytes]) -> None:
        """Write files below the arena."""
        for name, data in files.items():
            path = self.base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def store(self, where: str, data: bytes, suffix: str = "") -> str:
        """Put an object with its right name below a folder of the arena; the name."""
        name = hashlib.md5(data).hexdigest()
        self.make({f"{where}/files/md5/{name[:2]}/{name[2:]}{suffix}": data})
        return name + suffix

    def close(self) -> None:
        """Remove all of it."""
        for folder, _names, _files in os.walk(self.base):
            os.chmod(folder, 0o755)
        shutil.rmtree(self.base)

    def git(self, *args: str) -> None:
        """Run git in the project."""
        subprocess.run(["git", *args], cwd=self.project, env=self.environ, check=True, capture_output=True)

    def neighbourhood(self) -> dict[str, tuple[int, int, bytes]]:
        """Everything outside of the project: kind and mode, mtime, content."""
        found = {}
        for top in (self.base, self.outside, self.home):
            for folder, folders, files in os.walk(top):
                if top == self.base:
                    folders[:] = []
                for name in (*folders, *files):
                    path = os.path.join(folder, name)
                    info = os.lstat(path)
                    content = Path(path).read_bytes() if stat.S_ISREG(info.st_mode) else b""
                    found[path] = (info.st_mode, info.st_mtime_ns, content)
        return found

    def leaks(self) -> list[str]:
        """Files of the project that hold the secret; the trash keeps what the user saw, links followed."""
        found = []
        for folder, _folders, files in os.walk(self.project):
            if "/.dvc/fourfold/trash" in folder:
                continue
            for name in files:
                path = os.path.join(folder, name)
                if stat.S_ISREG(os.lstat(path).st_mode) and SECRET in Path(path).read_bytes():
                    found.append(path)
        return found

    def run(self, *argv: str) -> Ended:
        """One command in a child of its own."""
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that a child of threads may not fork well
            child = os.fork()
        if child == 0:
            try:
                os.close(reader)
                self._be_the_command(argv, writer)
            finally:
                os._exit(99)
        os.close(writer)
        with open(reader, "rb") as pipe:
            told = pipe.read()
        status = os.waitpid(child, 0)[1]
        text = json.loads(told) if told else ["", ""]
        if os.WIFSIGNALED(status):
            return Ended(argv, -1, os.WTERMSIG(status), *text)
        return Ended(argv, os.WEXITSTATUS(status), 0, *text)

    def _be_the_command(self, argv: tuple[str, ...], writer: int) -> None:
        os.chdir(self.project)
        os.environ.clear()
        os.environ.update(self.environ)
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        used = int(time.process_time()) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (used + SECONDS, used + SECONDS))
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
        out, err = io.StringIO(), io.StringIO()
        invocation = Invocation(argv, environ=self.environ, stdin=None, stdout=out, stderr=err)
        try:
            code = invocation.run()
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = json.dumps([out.getvalue()[-4000:], err.getvalue()[-4000:]]).encode()
        while told:
            told = told[os.write(writer, told) :]
        os._exit(code)


def verdict(ended: Ended) -> str:
    """What is wrong with how a command ended; empty when nothing is."""
    if ended.signal:
        return f"{ended.argv} was killed by {signal.Signals(ended.signal).name}\n{ended.errors}"
    if ended.code not in CODES:
        return f"{ended.argv} exits with {ended.code}\n{ended.errors}"
    if "Traceback (most recent" in ended.errors or "out-of-memory" in ended.errors:
        return f"{ended.argv}: {ended.errors}"
    if ended.code and "error: " not in ended.errors and ended.argv[0] != "check-ignore":
        return f"{ended.argv} exits with {ended.code} and says nothing: {ended.output}"
    return ""
