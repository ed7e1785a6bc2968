"""What the pages show is what happens; what they name is there."""

import contextlib
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from fourfold.cli import options, table
from tests.conftest import ROOT
from tests.docs import transcripts

LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
ANCHOR = re.compile(r"\]\(([^)#:\s]*)#([^)\s]+)\)")
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


def test_links_into_pages_lead_to_a_heading() -> None:
    broken = []
    for page in pages():
        for link, anchor in ANCHOR.findall(page.read_text(encoding="utf-8")):
            target = page.parent / link if link else page
            if target.suffix == ".md" and anchor not in anchors(target):
                broken.append(f"{page.relative_to(ROOT)}: {link}#{anchor}")
    assert broken == []


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links, as platforms make it."""
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_page_can_be_reached_from_the_first() -> None:
    seen, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop().resolve()
        if page.suffix == ".md" and page not in seen:
            seen.add(page)
            left += [page.parent / link for link in LINK.findall(page.read_text(encoding="utf-8"))]
    wanted = [ROOT / "ARCHITECTURE.md", *(ROOT / "docs").rglob("*.md")]
    assert sorted(str(page.relative_to(ROOT)) for page in wanted if page.resolve() not in seen) == []


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


def commands() -> list[str]:
    """Every command line of ours that a page shows or names, but for design pages."""
    found = set()
    for page in pages():
        if "design" not in page.parts:
            text = page.read_text(encoding="utf-8")
            found |= set(re.findall(r"^ {4}(ff [a-z].*)$", text, re.MULTILINE))
            found |= set(re.findall(r"`(ff [a-z][^`]*)`", text))
    # the usage lines of the reference are generated from the parsers themselves
    return sorted(line for line in found if "[options]" not in line and "<command>" not in line)


@pytest.mark.parametrize("line", commands())
def test_a_command_that_a_page_names_is_understood(line: str) -> None:
    words = shlex.split(re.split(r" (?:\\?\||>) ", line)[0].partition("  #")[0])[1:]
    if "..." in words:
        words = words[: words.index("...")] or ["--help"]
    words[0] = table.FAMILY_ALIASES.get(words[0], words[0])
    if words[0] in table.families() and len(words) == 1:
        return
    name = next((" ".join(words[:size]) for size in (2, 1) if " ".join(words[:size]) in table.names()), "")
    assert name, line
    command = table.COMMANDS[table.names()[name]]
    module = import_module(f"{table.PACKAGE}.{command.module}")
    parser = options.command_parser(name, command.help, module.configure)
    with contextlib.suppress(options.MissingArgumentError, options.HelpWanted):
        parser.parse(words[name.count(" ") + 1 :])
