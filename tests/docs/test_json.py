"""What commands on evidence print with ``--json`` has no key that their guide does not name."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, find_ff
from tests.fixtures.sandbox import Sandbox, Tool

PIPELINE = """\
stages:
  score:
    cmd: "printf '{\\"score\\": %s}' $(cat in.txt) > metrics.json"
    deps: [in.txt]
    metrics: [metrics.json: {cache: false}]
"""
COMMANDS = {
    "explain": ("v1", "v2"),
    "attribute": ("v1", "v2", "--metric", "score"),
    "bisect": ("--metric", "score", "--good", "v1", "--bad", "v2"),
    "replay": ("score",),
    "verify": ("score", "--keep"),
    "audit verify": (),
}


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Two versions of a number, ``v1`` and ``v2``."""
    folder = tmp_path_factory.mktemp("json")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    for number, score in enumerate(("0.9", "0.5"), 1):
        repo.gen({"dvc.yaml": PIPELINE, "in.txt": f"{score}\n"})
        repo.run("repro", "-q")
        repo.commit(f"version {number}")
        repo.git("tag", f"v{number}")
    return repo


@pytest.mark.parametrize("name", COMMANDS)
def test_every_key_is_in_the_guide(repo: Sandbox, name: str) -> None:
    found: dict[str, Any] = repo.run(*name.split(), *COMMANDS[name], "--json").json()
    page = ROOT / "docs" / "guides" / f"{name.partition(' ')[0]}.md"
    text = page.read_text(encoding="utf-8")
    assert found
    assert sorted(key for key in found if f"`{key}`" not in text) == [], Path(page).name
