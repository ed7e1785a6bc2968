"""Shared libraries: the dynamic loader is not asked when it opens them, and they are seen all the same."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fourfold.runs import reports
from fourfold.runs.inject import _fourfold_report
from fourfold.runs.observation import Access, Coverage, Trace
from fourfold.runs.tracer import loader, mapped, start
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
_CRASHED = f"{_KEPT}; ctypes.string_at(0)"
_FORKED = f"import os; os.fork() and exit(os.wait()[1]); {_KEPT}; os.execv('/bin/true', ['true'])"
_THREAD = """\
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>
static void *turn(void *none) { execl("/bin/true", "true", (char *)0); return none; }
int main(void) {
    pthread_t one;
    return !dlopen("./libanswer.so", RTLD_NOW) || pthread_create(&one, 0, turn, 0) || pthread_join(one, 0);
}
"""
_POOL = """\
import ctypes, multiprocessing, sys
def work(_):
    global kept
    kept = ctypes.CDLL("./libanswer.so")
if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        pool.map(work, range(2))
"""
#: Names that are hard to read from a list of lines.
_NAMES = (
    "a b.so",
    " c.so ",
    "d\n.so",
    "e\r.so",
    "f\x1c.so",
    "g\u2028.so",
    "h.so (deleted)",
    "i (deleted)",
    "j\\012.so",
    "k\udcff.so",
    "l\t.so",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library, a program that is linked with it, and one that loads it and turns into another."""
    folder = tmp_path_factory.mktemp("library")
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.fail("no C compiler; run: apt-get install gcc", pytrace=False)
    for name, text in {
        "answer.c": _LIBRARY,
        "linked.c": _LINKED,
        "loading.c": _LOADING,
        "thread.c": _THREAD,
    }.items():
        (folder / name).write_text(text)
    for words in (
        ["-shared", "-fPIC", "-o", "libanswer.so", "answer.c"],
        ["-o", "linked", "linked.c", "-L.", "-lanswer", "-Wl,-rpath,$ORIGIN"],
        ["-o", "loading", "loading.c", "-ldl"],
        ["-o", "thread", "thread.c", "-ldl", "-lpthread"],
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
        "./thread",
        f'{sys.executable} -c "{_FORKED}"',
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


@pytest.mark.parametrize("ending", ["one.terminate()", "os.killpg(one.pid, 9)"])
def test_a_library_of_a_program_that_another_ends_is_seen(folder: Path, ending: str) -> None:
    (folder / "main.py").write_text(f"""\
import os, subprocess, sys
words = [sys.executable, "-c", "{_KEPT}; print(1, flush=True); import time; time.sleep(60)"]
one = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
one.stdout.readline()
{ending}
one.communicate()
""")
    run = traced(folder, f"{sys.executable} main.py", trace="seccomp")
    assert run.codes == [0], run.errors
    assert run.below("read")["libanswer.so"]


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("told", [False, True])
def test_libraries_of_workers_that_a_pool_ends_are_seen(folder: Path, way: str, told: bool) -> None:
    (folder / "main.py").write_text(_POOL)
    environ = {**os.environ, "PYTHONPATH": os.path.dirname(_fourfold_report.__file__) if told else ""}
    run = traced(folder, f"{sys.executable} main.py {way}", environ=environ, trace="seccomp")
    whole = run._replace(trace=with_libraries(run.trace, reports.read(str(folder.parent / "ws-scratch"))))
    assert run.codes == [0], run.errors
    assert whole.below("read")["libanswer.so"]
    assert whole.trace.coverage.lost == 0


@pytest.mark.parametrize("told", [False, True])
def test_a_library_is_seen_whatever_it_is_called(folder: Path, told: bool) -> None:
    for name in _NAMES:
        shutil.copy(folder / "libanswer.so", folder / name)
    (folder / "main.py").write_text(
        f"import ctypes; kept = [ctypes.CDLL('./' + name) for name in {_NAMES!a}]"
    )
    environ = {**os.environ, "PYTHONPATH": os.path.dirname(_fourfold_report.__file__) if told else ""}
    run = traced(folder, f"{sys.executable} main.py", environ=environ, trace="seccomp")
    whole = run._replace(trace=with_libraries(run.trace, reports.read(str(folder.parent / "ws-scratch"))))
    assert run.codes == [0], run.errors
    assert set(whole.below("read")) == {*_NAMES, "main.py"}


def test_a_library_of_data_alone_is_seen(folder: Path) -> None:
    (folder / "data.c").write_text("const int data[5000] = {1, 2, 3};\n")
    (folder / "reading.c").write_text("extern const int data[];\nint main(void) { return data[9]; }\n")
    bare = ["-shared", "-nostdlib", "-fPIC", "-Wl,-z,separate-code", "-o", "libdata.so", "data.c"]
    for words in (bare, ["-o", "reading", "reading.c", "-L.", "-ldata", "-Wl,-rpath,$ORIGIN"]):
        subprocess.run(["gcc", *words], cwd=folder, check=True)
    run = traced(folder, "./reading", trace="seccomp")
    assert run.codes == [0], run.errors
    assert run.below("read")["libdata.so"]


@pytest.mark.parametrize("told", [False, True])
def test_a_library_without_a_name_is_none(folder: Path, told: bool) -> None:
    (folder / "main.py").write_text("""\
import ctypes, os
code = open("libanswer.so", "rb").read()
kept = []
for made in (os.memfd_create("x.so"), os.open(".", os.O_TMPFILE | os.O_RDWR)):
    os.write(made, code)
    kept.append(ctypes.CDLL(f"/proc/self/fd/{made}"))
""")
    environ = {**os.environ, "PYTHONPATH": os.path.dirname(_fourfold_report.__file__) if told else ""}
    run = traced(folder, f"{sys.executable} main.py", environ=environ, trace="seccomp")
    whole = run._replace(trace=with_libraries(run.trace, reports.read(str(folder.parent / "ws-scratch"))))
    assert run.codes == [0], run.errors
    assert set(whole.below("read")) == {"main.py", "libanswer.so"}
    assert not [one.path for one in whole.trace.accesses if "memfd" in one.path]


def test_a_file_that_is_called_deleted_is_not_taken_for_another(tmp_path: Path) -> None:
    for name in ("notes", "notes (deleted)"):
        (tmp_path / name).write_text(name)
    run = traced(tmp_path, 'cat "notes (deleted)"', trace="seccomp")
    assert set(run.below("read")) == {"notes (deleted)"}


def test_a_signal_reaches_descendants_alone() -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as one:
        own, group = os.getpid(), one.pid
        try:
            assert list(mapped.reached(one.pid, own, own)) == [one.pid]
            assert list(mapped.reached(-group, own, own)) == [one.pid]
            assert list(mapped.reached(0, one.pid, own)) == [one.pid]
            assert list(mapped.reached(one.pid, own, one.pid)) == []
            assert list(mapped.reached(own, own, own)) == []
            assert list(mapped.reached(-1, own, own)) == []
            assert mapped.has_grown(one.pid)
        finally:
            one.kill()
    assert list(mapped.reached(one.pid, own, own)) == []


@pytest.mark.parametrize(("program", "code"), [(_UNLOADED, 0), (_CRASHED, 139)])
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


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize(("before", "first"), [("", True), ("cp libanswer.so made.so; ", False)])
def test_a_library_that_is_replaced_once_it_is_loaded_was_used_first(
    folder: Path, told: bool, before: str, first: bool
) -> None:
    if first:
        shutil.copy(folder / "libanswer.so", folder / "made.so")
    (folder / "main.py").write_text("""\
import ctypes, os
kept = ctypes.CDLL("./made.so")
os.replace("other.so", "made.so")
""")
    shutil.copy(folder / "libanswer.so", folder / "other.so")
    environ = {**os.environ, "PYTHONPATH": os.path.dirname(_fourfold_report.__file__) if told else ""}
    run = traced(folder, f"{before}{sys.executable} main.py", environ=environ, trace="seccomp")
    whole = run._replace(trace=with_libraries(run.trace, reports.read(str(folder.parent / "ws-scratch"))))
    assert run.codes == [0], run.errors
    assert whole.below("read")["made.so"] == first
    assert whole.below("write")["made.so"] != first


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
    told: tuple[dict[str, Any], ...] = (
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


def test_processes_that_are_too_many_to_be_heard_are_counted(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    [launch] = launches(task(tmp_path, "true", trace="seccomp"), scratch)
    subprocess.run([*launch.prefix, "true"], cwd=tmp_path, check=True)
    for number in range(reports.MOST):
        (scratch / f"python-{number}.json").write_text("{}")
    assert start.collect([launch], str(scratch)).coverage.lost == 0
    for number in range(3):
        (scratch / f"python-{number}-1.json").write_text("{}")
    assert start.collect([launch], str(scratch)).coverage.lost == 3


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
