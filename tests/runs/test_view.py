"""A run in a notebook: what is known of it, drawn so that no name can become markup."""

import subprocess
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.formats.native.fact import observed
from fourfold.formats.native.record import Outcome
from fourfold.runs.place import Place
from fourfold.runs.view import Run
from tests.runs.recordmaking import keep, records_in

HOSTILE = "<img src=x onerror=alert(1)>'\"&</td></table><script>alert(1)</script>\x1b[31m\u202e"


def view(folder: Path, **said: Any) -> Run:
    place = Place(str(folder), str(folder), str(folder), {}, SYSTEM, None, None)
    records = records_in(folder)
    return Run(place, records, keep(records, **said))


class Tags(HTMLParser):
    """The tags of a page, and whether they are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_run_says_what_is_known_of_it(tmp_path: Path) -> None:
    run = view(tmp_path, seed=7, lr=0.5)
    assert repr(run) == f"<Run {run.id[:12]} 'train' succeeded>"
    assert (run.stage, run.state, run.seed, run.seconds) == ("train", "succeeded", 7, 1.5)
    assert run.started == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert run.params == {"params.yaml": {"lr": 0.5}}
    assert run.packages == {"numpy": "1.26.4", "pandas": "2.2.0"}
    assert [row["path"] for row in run.inputs] == ["data.csv", "train.py"]
    assert [row["path"] for row in run.outputs] == ["model.pkl"]
    assert run.findings == ()
    assert run.environment["accelerators"].grade == "absent"
    assert "numpy" in run.part(run.environment["distributions"])
    assert run.document()["stage"] == "train"


def test_two_runs_are_compared(tmp_path: Path) -> None:
    first = view(tmp_path, seed=1)
    second = view(tmp_path, seed=2, model="other", started="2026-01-02T03:04:06.000000Z")
    moved = first.diff(second)
    assert [(each.coordinate, each.name) for each in moved] == [("randomness", "seed")]
    assert [each.name for each in moved.results] == ["model.pkl"]
    assert repr(moved) == "<RunDiff: randomness: seed>"
    assert first.diff(first).same
    assert "nothing differs but times" in first.diff(first)._repr_html_()


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_no_name_becomes_markup(tmp_path: Path, state: Any) -> None:
    said: dict[str, Any] = {
        "stage": HOSTILE,
        "command": (HOSTILE,),
        "outcome": Outcome(state, 0),
        "sources": {HOSTILE: "a" * 40},
        "packages": {HOSTILE: HOSTILE},
        "code": {HOSTILE: observed(HOSTILE, HOSTILE), "branch": observed({HOSTILE: [HOSTILE]})},
        "inputs": ({"path": HOSTILE, "role": HOSTILE, "md5": HOSTILE},),
    }
    run = view(tmp_path, **said)
    said["seed"] = 3
    other = view(tmp_path, **{**said, "code": {HOSTILE: observed("x")}, "packages": {HOSTILE: "2"}})
    for page in (run._repr_html_(), run.diff(other)._repr_html_()):
        tags = Tags(page)
        assert tags.open == []
        assert tags.seen <= {"div", "b", "code", "span", "table", "tr", "td", "br"}
        assert tags.attributes <= {"style"}
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert len(page) < 100_000


def test_the_public_names_find_runs_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("open('out.txt', 'w').write('x')\n")
    program = Path(sys.executable).with_name("ff")
    for seed in ("1", "2"):
        command = [str(program), "run", "--seed", seed, "-o", "out.txt", "--", sys.executable, "t.py"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    code = (
        "import fourfold\n"
        "run = fourfold.get_run()\n"
        "first = fourfold.get_run('@~1')\n"
        "assert isinstance(run, fourfold.Run)\n"
        "assert [each.seed for each in fourfold.find_runs(wrote='out.txt')] == [2, 1]\n"
        "assert fourfold.find_runs(seed=1) == [first]\n"
        "assert [each.name for each in first.diff(run)] == ['seed'], first.diff(run)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
