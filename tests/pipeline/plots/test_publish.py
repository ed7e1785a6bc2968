"""The page, and what is written beside it."""

import base64
import re
from pathlib import Path

import pytest

from fourfold.base.errors import InvalidFileError
from fourfold.pipeline.plots import painting
from fourfold.pipeline.plots.collect import Loaded
from fourfold.pipeline.plots.page import BadPageError, page
from fourfold.pipeline.plots.publish import PlotsPlaceError, folder, page_template, publish, write_images
from tests.pipeline.plots.samples import ALL, images, sample, series
from tests.project.workplace import Workplace

EVERYTHING = Loaded(
    (*(sample(name) for name in ALL), images()), {"v9": InvalidFileError("bad <b>dvc.yaml</b>")}
)


GIF = base64.b64encode(images().images[0].data).decode()


def test_a_page_names_no_address_but_those_inside_of_it() -> None:
    text = page(EVERYTHING, title="Plots")
    markup = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]*)""", markup)
    assert all(one.startswith("data:image/") for one in addresses)
    assert "//" not in markup.replace("http://www.w3.org/2000/svg", "").replace("base64", "").replace(GIF, "")
    assert "default-src 'none'" in text


def test_whatever_a_repository_says_is_escaped_in_a_page() -> None:
    evil = "<script>alert(1)</script>"
    plot = series(x_label=evil)._replace(id=evil, title=evil, asked=(evil, "HEAD"), revs=(evil, "HEAD"))
    table = plot._replace(template="unknown", rows=({evil: evil, None: [evil]},))
    text = page(Loaded((plot, table), {evil: InvalidFileError(evil)}), title=evil)
    assert evil not in text
    assert len(re.findall("<script", text)) == 2  # ours, and the data of the lines


def test_a_page_of_the_users_own_has_a_place_for_the_plots() -> None:
    text = page(EVERYTHING, title="T", template="<html>{scripts}<h1>mine</h1>{plot_divs}{refresh_tag}</html>")
    assert text.startswith("<html><style>")
    assert "<h1>mine</h1><header" in text
    with pytest.raises(BadPageError, match="plot_divs"):
        page(EVERYTHING, title="T", template="<html></html>")


def test_a_page_and_its_pictures_are_written_under_names_of_their_own(work: Workplace) -> None:
    plots = (*EVERYTHING.plots, series()._replace(id="A/b c"), series()._replace(id="a_b:c"))
    out = work.path("out/deep")
    done = publish(work.open(), Loaded(plots), out, title="T", formats=("svg", "png"))
    assert done.page == work.path("out/deep/index.html")
    assert done.problems == {}
    names = sorted(Path(path).name for path in done.files)
    assert len({name.casefold() for name in names}) == len(names)
    assert {"A_b_c.svg", "a_b_c_2.svg", "workspace_p_1.gif", "HEAD_p_1.gif"} <= set(names)
    assert all(Path(path).stat().st_size > 20 for path in done.files)


def test_a_template_of_the_projects_own_is_drawn_and_one_that_cannot_be_is_shown_as_a_table(
    work: Workplace,
) -> None:
    mine = '{"data": {"values": "<DVC_METRIC_DATA>"}, "mark": "bar"}'
    work.gen({".dvc": {"plots": {"mine.json": mine, "bad.json": '{"data": "<DVC_METRIC_DATA>", "mark": 7}'}}})
    good, bad = series("mine"), series("bad")._replace(id="bad")
    done = publish(
        work.open(), Loaded((good, bad, series("nosuch")._replace(id="none"))), work.path("o"), title="T"
    )
    text = Path(done.page).read_text()
    assert 'class="drawn"' in text
    assert text.count("<table>") == 2
    assert sorted(done.problems) == ["bad", "none"]
    assert "there is no template &#x27;nosuch&#x27;" in text


def test_without_the_extra_a_page_says_how_to_get_it(
    work: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painting, "find_spec", lambda _name: None)
    work.gen({".dvc": {"plots": {"mine.json": '{"data": "<DVC_METRIC_DATA>"}'}}})
    done = publish(work.open(), Loaded((series("mine"),)), work.path("o"), title="T", formats=("svg",))
    assert "pip install &#x27;fourfold[plots]&#x27;" in Path(done.page).read_text()
    assert "<table>" in Path(done.page).read_text()
    with pytest.raises(painting.PainterMissingError):
        publish(work.open(), Loaded((series(),)), work.path("o"), title="T", formats=("png",))


def test_the_committed_configuration_cannot_lead_out_of_the_project(work: Workplace, tmp_path: Path) -> None:
    assert folder(work.open(), None) == work.path("dvc_plots")
    assert folder(work.open("."), str(tmp_path / "typed")) == str(tmp_path / "typed")
    work.gen({".dvc": {"config": "[plots]\n    out_dir = ../away\n    html_template = ../../page.html\n"}})
    with pytest.raises(PlotsPlaceError):
        folder(work.open(), None)
    with pytest.raises(PlotsPlaceError):
        page_template(work.open(), None)
    work.gen({".dvc": {"config": "", "config.local": "[plots]\n    out_dir = ../away\n"}})
    assert folder(work.open(), None) == str(tmp_path / "away")


def test_a_committed_link_is_not_written_through(work: Workplace, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    Path(work.path("dvc_plots")).symlink_to(tmp_path / "away")
    with pytest.raises(PlotsPlaceError):
        folder(work.open(), None)


def test_pictures_are_written_where_the_json_of_dvc_says(work: Workplace) -> None:
    assert write_images(images(), work.path("o")) == [
        ("workspace", work.path("o/workspace_p_1.gif")),
        ("HEAD", work.path("o/HEAD_p_1.gif")),
    ]
