"""Plots as values, one for each template."""

from typing import Any

from fourfold.pipeline.plots.chart import BARS, BUILT_IN, CELLS
from fourfold.pipeline.plots.collect import Picture, Plot

REVS = ("workspace", "HEAD")


def series(
    template: str = "linear", count: int = 30, fields: tuple[str, ...] = ("loss",), **props: Any
) -> Plot:
    """Numbers over steps, of two moments."""
    rows = tuple(
        {"step": at, "value": 1 / (at + 1 + place), "rev": rev, "filename": "a.csv", "field": field}
        for place, rev in enumerate(REVS)
        for field in fields
        for at in range(count)
    )
    named = {"x": "step", "y": "value", "x_label": "step", "y_label": "value", **props}
    ys = tuple(("a.csv", field) for field in fields)
    return Plot("a.csv", "Losses", template, named, REVS, REVS, rows, ys)


def classes(template: str) -> Plot:
    """Pairs of actual and predicted classes, of two moments."""
    pairs = [("cat", "cat"), ("cat", "dog"), ("dog", "dog"), ("dog", "dog")]
    rows = tuple(
        {"actual": a, "guess": g, "rev": rev, "filename": "c.csv", "field": "guess"}
        for rev in REVS
        for a, g in pairs
    )
    named = {"x": "actual", "y": "guess", "x_label": "actual", "y_label": "guess"}
    return Plot("c.csv", "Classes", template, named, REVS, REVS, rows, (("c.csv", "guess"),))


def importances(template: str) -> Plot:
    """A number for each name, of two moments."""
    rows = tuple(
        {"size": size * (1 + place), "name": name, "rev": rev, "filename": "i.csv", "field": "name"}
        for place, rev in enumerate(REVS)
        for name, size in (("small", 1), ("large", 5), ("middle", 3))
    )
    named = {"x": "size", "y": "name", "x_label": "size", "y_label": "name"}
    return Plot("i.csv", "Importances", template, named, REVS, REVS, rows, (("i.csv", "name"),))


def images() -> Plot:
    """A picture of two moments."""
    pixel = bytes.fromhex("47494638396101000100800000ff00000000002c00000000010001000002024401003b")
    return Plot(
        "p/1.gif",
        "p/1.gif",
        asked=REVS,
        revs=REVS,
        images=tuple(Picture(rev, "p/1.gif", pixel) for rev in REVS),
    )


def sample(template: str) -> Plot:
    """A plot that a template is made for."""
    if template in CELLS:
        return classes(template)
    return importances(template) if template in BARS else series(template)


ALL = sorted(BUILT_IN)
