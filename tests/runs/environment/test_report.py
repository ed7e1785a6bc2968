"""What a process writes of itself at its end: JSON without the module for it, once, and nothing said."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fourfold.runs.inject import _fourfold_report as report
from tests.runs.environment.conftest import Stage

VALUES: list[Any] = [
    *(None, True, False, 0, -(10**30), 1.5, "", "plain", '"\\\n\t\x00\x7f', "gr\u00fc\u00df", "\U0001f600"),
    *("\udcff/\ud800", [], {}, [1, [2, {"a": None}]], {"b": "c", "": [True]}),
]


@pytest.mark.parametrize("value", VALUES)
def test_report_is_json_that_reads_back_as_what_was_told(value: Any) -> None:
    assert json.loads(report._encode(value)) == value
    if isinstance(value, str):
        assert json.loads(report._quote_slowly(value)) == value


def test_report_holds_no_number_that_json_lacks_and_names_what_it_does_not_know() -> None:
    assert report._encode(float("nan")) == report._encode(float("-inf")) == "null"
    assert json.loads(report._encode({1: {"a"}.__class__})) == {"1": "<class 'set'>"}


def test_reporting_imports_nothing_at_the_start_and_little_at_the_end(stage: Stage) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(stage.hook)!r}); import sitecustomize\n"
        "print(sorted({'json', 're', 'ctypes', 'typing'} & set(sys.modules)))\n"
    )
    stage.reports.mkdir()
    command = [sys.executable, "-S", "-c", code]
    environ = {"FOURFOLD_RUN_DIR": str(stage.reports)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    (told,) = stage.reports.iterdir()
    assert not {"json", "re", "ctypes"} & set(json.loads(told.read_text())["modules"])


def test_process_that_is_killed_or_leaves_at_once_leaves_no_half_report(stage: Stage) -> None:
    for code in ("import os; os._exit(3)", f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"):
        with pytest.raises(subprocess.CalledProcessError):
            stage.run(code)
        assert list(stage.reports.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "status"),
    [("raise SystemExit(3)", 3), ("1 / 0", 1), ("import sys; sys.stdout.close(); sys.stderr.close()", 0)],
)
def test_exit_code_and_words_of_a_process_stay_its_own(stage: Stage, code: str, status: int) -> None:
    environ = {"PYTHONPATH": str(stage.hook), "FOURFOLD_RUN_DIR": str(stage.reports)}
    command = [sys.executable, "-c", code]
    stage.reports.mkdir()
    plain = subprocess.run(command, env={}, capture_output=True, check=False)
    told = subprocess.run(command, env=environ, capture_output=True, check=False)
    assert (told.returncode, told.stdout, told.stderr) == (status, plain.stdout, plain.stderr)
    assert len(list(stage.reports.iterdir())) == 1


@pytest.mark.parametrize("break_it", ["rmdir", "file", "readonly"])
def test_folder_for_reports_that_is_gone_costs_nothing(stage: Stage, break_it: str) -> None:
    stage.reports.mkdir()
    environ = {"PYTHONPATH": str(stage.hook), "FOURFOLD_RUN_DIR": str(stage.reports)}
    code = {
        "rmdir": f"import os; os.rmdir({str(stage.reports)!r})",
        "file": f"import os; os.rmdir({str(stage.reports)!r}); open({str(stage.reports)!r}, 'w').close()",
        "readonly": "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
    }[break_it]
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_number_of_a_process_that_is_given_again_loses_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_folder", str(tmp_path))
    report._save("1")
    report._save("2")
    assert sorted(file.read_text() for file in tmp_path.iterdir()) == ["1", "2"]
    assert {file.name for file in tmp_path.iterdir()} == {
        f"python-{os.getpid()}.json",
        f"python-{os.getpid()}-1.json",
    }
