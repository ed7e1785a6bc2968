"""What the pages show is what happens; what they name is there."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs import transcripts

LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
TEST_NAME = re.compile(r"`(test_[a-z0-9_]+)`")


def pages() -> list[Path]:
    """Everything written for people."""
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]


@pytest.mark.parametrize("name", transcripts.PAGES)
def test_commands_of_a_page_say_what_the_page_shows(name: str, tmp_path: Path) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    found = transcripts.disagreements(text, tmp_path)
    assert not found, "\n\n".join([*found, f"run: python -m tests.docs.transcripts {name}"])


def test_a_page_that_shows_something_else_is_found_out(tmp_path: Path) -> None:
    page = "```console\n$ echo one\none\n$ echo two; echo three\n...\nthree\n$ echo four\nfive\n```\n"
    found = transcripts.disagreements(page, tmp_path)
    assert [line.splitlines()[0] for line in found] == ["$ echo four"]
    (tmp_path / "again").mkdir()
    assert transcripts.rewritten(page, tmp_path / "again") == page.replace("five", "four")


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages()
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_pages_that_the_code_refers_to_are_there() -> None:
    named = {
        (source, page)
        for source in (ROOT / "src").rglob("*.py")
        for page in re.findall(r"\bdocs/[\w/.-]+\.md\b", source.read_text(encoding="utf-8"))
    }
    assert [f"{source.name}: {page}" for source, page in sorted(named) if not (ROOT / page).exists()] == []


def test_tests_that_the_pages_name_exist() -> None:
    defined = {
        name
        for source in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", source.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = {name for page in pages() for name in TEST_NAME.findall(page.read_text(encoding="utf-8"))}
    assert sorted(named - defined) == []
