"""The page of plots in a browser: offline, silent, and alive."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from fourfold.pipeline.plots.collect import Loaded, Picture, Plot
from fourfold.pipeline.plots.publish import publish
from tests.browser.conftest import Visit
from tests.pipeline.plots.samples import ALL, REVS, images, sample, series
from tests.project.workplace import Workplace

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>\"' onmouseover=alert(3) \u2028"
EVIL_SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" onload="alert(4)">'
    b'<script>alert(5)</script><image href="http://127.0.0.1:9/spy.png" width="9" height="9"/></svg>'
)


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def written(work: Workplace, *plots: Plot, html: str | None = None) -> str:
    return publish(work.open(), Loaded(plots), work.path("out"), title="Plots", html=html).page


def three(plot: Plot) -> Plot:
    """A picture of three moments, each of another colour."""
    rect = '<rect width="100" height="50" fill="{}"/>'
    shape = f'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="50">{rect}</svg>'
    revs = ("workspace", "v1", "v2")
    colors = ("#ff0000", "#00ff00", "#ff0000")
    return plot._replace(
        id="p.svg",
        asked=revs,
        revs=revs,
        images=tuple(
            Picture(rev, "p.svg", shape.format(color).encode())
            for rev, color in zip(revs, colors, strict=True)
        ),
    )


def test_every_template_is_shown_without_a_request_or_a_complaint(work: Workplace, visit: Visit) -> None:
    path = written(work, *(sample(name)._replace(id=name, title=name) for name in ALL), images())
    visit.open(path)
    expect(visit.page.locator(".card")).to_have_count(len(ALL) + 1)
    assert visit.page.locator(".card svg").count() == len(ALL)
    for drawn in visit.page.locator(".card svg").all():
        box = drawn.bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 100
    assert visit.asked == [Path(path).as_uri()]
    assert visit.complaints == []


def test_what_a_repository_says_never_runs(work: Workplace, visit: Visit) -> None:
    plot = series("simple", x_label=EVIL, fields=(EVIL, "b"))
    plot = plot._replace(id=EVIL, title=EVIL, asked=(EVIL, "HEAD"), revs=(EVIL, "HEAD"))
    plot = plot._replace(
        rows=tuple({**row, "rev": EVIL if row["rev"] == REVS[0] else "HEAD"} for row in plot.rows)
    )
    table = plot._replace(id="t", template=EVIL, rows=({EVIL: EVIL, "rev": EVIL},))
    picture = images()._replace(
        id=f"{EVIL}.svg", title=EVIL, images=(Picture(EVIL, "x.svg", EVIL_SVG),), asked=(EVIL,)
    )
    visit.open(written(work, plot, table, picture))
    visit.page.locator(".card.lines svg").hover()
    expect(visit.page.locator(".tip")).to_be_visible()
    visit.page.locator(".chip").first.hover()
    expect(visit.page.locator(".card.images img")).to_have_js_property("naturalWidth", 40)
    assert visit.page.locator(".card h2").first.text_content() == EVIL
    assert len(visit.asked) == 1
    assert visit.complaints == []


def test_a_script_that_is_not_ours_would_be_refused(work: Workplace, visit: Visit) -> None:
    path = Path(written(work, series()))
    path.write_text(path.read_text().replace("</main>", "<script>document.title = 'taken'</script></main>"))
    visit.open(path)
    assert visit.page.title() == "Plots"
    assert any("Content Security Policy" in complaint for complaint in visit.complaints)


def test_a_revision_can_be_hidden_and_shown_again(work: Workplace, visit: Visit) -> None:
    visit.open(written(work, series(), sample("scatter")._replace(id="s"), sample("confusion")))
    of_head = visit.page.locator('.plots [data-rev="1"]')
    chip = visit.page.locator(".chip", has_text="HEAD")
    assert of_head.count() >= 3
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "false")
    assert not any(one.is_visible() for one in of_head.all())
    assert all(one.is_visible() for one in visit.page.locator('.plots g.series[data-rev="0"]').all())
    chip.click()
    assert all(one.is_visible() for one in of_head.all())


def test_pointing_at_a_line_says_the_values_of_every_revision_that_is_shown(
    work: Workplace, visit: Visit
) -> None:
    visit.open(written(work, series(count=30)))
    box = visit.page.locator(".card.lines svg").bounding_box()
    assert box is not None
    visit.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.4)
    tip = visit.page.locator(".tip")
    expect(tip.locator("b")).to_have_text("step: 13")
    assert tip.locator("span").all_inner_texts() == ["workspace", "HEAD"]
    assert tip.locator("em").all_inner_texts() == ["0.0714286", "0.0666667"]
    visit.page.locator(".chip", has_text="workspace").click()
    visit.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.42)
    expect(tip.locator("span")).to_have_text(["HEAD"])
    visit.page.mouse.move(2, 2)
    expect(tip).to_be_hidden()
    assert visit.complaints == []


def test_smoothing_redraws_the_line_and_leaves_the_raw_one_behind_it(work: Workplace, visit: Visit) -> None:
    visit.open(written(work, series(count=30)))
    line = visit.page.locator("path.smooth").first
    faint = visit.page.locator("path.faint").first
    raw = line.get_attribute("d")
    slider = visit.page.locator(".smoothing input")
    slider.fill("0.5")
    expect(visit.page.locator(".smoothing output")).to_have_text("0.50")
    assert line.get_attribute("d") != raw
    assert faint.get_attribute("d") == raw
    slider.fill("0")
    assert line.get_attribute("d") == raw
    assert faint.get_attribute("d") == ""


def test_the_browser_smooths_as_the_engine_does(work: Workplace, visit: Visit) -> None:
    visit.open(written(work, series("smooth", count=40)))
    line = visit.page.locator("path.smooth").first
    ours = line.get_attribute("d")
    visit.page.locator(".smoothing input").fill("0.29")
    visit.page.locator(".smoothing input").fill("0.3")
    assert ours is not None
    assert numbers(line.get_attribute("d")) == pytest.approx(numbers(ours), abs=0.11)


def numbers(path: str | None) -> list[float]:
    return [float(word) for word in (path or "").lstrip("M").replace("L", " ").split()]


def test_pictures_are_compared_side_by_side_by_swiping_and_by_their_difference(
    work: Workplace, visit: Visit
) -> None:
    visit.open(written(work, three(images())))
    card = visit.page.locator(".card.images")
    assert [one.is_visible() for one in card.locator(".picture").all()] == [True, True, True]
    card.locator("button", has_text="Swipe").click()
    stage = card.locator(".stage")
    expect(stage).to_be_visible()
    expect(card.locator(".pictures")).to_be_hidden()
    card.locator("select").nth(0).select_option(label="workspace")
    card.locator("select").nth(1).select_option(label="v1")
    card.locator(".stage input").fill("25")
    assert pixels(visit, "stage") == [(255, 0, 0), (0, 255, 0)]
    card.locator("button", has_text="Difference").click()
    assert pixels(visit, "stage") == [(255, 255, 0), (255, 255, 0)]
    card.locator("select").nth(1).select_option(label="v2")
    assert pixels(visit, "stage") == [(0, 0, 0), (0, 0, 0)]
    card.locator("button", has_text="Side").click()
    expect(card.locator(".pictures")).to_be_visible()
    assert visit.complaints == []


def pixels(visit: Visit, name: str) -> list[tuple[int, ...]]:
    """The colours of a frame at a tenth and at nine tenths of its width."""
    shot = visit.page.locator(f".{name} .frame").screenshot()
    found = visit.page.evaluate(
        """async (bytes) => {
            const image = await createImageBitmap(new Blob([new Uint8Array(bytes)], {type: "image/png"}));
            const canvas = new OffscreenCanvas(image.width, image.height)
                .getContext("2d", {willReadFrequently: true});
            canvas.drawImage(image, 0, 0);
            return [0.1, 0.9].map((at) =>
                Array.from(canvas.getImageData(image.width * at, image.height / 2, 1, 1).data.slice(0, 3)));
        }""",
        list(shot),
    )
    return [tuple(one) for one in found]


def test_the_page_is_light_and_dark(work: Workplace, visit: Visit) -> None:
    visit.open(written(work, series()))
    paper = "getComputedStyle(document.body).backgroundColor"
    light = visit.page.evaluate(paper)
    visit.page.locator(".theme").click()
    dark = visit.page.evaluate(paper)
    assert light != dark
    visit.page.locator(".theme").click()
    visit.page.emulate_media(color_scheme="dark")
    assert visit.page.evaluate(paper) == light
    visit.page.evaluate("delete document.documentElement.dataset.theme")
    assert visit.page.evaluate(paper) == dark


def test_a_page_of_the_users_own_works_too(work: Workplace, visit: Visit) -> None:
    html = "<!DOCTYPE html><html><head><title>mine</title>{scripts}</head><body>{plot_divs}</body></html>"
    visit.open(written(work, series(), html=html))
    visit.page.locator(".chip").first.click()
    assert not visit.page.locator('.plots [data-rev="0"]').first.is_visible()
    assert visit.complaints == []


def test_a_phone_shows_the_page_without_scrolling_sideways(work: Workplace, visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 380, "height": 800})
    visit.open(written(work, *(sample(name)._replace(id=name) for name in ALL), three(images())))
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 380
