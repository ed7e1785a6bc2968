"""What stages use without declaring it, in a report: the same wherever the same records are."""

from pathlib import Path

import pytest

from fourfold.pipeline.report.collect import Wanted, report
from fourfold.pipeline.report.layout import sections
from fourfold.pipeline.report.markdown import markdown
from fourfold.pipeline.report.value import Undeclared, as_json
from fourfold.pipeline.repro import repro
from tests.project.workplace import Workplace

PIPELINE = (
    "stages:\n  s:\n    cmd: cat in schema.yaml > out; date > last.log\n    deps: [in]\n    outs: [out]\n"
)
QUIET = Wanted(ask_remote=False, plots=False)
FOUND = (Undeclared("s", ("schema.yaml",), ("last.log",)),)


@pytest.fixture
def ran(tmp_path: Path) -> Workplace:
    """Two commits; the second has a run that read ``schema.yaml``."""
    work = Workplace(tmp_path)
    work.gen({"in": "1\n", "schema.yaml": "x\n"})
    work.git("add", "-A")
    work.git("commit", "--quiet", "-m", "one")
    work.gen({"dvc.yaml": PIPELINE})
    repro(work.open())
    work.git("add", "-A")
    work.git("commit", "--quiet", "-m", "two")
    return work


def test_a_report_names_them_for_the_workspace_and_for_a_commit(ran: Workplace) -> None:
    assert report(ran.open(), "HEAD~1", wanted=QUIET).undeclared == FOUND
    assert report(ran.open(), "HEAD~1", "HEAD", wanted=QUIET).undeclared == FOUND
    assert report(ran.open(), "HEAD", "HEAD~1", wanted=QUIET).undeclared == ()


def test_the_page_says_how_to_declare_them(ran: Workplace) -> None:
    found = report(ran.open(), "HEAD~1", wanted=QUIET)
    page = markdown(sections(found))
    assert "### Undeclared" in page
    assert "| `s` | `schema.yaml` | `last.log` |" in page
    assert "ff deps fix" in page
    assert as_json(found)["undeclared"][0]["reads"] == ["schema.yaml"]
    assert str(ran.root) not in str(as_json(found))


def test_without_the_record_nothing_is_said(ran: Workplace) -> None:
    for path in (ran.root / ".dvc/fourfold/runs/records").rglob("*"):
        if path.is_file():
            path.unlink()
    assert report(ran.open(), "HEAD~1", wanted=QUIET).undeclared == ()
