"""What a record says of the environment, from real processes of real interpreters."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fourfold.formats.native.canonical import canonical
from fourfold.runs.environment.compare import compare
from fourfold.runs.observation import Access
from tests.runs.environment.conftest import Stage, editable, site_of


def test_section_of_a_python_names_interpreter_distributions_and_what_was_imported(
    stage: Stage, make_python: Callable[..., str]
) -> None:
    python = make_python("env", apple="1.0", pear="2.0")
    found = stage.run("import apple\n", python=python)
    told = found["interpreter"].value
    assert told["implementation"] == "cpython"
    assert told["version"] == ".".join(map(str, sys.version_info[:3]))
    assert told["executable"] == "{prefix}/bin/python"
    assert told["virtual"] is True
    listed = stage.part(found, "distributions")
    assert listed["apple"]["version"] == "1.0"
    assert listed["apple"]["imported"] is True
    assert listed["pear"]["imported"] is False
    assert len(listed["apple"]["record"]) == 64
    assert any(name.endswith("libc.so.6") for name in stage.part(found, "libraries"))
    assert all(fact.grade == "observed" or fact.why for fact in found.values())


def test_section_that_is_made_twice_of_the_same_run_is_the_same(
    stage: Stage, make_python: Callable[..., str]
) -> None:
    python = make_python("env", apple="1.0")
    assert stage.run("import apple\n", python=python) == stage.run("import apple\n", python=python)


def test_digest_of_an_environment_changes_with_a_version_and_is_equal_in_another_place(
    stage: Stage, make_python: Callable[..., str]
) -> None:
    one = stage.run("", python=make_python("one", apple="1.0"))
    other = stage.run("", python=make_python("other", apple="1.0"))
    newer = stage.run("", python=make_python("newer", apple="1.1"))
    assert one["digest"] == other["digest"]
    assert one["digest"] != newer["digest"]


def test_section_of_a_stage_without_python_says_why_and_names_its_programs(stage: Stage) -> None:
    found = stage.section({"PATH": "/bin"}, [Access("/bin/sh", "exec")])
    assert found["interpreter"].grade == "absent"
    assert "Python" in found["interpreter"].why
    assert found["executables"].value["/bin/sh"]["size"] == os.stat("/bin/sh").st_size
    assert found["host"].value["kernel"] == os.uname().release


def test_section_names_what_variables_have_programs_load(stage: Stage) -> None:
    own = str(stage.root / "libs" / "own.so")
    environ = {
        "PATH": "/bin",
        "LD_PRELOAD": f"{own} libm.so.6",
        "LD_LIBRARY_PATH": f"/opt/lib:{stage.root}/libs:",
    }
    assert stage.section(environ)["loader"].value == {
        "LD_LIBRARY_PATH": ["/opt/lib", "libs"],
        "LD_PRELOAD": ["libs/own.so", "libm.so.6"],
    }
    assert stage.section({"PATH": "/bin"})["loader"].value == {}


def test_section_names_an_editable_install_a_stray_pth_and_what_was_imported_from_outside(
    stage: Stage, make_python: Callable[..., str], tmp_path: Path
) -> None:
    python = make_python("env")
    sources, stray = tmp_path / "sources", tmp_path / "stray"
    (sources / "src" / "plum").mkdir(parents=True)
    stray.mkdir()
    (sources / "src" / "plum" / "__init__.py").write_text("")
    (stray / "fig.py").write_text("SIZE = 1\n")
    editable(tmp_path / "env", "plum", sources / "src")
    site = site_of(tmp_path / "env")
    (site / "own.pth").write_text(f"{stray}\n")
    found = stage.run("import plum, fig\n", python=python)
    told = found["flags"].value
    assert told["editable"]["plum"]["imported"] == 1
    assert told["editable"]["plum"]["source"] == str(sources / "src")
    assert told["pth"][f"{{prefix}}/{site.relative_to(tmp_path / 'env')}/own.pth"]["owner"] is None
    assert (
        told["pth"][f"{{prefix}}/{site.relative_to(tmp_path / 'env')}/__editable__.plum.pth"]["owner"]
        == "plum"
    )
    before = told["outside"][str(stray)]
    (stray / "fig.py").write_text("SIZE = 2\n")
    after = stage.run("import plum, fig\n", python=python)["flags"].value["outside"][str(stray)]
    assert before["imported"] == after["imported"] == 1
    assert before["digest"] != after["digest"]
    listed = stage.part(found, "distributions")
    assert listed["plum"]["direct"] == "editable"
    assert listed["plum"]["imported"] is True


def test_section_names_the_commit_of_a_repository_that_is_imported_from(
    stage: Stage, make_python: Callable[..., str], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "fig.py").write_text("")
    git = ["git", "-C", str(other), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    code = f"import sys; sys.path.append({str(other)!r}); import fig\n"
    told = stage.run(code, python=make_python("env"))["flags"].value
    assert told["outside"][str(other)]["commit"] == head.stdout.strip()


def test_children_of_multiprocessing_tell_of_themselves_however_they_are_started(
    stage: Stage, make_python: Callable[..., str]
) -> None:
    python = make_python("env", apple="1.0", pear="1.0", plum="1.0")
    code = """
