"""A folder that several stages filled, Git and a pointer too: what changed in it goes to who did it."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import find_ff
from tests.evidence.planting import people, table
from tests.fixtures.sandbox import Sandbox, Tool

PIPELINE = """\
stages:
  prepare:
    cmd: python prepare.py
    deps: [prepare.py, raw.csv]
    outs: [data/people.csv]
  words:
    cmd: python words.py
    deps: [words.py]
    outs: [data/words]
  train:
    cmd: python train.py
    deps: [train.py, data]
    metrics: [metrics.json: {cache: false}]
"""
PREPARE = "open('data/people.csv', 'w').write(open('raw.csv').read())\n"
WORDS = """\
import os
os.makedirs('data/words', exist_ok=True)
for name in 'ab':
    with open(f'data/words/{name}.txt', 'w') as file:
        file.write(name)
"""
TRAIN = """\
import json, os
files = sorted(os.path.join(at, name) for at, _, names in os.walk("data") for name in names)
json.dump({"size": sum(len(open(file).read()) for file in files)}, open("metrics.json", "w"))
"""


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    folder = tmp_path_factory.mktemp("filled")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    files = {"dvc.yaml": PIPELINE, "prepare.py": PREPARE, "words.py": WORDS, "train.py": TRAIN}
    own = {"own.csv": "id,b\na,2\nb,4\n", "stop.txt": "kept by Git\n"}
    repo.gen({**files, "raw.csv": table(people(200)), "data": own})
    repo.run("add", "-q", "raw.csv", "data/own.csv")
    repo.commit("begin")
    repo.run("repro", "-q")
    repo.commit("one")
    return repo


def explained(repo: Sandbox, tree: dict[str, Any], *add: str) -> dict[str, Any]:
    repo.gen(tree)
    if add:
        repo.run("add", "-q", *add)
    repo.run("repro", "-q")
    repo.commit("changed")
    found: dict[str, Any] = repo.run("explain", "train~1", "train", "--json").json()
    return found


def test_what_changed_in_it_is_put_to_who_wrote_it_and_only_what_nobody_wrote_is_raw_data(
    repo: Sandbox,
) -> None:
    found = explained(repo, {"raw.csv": table(people(180))}, "raw.csv")
    assert [(each["name"], each["told"]) for each in found["causes"]] == [("raw.csv", "lost 20 rows (10 %)")]
    found = explained(repo, {"data/own.csv": "id,b\na,2\nb,4\nc,55\n"}, "data/own.csv")
    assert [(each["name"], each["told"]) for each in found["causes"]] == [
        ("data/own.csv", "1 row (33 %) new")
    ]
    found = explained(
        repo, {"data/stop.txt": "kept by Git, still\n", "words.py": WORDS.replace("'ab'", "'abc'")}
    )
    assert sorted(each["name"] for each in found["causes"]) == ["data/stop.txt", "words.py"]
    assert "nothing is to blame" not in found["verdict"]


def test_attribute_and_bisect_say_that_it_counts_as_a_whole_there(repo: Sandbox) -> None:
    explained(repo, {"data/own.csv": "id,b\na,2\nb,4\nc,5\nd,66666\n"}, "data/own.csv")
    asked = ("attribute", "train~1", "train", "--metric", "size", "--repeats", "1")
    assert repo.run(*asked, "--json").json()["wholes"] == ["data"]
    assert "'data' counts as raw data as a whole: stages filled it" in repo.run(*asked).stdout
    asked = ("bisect", "--good", "HEAD~1", "--bad", "HEAD", "--metric", "size", "--inside")
    assert repo.run(*asked, "--json").json()["inside"]["wholes"] == ["data"]
    assert "'data' counts as raw data as a whole: stages filled it" in repo.run(*asked).stdout


def test_a_version_that_nobody_ran_and_that_reads_such_a_folder_is_unknown(repo: Sandbox) -> None:
    repo.gen({"raw.csv": table(people(170))})
    repo.run("add", "-q", "raw.csv")
    repo.commit("nobody ran it")
    explained(repo, {"raw.csv": table(people(120))}, "raw.csv")
    found = repo.run("bisect", "--good", "HEAD~2", "--bad", "HEAD", "--metric", "size", "--json").json()
    (unknown,) = found["undecided"]
    assert (unknown["title"], unknown["value"]) == ("nobody ran it", None)
    assert unknown["why"] == "nobody has the bytes of 'data'"


def test_what_cannot_be_proven_to_have_lain_there_counts_as_a_whole(repo: Sandbox) -> None:
    folder = Path(repo.path, "data")
    folder.joinpath("stray.txt").write_text("nobody keeps this\n")
    ignored = folder.joinpath(".gitignore").read_text()
    folder.joinpath(".gitignore").write_text(ignored + "/stray.txt\n")
    found = explained(repo, {"raw.csv": table(people(150))}, "raw.csv")
    assert [each["name"] for each in found["causes"]] == ["data"]
    assert sorted(found["unknown"]) == [  # they stand in the order in which they ran, which was side by side
        f"which run wrote data of the second result is not known: {stage} cannot be compared"
        for stage in ("prepare", "words")
    ]
    assert "stage prepare" not in {each["name"] for each in found["harmless"]}
