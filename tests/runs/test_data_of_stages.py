"""The data coordinate as stages and commands leave it in their records."""

import hashlib
import json
from typing import Any

from blake3 import blake3

from tests.fixtures.sandbox import Sandbox


def last(repo: Sandbox, section: str = "data") -> dict[str, Any]:
    """Facts of the newest record."""
    runs = repo.path / ".dvc" / "fourfold" / "runs"
    name = (runs / "head").read_text().strip()
    document = json.loads((runs / "records" / name[:2] / name[2:]).read_bytes())
    facts: dict[str, Any] = document[section]
    return facts


def test_a_stage_that_changes_its_own_input_is_told(ff_repo: Sandbox) -> None:
    cmd = "cp raw.csv out.csv && echo 3,x >> raw.csv"
    ff_repo.gen(
        {
            "dvc.yaml": f"stages:\n  a:\n    cmd: {cmd}\n    deps: [raw.csv]\n    outs: [out.csv]\n",
            "raw.csv": "n,label\n1,x\n2,y\n",
        }
    )
    ff_repo.run("repro")
    data = last(ff_repo)
    before = b"n,label\n1,x\n2,y\n"
    assert data["changed_during"]["value"] == ["raw.csv"]
    (read,) = data["inputs"]["value"]
    assert read["md5"] == hashlib.md5(before).hexdigest()
    (written,) = data["outputs"]["value"]
    assert written["blake3"] == blake3(before).hexdigest()


def test_the_same_stage_run_twice_has_the_same_data(ff_repo: Sandbox) -> None:
    ff_repo.gen(
        {
            "dvc.yaml": (
                "stages:\n  a:\n    cmd: mkdir -p made && cp -r raw made && cp raw/t.csv metric.csv\n"
                "    deps: [raw]\n    params: [k]\n    outs: [made, metric.csv]\n"
            ),
            "params.yaml": "k: [1, 2]\n",
            "raw": {"t.csv": "a,b\n1,2\n", "other": "x"},
        }
    )
    ff_repo.run("repro")
    first = last(ff_repo)
    ff_repo.run("repro", "--force")
    assert last(ff_repo) == first
    assert [entry["path"] for entry in first["inputs"]["value"]] == ["params.yaml", "raw"]
    assert first["params"]["value"] == {"params.yaml": {"k": [1, 2]}}


def test_a_stage_that_fails_is_told_with_what_it_left(ff_repo: Sandbox) -> None:
    ff_repo.gen(
        {
            "dvc.yaml": "stages:\n  a:\n    cmd: echo half > a; exit 3\n    deps: [raw]\n    outs: [a, b]\n",
            "raw": "1",
        }
    )
    ff_repo.run("repro", check=False)
    data = last(ff_repo)
    assert data["missing"]["value"] == ["b"]
    assert data["outputs"]["value"][0]["blake3"] == blake3(b"half\n").hexdigest()
    assert data["outputs"]["value"][1] == {"path": "b", "role": "out"}


def test_a_command_with_the_image_that_it_declares(ff_repo: Sandbox) -> None:
    ff_repo.gen({"raw": "1"})
    ff_repo.run("run", "-d", "raw", "-o", "made", "--image", "python:3.12", "--", "cp", "raw", "made")
    data = last(ff_repo)
    assert data["inputs"]["value"][0]["blake3"] == data["outputs"]["value"][0]["blake3"]
    assert last(ff_repo, "environment")["image"]["grade"] in {"declared", "observed", "attested"}
