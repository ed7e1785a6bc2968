"""XML, SVG and PDF as programs write them twice: the same page in other bytes, and another page."""

import io
import time
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import compare
from fourfold.formats.likeness.source import UnreadableContentError


def differing(a: str | bytes, b: str | bytes, name: str) -> list[tuple[str, str]]:
    one, other = (reading.read_bytes(x.encode() if isinstance(x, str) else x, name) for x in (a, b))
    return [(found.name, found.what) for found in compare(one, other)]


def drawn(kind: str, last: float = 3.0) -> bytes:
    """A figure with clip paths, markers and a picture within, whose names matplotlib draws anew each time."""
    figure = Figure(figsize=(3, 2))
    axes = figure.add_subplot()
    axes.plot([1, 2, last], marker="o")
    axes.imshow(np.arange(4).reshape(2, 2))
    file = io.BytesIO()
    figure.savefig(file, format=kind)
    return file.getvalue()


def test_a_figure_that_matplotlib_writes_twice_as_svg_means_the_same() -> None:
    a, b = drawn("svg"), drawn("svg")
    assert a != b
    assert differing(a, b, "a.svg") == []


def test_another_figure_is_told_by_the_element_that_differs() -> None:
    names = [name for name, _ in differing(drawn("svg"), drawn("svg", 0.5), "a.svg")]
    assert any("svg/g#figure_1/g#axes_1/g#line2d_" in name for name in names)


def test_a_figure_that_matplotlib_writes_twice_as_pdf_means_the_same_but_for_its_date() -> None:
    a = drawn("pdf")
    start = a.index(b"/CreationDate (D:") + len(b"/CreationDate (D:")
    b = a[:start] + b"19990101000000Z" + a[a.index(b")", start) :]
    assert a != b
    assert differing(a, b, "a.pdf") == []
    assert differing(a, drawn("pdf", 0.5), "a.pdf") != []


def test_dates_within_the_streams_of_a_pdf_count() -> None:
    a = b"%PDF-1.4\n1 0 obj\nstream\n/ModDate (1)\nendstream\n/ID [<01> <02>]\n%%EOF"
    assert differing(a, a.replace(b"(1)", b"(2)"), "a.pdf") != []
    assert differing(a, a.replace(b"<02>", b"<f3>"), "a.pdf") == []


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ('<a x="1" y="2"/>', "<a y='2'\n x='1'></a>"),
        ("<a><b/><c/></a>", "<?xml version='1.0'?>\n<a>\n  <b/>\n  <!-- note -->\n  <c/>\n</a>"),
        ('<p:a xmlns:p="u"><p:b/></p:a>', '<a xmlns="u"><b/></a>'),
        ("<a>x &amp; y</a>", "<a><![CDATA[x & y]]></a>"),
        ("<a>ä</a>", "<?xml version='1.0' encoding='latin-1'?><a>ä</a>".encode("latin-1")),
    ],
)
def test_xml_in_another_spelling_means_the_same(a: str, b: str | bytes) -> None:
    assert differing(a, b, "a.xml") == []


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        ('<a x="1"/>', '<a x="2"/>', [("a", "values")]),
        ("<a><b/></a>", "<a><b>1</b></a>", [("a/b[1]", "values")]),
        ("<a><b/><c/></a>", "<a><c/><b/></a>", []),
        ("<a><b/>x</a>", "<a>x<b/></a>", [("a", "values")]),
        ("<a><b/></a>", "<a><b/><b/></a>", [("a", "values"), ("a/b[2]", "new")]),
        ('<a xmlns="u"/>', '<a xmlns="v"/>', [("a", "values")]),
    ],
)
def test_other_xml_is_told_by_its_element(a: str, b: str, found: list[tuple[str, str]]) -> None:
    assert differing(a, b, "a.xml") == found or (not found and differing(a, b, "a.xml") != [])


def test_a_great_document_is_told_by_the_elements_near_its_root() -> None:
    rows = "".join(f"<row><x>{i}</x></row>" for i in range(6000))
    content = reading.read_bytes(f"<t>{rows}</t>".encode(), "t.xml")
    assert len(content.leaves) == 6001
    assert differing(f"<t>{rows}</t>", f"<t>{rows}</t>".replace(">4711<", ">0<"), "t.xml") == [
        ("t/row[4712]", "values")
    ]


def test_xml_that_is_broken_or_a_bomb_is_refused() -> None:
    laughs = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>'
    outside = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'
    for bad in (laughs, outside, "<a>", "<a></b>", "<a>" * 5000 + "</a>" * 5000, "<?xml version='1.0'?>"):
        with pytest.raises(UnreadableContentError):
            reading.read_bytes(bad.encode(), "a.xml")
    with pytest.raises(UnreadableContentError):
        reading.read_bytes(b"<?xml version='1.0' encoding='no-such'?><a/>", "a.xml")


def test_pages_are_known_by_their_first_bytes_too(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("<!DOCTYPE html>\n<p>x")
    (tmp_path / "tree").write_text("<?xml version='1.0'?><a/>")
    (tmp_path / "figure").write_bytes(drawn("svg"))
    kinds = [reading.read(str(tmp_path / name)).kind for name in ("page", "tree", "figure")]
    assert kinds == ["html", "xml", "svg"]


def test_a_pdf_of_streams_without_end_is_read_once() -> None:
    start = time.process_time()
    reading.read_bytes(b"%PDF-1.4\n" + b"stream\n/ID [" * 200_000, "a.pdf")
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (b"<r><a/><b/></r>", b"<r><b/><a/></r>"),
        (b'<r><g id="a"/><g id="b"/></r>', b'<r><g id="b"/><g id="a"/></r>'),
        (b"<r>x<a/>y<b/></r>", b"<r>x<b/>y<a/></r>"),
    ],
)
def test_the_order_of_elements_counts(a: bytes, b: bytes) -> None:
    (found,) = compare(reading.read_bytes(a, "a.xml"), reading.read_bytes(b, "a.xml"))
    assert found.name == "r"


def test_no_identifier_hides_another_element() -> None:
    pages = [b'<r><a id="b"/><a id="b">%s</a><a id="b[2]"/></r>' % text for text in (b"x", b"y")]
    found = compare(*(reading.read_bytes(page, "a.xml") for page in pages))
    assert [one.name for one in found] == ["r/a#b[2]"]
