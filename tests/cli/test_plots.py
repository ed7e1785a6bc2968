"""``ff plots``: the same answers as the real DVC, and what is printed and written besides."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.sandbox import Sandbox, Tool

PIPELINE = """\
stages:
  train:
    cmd: echo
    plots:
    - logs.csv: {cache: false, x: step, y: loss, title: Losses}
plots:
- cls.csv: {x: actual, y: predicted}
- fields: {x: step, y: {logs.csv: [loss, acc]}}
- files: {x: step, y: {logs.csv: loss, more.csv: acc}}
- importance.csv: {x: size, y: name}
"""

LOGS = "step,loss,acc\n0,1,0.1\n1,0.5,0.3\n2,0.2,0.7\n"

TEMPLATES = [
    "simple",
    "linear",
    "confusion",
    "confusion_normalized",
    "scatter",
    "scatter_jitter",
    "smooth",
    "bar_horizontal_sorted",
    "bar_horizontal",
]


@pytest.fixture
def plotted(dvc_repo: Sandbox) -> Sandbox:
    """A repository with plots, a commit, and a change after it."""
    dvc_repo.gen(
        {
            "dvc.yaml": PIPELINE,
            "logs.csv": LOGS,
            "more.csv": LOGS,
            "cls.csv": "actual,predicted\ncat,dog\ncat,cat\n",
            "importance.csv": "size,name\n3,a\n1,b\n",
        }
    )
    dvc_repo.commit("first")
    dvc_repo.gen({"logs.csv": LOGS.replace("0.7", "0.8")})
    return dvc_repo


def _said(tool: Tool, repo: Sandbox, *args: str) -> Any:
    return tool(*args, cwd=repo.path).json()


def test_built_in_templates_get_the_same_rows_and_values_for_their_anchors(
    ff: Tool, dvc: Tool, plotted: Sandbox
) -> None:
    """One run of DVC for all templates: each plot asks for another."""
    names = ["logs.csv", "fields", "files"]
    entries = "".join(
        f"- {name} {template}: {{x: step, template: {template}, y: {{logs.csv: {fields}}}}}\n"
        for template in TEMPLATES
        for name, fields in (("one", "loss"), ("two", "[loss, acc]"))
    )
    plotted.gen({"dvc.yaml": PIPELINE + entries})
    theirs = _said(dvc, plotted, "plots", "diff", "--json", "--split")
    ours = _said(ff, plotted, "plots", "diff", "--json", "--split")
    assert list(ours["data"]) == list(theirs["data"])
    assert set(names) < set(ours["data"])
    for name, [theirs_entry] in theirs["data"].items():
        [entry] = ours["data"][name]
        assert entry["anchor_definitions"] == theirs_entry["anchor_definitions"], name
        assert entry["revisions"] == theirs_entry["revisions"]
        assert set(entry) == set(theirs_entry)
        assert entry["content"]["data"] == theirs_entry["content"]["data"]


def test_templates_can_be_listed_and_printed(ff: Tool, plotted: Sandbox) -> None:
    assert ff("plots", "templates", cwd=plotted.path).stdout.split() == TEMPLATES
    content = json.loads(ff("plots", "templates", "simple", cwd=plotted.path).stdout)
    assert content["mark"]["type"] == "line"
    assert (
        "did you mean 'simple'?" in ff("plots", "templates", "simpel", cwd=plotted.path, check=False).stderr
    )


def test_a_page_is_written_and_its_address_is_printed(ff: Tool, plotted: Sandbox) -> None:
    ran = ff("plots", "show", cwd=plotted.path)
    assert ran.stdout == f"file://{plotted.path}/dvc_plots/index.html\n"
    page = (plotted.path / "dvc_plots/index.html").read_text()
    assert ">Losses</h2>" in page
    assert ">importance.csv</h2>" in page


def test_pictures_are_written_beside_the_page(ff: Tool, plotted: Sandbox) -> None:
    ran = ff("plots", "diff", "--format", "svg,png", "-o", "shown", "--targets", "fields", cwd=plotted.path)
    assert ran.stdout.splitlines()[1:] == ["shown/fields.svg", "shown/fields.png"]
    assert (plotted.path / "shown/fields.png").read_bytes().startswith(b"\x89PNG")
    assert "workspace" in (plotted.path / "shown/fields.svg").read_text()
    assert (
        "unknown format: 'pdf'"
        in ff("plots", "show", "--format", "pdf", cwd=plotted.path, check=False).stderr
    )


def test_plots_as_text_write_nothing(ff: Tool, plotted: Sandbox) -> None:
    ran = ff("plots", "show", "--text", "logs.csv", cwd=plotted.path)
    assert ran.stdout == "Losses\n  workspace  █▄▁  1 → 0.2  (0.2 … 1)\n"
    assert not (plotted.path / "dvc_plots").exists()


def test_one_plot_as_vega_lite_wants_exactly_one_target(ff: Tool, plotted: Sandbox) -> None:
    shown = json.loads(ff("plots", "show", "--show-vega", "fields", cwd=plotted.path).stdout)
    assert len(shown["data"]["values"]) == 6
    for args, what in (
        ([], "specify a target"),
        (["a", "b"], "only specify one"),
        (["a", "--json"], "mutually exclusive"),
    ):
        ran = ff("plots", "show", "--show-vega", *args, cwd=plotted.path, check=False)
        assert ran.code == 1
        assert what in ran.stderr


def test_what_cannot_be_shown_is_told_and_the_rest_is_shown(ff: Tool, plotted: Sandbox) -> None:
    plotted.gen({"more.csv": None})
    ran = ff("plots", "show", cwd=plotted.path)
    assert "in 'workspace': 'more.csv' does not exist" in ran.stderr
    assert "more.csv&#x27; does not exist" in (plotted.path / "dvc_plots/index.html").read_text()


def test_where_there_are_no_plots_nothing_is_written(ff: Tool, dvc_repo: Sandbox) -> None:
    ran = ff("plots", "show", cwd=dvc_repo.path)
    assert "no plots were found" in ran.stderr
    assert ff("plots", "show", "--json", cwd=dvc_repo.path).json() == {}
    assert not (dvc_repo.path / "dvc_plots").exists()


def test_the_configuration_says_where_and_into_which_page(ff: Tool, plotted: Sandbox) -> None:
    plotted.gen({".dvc": {"own.html": "<i>mine</i>{plot_divs}"}})
    ff("config", "plots.out_dir", "pages", cwd=plotted.path)
    ff("config", "plots.html_template", "own.html", cwd=plotted.path)
    assert ff("plots", "show", cwd=plotted.path).stdout.endswith("/pages/index.html\n")
    assert (plotted.path / "pages/index.html").read_text().startswith("<i>mine</i>")
    plotted.gen({".dvc": {"own.html": "no place"}})
    assert "{plot_divs}" in ff("plots", "show", cwd=plotted.path, check=False).stderr


def test_the_page_is_opened_when_that_is_asked_for(ff: Tool, plotted: Sandbox, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    ff.env["BROWSER"] = f"{browser} %s"
    ff("plots", "show", "--open", cwd=plotted.path)
    assert (tmp_path / "opened").read_text() == f"file://{plotted.path}/dvc_plots/index.html\n"


def test_changing_a_plot_keeps_comments_and_says_what_is_wrong(ff: Tool, plotted: Sandbox) -> None:
    plotted.gen({"dvc.yaml": "# mine\n" + PIPELINE, "data": "x"})
    ff("add", "data", cwd=plotted.path)
    ff("plots", "modify", "logs.csv", "-y", "acc", "--unset", "title", cwd=plotted.path)
    text = (plotted.path / "dvc.yaml").read_text()
    assert text.startswith("# mine\n")
    assert "y: acc" in text
    assert "title" not in text
    for args, code in (
        (["nowhere", "-x", "a"], "plot-output-not-found"),
        (["logs.csv", "--unset", "title"], "plot-property-not-set"),
        (["logs.csv", "-t", "nosuch"], "plot-template-not-found"),
        (["data", "-x", "a"], "plot-of-a-pointer-file"),
        (["data", "--unset", "x"], "not-a-plot"),
    ):
        ran = ff("plots", "modify", *args, cwd=plotted.path, check=False)
        assert f"code: {code}" in ran.stderr
    assert (plotted.path / "dvc.yaml").read_text() == text
    ff("undo", cwd=plotted.path)
    assert "title: Losses" in (plotted.path / "dvc.yaml").read_text()


def test_a_hint_that_helps_against_several_warnings_is_told_once(ff_repo: Sandbox) -> None:
    ff_repo.gen(
        {
            "x.csv": "a,b\n1,2\n",
            "y.csv": "a,b\n1,2\n",
            "dvc.yaml": "plots:\n- x.csv: {template: nope}\n- y.csv: {template: nope}\n",
        }
    )
    said = ff_repo.run("plots", "show").stderr
    assert said.count("there is no template 'nope'") == 2
    assert said.count("hint: ") == 1
