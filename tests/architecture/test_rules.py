"""The rules of the house that no linter knows (ARCHITECTURE.md)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, Source, dotted, sources

#: Who may touch the process: the face, the builder, and the process entry.
FACE = {"cli", "wiring", "__main__"}
MOST_LINES = 600
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}


def used(source: Source) -> set[tuple[str, int]]:
    """Every dotted name that the code of a module uses, with its line."""
    found = set()
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            found.add((dotted(node), node.lineno))
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.update((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
    return found


#: A program of its own, for Linux alone: it opens and asks what this system can, as the kernel calls it.
SUPERVISOR = ("supervisor", "watch", "events", "guard", "kernel", "walls", "abi", "mapped", "forkserver")


def engine() -> list[Source]:
    """What runs in our own process: neither what is sent into stages, nor the program that watches them."""
    sent = ("fourfold.runs.inject.", "fourfold.evidence.shaking.inside.")
    others = (*sent, *(f"fourfold.runs.tracer.{name}" for name in SUPERVISOR))
    return [source for source in sources() if not source.module.startswith(others)]


def offences(names: set[str], rooms_allowed: set[str]) -> list[str]:
    return [
        f"{source.path}:{line}: {name}"
        for source in engine()
        if source.room not in rooms_allowed
        for name, line in sorted(used(source))
        if name in names
    ]


def test_the_layers_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_command_line_prints() -> None:
    assert (
        offences({"print", "sys.stdout", "sys.stderr", "input", "getpass.getpass"}, {"cli", "__main__"}) == []
    )


def test_only_the_command_line_and_the_wiring_read_the_environment() -> None:
    names = {
        "os.environ",
        "os.getenv",
        "os.environb",
        "os.putenv",
        "os.path.expanduser",
        "os.path.expandvars",
    }
    assert offences(names, FACE) == []


def test_nothing_changes_directory_or_umask() -> None:
    assert offences({"os.chdir", "os.fchdir", "contextlib.chdir"}, set()) == []


def test_only_the_command_line_ends_the_process() -> None:
    assert offences({"sys.exit", "exit", "quit"}, FACE) == []


def test_only_one_module_knows_how_this_system_opens_and_locks_files() -> None:
    """A flag that Windows lacks would fail there; one that it needs, `O_BINARY`, would be forgotten."""
    home = "base/fs/platform.py"
    found = [
        f"{source.path}:{line}: {name}"
        for source in engine()
        for name, line in sorted(used(source))
        if (name.startswith("os.O_") and name != "os.O_APPEND") or name.startswith(("fcntl.", "msvcrt."))
    ]
    assert [place for place in found if home not in place] == []
    assert any(home in place for place in found), "the rule looks at nothing"


def test_the_clock_is_asked_in_one_place() -> None:
    names = {"time.time", "time.time_ns", "time.monotonic", "time.sleep", "datetime.datetime.now"}
    found = [line for line in offences(names, set()) if not line.startswith("src/fourfold/base/clock.py")]
    assert found == []


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.module)
def test_a_module_is_small_named_for_what_it_holds_and_says_what_that_is(source: Source) -> None:
    assert source.text.count("\n") <= MOST_LINES
    assert source.module.rpartition(".")[2] not in NAMELESS
    assert len((ast.get_docstring(source.tree) or "").split()) >= 3


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.module)
def test_every_public_name_says_what_it_means(source: Source) -> None:
    silent = []
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node in _public(source.tree):
            text = ast.get_docstring(node) or ""
            if not text.strip():
                silent.append(f"{node.name}:{node.lineno}")
    assert silent == []


def _public(tree: ast.Module) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            found.append(node)
            if isinstance(node, ast.ClassDef):
                found += [
                    inner
                    for inner in node.body
                    if isinstance(inner, ast.FunctionDef)
                    and not inner.name.startswith("_")
                    and not inner.decorator_list
                ]
    return found


def test_nothing_is_left_for_later() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "Not" + "ImplementedError")
    found = [f"{source.path}: {mark}" for source in sources() for mark in marks if mark in source.text]
    assert found == []


def test_no_test_is_skipped_and_none_mocks() -> None:
    words = ("pytest." + "skip", "pytest.mark." + "skip", "unittest." + "mock", "pytest.import" + "orskip")
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for word in words
        if word in path.read_text(encoding="utf-8")
    ]
    assert found == []