import multiprocessing

def fork():
    import apple

def spawn():
    import pear

def server():
    import plum

if __name__ == "__main__":
    for how, work in (("fork", fork), ("spawn", spawn), ("forkserver", server)):
        process = multiprocessing.get_context(how).Process(target=work)
        process.start()
        process.join()
"""
    listed = stage.part(stage.run(code, python=python), "distributions")
    assert {name for name in listed if listed[name]["imported"]} == {"apple", "pear", "plum"}


def test_child_of_os_fork_that_exits_as_usual_tells_of_itself(
    stage: Stage, make_python: Callable[..., str]
) -> None:
    code = "import os\nif os.fork() == 0:\n    import apple\nelse:\n    os.wait()\n"
    listed = stage.part(stage.run(code, python=make_python("env", apple="1.0")), "distributions")
    assert listed["apple"]["imported"] is True


def test_section_of_an_isolated_python_says_that_none_told(
    stage: Stage, make_python: Callable[..., str]
) -> None:
    found = stage.run("", "-I", python=make_python("env"))
    assert found["interpreter"].grade == found["distributions"].grade == found["digest"].grade == "absent"


def test_section_of_two_pythons_is_about_the_first_and_tells_of_the_other(
    stage: Stage, make_python: Callable[..., str]
) -> None:
    inner = make_python("inner", apple="2.0")
    code = f"import subprocess, apple\nsubprocess.run([{inner!r}, '-c', 'import apple'], check=True)\n"
    found = stage.run(code, python=make_python("outer", apple="1.0"))
    assert stage.part(found, "distributions")["apple"]["version"] == "1.0"
    (other,) = found["others"].value
    assert stage.parts[other["distributions"]["part"]]["apple"]["version"] == "2.0"


def test_report_that_cannot_be_written_leaves_the_stage_as_it_is(stage: Stage) -> None:
    code = "import os, shutil; shutil.rmtree(os.environ['FOURFOLD_RUN_DIR']); print('done')\n"
    assert stage.run(code)["interpreter"].grade == "absent"


def test_section_holds_no_value_of_an_environment_variable_or_argument(stage: Stage) -> None:
    code = "import os; os.environ['API_TOKEN']\n"
    found = stage.run(code, environ={"API_TOKEN": "hunter2-secret", "PATH": "/usr/bin:/bin"})
    assert "hunter2" not in str(found)
    assert "hunter2" not in str(stage.parts)
    assert not any("hunter2" in file.read_text() for file in stage.reports.iterdir())


def test_section_tells_threads_blas_and_simd_of_the_numpy_that_was_imported(stage: Stage) -> None:
    one = stage.run("import numpy\n", environ={"PATH": "/bin", "OPENBLAS_NUM_THREADS": "1"})
    (blas,) = one["blas"].value
    assert blas["api"] == "openblas"
    assert blas["version"]
    assert one["threads"].value["libraries"] == {blas["file"]: 1}
    assert one["threads"].value["switches"] == {"OPENBLAS_NUM_THREADS": "1"}
    assert one["simd"].value["numpy"]["baseline"]
    assert stage.part(one, "distributions")["numpy"]["imported"] is True
    assert any("numpy.libs" in name for name in stage.part(one, "libraries"))


def test_section_after_the_first_is_quick(stage: Stage) -> None:
    stage.run("import numpy, scipy.linalg\n")
    stage.section({"PATH": "/bin", "HOME": str(stage.home)})
    times = []
    for _ in range(5):
        start = time.perf_counter()
        stage.section({"PATH": "/bin", "HOME": str(stage.home)})
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05  # some ms; the bound leaves room for a busy machine


def test_library_that_a_program_opened_by_a_link_is_named_by_where_it_leads(stage: Stage) -> None:
    real = os.path.realpath("/lib64/ld-linux-x86-64.so.2")
    accesses = [Access("/lib64/ld-linux-x86-64.so.2", "read"), Access("/lib/none.so", "read", found=False)]
    assert set(stage.part(stage.section({}, accesses), "libraries")) == {real}


def test_python_that_was_started_isolated_is_asked_after_the_run(
    stage: Stage, make_python: Callable[..., str], tmp_path: Path
) -> None:
    python = make_python("env", apple="1.0", pear="1.0")
    bytecode = site_of(tmp_path / "env") / "__pycache__" / "apple.cpython-311.pyc"
    found = stage.run(
        "", "-I", python=python, accesses=[Access(python, "exec"), Access(str(bytecode), "read")]
    )
    assert found["interpreter"].value["executable"] == "{prefix}/bin/python"
    assert "asked after the run" in found["interpreter"].why
    listed = stage.part(found, "distributions")
    assert [name for name in listed if listed[name]["imported"]] == ["apple"]
    assert found["threads"].grade == found["blas"].grade == "absent"


def test_module_that_a_killed_worker_opened_counts_as_imported(
    stage: Stage, make_python: Callable[..., str], tmp_path: Path
) -> None:
    python = make_python("env", apple="1.0")
    code = "import os\nif os.fork() == 0:\n    import apple\n    os._exit(0)\nos.wait()\n"
    opened = Access(str(site_of(tmp_path / "env") / "apple.py"), "read")
    assert stage.part(stage.run(code, python=python), "distributions")["apple"]["imported"] is False
    seen = stage.run(code, python=python, accesses=[opened])
    assert stage.part(seen, "distributions")["apple"]["imported"] is True


def test_section_in_an_environment_of_conda_names_what_conda_installed(
    stage: Stage, make_python: Callable[..., str], tmp_path: Path
) -> None:
    python = make_python("env")
    meta = tmp_path / "env" / "conda-meta"
    meta.mkdir()
    (meta / "history").write_text("")
    (meta / "libblas-3.9.0-20_linux64_mkl.json").write_text("{}")
    one = stage.run("", python=python)
    assert stage.part(one, "conda") == {"libblas": "3.9.0 20_linux64_mkl"}
    (meta / "libblas-3.9.0-20_linux64_mkl.json").rename(meta / "libblas-3.9.0-21_linux64_openblas.json")
    other = stage.run("", python=python)
    (change,) = compare(one, other, stage.parts.__getitem__)
    assert change[:4] == ("environment", "conda", "libblas", "changed")


HOSTILE: list[Any] = [
    *(None, 0, -1, 1.5, float("nan"), float("inf"), True, "", "x", "/", "\0", "\ud800", "\udcff"),
    *([], [[]], [None], ["\0", "/\0", "/x\0"], {}, {"": None}, {"x": []}),
    [{"file": [], "api": "openblas", "threads": 1}, {"api": "mkl"}],
    {"torch": {"config": 1, "threads": "x", "devices": {}, "version": "v" * 10**6}, "numpy": 3},
    {"implementation": "x", "version": {}, "name": []},
    {"limits": {"Max": 1}, "umask": []},
]


KEYS = """
    argv executable version implementation base_prefix path pythonpath flags modules locale process switches
    loaded blas simd frameworks
