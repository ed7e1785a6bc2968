"""Shared libraries: the dynamic loader is not asked when it opens them, and they are seen all the same."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fourfold.runs import reports
from fourfold.runs.inject import _fourfold_report
from fourfold.runs.observation import Access, Coverage, Trace
from fourfold.runs.tracer import loader, start
from fourfold.runs.tracer.merge import with_libraries
from tests.runs.tracer.tracing import launches, task, traced

_OPENS, _CALL = b"\xb8\x01\x01\x00\x00", b"\x0f\x05"
_LIBRARY = "int answer(void) { return 42; }\n"
_LINKED = "int answer(void);\nint main(void) { return answer() != 42; }\n"
_LOADING = """\
#include <dlfcn.h>
#include <unistd.h>
int main(void) { return dlopen("./libanswer.so", RTLD_NOW) ? execl("/bin/true", "true", (char *)0) : 1; }
"""
_KEPT = "import ctypes; kept = ctypes.CDLL('./libanswer.so')"
_UNLOADED = f"{_KEPT}; import _ctypes; _ctypes.dlclose(kept._handle)"
_KILLED = f"{_KEPT}; import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library, a program that is linked with it, and one that loads it and turns into another."""
    folder = tmp_path_factory.mktemp("library")
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.fail("no C compiler; run: apt-get install gcc", pytrace=False)
    for name, text in {"answer.c": _LIBRARY, "linked.c": _LINKED, "loading.c": _LOADING}.items():
        (folder / name).write_text(text)
    for words in (
        ["-shared", "-fPIC", "-o", "libanswer.so", "answer.c"],
        ["-o", "linked", "linked.c", "-L.", "-lanswer", "-Wl,-rpath,$ORIGIN"],
        ["-o", "loading", "loading.c", "-ldl"],
    ):
        subprocess.run([compiler, *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A workspace with the library and the programs."""
    return Path(shutil.copytree(built, tmp_path / "ws"))


@pytest.mark.parametrize(
    "command",
    [
        "./linked",
        "./loading",
        f'{sys.executable} -c "{_KEPT}"',
        f'env {sys.executable} -c \'import os; os.execv("./linked", ["linked"])\'',
    ],
)
def test_a_library_of_the_run_is_seen_once_the_program_has_ended(folder: Path, command: str) -> None:
    run = traced(folder, command, trace="seccomp")
    assert run.codes == [0], run.errors
    assert run.below("read")["libanswer.so"]
    assert run.trace.coverage.lost == 0


def test_a_process_of_python_tells_of_its_libraries_itself(folder: Path) -> None:
    inject = os.path.dirname(_fourfold_report.__file__)
    environ = {**os.environ, "PYTHONPATH": inject}
    run = traced(folder, f'{sys.executable} -c "{_KEPT}"', environ=environ, trace="seccomp")
    told = reports.read(str(folder.parent / "ws-scratch"))
    assert run.codes == [0], run.errors
    assert len(told) == 1
    whole = run._replace(trace=with_libraries(run.trace, told))
    assert whole.below("read")["libanswer.so"]
    assert whole.trace.coverage.events > run.trace.coverage.events
    if loader.places():
        assert "libanswer.so" not in run.below("read")


def test_the_loader_of_this_system_is_not_asked(folder: Path) -> None:
    run = traced(folder, "./linked", trace="seccomp")
    asked = "/etc/ld.so.cache" in {one.path for one in run.trace.accesses}
    phrases = [phrase for phrase in run.trace.coverage.blind if phrase.startswith("shared libraries")]
    if platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc":
        assert not asked
        assert phrases
    else:
        assert asked
        assert not phrases


@pytest.mark.parametrize(("program", "code"), [(_UNLOADED, 0), (_KILLED, 137)])
def test_what_is_not_seen_of_libraries_is_said(folder: Path, program: str, code: int) -> None:
    run = traced(folder, f'{sys.executable} -c "{program}"; exit $?', trace="seccomp")
    assert run.codes == [code], run.errors
    unseen = "shared libraries that are unloaded before a program ends, or that a signal ends it with"
    assert ("libanswer.so" in run.below("read")) != (unseen in run.trace.coverage.blind)


def test_a_library_that_is_made_and_then_loaded_is_no_input(folder: Path) -> None:
    run = traced(folder, "gcc -shared -fPIC -o libanswer.so answer.c && ./linked", trace="seccomp")
    assert run.codes == [0], run.errors
    assert not run.below("read")["libanswer.so"]
    assert run.below("read")["answer.c"]


def test_a_program_that_cannot_be_started_has_loaded_nothing(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    [launch] = launches(task(tmp_path, "./nothing-there", trace="seccomp"), scratch)
    ended = subprocess.run(
        [*launch.prefix, "./nothing-there"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr.count(b"\n")) == (127, 1)
    trace = start.collect([launch], str(scratch))
    assert [(one.path, one.how, one.found) for one in trace.accesses] == [
        (f"{tmp_path}/nothing-there", "exec", False)
    ]


def test_a_place_that_is_also_one_of_the_c_library_is_left_out(tmp_path: Path) -> None:
    own = tmp_path / "ld.so"
    first = bytes(100) + _OPENS + b"\xbf\x9c\xff\xff\xff" + _CALL  # ends at 112
    second = bytes(5000) + _OPENS + _CALL
    far = bytes(50) + _OPENS + bytes(40) + _CALL
    own.write_bytes(first + second + far)
    library = tmp_path / "libc.so.6"
    library.write_bytes(bytes(9000))
    places = loader.places(str(own))
    assert places == (112, (112 + 5000 + 7) % 4096)
    library.write_bytes(bytes(4096 + 112 - 2) + _CALL)
    assert loader.places(str(own)) == places[1:]
    library.write_bytes(bytes(8192 + 112 - 1) + _CALL)
    assert loader.places(str(own)) == places
    own.write_bytes((bytes(100) + _OPENS + _CALL) * 5)
    assert loader.places(str(own)) == ()
    library.unlink()
    assert loader.places(str(own)) == ()
    assert loader.places(str(tmp_path / "none")) == ()


def test_a_place_at_the_start_of_a_page_is_compared_with_whole_calls(tmp_path: Path) -> None:
    own = tmp_path / "ld.so"
    own.write_bytes(bytes(4096 - 6) + _OPENS + _CALL)
    library = tmp_path / "libc.so.6"
    library.write_bytes(bytes(9000))
    assert loader.places(str(own)) == (1,)
    library.write_bytes(bytes(4095) + _CALL)
    assert loader.places(str(own)) == ()


def test_reports_add_libraries_and_nothing_that_is_no_path() -> None:
    written = Access("/ws/made.so", "write")
    known = Access("/ws/known.so", "read", times=3)
    trace = Trace(Coverage("seccomp", events=5), (known, written))
    told = (
        {"loaded": ["/ws/made.so", "/ws/known.so", "/ws/new.so", "relative.so", "", 3, None, {"a": 1}]},
        {"loaded": ["/ws/new.so", "/ws/gone.so (deleted)"]},
        {"loaded": "/ws/text.so"},
        {},
    )
    whole = with_libraries(trace, told)
    assert whole.accesses == (
        Access("/ws/gone.so", "read"),
        known,
        Access("/ws/made.so", "read", first=False),
        written,
        Access("/ws/new.so", "read", times=2),
    )
    assert whole.coverage.events == 9
    assert with_libraries(trace, ()) == trace
    nothing = Trace(Coverage("none"))
    assert with_libraries(nothing, told) == nothing


def test_memory_without_a_name_is_no_library(tmp_path: Path) -> None:
    program = (
        "import mmap, os; kinds = mmap.PROT_READ | mmap.PROT_EXEC; made = os.memfd_create('a/b.so'); "
        "os.ftruncate(made, 4096); here = mmap.mmap(made, 4096, mmap.MAP_SHARED, kinds); "
        "there = mmap.mmap(-1, 4096, mmap.MAP_SHARED, kinds)"
    )
    (tmp_path / "main.py").write_text(program)
    run = traced(tmp_path, f"{sys.executable} -I main.py", trace="seccomp")
    assert run.codes == [0], run.errors
    odd = ("memfd", "zero", "deleted", "anon")
    assert not [one for one in run.trace.accesses if any(part in one.path for part in odd)]
    assert any(one.path.endswith("/libc.so.6") for one in run.trace.accesses)
