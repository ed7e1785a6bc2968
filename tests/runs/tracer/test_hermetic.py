"""A hermetic run uses what it declares, what is installed, and what it makes itself; all else is refused."""

import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from fourfold.runs.observation import Trace
from fourfold.runs.task import Declared, Item, Task
from fourfold.runs.tracer import start
from tests.fixtures.sandbox import environment, make_home
from tests.runs.tracer.tracing import public_folder, traced, without_rights

SCRIPT = """\
import json, os, pathlib, sys
import numpy as np, pandas as pd, pyarrow.parquet

def tried(act):
    try:
        return str(act())
    except OSError as error:
        return type(error).__name__

said = {
    "declared": tried(lambda: open("in/a.txt").read()),
    "declared parquet": tried(lambda: pd.read_parquet("table.parquet").shape),
    "through a link": tried(lambda: open("linked.txt").read()),
    "undeclared": tried(lambda: open("secret.txt").read()),
    "undeclared parquet": tried(lambda: pyarrow.parquet.read_table("secret.parquet").shape),
    "undeclared at home": tried(lambda: open(os.path.expanduser("~/secret.txt")).read()),
    "missing": tried(lambda: open("nothing.txt").read()),
    "listed": tried(lambda: "secret.txt" in os.listdir(".")),
    "output": tried(lambda: open("out.txt", "w").write("made")),
    "output read": tried(lambda: open("out.txt").read()),
    "archive": tried(lambda: np.savez("out.npz", a=np.arange(3))),
    "beside": tried(lambda: open("out.tmp", "w").write("x")),
    "renamed": tried(lambda: os.replace("out.tmp", "moved.txt")),
    "folder": tried(lambda: (os.makedirs("deep/er"), open("deep/er/out.txt", "w").close())),
    "over an input": tried(lambda: open("in/a.txt", "w")),
    "new elsewhere": tried(lambda: open("in/new.txt", "w")),
    "removed": tried(lambda: os.unlink("secret.txt")),
    "replaced": tried(lambda: os.replace("out.txt", "secret.txt")),
    "temporary": tried(lambda: __import__("tempfile").TemporaryFile().write(b"1")),
    "program": tried(lambda: __import__("subprocess").check_output(["cat", "in/a.txt"]).decode()),
    "network": tried(lambda: __import__("socket").create_connection(("127.0.0.1", int(sys.argv[1])), 5)),
}
print(json.dumps(said))
"""


class Outcome(NamedTuple):
    """What a hermetic run could do, in its own words, and what was seen."""

    said: dict[str, str]
    trace: Trace
    root: Path

    def denied(self) -> set[tuple[str, str]]:
        prefix = f"{self.root}/"
        return {(one.how, one.path.removeprefix(prefix)) for one in self.trace.accesses if one.denied}


def hermetic(root: Path, home: Path, *commands: str, inputs: Sequence[str], outputs: Sequence[str]) -> Task:
    def items(names: Sequence[str], role: str) -> tuple[Item, ...]:
        return tuple(Item(str(root / name), name, role) for name in names)

    env = environment(make_home(home), {})
    return Task(
        "stage",
        "train",
        commands,
        str(root),
        str(root),
        env,
        Declared(hermetic=True),
        items(inputs, "dep"),
        items(outputs, "out"),
    )


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    import pandas as pd  # noqa: PLC0415 - only here

    base = tmp_path_factory.mktemp("hermetic")
    root, scratch = base / "repo", base / "scratch"
    scratch.mkdir()
    (root / "in").mkdir(parents=True)
    (root / "in" / "a.txt").write_text("fine")
    (root / "secret.txt").write_text("secret")
    (base / "kept").mkdir()
    (base / "kept" / "object").write_text("kept")
    (root / "linked.txt").symlink_to(base / "kept" / "object")
    table = pd.DataFrame({"a": [1]})
    table.to_parquet(root / "table.parquet")
    table.to_parquet(root / "secret.parquet")
    (root / "run.py").write_text(SCRIPT)
    with socket.create_server(("127.0.0.1", 0)) as server:
        task = hermetic(
            root,
            base / "home",
            f"{sys.executable} run.py {server.getsockname()[1]}",
            inputs=["in", "table.parquet", "run.py", "linked.txt"],
            outputs=["out.txt", "out.npz", "moved.txt", "deep/er/out.txt"],
        )
        (base / "home" / "secret.txt").write_text("secret")
        launch = start.prepare(task, str(scratch))
        done = subprocess.run(
            [*launch.prefix, "/bin/sh", "-c", task.commands[0]],
            cwd=root,
            env={**task.environ, **launch.environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return Outcome(json.loads(done.stdout), start.collect([launch], str(scratch)), root)


@pytest.mark.parametrize(
    ("act", "result"),
    [
        ("declared", "fine"),
        ("declared parquet", "(1, 1)"),
        ("through a link", "kept"),
        ("undeclared", "PermissionError"),
        ("undeclared parquet", "PermissionError"),
        ("undeclared at home", "PermissionError"),
        ("missing", "FileNotFoundError"),
        ("listed", "True"),
        ("output", "4"),
        ("output read", "made"),
        ("archive", "None"),
        ("beside", "1"),
        ("renamed", "None"),
        ("folder", "(None, None)"),
        ("over an input", "PermissionError"),
        ("new elsewhere", "PermissionError"),
        ("removed", "PermissionError"),
        ("replaced", "PermissionError"),
        ("temporary", "1"),
        ("program", "fine"),
        ("network", "PermissionError"),
    ],
)
def test_a_hermetic_run_meets(outcome: Outcome, act: str, result: str) -> None:
    assert outcome.said[act] == result


def test_what_was_refused_is_told(outcome: Outcome) -> None:
    denied = outcome.denied()
    assert {
        ("read", "secret.txt"),
        ("read", "secret.parquet"),
        ("write", "in/a.txt"),
        ("write", "in/new.txt"),
        ("delete", "secret.txt"),
        ("write", "secret.txt"),
    } <= denied
    assert not {path for _how, path in denied} & {"out.txt", "out.npz", "moved.txt", "table.parquet", "in"}
    assert [one.family for one in outcome.trace.connections if one.denied] == ["inet"]
    assert (outcome.root / "secret.txt").read_text() == "secret"
    assert (outcome.root / "deep" / "er" / "out.txt").exists()


def test_walls_need_no_right() -> None:
    with public_folder() as folder:
        (folder / "secret.txt").write_text("secret")
        run = traced(
            folder,
            "cat secret.txt; echo own > $TMPDIR/x && cat $TMPDIR/x",
            before=without_rights(),
            hermetic=True,
        )
    assert run.outputs == ["own\n"]
    assert {one.path for one in run.trace.accesses if one.denied} == {f"{folder}/secret.txt"}


def test_temporary_files_have_a_place_of_their_own_where_sockets_fit(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    script = "import multiprocessing as m, os; print(len(m.Manager().list([1])), os.environ['TMPDIR'])"
    lines = ("echo kept > $TMPDIR/x", f'cat $TMPDIR/x; {sys.executable} -c "{script}"')
    run = traced(folder, *lines, hermetic=True)
    assert run.codes == [0, 0], run.errors
    kept, count, own = run.outputs[1].split()
    assert kept == "kept"
    assert count == "1"
    assert not Path(own).exists()
