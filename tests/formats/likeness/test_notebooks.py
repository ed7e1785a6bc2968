"""Notebooks that were run twice, and notebooks that say something else."""

import base64
import copy
import io
import json
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import compare
from fourfold.formats.likeness.source import UnreadableContentError


def picture(text: str, colour: int = 5) -> str:
    told = PngImagePlugin.PngInfo()
    told.add_text("Software", text)
    file = io.BytesIO()
    Image.new("L", (3, 3), colour).save(file, "PNG", pnginfo=told)
    return base64.encodebytes(file.getvalue()).decode()


BOOK: dict[str, Any] = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3"}, "language_info": {"version": "3.11.7"}},
    "cells": [
        {"cell_type": "markdown", "id": "a1", "metadata": {}, "source": ["# Title\n", "words"]},
        {
            "cell_type": "code",
            "id": "b2",
            "metadata": {"execution": {"iopub.execute_input": "2026-01-01T00:00:00Z"}},
            "execution_count": 1,
            "source": "show(x)",
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]},
                {
                    "output_type": "execute_result",
                    "execution_count": 1,
                    "metadata": {},
                    "data": {
                        "text/plain": "<Figure at 0x7f0012345678>",
                        "image/png": picture("matplotlib 1"),
                        "application/json": {"auc": 0.5, "n": 1},
                        "text/html": ["<p>one</p>"],
                    },
                },
                {"output_type": "error", "ename": "E", "evalue": "no", "traceback": ["\x1b[31mCell In[1]"]},
            ],
        },
    ],
}


def differing(change: Any) -> list[str]:
    other = copy.deepcopy(BOOK)
    change(other["cells"], other)
    a = reading.read_bytes(json.dumps(BOOK).encode(), "a.ipynb")
    b = reading.read_bytes(json.dumps(other, indent=1).encode(), "a.ipynb")
    return [found.name for found in compare(a, b)]


def test_a_notebook_that_was_run_again_means_the_same() -> None:
    def again(cells: Any, book: Any) -> None:
        cell, outputs = cells[1], cells[1]["outputs"]
        book["metadata"] = {"kernelspec": {"name": "other"}, "widgets": {}}
        cell |= {"id": "zz", "execution_count": 7, "metadata": {"collapsed": True}, "source": ["show", "(x)"]}
        outputs[0:1] = [
            {"output_type": "stream", "name": "stdout", "text": text} for text in ("one\nt", "wo\n")
        ]
        result = next(output for output in outputs if "data" in output)
        result["execution_count"] = 7
        result["data"]["text/plain"] = "<Figure at 0x7fffffffffff>"
        result["data"]["image/png"] = picture("matplotlib 2").replace("\n", "")
        result["data"]["application/json"] = {"n": 1.0, "auc": 0.5}
        outputs[-1]["traceback"] = []

    assert differing(again) == []


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda cells, _: cells[1].update(source="show(y)"), ["cells[1].code"]),
        (lambda cells, _: cells[0].update(source="# Other"), ["cells[0].markdown"]),
        (lambda cells, _: cells[0].update(cell_type="raw"), ["cells[0].markdown", "cells[0].raw"]),
        (lambda cells, _: cells[1]["outputs"][0].update(text="one\n"), ["cells[1].outputs[0].stdout"]),
        (
            lambda cells, _: cells[1]["outputs"][0].update(name="stderr"),
            ["cells[1].outputs[0].stdout", "cells[1].outputs[0].stderr"],
        ),
        (lambda cells, _: cells[1]["outputs"][2].update(evalue="yes"), ["cells[1].outputs[2].error"]),
        (lambda cells, _: cells[1]["outputs"].pop(), ["cells[1].outputs[2].error"]),
        (
            lambda cells, _: cells[1]["outputs"][1]["data"].update({"image/png": picture("x", 6)}),
            ["cells[1].outputs[1].image/png!pixels"],
        ),
        (
            lambda cells, _: cells[1]["outputs"][1]["data"]["application/json"].update(auc=0.6),
            ["cells[1].outputs[1].application/json!auc"],
        ),
        (
            lambda cells, _: cells[1]["outputs"][1]["data"].update({"text/html": "<p>two</p>"}),
            ["cells[1].outputs[1].text/html!text"],
        ),
    ],
)
def test_a_notebook_that_says_something_else_is_told_by_its_cell(change: Any, names: list[str]) -> None:
    assert differing(change) == names


def test_what_is_no_notebook_is_a_typed_error() -> None:
    for bad in (
        "[]",
        "{}",
        '{"cells": [1]}',
        '{"cells": [{"source": 1}]}',
        '{"cells": [{"cell_type": "code", "source": "", "outputs": 1}]}',
        '{"cells": [{"cell_type": "code", "source": "", "outputs": [1]}]}',
        '{"cells": [{"source": "", "outputs": [{"output_type": "display_data", "data": 1}]}]}',
        '{"cells": [{"outputs": [{"output_type": "display_data", "data": {"image/png": "?"}}]}]}',
        "{",
    ):
        with pytest.raises(UnreadableContentError):
            reading.read_bytes(bad.encode(), "a.ipynb")


def test_an_old_notebook_is_compared_as_json() -> None:
    content = reading.read_bytes(b'{"nbformat": 3, "worksheets": []}', "a.ipynb")
    assert content.canonicalizer == "notebook-as-json/1"


def test_no_kind_of_cell_hides_the_source_of_another() -> None:
    output = {"output_type": "stream", "name": "stdout", "text": "x"}
    cells = [
        {"cell_type": "outputs[0].stdout", "source": source, "outputs": [output]} for source in ("a", "b")
    ]
    found = compare(
        *(reading.read_bytes(json.dumps({"cells": [cell]}).encode(), "a.ipynb") for cell in cells)
    )
    assert [one.name for one in found] == ["cells[0].outputs[0].stdout"]


def test_an_output_of_no_known_kind_counts_as_it_is() -> None:
    books = [
        json.dumps({"cells": [{"cell_type": "code", "source": "", "outputs": [output]}]}).encode()
        for output in ({"data": {"a": 1}}, {"data": {"a": 2}}, {"output_type": "stdout"})
    ]
    one, other, third = (reading.read_bytes(book, "a.ipynb") for book in books)
    assert [found.name for found in compare(one, other)] == ["cells[0].outputs[0].None!data.a"]
    assert compare(one, third)
