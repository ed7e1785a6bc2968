"""What stages use, from real runs that were traced: the same thing run twice is seen the same."""

import sys
from typing import Any

from fourfold.formats.native.fact import section_document
from fourfold.pipeline.repro import Settings, repro
from fourfold.pipeline.undeclared import Memory
from fourfold.project.files import load_file
from tests.project.workplace import Workplace

SCRIPT = """\
import csv, json, tempfile, multiprocessing, subprocess
import helper
rows = list(csv.reader(open("data/in.csv")))
with tempfile.TemporaryDirectory(dir=".") as folder:
    open(folder + "/part", "w").write("x")
    open(folder + "/part").read()
with tempfile.NamedTemporaryFile() as file:
    file.write(b"x")
subprocess.run(["cat", "words.txt"], check=True, stdout=subprocess.DEVNULL)
open("out.json", "w").write(json.dumps(rows))
"""
PIPELINE = f"""\
stages:
  s:
    cmd: {sys.executable} src/main.py
    deps: [src/main.py, data]
    outs: [out.json]
"""


def traced(work: Workplace) -> dict[str, Any]:
    """The facts of the trace of a run, and the part with its paths."""
    repro(work.open(), ["s"], Settings(force=True))
    memory = Memory(work.open())
    used = memory.used(load_file(work.open(), work.path("dvc.yaml"))[0])
    assert used is not None
    facts = section_document(used.record.trace)
    listing = facts["paths"]["value"]["listing"]["part"]
    return {**facts, "part": memory.records.part(listing)}


def test_a_run_twice_is_seen_the_same_with_bytecode_or_without(work: Workplace) -> None:
    work.gen(
        {
            "dvc.yaml": PIPELINE,
            "src": {"main.py": SCRIPT, "helper.py": "import inner\n", "inner.py": "x = 1\n"},
            "data": {"in.csv": "a,b\n"},
            "words.txt": "one\n",
        }
    )
    work.git("add", "-A")
    work.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    cold = traced(work)
    assert work.exists("src/__pycache__")
    warm = traced(work)
    assert cold["part"]["classes"] == warm["part"]["classes"]
    assert cold == warm
    reads = {each["path"]: each["kind"] for each in warm["undeclared_reads"]["value"]["files"]}
    assert reads == {"src/helper.py": "code", "src/inner.py": "code", "words.txt": "tracked"}
    assert warm["undeclared_writes"]["value"]["count"] == 0
    assert warm["part"]["classes"]["input"] == ["data/in.csv", "src/main.py"]
    assert str(work.root) not in str(warm)