"""


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_section_believes_no_report_to_have_the_right_types(stage: Stage, number: int) -> None:
    """Whatever a stage may write where its report should be, the section is made."""
    value = HOSTILE[number]
    whole = {"prefix": "/nowhere", "base_prefix": "/nowhere", "version": "3.11.7 (main) [GCC]"}
    stage.reports.mkdir()
    for report in ({**whole, **dict.fromkeys(KEYS.split(), value)}, {**whole, "prefix": value}):
        (stage.reports / "python-1.json").write_text(json.dumps(report))
        found = stage.section({"PATH": "/bin"})
        assert len(canonical({name: fact.document() for name, fact in found.items()})) < 10**6


def test_programs_and_libraries_that_a_run_made_for_a_moment_are_left_out(
    stage: Stage, tmp_path: Path
) -> None:
    made = tmp_path / "scratch" / "tmpx8s2"
    made.mkdir(parents=True)
    (made / "a.out").write_text("x")
    (made / "b.so").write_text("x")
    accesses = [
        *(Access("/bin/sh", "exec"), Access(str(made / "a.out"), "exec"), Access(str(made / "b.so"), "read")),
        Access(os.path.realpath("/lib64/ld-linux-x86-64.so.2"), "read"),
    ]
    found = stage.section({"TMPDIR": str(tmp_path / "scratch")}, accesses)
    assert set(found["executables"].value) == {"/bin/sh"}
    assert "temporary folders left out" in found["executables"].why
    assert not any("scratch" in name for name in stage.part(found, "libraries"))


def test_limits_of_a_run_are_those_of_its_shell_and_named_alike_wherever_they_come_from(stage: Stage) -> None:
    inherited = stage.section({"PATH": "/bin"})["limits"].value
    code = "import os, sys\nif 'again' not in sys.argv: os.execv('/bin/sh', ['sh', '-c', "
    code += "'ulimit -n 64; exec ' + sys.executable + ' script.py again'])\n"
    told = stage.run(code)["limits"].value
    assert told["nofile"] == [64, 64] != inherited["nofile"]
    assert {**told, "nofile": 0} == {**inherited, "nofile": 0}
