"""What a trace means: the class of each path, and the findings."""

import hashlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.base.clock import SYSTEM
from fourfold.formats.native.canonical import canonical, digest
from fourfold.runs.classify import classify
from fourfold.runs.findings import Findings, refuse, restored, section
from fourfold.runs.observation import Access, Connection, Coverage, How, Trace
from fourfold.runs.place import Place
from fourfold.runs.task import Item, Task
from fourfold.scm.git import Git

SECCOMP = Coverage("seccomp")


class Parts:
    """Documents in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, Any]] = {}

    def __call__(self, document: Mapping[str, Any]) -> dict[str, Any]:
        data = canonical(document)
        self.kept[digest(data)] = document
        return {"part": digest(data), "size": len(data)}


class Scene(NamedTuple):
    """A repository, and a task in it."""

    root: Path
    place: Place
    task: Task

    def at(self, name: str) -> str:
        return os.path.normpath(self.root / name)

    def reads(self, *names: str, **options: Any) -> Findings:
        """What a run means that reads these."""
        return self.run([Access(self.at(name), "read") for name in names], **options)

    def run(self, accesses: Sequence[Access], **options: Any) -> Findings:
        reports = options.pop("reports", ())
        since = options.pop("since_ns", None)
        trace = Trace(SECCOMP, tuple(sorted(accesses)), options.pop("connections", ()))
        return classify(self.task._replace(**options), self.place, trace, reports, since_ns=since)


def item(root: Path, name: str, role: str = "dep") -> Item:
    return Item(os.path.normpath(root / name), name, role)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Git tracks ``schema.yaml`` and ``src``, the project tracks ``raw``, nobody ``notes.txt``."""
    root = tmp_path / "repo"
    (root / "src").mkdir(parents=True)
    (root / "raw").mkdir()
    home = tmp_path / "home"
    home.mkdir()
    for name in ("schema.yaml", "src/train.py", "src/helpers.py", "notes.txt", "raw/a.csv", "data.csv"):
        (root / name).write_text(name)
    environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run(["git", "init", "-q", str(root)], check=True, env=environ)
    tracked = ["schema.yaml", "src"]
    subprocess.run(["git", "-C", str(root), "add", *tracked], check=True, env=environ)
    place = Place(
        str(root), str(root / ".fourfold"), str(root), environ, SYSTEM, None, Git(str(root), environ)
    )
    task = Task(
        "stage",
        "train",
        ("python src/train.py",),
        str(root),
        str(root),
        environ,
        inputs=(item(root, "data.csv"), item(root, "src/train.py")),
        outputs=(item(root, "model.pkl", "out"),),
        tracked=(str(root / "raw"),),
    )
    return Scene(root, place, task)


def kinds(findings: Findings) -> list[tuple[str, str, str]]:
    return [(finding.path, finding.kind, finding.how) for finding in findings.undeclared]


def test_what_is_declared_is_no_finding(scene: Scene) -> None:
    found = scene.run(
        [Access(scene.at("data.csv"), "read"), Access(scene.at("model.pkl"), "write")],
    )
    assert found.undeclared == ()
    assert found.classes == {"input": ("data.csv",), "output": ("model.pkl",)}


def test_each_undeclared_read_says_where_it_lies(scene: Scene) -> None:
    found = scene.reads("schema.yaml", "src/helpers.py", "notes.txt", "raw/a.csv", "/data/x.csv")
    assert kinds(found) == [
        ("/data/x.csv", "outside", "read"),
        ("notes.txt", "untracked", "read"),
        ("raw/a.csv", "tracked", "read"),
        ("schema.yaml", "tracked", "read"),
        ("src/helpers.py", "code", "read"),
    ]


def test_a_finding_in_the_repository_knows_what_was_read(scene: Scene) -> None:
    finding = scene.reads("schema.yaml").reads[0]
    assert (finding.oid, finding.size) == (hashlib.md5(b"schema.yaml").hexdigest(), 11)


@pytest.mark.parametrize("name", [".env", ".env.local", "src/key.pem", "my-credentials.json", "id_rsa"])
def test_what_may_hold_a_secret_has_no_digest(scene: Scene, name: str) -> None:
    (scene.root / name).write_text("TOKEN=1")
    finding = scene.reads(name).reads[0]
    assert (finding.path, finding.oid, finding.size) == (name, None, None)


