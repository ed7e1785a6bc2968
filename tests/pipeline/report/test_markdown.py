"""The page as Markdown and as HTML: within its limit, saying what it leaves out, and never obeying a name."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from fourfold.pipeline.report.html import page
from fourfold.pipeline.report.layout import Diagram, Figure, Section
from fourfold.pipeline.report.markdown import COMMENT_LIMIT, MARKER, markdown
from fourfold.pipeline.report.words import Listing, Paragraph, Rows, amount, code, said, strong

HOSTILE = [
    "<script>alert(1)</script>",
    "</details><img src=x onerror=alert(1)>",
    "`x` **bold** @everyone #1 [a](http://evil) ![i](http://evil/i.png)",
    "a|b\\|c",
    "``` \n# heading\n```",
    "````",
    '"><svg onload=alert(1)>',
    "\x1b[31mred\u202eright to left",
    "http://evil.example/track.png",
    "x" * 5000,
    " ",
    "",
]


def every(text: str) -> list[Section]:
    """A page on which a text stands wherever texts of the project can stand."""
    return [
        Section("", (Paragraph((*said("From "), code(text))),)),
        Section("Metrics", (Rows(("File", "Metric"), (((code(text),), (code(text),)),)),)),
        Section(
            "Data",
            (
                Listing(((code(text),),), title=(*said("Files of "), code(text)), folded=True),
                Listing(((strong("must"), code(text)),)),
            ),
        ),
        Section("Plots", (Figure("plot.svg", text, "image/svg+xml", b"<svg/>"),)),
        Section("Pipeline", (Diagram(("flowchart TD", '\tnode1["x"]'), (text,), ""),), folded=True),
    ]


def outside_of_code(text: str) -> str:
    """What a platform understands as markup: everything but code spans and blocks."""
    text = re.sub(r"(?ms)^```.*?^```", "", text)
    return re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_the_project_is_markup(text: str) -> None:
    told = markdown(every(text), images="report.images")
    left = outside_of_code(told)
    assert "evil" not in re.sub(r"<summary>.*?</summary>|!\[[^\]]*\]", "", left)
    for tag in re.findall(r"<[^>]*>", left):
        assert tag in {"<details>", "</details>", "<summary>", "</summary>", "<code>", "</code>", MARKER}
    assert "@" not in re.sub(r"<summary>.*?</summary>", "", left)
    rows = [line for line in told.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}


def understood(text: str) -> Iterator[Token]:
    """Every token of a page, as a reader of GitHub's Markdown understands it."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or ()


def check_as_a_reader_of_markdown(texts: list[str]) -> None:
    told = markdown([section for text in texts for section in every(text)], images="report.images")
    html = set()
    for token in understood(told):
        assert token.type not in {"link_open", "s_open", "heading_open"} or token.tag in {"h2", "h3"}, token
        if token.type in {"html_block", "html_inline"}:
            found = Tags()
            found.feed(re.sub(r"<summary>.*?</summary>", "", token.content))
            html |= found.tags
        if token.type == "image":
            assert token.attrs["src"] == "report.images/plot.svg"
    assert html <= {"details", "summary"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_reader_of_markdown_sees_no_markup_of_the_project(text: str) -> None:
    check_as_a_reader_of_markdown([text])


@settings(deadline=None, max_examples=150)
@given(st.lists(st.text("`|\\<>!*_[]()#@&;~-=\"' \n\tax/:.", max_size=30), min_size=1, max_size=3))
def test_a_reader_of_markdown_sees_no_markup_in_any_text(texts: list[str]) -> None:
    check_as_a_reader_of_markdown(texts)


class Tags(HTMLParser):
    """Which elements and attributes a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)


@pytest.mark.parametrize("text", HOSTILE)
def test_the_html_page_has_no_element_but_its_own_and_asks_for_nothing(text: str) -> None:
    told = page(every(text))
    tags = Tags()
    tags.feed(told)
    assert not tags.tags & {"script", "svg", "link", "iframe", "object", "base", "form"}
    assert not {name for name, _value in tags.attributes if name.startswith("on")}
    sources = {value for name, value in tags.attributes if name in {"src", "href", "action"}}
    assert all(source is not None and source.startswith("data:image/") for source in sources)
    assert "default-src 'none'" in told
    assert "prefers-color-scheme: dark" in told


def long_page(rows: int) -> list[Section]:
    table = Rows(("File", "Value"), tuple(((code(f"dir/file-{at}"),), (code(at),)) for at in range(rows)))
    files = Listing(tuple((code(f"dir/file-{at}"),) for at in range(rows)), title=said("Files"), folded=True)
    graph = Diagram(tuple(f"\tnode{at}" for at in range(rows)), ("tree",))
    return [
        Section("", (Paragraph(said("From one to two.")),)),
        Section("Metrics", (Rows(("Metric",), (((code("auc"),),),)),)),
        Section("Data", (table, files)),
        Section("Pipeline", (graph,), folded=True),
    ]


@pytest.mark.parametrize("limit", [1000, 5000, COMMENT_LIMIT, 1 << 20])
def test_a_page_stays_within_its_limit_and_says_what_it_leaves_out(limit: int) -> None:
    told = markdown(long_page(20_000), limit=limit)
    assert len(told.encode()) <= limit
    assert "left out" in told
    assert "`auc`" in told
    assert told.count("<details>") == told.count("</details>")
    assert told.count("```") % 2 == 0


def test_a_short_page_is_whole_and_a_long_table_is_folded() -> None:
    told = markdown(long_page(16))
    assert "left out" not in told
    assert "<summary>16 rows</summary>" in told
    assert told.startswith(MARKER)


def test_what_not_even_a_cut_table_helps_is_cut_at_a_line() -> None:
    many = [Section(f"Part {at}", (Paragraph(said("x" * 100)),)) for at in range(500)]
    told = markdown(many, limit=3000)
    assert len(told.encode()) <= 3000
    assert told.endswith("it is longer than this place takes.*\n")


@settings(deadline=None, max_examples=60)
@given(st.integers(1000, 40_000), st.lists(st.text(max_size=200), max_size=40))
def test_any_page_is_within_any_limit(limit: int, texts: list[str]) -> None:
    pages = [section for text in texts for section in every(text)]
    assert len(markdown(pages, limit=limit).encode()) <= limit


def test_sizes_are_told_in_powers_of_a_thousand() -> None:
    assert [amount(size) for size in (0, 999, 1000, 999_499, 1_500_000, 3 * 10**15, None)] == [
        "0 B",
        "999 B",
        "1 kB",
        "999 kB",
        "1.5 MB",
        "3000 TB",
        "?",
    ]
    assert [amount(size, sign=True) for size in (5, -5, 0)] == ["+5 B", "-5 B", "0 B"]


def test_what_nobody_may_overlook_is_bold_also_before_a_blank() -> None:
    told = markdown([Section("", (Paragraph((strong("Verdict: "), code("worse"))),))])
    assert "**Verdict:** `worse`" in told
    assert sum(token.type == "strong_open" for token in understood(told)) == 1
