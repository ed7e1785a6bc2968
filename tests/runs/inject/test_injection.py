"""A Python that is injected cannot be told from one that is not, by what it can do."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fourfold.runs import injection
from tests.runs.inject.starting import MODERN, OTHERS, bare, run

SEEN = """
import sys
print(sys.path)
print([name for name in ("sitecustomize", "usercustomize") if name in sys.modules])
print(sorted(name for name in sys.modules if not name.startswith("_fourfold")))
print(sys.path_importer_cache.keys() & {path for path in sys.path_importer_cache if "inject" in path})
"""


def plain(folder: Path, command: list[str], environ: dict[str, str] | None = None) -> str:
    """What a command says when nothing is injected."""
    done = subprocess.run(command, cwd=folder, env=bare(environ), capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("python", MODERN)
@pytest.mark.parametrize("path", [None, "", "lib", "lib:/nowhere::lib"])
def test_the_path_and_the_modules_are_what_they_would_be(
    tmp_path: Path, python: str, path: str | None
) -> None:
    environ = {} if path is None else {"PYTHONPATH": path}
    ended = run(tmp_path, SEEN, python=python, environ=environ, determinism="off")
    without = plain(tmp_path, [python, "program.py"], environ)
    assert ended.err == ""
    # What stands at the end of a process needs these; both are built in.
    assert ended.out.replace("'atexit', ", "").replace("'time', ", "") == without.replace(
        "'atexit', ", ""
    ).replace("'time', ", "")


def test_children_are_injected_too(tmp_path: Path) -> None:
    program = f"""
import subprocess
print(subprocess.run([{sys.executable!r}, "-c", "import random; print(random.random())"],
                     capture_output=True, text=True, check=True).stdout)
"""
    assert run(tmp_path, program).out == run(tmp_path, program).out != "\n"


def venv(folder: Path) -> tuple[str, Path]:
    """A virtual environment, and where its packages go."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(folder / "venv")], check=True
    )
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    return str(folder / "venv" / "bin" / "python"), site


CUSTOM = """
import sys, random
sys.was_here = getattr(sys, "was_here", ()) + (__name__, __file__)
number = random.random()
"""
ASKED = """
import sys, sitecustomize
print(sys.was_here, sitecustomize.__file__, sitecustomize.__spec__.origin, sitecustomize.number)
"""


def test_a_sitecustomize_of_the_virtual_environment_comes_after_ours_and_takes_the_name(
    tmp_path: Path,
) -> None:
    python, site = venv(tmp_path)
    (site / "sitecustomize.py").write_text(CUSTOM, encoding="utf-8")
    ended = run(tmp_path, ASKED, python=python)
    path = str(site / "sitecustomize.py")
    assert ended.out == f"('sitecustomize', {path!r}) {path} {path} 0.4227637910791664\n"
    assert ended.value("injected") == {"done": ["random"]}


