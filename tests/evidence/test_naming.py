"""The run that a revision means: the end of its pipeline, also where a stage ran again and wrote the same."""

from pathlib import Path

import pytest

from fourfold.evidence.naming import resolve
from fourfold.runs.store import RunNotFoundError, records_of
from fourfold.wiring import find_place
from tests.fixtures.sandbox import Sandbox, Tool

PIPELINE = """\
stages:
  one: {cmd: sh one.sh, deps: [raw.txt, one.sh], outs: [a.txt]}
  two: {cmd: cat a.txt > b.txt, deps: [a.txt], outs: [b.txt]}
"""


def test_a_stage_that_ran_again_and_wrote_the_same_does_not_make_a_revision_ambiguous(
    tmp_path: Path, ff: Tool
) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen({"raw.txt": "raw\n", "one.sh": "cat raw.txt > a.txt\n", "dvc.yaml": PIPELINE})
    repo.run("repro", "-q")
    repo.commit("one")
    place = find_place(str(repo.path), environ=repo.tool.env)
    records = records_of(place)
    end = records.resolve("two")
    assert resolve(place, records, "HEAD") == end
    repo.gen({"one.sh": "# a remark\ncat raw.txt > a.txt\n"})
    repo.run("repro", "-q")
    repo.commit("a remark")
    assert records.resolve("two") == end
    assert records.resolve("one~1") != records.resolve("one")
    assert resolve(place, records, "HEAD") == resolve(place, records, "HEAD~1") == end
    for odd in ("x" * 200_000, "two~" + "9" * 5000, "a\nb", "a\0b", "-x", "\udcff", ":", "HEAD^{tree}"):
        with pytest.raises(RunNotFoundError) as refused:
            resolve(place, records, odd)
        assert len(refused.value.message) < 200
        assert "\n" not in refused.value.message
