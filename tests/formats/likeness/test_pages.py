"""HTML as programs write it twice: the same page in other bytes, and another page."""

import base64
import io
import time
import uuid

import pandas as pd
import pytest
from PIL import Image, PngImagePlugin

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import compare


def differing(a: str, b: str, name: str) -> list[tuple[str, str]]:
    one, other = (reading.read_bytes(x.encode(), name) for x in (a, b))
    return [(found.name, found.what) for found in compare(one, other)]


def png(text: str) -> str:
    told = PngImagePlugin.PngInfo()
    told.add_text("Software", text)
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (1, 2, 3)).save(file, "PNG", pnginfo=told)
    return base64.b64encode(file.getvalue()).decode()


def test_html_in_another_spelling_means_the_same() -> None:
    a = '<!DOCTYPE html><html><body class="a" id=b><p>one  two</p>'
    a += f'<img src="data:image/png;base64,{png("x")}">'
    b = "<!doctype HTML>\n<html>\n<BODY id='b' class='a'><!-- x --><p>one\ntwo</p>"
    b += f"<img src=data:image/png;base64,{png('y')} >"
    assert a != b
    assert differing(a, b, "a.html") == []


def test_other_html_is_told_by_its_words_structure_or_script() -> None:
    page = "<p>one</p><script>f(1)</script><style>p{}</style>"
    assert differing(page, page.replace("one", "two"), "a.html") == [("text", "values")]
    assert differing(page, page.replace("f(1)", "f(2)"), "a.html") == [("script[1]", "values")]
    assert differing(page, page.replace("p{}", "q{}"), "a.html") == [("style[1]", "values")]
    assert differing(page, page.replace("<p>", "<p class=x>"), "a.html") == [("structure", "values")]
    assert differing("<pre>a  b</pre>", "<pre>a b</pre>", "a.html") == [("text", "values")]


def test_names_that_are_drawn_mean_nothing_where_the_page_defines_them_and_something_elsewhere() -> None:
    one, other = str(uuid.uuid4()), str(uuid.uuid4())
    page = f'<div id="{one}"></div><script>draw("{one}", [1])</script>'
    assert differing(page, page.replace(one, other), "a.html") == []
    assert differing(page, page.replace(f'"{one}", [1]', f'"{other}", [1]'), "a.html") != []
    said = f"<p>md5 {one}</p>"
    assert differing(said, said.replace(one, other), "a.html") == [("text", "values")]


def test_a_styled_table_that_pandas_writes_twice_means_the_same() -> None:
    def table(value: float) -> str:
        frame = pd.DataFrame({"a": [1.0, value]})
        return str(frame.style.highlight_max().to_html())

    a, b = table(2.0), table(2.0)
    assert a != b
    assert differing(a, b, "a.html") == []
    assert differing(a, table(3.0), "a.html") != []


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("<p>a &lt; b</p>", "<p>a < b</p>"),
        ("<p x='&amp;'>", '<P X="&">'),
        ("<br/>", "<br>"),
        ("<p a=1 a=2>", "<p a=1>"),
        ("<script>if (a<b) '</p>'</script >", "<script>if (a<b) '</p>'</script>"),
        ("<p hidden>", '<p hidden="">'),
    ],
)
def test_pages_that_a_browser_takes_for_the_same_mean_the_same(a: str, b: str) -> None:
    assert differing(a, b, "a.html") == []


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("<p>&lt;b></p>", "<p><b></p>"),
        ("<p x='>'>y", "<p x>'>y"),
        ("<p>a</p><p>b</p>", "<p>ab</p><p></p>"),
        ("a<i>b</i>", "<i>a</i>b"),
        ("<script><!-- f(1) --></script>", "<script><!-- f(2) --></script>"),
        ("<textarea><b></textarea>", "<textarea></textarea>"),
        ("<!-- x -->", "&lt;!-- x -->"),
        ("<a b", "<a c"),
        ("a<i> b</i>", "a<i>b</i>"),
    ],
)
def test_pages_that_a_browser_shows_otherwise_differ(a: str, b: str) -> None:
    assert differing(a, b, "a.html") != []


def test_hostile_pages_are_read_in_time_that_grows_with_their_size() -> None:
    count = 100_000
    start = time.process_time()
    for bad in (
        *(
            "<",
            "<a ",
            "<!",
            "<!--",
            "<![x",
            "</",
            "<a b='",
            '<a b="c" ',
            "&",
            "<script>",
            "<?",
            "</script ",
            "<a/",
        ),
        "&#x",
    ):
        reading.read_bytes((bad * count).encode(), "a.html")
        reading.read_bytes(("<script>" + bad * count).encode(), "a.html")
    assert time.process_time() - start < 60
