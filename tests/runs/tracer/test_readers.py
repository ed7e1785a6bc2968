"""Whatever reads a file, the tracer sees it: a golden set of readers, once for each way of looking."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.tracer import readers
from tests.runs.tracer.tracing import Traced, traced

#: Opens and reads the file that it is called with, without any library, by calls of its own.
STATIC = """\
#if defined(__x86_64__)
__asm__(".globl _start\\n_start: mov %rsp, %rdi\\n and $-16, %rsp\\n call go");
enum { OPENAT = 257, READ = 0, EXIT = 231 };
static long call(long number, long a, long b, long c) {
  long result;
  register long d __asm__("r10") = 0;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(d)
                   : "rcx", "r11", "memory");
  return result;
}
#else
__asm__(".globl _start\\n_start: mov x0, sp\\n bl go");
enum { OPENAT = 56, READ = 63, EXIT = 94 };
static long call(long number, long a, long b, long c) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                x3 __asm__("x3") = 0;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#endif
void go(long *stack) {
  char byte;
  call(EXIT, call(READ, call(OPENAT, -100, stack[2], 0), (long)&byte, 1) != 1, 0, 0);
}
"""


@pytest.fixture(scope="session")
def static_reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that no library can be put under."""
    folder = tmp_path_factory.mktemp("static")
    (folder / "reader.c").write_text(STATIC)
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.fail("no C compiler; run: apt-get install gcc", pytrace=False)
    options = [
        "-static",
        "-nostdlib",
        "-ffreestanding",
        "-fno-stack-protector",
        "-O1",
        "-o",
        "reader",
        "reader.c",
    ]
    subprocess.run([compiler, *options], cwd=folder, check=True)
    return folder / "reader"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files to read."""
    folder = tmp_path_factory.mktemp("readers") / "data"
    folder.mkdir()
    subprocess.run([sys.executable, readers.__file__, "make", str(folder)], check=True)
    return folder


@pytest.fixture(scope="session", params=["seccomp", "strace"])
def seen(request: pytest.FixtureRequest, made: Path, static_reader: Path) -> Traced:
    """All readers in one process, watched."""
    folder = made.parent / str(request.param)
    shutil.copytree(made, folder)
    run = traced(
        folder,
        f"STATIC_READER={static_reader} {sys.executable} {readers.__file__} read {folder}",
        trace=request.param,
    )
    assert run.codes == [0], run.errors
    assert run.trace.coverage.method == request.param
    assert run.trace.coverage.lost == 0
    return run


@pytest.mark.parametrize("name", readers.READERS)
def test_the_tracer_sees_the_read_of(seen: Traced, name: str) -> None:
    assert seen.below("read").get(name) is True
