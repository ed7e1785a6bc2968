"""What a record keeps of results: numbers of metrics, and small files that no cache has."""

from pathlib import Path
from typing import Any

from fourfold.formats.native.canonical import canonical, digest
from fourfold.runs import results
from fourfold.runs.contents import Content
from fourfold.runs.task import Item


def facts(*items: Item, environ: dict[str, str] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    kept: dict[str, Any] = {}

    def keep(document: Any) -> dict[str, Any]:
        data = canonical(document)
        kept[digest(data)] = document
        return {"part": digest(data), "size": len(data)}

    found = []
    for item in items:
        data = Path(item.path).read_bytes()
        found.append((item, Content("0" * 32, digest(data), len(data), None)))
    told = results.facts(found, keep, keep, environ or {})
    return {name: fact.value for name, fact in told.items()}, kept


def item(path: Path, text: str, role: str = "metric", *, cached: bool = False) -> Item:
    path.write_text(text)
    return Item(str(path), path.name, role, cached=cached)


def test_numbers_of_metrics_are_told_by_their_dotted_names(tmp_path: Path) -> None:
    text = '{"auc": 0.5, "by": {"a": 1, "b": "x", "c": true, "d": [1]}, "bad": NaN}'
    found, _ = facts(item(tmp_path / "m.json", text), item(tmp_path / "n.yaml", "loss: 0.25\n"))
    assert found["metrics"] == {"m.json": {"auc": 0.5, "by.a": 1}, "n.yaml": {"loss": 0.25}}


def test_small_results_that_no_cache_has_are_kept_and_others_not(tmp_path: Path) -> None:
    found, kept = facts(
        item(tmp_path / "m.json", "{}"),
        item(tmp_path / "cached.json", '{"a": 1}', cached=True),
        item(tmp_path / "plain.txt", "text", "out"),
        item(tmp_path / "long.txt", "x" * (results.MOST + 1), "out"),
    )
    files = kept[found["kept"]["part"]]["files"]
    assert files == {digest(b"{}"): {"text": "{}"}, digest(b"text"): {"text": "text"}}
    assert found["metrics"] == {"cached.json": {"a": 1}}


def test_a_result_with_a_secret_or_one_that_is_not_understood_gives_nothing(tmp_path: Path) -> None:
    environ = {"API_TOKEN": "correct-horse-battery"}
    found, _ = facts(item(tmp_path / "m.json", "correct-horse-battery"), environ=environ)
    assert found == {}


def test_a_number_that_no_float_holds_hides_no_other(tmp_path: Path) -> None:
    found, _ = facts(item(tmp_path / "m.json", f'{{"auc": 0.5, "count": {"9" * 400}}}'))
    assert found["metrics"] == {"m.json": {"auc": 0.5}}
