"""Planted regressions: the true cause is named first, measured, and found; nothing is blamed for noise.

Without ``slow`` one world is judged, by two plants; all three by all under ``make planted``.
"""

from pathlib import Path

import pytest

from tests.evidence.planted.judging import check, judge
from tests.evidence.planted.page import PAGE
from tests.evidence.planted.worlds import PLANTS, WORLDS, Planted, World, grow, world


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    """Worlds that were made once, by name."""
    return _Worlds(tmp_path_factory)


class _Worlds(dict[str, World]):
    """Makes a world when it is asked for."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        super().__init__()
        self._factory = factory

    def __missing__(self, name: str) -> World:
        found = self[name] = world(name, self._factory.mktemp(name))
        found.begin()
        return found


#: Of the plants, data and a library: what every change of the project is judged by.
_QUICK = ("a label shift", "a library upgrade")
CASES = [
    pytest.param(name, planted, id=f"{name}-{planted.name}".replace(" ", "-"), marks=marks)
    for name in WORLDS
    for planted in PLANTS
    for marks in [() if name == "cancer" and planted.name in _QUICK else (pytest.mark.slow,)]
]


@pytest.mark.parametrize(("name", "planted"), CASES)
def test_what_is_planted_is_suspected_first_measured_and_found(
    name: str, planted: Planted, grown: dict[str, World], tmp_path: Path
) -> None:
    here = grown[name].copy(tmp_path / "world")
    grow(here, planted)
    judged = judge(here, planted)
    check(judged, planted)
    rows = PAGE.read_text().splitlines()
    if name == "churn":  # libraries of another version learn a little else
        assert any(row.startswith(f"| churn | {planted.name} |") for row in rows)
    else:
        assert judged.row(name, planted) in rows, "write it anew: python -m tests.evidence.planted.page"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=marks)
        for name, marks in [("cancer", ()), ("wine", (pytest.mark.slow,)), ("churn", (pytest.mark.slow,))]
    ],
)
def test_nothing_is_blamed_where_only_noise_moved(name: str, tmp_path: Path) -> None:
    here = world(name, tmp_path)
    here.begin(seeded=False)
    for message in ("a remark", "another remark"):
        here.step(message, {"notes.md": message}, force=True)
    first, last = "HEAD~2:evaluate", "HEAD:evaluate"
    options = ("--metric", here.metric, "--repeats", str(here.repeats), "--json")
    measured = here.repo.run("attribute", first, last, *options, check=False, timeout=600).json()
    assert "error" in measured or measured["verdict"] == "noise", measured
    found = here.repo.run("bisect", "--metric", here.metric, "--good", "HEAD~2", "--json", check=False).json()
    assert "error" in found or found["verdict"] == "noise", found
