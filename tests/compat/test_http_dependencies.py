"""Stages that depend on files over HTTP, by the real DVC and by ours, on one server that both ask."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.compat.harness import Stage, same
from tests.compat.scenario import Scenario
from tests.compat.scenes_datasets import stages
from tests.conftest import find_ff
from tests.fixtures.http_files import HttpFiles, Script

_PUT = """
import sys, urllib.request
url, method, *data = sys.argv[1:]
body = data[0].encode() if data else None
urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=10).close()
"""
_PLAIN = Script(200, b"1,2\n", (("Content-Type", "text/csv; charset=utf-8"),))


def put(url: str, *data: str) -> str:
    """A step that changes the file at a URL, or removes it."""
    words = [sys.executable, "-c", _PUT, url, "PUT" if data else "DELETE", *data]
    return f"!{shlex.join(words)}"


@pytest.mark.parametrize("tagged", [True, False], ids=["with a tag", "without a tag"])
def test_a_file_over_http_is_recorded_and_missed_as_by_dvc(
    tmp_path: Path, dvc_template: Path, real_dvc: str, http_files: HttpFiles, *, tagged: bool
) -> None:
    url = f"{http_files.url}/data/rates.csv"
    if not tagged:
        http_files.choose = lambda method, path: (
            _PLAIN if method in {"GET", "HEAD"} and path in http_files.files else None
        )
    scenario = Scenario(
        "http-stage-that-depends-on-a-file",
        (7, 8),
        (
            put(url, "1,2\n"),
            {"dvc.yaml": stages(a=f"['{url}']", b=f"[a, '{url}']"), "rates.csv": "not this one\n"},
            "status --json",
            "repro",
            "status --json",
            "repro",
            put(url, "3,4,5\n"),
            "status --json",
            "repro",
            put(url),
            "status --json",
        ),
        probes=("status --json",),
    )
    found = same(Stage(tmp_path, dvc_template), scenario, real_dvc, find_ff())
    assert not found, "\n" + "\n".join(map(str, found))
