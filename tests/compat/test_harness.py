"""The twin harness itself: one tool twice differs nowhere, and two tools that differ are found out."""

import os
import shutil
from pathlib import Path

import pytest

from tests.compat import deviations
from tests.compat.harness import ScenarioBrokenError, Stage, same
from tests.compat.scenario import Scenario, dos2unix_md5
from tests.compat.scenarios import SCENARIOS, SERVED
from tests.compat.scenes_pipelines import PIPELINES
from tests.compat.scenes_templates import TEMPLATES
from tests.compat.snapshot import compare, take
from tests.fixtures.sandbox import Exec, Link, ReadOnly, gen

QUICK = Scenario("quick", (), ({"f": "1\n", "d": {"a": "2"}}, "add f d", "status --json"))


@pytest.fixture
def stage(tmp_path: Path, dvc_template: Path) -> Stage:
    return Stage(tmp_path, dvc_template)


def _wrapper(path: Path, real: str, line: str) -> str:
    """The real tool, with one line of shell done after it."""
    path.write_text(f'#!/bin/sh\n"{real}" "$@"\ncode=$?\n{line}\nexit $code\n')
    path.chmod(0o755)
    return str(path)


def test_one_tool_twice_differs_nowhere(stage: Stage, real_dvc: str) -> None:
    assert same(stage, QUICK, real_dvc, real_dvc) == []


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("[ -e f ] && chmod 600 f", "step 2 `add f d`: ws/f: mode"),
        ("[ -e f.dvc ] && echo '# more' >> f.dvc", "step 2 `add f d`: ws/f.dvc: content"),
        ("[ -e f ] && cp f g", "step 2 `add f d`: ws/g: only in B"),
        ("[ -e f ] && ln -sf .dvc/cache/files/md5/b0/26324c6904b2a9cb4b88d6d61c81d1 f", "ws/f: kind"),
        ("[ -e f ] && ln -f .dvc/cache/files/md5/b0/26324c6904b2a9cb4b88d6d61c81d1 f", "ws/f: link"),
        ("[ $1 = add ] && code=7", "exit code"),
        ("[ $1 = status ] && echo ' '; [ $1 = status ] && echo 1", "step 3 `status --json`: answer"),
        ("[ -e .dvc/cache ] && git -C . add -f f", "at the end: git"),
    ],
)
def test_a_tool_that_does_something_else_is_found_out(
    stage: Stage, real_dvc: str, tmp_path: Path, line: str, key: str
) -> None:
    other = _wrapper(tmp_path / "other", real_dvc, line)
    scenario = QUICK._replace(steps=(QUICK.steps[0], "?add f d", "status --json"))
    found = [str(d).replace("?add", "add") for d in same(stage, scenario, real_dvc, other, handoff=False)]
    assert any(key in line for line in found), found


def test_a_reader_that_answers_otherwise_is_found_out(stage: Stage, real_dvc: str, tmp_path: Path) -> None:
    other = _wrapper(tmp_path / "other", real_dvc, '[ "$1" = data ] && code=9')
    found = [d.key for d in same(stage, QUICK, real_dvc, other)]
    assert any("hand-over `data status" in key for key in found), found


def test_a_scenario_that_does_not_happen_as_told_is_refused(stage: Stage, real_dvc: str) -> None:
    with pytest.raises(ScenarioBrokenError, match="step 1"):
        same(stage, Scenario("broken", (), ("add nothing",)), real_dvc, real_dvc)


def test_a_snapshot_tells_copies_links_and_modes_apart(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for root in (one, two):
        gen(root, {"ws": {".dvc/cache/o": ReadOnly("x"), "x": Exec("1"), "l": Link("x"), "same": "s"}})
    os.link(one / "ws/.dvc/cache/o", one / "ws/linked")
    shutil.copy(one / "ws/.dvc/cache/o", two / "ws/linked")
    (two / "ws/x").chmod(0o644)
    keys = [d.key for d in compare(take(one), take(two))]
    assert keys == ["ws/linked: link", "ws/x: mode"]


def test_scenarios_have_unique_names() -> None:
    everything = (*SCENARIOS, *SERVED, *PIPELINES, *TEMPLATES)
    assert len({s.name for s in everything}) == len(everything)


def test_deviations_name_a_scenario_and_a_reason() -> None:
    names = {s.name for s in (*SCENARIOS, *SERVED, *PIPELINES, *TEMPLATES)}
    for deviation in deviations.DEVIATIONS:
        assert deviation.scenario in names, deviation
        assert deviation.reason, deviation
        assert not deviation.defect or deviation.defect in deviations.DEFECTS, deviation


def test_the_old_hash_counts_line_ends_only_in_chunks_of_text() -> None:
    assert dos2unix_md5(b"a\r\nb\r\n") == dos2unix_md5(b"a\nb\n")
    assert dos2unix_md5(b"\0\r\n") != dos2unix_md5(b"\0\n")
