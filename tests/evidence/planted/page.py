"""The table of planted regressions in ``docs/concepts/evidence.md``.

``python -m tests.evidence.planted.page`` plants all of them in all worlds, judges, and writes it, in some
minutes; `test_planted` says when a row is out of date.
"""

import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.evidence.planted.judging import check, judge
from tests.evidence.planted.worlds import PLANTS, WORLDS, grow, world

PAGE = ROOT / "docs" / "concepts" / "evidence.md"
BEGIN, END = "<!-- planted: begin -->\n", "<!-- planted: end -->\n"
HEAD = """\
| world | planted | metric | first suspect of `ff explain` | share by `ff attribute` | commit by `ff bisect` |
|---|---|---|---|---|---|
"""


def rows(folder: Path) -> list[str]:
    """Every row; worlds are made below a folder."""
    found = []
    for name in WORLDS:
        grown = world(name, folder / name)
        grown.begin()
        for number, planted in enumerate(PLANTS):
            here = grown.copy(folder / f"{name}-{number}")
            grow(here, planted)
            judged = judge(here, planted)
            check(judged, planted)
            found.append(judged.row(name, planted))
            print(found[-1], flush=True)
    return found


def written(page: str, table: list[str]) -> str:
    """The page with the table in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + HEAD + "".join(f"{row}\n" for row in table) + END + after


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        found = rows(Path(made))
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
