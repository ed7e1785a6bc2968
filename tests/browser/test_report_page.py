"""The page of a report in a real browser: nothing leaves it, nothing in it runs, it is read day and night."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from fourfold.evidence.explaining import pages
from fourfold.pipeline.report.html import page
from fourfold.pipeline.report.layout import Diagram, Figure, Section
from fourfold.pipeline.report.words import BETTER, Listing, Paragraph, Rows, Text, code, said
from tests.evidence.explaining.test_pages import explanation

EVIL = (
    "<img src='http://127.0.0.1:9/a.png' onerror=\"document.title='owned'\">"
    "<script>document.title='owned'</script><style>@import url(http://127.0.0.1:9/b.css)</style>"
)
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30">'
    '<image href="http://127.0.0.1:9/c.png" width="9" height="9"/>'
    "<script>parent.document.title='owned'</script>"
    '<rect width="40" height="30" fill="red"/></svg>'
)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A page with everything that a page can hold, and hostile text in each place."""
    sections = [
        Section("", (Paragraph((*said("From "), code(EVIL))),)),
        Section("Metrics", (Rows(("File", EVIL), (((code(EVIL),), (Text("better", BETTER),)),)),)),
        Section("Data", (Listing(((code(EVIL),),), title=(code("title"),), folded=True),)),
        Section("Plots", (Figure("plot.svg", EVIL, "image/svg+xml", DRAWING.encode()),)),
        Section("Pipeline", (Diagram((), ("prepare", f"└── {EVIL}")),)),
    ]
    path = tmp_path / "report.html"
    path.write_text(page(sections))
    return path


@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(13, 17, 23)")])
def test_no_request_leaves_the_page_and_nothing_hostile_runs(
    browser: Browser, report: Path, scheme: str, paper: str
) -> None:
    shown = browser.new_page(color_scheme="dark" if scheme == "dark" else "light")
    requests: list[str] = []
    shown.on("request", lambda request: requests.append(request.url))
    shown.goto(report.as_uri())
    shown.wait_for_load_state("networkidle")
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert shown.title() == "Fourfold report"
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == paper
    assert shown.evaluate("document.scripts.length") == 0
    assert shown.evaluate("document.images.length") == 1
    assert shown.evaluate("document.images[0].naturalWidth") == 40
    assert EVIL[:100] in shown.inner_text("main")
    shown.click("summary")
    assert shown.is_visible("details li")
    shown.close()


def test_it_can_be_read_on_a_narrow_screen(browser: Browser, report: Path) -> None:
    shown = browser.new_page(viewport={"width": 360, "height": 640})
    shown.goto(report.as_uri())
    assert shown.evaluate("document.documentElement.scrollWidth") <= 360
    shown.close()


def test_words_of_a_table_are_not_cut_where_they_have_room(browser: Browser, tmp_path: Path) -> None:
    why = " ".join(["reasons"] * 40)
    rows = (((code("validate"),), (code("x" * 150),), (code(why),)),)
    path = tmp_path / "report.html"
    path.write_text(page([Section("Stages", (Rows(("Stage", "What", "Why"), rows),))]))
    shown = browser.new_page(viewport={"width": 1000, "height": 700})
    shown.goto(path.as_uri())
    heights = [each.bounding_box() for each in shown.locator("td code").all()]
    word, long, told = (box["height"] for box in heights if box is not None)
    assert word < 30  # one line
    assert 30 < long < 200
    assert told > 30
    shown.close()


def test_an_explanation_asks_for_nothing_and_shows_its_drawings(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "why.html"
    path.write_text(pages.html(explanation()))
    shown = browser.new_page(viewport={"width": 360, "height": 640})
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.on("dialog", lambda dialog: asked.append(dialog.message))
    shown.goto(path.as_uri())
    shown.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert shown.evaluate("document.scripts.length") == 0
    widths = shown.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) > 2
    assert all(width > 100 for width in widths)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 360
    shown.close()