def test_a_sitecustomize_on_the_users_path_comes_after_ours(tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(CUSTOM, encoding="utf-8")
    ended = run(tmp_path, ASKED, environ={"PYTHONPATH": str(folder)})
    assert str(folder / "sitecustomize.py") in ended.out


@pytest.mark.parametrize(
    "text", ["1 / 0", "import nowhere_at_all", "raise ImportError('no')", "raise SystemExit(3)", "def"]
)
def test_a_sitecustomize_that_fails_fails_as_it_would(tmp_path: Path, text: str) -> None:
    python, site = venv(tmp_path)
    (site / "sitecustomize.py").write_text(text, encoding="utf-8")
    ended = run(tmp_path, "import sys; print('sitecustomize' in sys.modules)", python=python)
    mine, others = ended.out + ended.err, plain(tmp_path, [python, "program.py"])
    if "Traceback" in others:
        # The same error; what Python shows of the way to it has frames of ours.
        assert mine.splitlines()[-1] == others.splitlines()[-1]
    else:
        assert mine == others


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_a_python_that_does_not_listen_is_left_alone_and_the_record_says_so(
    tmp_path: Path, option: str
) -> None:
    ended = run(tmp_path, "import random; print(random.random())", options=[option])
    assert ended.err == ""
    assert float(ended.out) != 0.4227637910791664
    fact = ended.section["injected"]
    assert (fact.grade, "python -I, -E or -S" in fact.why) == ("absent", True)


def test_a_program_of_another_language_is_left_alone(tmp_path: Path) -> None:
    ended = run(tmp_path, ["sh", "-c", "echo $FOURFOLD_SEED $FOURFOLD_STAGE"])
    assert ended.out == "7 train\n"
    assert [ended.section[name].grade for name in ("injected", "unseeded", "entropy")] == ["absent"] * 3


@pytest.mark.parametrize("python", [path for path in OTHERS.values() if path not in MODERN] or ["sh"])
def test_a_python_that_is_too_old_runs_as_ever(tmp_path: Path, python: str) -> None:
    ended = run(tmp_path, [python, "-c", "import sys" if python != "sh" else "true"])
    assert (ended.out, ended.err) == ("", "")


def test_a_file_of_the_stage_that_has_the_name_of_a_library_is_what_is_imported(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("value = 4\nclass Random: pass\n", encoding="utf-8")
    (tmp_path / "torch.py").write_text("manual_seed = None\n", encoding="utf-8")
    ended = run(tmp_path, "import random, torch; print(random.value, random.Random.__init__)")
    assert (ended.out, ended.err) == ("4 <slot wrapper '__init__' of 'object' objects>\n", "")
    assert ended.value("injected") == {"done": [], "failed": {"torch": "TypeError"}}


def test_the_ways_to_import_a_library_all_work_and_all_seed(tmp_path: Path) -> None:
    ways = {
        "import_module": "import importlib; random = importlib.import_module('random')",
        "lazy": """
import importlib.util, sys
spec = importlib.util.find_spec("random")
loader = importlib.util.LazyLoader(spec.loader)
spec.loader = loader
random = importlib.util.module_from_spec(spec)
sys.modules["random"] = random
loader.exec_module(random)
""",
        "spec": """
import importlib.util
spec = importlib.util.find_spec("random")
spec = importlib.util.find_spec("random")
random = importlib.util.module_from_spec(spec)
import sys
sys.modules["random"] = random
spec.loader.exec_module(random)
""",
        "reload": "import importlib, random; random.random(); importlib.reload(random)",
        "run as part of a thread": """
import threading
found = []
thread = threading.Thread(target=lambda: found.append(__import__("random")))
thread.start(); thread.join()
(random,) = found
""",
    }
    for way, text in ways.items():
        ended = run(tmp_path, text + "\nprint(random.random())")
        assert (ended.err, ended.out) == ("", "0.4227637910791664\n"), way


def test_no_trace_is_left_on_the_modules_that_were_watched(tmp_path: Path) -> None:
    program = """
import inspect, importlib.resources, pkgutil, random, numpy
print("exec_module" in vars(random.__loader__), type(random.__loader__) is type(inspect.__loader__))
print(random.__spec__.loader is random.__loader__, random.__spec__.parent == "")
print(len(inspect.getsource(random)) > 1000, importlib.resources.files("numpy").is_dir())
print(pkgutil.find_loader is None if hasattr(pkgutil, "find_loader") else False)
print(len(pkgutil.get_data("numpy", "version.py")) > 10)
print(any(item.name == "random" for item in pkgutil.iter_modules(numpy.__path__)))
"""
    ended = run(tmp_path, program, options=["-W", "ignore"])
    assert ended.err == ""
    assert ended.out.split() == ["False", "True", "True", "True", "True", "True", "False", "True", "True"]


def test_libraries_in_an_archive_are_seeded(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
        archive.writestr("torch.py", "seeds = []\ndef manual_seed(seed): seeds.append(seed)\n")
        archive.writestr("other.py", "value = 3\n")
    ended = run(tmp_path, "import other, torch; print(len(torch.seeds))", environ={"PYTHONPATH": "lib.zip"})
    assert (ended.err, ended.out) == ("", "1\n")


def test_a_library_that_is_broken_is_broken_as_ever(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text("import no_such_thing_at_all\n", encoding="utf-8")
    program = """
try:
    import tensorflow
except ImportError as error:
    print(error.name)
import sys
print("tensorflow" in sys.modules)
"""
    ended = run(tmp_path, program)
    assert (ended.err, ended.out.split()) == ("", ["no_such_thing_at_all", "False"])


def test_the_start_of_a_python_loads_little(tmp_path: Path) -> None:
    """What is loaded costs a millisecond; one library more would double it."""
    ended = run(tmp_path, "pass", options=["-X", "importtime"])
    loaded = re.findall(r"\|\s+(\w+)$", ended.err, re.MULTILINE)
    ours = loaded[: loaded.index("site")]
    bare_loaded = re.findall(
        r"\|\s+(\w+)$", plain(tmp_path, [sys.executable, "-X", "importtime", "program.py"]), re.MULTILINE
    )
    assert set(ours) - set(bare_loaded) - {"sitecustomize"} <= {
        "_fourfold_bytecode",
        "_fourfold_derive",
        "_fourfold_entropy",
        "_fourfold_hooks",
        "_fourfold_process",
        "_fourfold_report",
        "_fourfold_seeds",
        "atexit",
    }


def test_a_folder_for_reports_that_is_gone_is_nobodys_trouble(tmp_path: Path) -> None:
    for folder in ("", str(tmp_path / "gone"), "/dev/null"):
        ended = run(
            tmp_path,
            "import random, uuid; uuid.uuid4(); print(random.random())",
            extra={injection.RUN_DIR: folder},
        )
        assert ended.err == "", folder


def test_a_run_inside_of_a_run_finds_the_folder_once(tmp_path: Path) -> None:
    program = "import os; print(os.environ['PYTHONPATH'], os.environ['FOURFOLD_STAGE'])"
    outer = {"PYTHONPATH": os.pathsep.join([injection.FOLDER, "lib"]), "FOURFOLD_STAGE": "outer"}
    ended = run(tmp_path, program, environ=outer)
    assert ended.out.split() == [os.pathsep.join([injection.FOLDER, "lib"]), "train"]
