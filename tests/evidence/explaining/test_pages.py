"""An explanation as Markdown and HTML: everything told, nothing of the project understood as markup."""

import re
from base64 import b64decode
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

from fourfold.evidence.explaining.explanation import Cause, Explanation, Moved, Result
from fourfold.evidence.explaining.harms import harms
from fourfold.evidence.explaining.pages import html, markdown
from fourfold.formats.native.record import RunId
from fourfold.runs.changes import Change
from fourfold.scm.log import Touch
from tests.evidence.planting import people, table
from tests.evidence.tablemaking import compared

EVIL = "<img src=x onerror=alert(1)>|[a](b)`x`"


def explanation() -> Explanation:
    rows = people(300)
    changed = [{**row, "left": 1, "plan": EVIL if row["plan"] == "a" else row["plan"]} for row in rows[:250]]
    found = compared(table(rows).encode(), table(changed).encode(), f"data/{EVIL}.csv", label="left")
    assert found is not None
    touch = Touch("c" * 40, "Ada Lovelace", 0, f"Do {EVIL}", ("train.py",))
    causes = (
        Cause(
            "data",
            ("load",),
            Change("data", EVIL, "a" * 64, "b" * 64),
            0.9,
            (EVIL,),
            told="lost rows",
            harm=harms(found)[0].told,
            tables=(found,),
        ),
        Cause("code", ("train",), Change("code", "train.py", "a", "b"), 0.5, ("read",), commits=(touch,)),
        Cause("randomness", ("train",), Change("randomness", "seed", 1, 2), 0.01, ("drawn",)),
    )
    return Explanation(
        RunId("1" * 64),
        RunId("2" * 64),
        ("train", EVIL),
        causes,
        unread=(Cause("code", ("train",), Change("code", "notes.md", None, None, "unread")),),
        results=(Result("train", Change("outcome", "model.pkl", "a", "b", "result")),),
        metrics=(Moved("m.json:auc", 0.9, 0.8, 0.01, 3), Moved("m.json:new", None, 1.0)),
        unknown=(f"nobody knows {EVIL}",),
        made=(("load", found),),
    )


class Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.alerts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.alerts += [name for name, _ in attrs if name.startswith("on")]


def test_the_page_tells_everything_and_takes_nothing_of_the_project_for_markup() -> None:
    page = html(explanation())
    tags = Tags()
    tags.feed(page)
    assert tags.alerts == []
    assert "script" not in tags.seen
    for said in ("Why two results differ", "Verdict: ", "m.json:auc", "train.py", "notes.md", "model.pkl"):
        assert said in page
    assert "0.01 among 3 runs" in page
    assert "Known to harm" in page


def test_drawings_are_well_formed_and_show_the_label_the_drift_and_the_scores() -> None:
    drawn = re.findall(r'data:image/svg\+xml;base64,([^"]+)', html(explanation()))
    titles = []
    for data in drawn:
        root = ET.fromstring(b64decode(data))
        titles.append("".join(root.itertext()))
    assert any("How suspicious" in title for title in titles)
    assert any("left in data/" in title for title in titles)
    assert any("plan in data/" in title for title in titles)


def test_markdown_has_the_same_and_keeps_the_project_in_code() -> None:
    text = markdown(explanation())
    assert text.startswith("## Why two results differ\n")
    assert "| 1 | data |" in text
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert "<img" not in outside
    assert "svg" not in text


def test_reasons_are_told_whole_each_for_itself() -> None:
    found = explanation()
    long = "reason " * 60 + "last"
    found = found._replace(causes=(found.causes[0]._replace(why=(long, "another")), *found.causes[1:]))
    row = next(line for line in markdown(found).splitlines() if "another" in line)
    assert f"`{long}`; `another` |" in row


def test_an_explanation_of_nothing_is_a_page_too() -> None:
    nothing = Explanation(RunId("1" * 64), RunId("2" * 64))
    assert "nothing differs but times" in html(nothing)
    assert "nothing differs but times" in markdown(nothing)