def test_what_changed_since_the_run_began_has_no_digest(scene: Scene) -> None:
    written = os.stat(scene.at("schema.yaml")).st_mtime_ns
    assert scene.reads("schema.yaml", since_ns=written).reads[0].oid is None
    assert scene.reads("schema.yaml", since_ns=written + 10**10).reads[0].oid is not None


def test_what_a_run_writes_first_and_reads_then_is_no_input(scene: Scene) -> None:
    path = scene.at("notes.txt")
    found = scene.run([Access(path, "write"), Access(path, "read", first=False)])
    assert kinds(found) == [("notes.txt", "untracked", "write")]


def test_what_a_run_reads_first_and_overwrites_then_is_both_and_has_no_digest(scene: Scene) -> None:
    path = scene.at("notes.txt")
    found = scene.run([Access(path, "read"), Access(path, "write", first=False)])
    assert kinds(found) == [("notes.txt", "untracked", "read"), ("notes.txt", "untracked", "write")]
    assert found.reads[0].oid is None


def test_a_file_that_a_run_makes_and_removes_is_scratch_and_not_listed(scene: Scene) -> None:
    path = scene.at("tmp3x9.part")
    found = scene.run([Access(path, "write", found=False), Access(path, "delete", first=False)])
    assert found.undeclared == ()
    assert found.classes == {}


def test_a_file_that_a_run_finds_and_removes_is_a_finding(scene: Scene) -> None:
    os.unlink(scene.at("schema.yaml"))
    found = scene.run([Access(scene.at("schema.yaml"), "delete")])
    assert kinds(found) == [("schema.yaml", "tracked", "delete")]


def test_folders_are_no_results_and_what_lies_in_them_is(scene: Scene) -> None:
    (scene.root / "new").mkdir()
    (scene.root / "new" / "a").write_text("1")
    found = scene.run(
        [
            Access(scene.at("old"), "delete"),
            Access(scene.at("old/a"), "write", found=False),
            Access(scene.at("new"), "write"),
            Access(scene.at("new/a"), "write"),
        ]
    )
    assert kinds(found) == [("new/a", "untracked", "write")]


def test_listing_a_folder_elsewhere_is_no_use_of_it(scene: Scene) -> None:
    there = str(Path.home())
    found = scene.run([Access(there, "list"), Access("/nowhere/tmp3fz", "list")])
    assert (found.undeclared, found.classes) == ((), {"folder": (there,)})


def test_writing_what_is_declared_as_an_input_is_a_finding(scene: Scene) -> None:
    assert kinds(scene.run([Access(scene.at("src/train.py"), "write")])) == [
        ("src/train.py", "code", "write")
    ]


def test_a_declared_folder_covers_what_is_below_it(scene: Scene) -> None:
    assert scene.reads("raw/a.csv", inputs=(item(scene.root, "raw"),)).undeclared == ()


def test_parameters_are_declared_by_their_file(scene: Scene) -> None:
    (scene.root / "params.yaml").write_text("a: 1\n")
    given = (item(scene.root, "params.yaml", "params"),)
    assert scene.reads("params.yaml", inputs=given).undeclared == ()


def test_listing_a_folder_is_no_read_of_it(scene: Scene) -> None:
    found = scene.run([Access(str(scene.root), "list"), Access(scene.at("src"), "list")])
    assert found.undeclared == ()
    assert found.classes == {"folder": (".", "src")}


def test_a_file_that_is_not_there_is_kept_apart(scene: Scene) -> None:
    found = scene.run(
        [Access(scene.at("local.yaml"), "read", found=False), Access("/etc/none", "read", found=False)]
    )
    assert found.undeclared == ()
    assert found.missing == ("local.yaml",)


def test_bytecode_stands_for_its_source(scene: Scene) -> None:
    cached = scene.at("src/__pycache__/helpers.cpython-311.pyc")
    cold = scene.run(
        [
            Access(cached, "read", found=False),
            Access(scene.at("src/helpers.py"), "read"),
            Access(f"{cached}.1403", "write", found=False),
            Access(f"{cached}.1403", "delete", first=False),
            Access(cached, "write", first=False),
        ]
    )
    warm = scene.run([Access(cached, "read")])
    assert kinds(cold) == [("src/helpers.py", "code", "read")]
    assert (cold.reads, cold.writes, cold.classes, cold.missing) == (
        warm.reads,
        warm.writes,
        warm.classes,
        warm.missing,
    )


def test_modules_that_python_tells_of_are_read_although_nobody_saw_it(scene: Scene) -> None:
    report = {
        "modules": {"helpers": scene.at("src/helpers.py"), "json": "/usr/lib/python3.11/json/__init__.py"}
    }
    assert kinds(scene.run([], reports=[report])) == [("src/helpers.py", "code", "read")]


def test_a_link_is_declared_by_either_name(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "x.csv").write_text("x")
    (scene.root / "linked").symlink_to(tmp_path / "store")
    given = (item(scene.root, "linked"),)
    real = Access(str(tmp_path / "store" / "x.csv"), "read")
    assert scene.reads("linked/x.csv", inputs=given).undeclared == ()
    assert scene.run([real], inputs=given).undeclared == ()
    other = (item(tmp_path, "store"),)
    assert scene.reads("linked/x.csv", inputs=other).undeclared == ()


def test_a_root_behind_a_link_is_one_place(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(scene.root)
    task = scene.task._replace(root=str(tmp_path / "alias"), cwd=str(tmp_path / "alias"))
    place = scene.place._replace(root=task.root, git=None)
    found = classify(task, place, Trace(SECCOMP, (Access(scene.at("notes.txt"), "read"),)))
    assert kinds(found) == [("notes.txt", "untracked", "read")]


@pytest.mark.parametrize(
    ("path", "cls"),
    [
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", "system"),
        ("/etc/hosts", "system"),
        ("/proc/cpuinfo", "system"),
        ("/memfd:x (deleted)", "system"),
        ("pipe:[3]", "system"),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", "environment"),
        ("/tmp/x", "temporary"),
        ("/dev/shm/psm_1", "temporary"),
        ("{home}/.bashrc", "home"),
        ("{home}/.cache/huggingface/hub/x", "cache"),
        ("{home}/.pyenv/versions/3.11.7/bin/python3.11", "environment"),
        ("{home}/data/x.csv", "outside"),
        ("/mnt/data/x.csv", "outside"),
        ("{root}/.dvc/config", "own"),
        ("{root}/.git/HEAD", "own"),
        ("{root}/dvc.yaml", "metadata"),
        ("{root}/data.csv.dvc", "metadata"),
        ("{root}/venv/lib/python3.11/site-packages/six.py", "environment"),
        ("{root}/src/.ipynb_checkpoints/a.ipynb", "cache"),
        ("x.csv", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_path_has_the_class_of_its_place(scene: Scene, path: str, cls: str) -> None:
    where = path.format(root=scene.root, home=scene.task.environ["HOME"])
    # The home folder of this test lies below the temporary folder, which comes first.
    if "{home}" in path:
        scene = scene._replace(task=scene.task._replace(environ={"HOME": "/home/ada"}))
        where = path.format(home="/home/ada")
    found = scene.run([Access(where, "read")])
    listed = {name for name, paths in found.classes.items() if paths}
    assert listed == ({cls} if cls not in {"own", "temporary", "cache"} else set())
    assert bool(found.reads) == (cls in {"outside", "unknown"})


def test_the_home_folder_and_the_prefix_have_no_users_name(scene: Scene) -> None:
    reports = [{"prefix": "/srv/ada/env", "base_prefix": "/usr"}]
    found = scene.run(
        [
            Access("/srv/ada/env/lib/python3.11/site-packages/numpy/core/x.py", "read"),
            Access("/h/ada/x.csv", "read"),
        ],
        environ={"HOME": "/h/ada"},
        reports=reports,
    )
    assert found.classes == {
        "environment": ("{prefix}/lib/python3.11/site-packages/numpy",),
        "outside": ("~/x.csv",),
    }


def test_names_of_processes_are_not_told(scene: Scene) -> None:
    one = scene.run([Access("/proc/123/task/124/status", "read")])
    other = scene.run([Access("/proc/9/task/10/status", "read")])
    assert one == other


def test_connections_are_told_less_those_that_say_nothing(scene: Scene) -> None:
    connections = (
        Connection("inet", "10.1.2.3", 443),
        Connection("inet", "10.0.0.2", 53),
        Connection("inet", "10.1.2.3", 0),
        Connection("inet", "127.0.0.1", 40001),
        Connection("unix", "/var/run/nscd/socket"),
        Connection("unix", "/var/run/docker.sock"),
    )
    found = scene.run([], connections=connections)
    assert found.network == (("/var/run/docker.sock", 0), ("10.1.2.3", 443), ("127.0.0.1", 0))


def test_names_that_are_not_utf8_survive(scene: Scene) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    (scene.root / name).write_text("x")
    found = scene.reads(name)
    parts = Parts()
    facts = section(found, Trace(SECCOMP), parts)
    assert [finding.path for finding in found.reads] == [name]
    assert restored(facts) == found._replace(classes={}, env=(), told=False)


def test_the_facts_give_the_findings_back(scene: Scene) -> None:
    names = [f"src/d{at:03}.txt" for at in range(150)]
    for name in names:
        (scene.root / name).write_text(name)
    found = scene.reads(*names)
    parts = Parts()
    facts = section(found, Trace(SECCOMP), parts)
    assert facts["undeclared_reads"].value["count"] == 150
    assert len(facts["undeclared_reads"].value["files"]) == 100
    back = restored(facts, parts.kept.__getitem__)
    assert back is not None
    assert back.reads == found.reads


def test_a_run_that_was_not_traced_says_so() -> None:
    facts = section(Findings(), Trace(Coverage("none", "switched off")), Parts())
    assert facts["undeclared_reads"].grade == "absent"
    assert "switched off" in facts["undeclared_reads"].why
    assert restored(facts) is None


def test_a_strict_stage_is_refused_with_the_first_finding(scene: Scene) -> None:
    error = refuse(scene.reads("schema.yaml", "notes.txt"), "train")
    assert error is not None
    assert error.code == "undeclared-access"
    assert "notes.txt" in error.message
    assert "1 more" in error.message
    assert error.hint == "declare it with: ff deps fix train"
    assert len(error.details) == 1
    assert "schema.yaml" in error.details[0]
    assert refuse(Findings(), "train") is None
    command = refuse(scene.reads("schema.yaml"), "")
    assert command is not None
    assert command.message == "the command read 'schema.yaml', which it does not declare"


def test_a_strict_stage_that_nobody_watched_is_refused(scene: Scene) -> None:
    unseen = classify(scene.task, scene.place, Trace(Coverage("none", "switched off")))
    error = refuse(unseen, "train")
    assert error is not None
    assert error.code == "strict-unwatched"


WAYS: tuple[How, ...] = ("read", "write", "list", "exec", "delete")
NAMES = st.text(st.sampled_from("ab./ \n\udce9é~{}%-_123"), max_size=12)
PATHS = st.one_of(
    NAMES,
    NAMES.map("/{}".format),
    NAMES.map("ROOT/{}".format),
    st.sampled_from(
        ["ROOT/schema.yaml", "ROOT/raw/a.csv", "ROOT/src/__pycache__/x.cpython-311.pyc", "/tmp/x"]
    ),
)


@given(st.lists(st.tuples(PATHS, st.sampled_from(WAYS), st.booleans(), st.booleans()), max_size=8))
def test_every_path_gets_one_class_whatever_its_name(uses: list[tuple[str, How, bool, bool]]) -> None:
    root = "/nowhere/repo"
    place = Place(root, f"{root}/.fourfold", root, {}, SYSTEM, None, None)
    task = Task("command", "", ("x",), root, root, {}, tracked=(f"{root}/raw",))
    accesses = [
        Access(path.replace("ROOT", root), how, found, first=first) for path, how, found, first in uses
    ]
    trace = Trace(SECCOMP, tuple(accesses))
    found = classify(task, place, trace)
    listed = [path for paths in found.classes.values() for path in paths]
    assert len(listed) == len(set(listed))
    assert found == classify(task, place, trace._replace(accesses=tuple(reversed(accesses))))
    section(found, trace, Parts())
