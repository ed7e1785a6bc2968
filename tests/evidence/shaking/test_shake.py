"""Shaking: for every factor a stage whose output hangs on it and on nothing else, run for real."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.base.events import silent
from fourfold.evidence.shaking.factors import (
    FACTORS,
    Ground,
    UnknownFactorError,
    Untried,
    Variation,
    prefix,
    variation,
)
from fourfold.evidence.shaking.shake import ShakeBaselineError, shake
from fourfold.evidence.shaking.shaken import Shaken, lines
from fourfold.runs.place import Place
from fourfold.runs.store import records_of
from fourfold.wiring import find_place
from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool
from tests.runs.recordmaking import Parts, make

PIPELINE = """\
stages:
  make:
    cmd: python make.py
    deps: [make.py]
    outs: [out.json]
    meta:
      fourfold: {seed: 1}
"""


class Bench:
    """A project with one stage, recorded once, that is shaken.

    Attributes:
        repo: The project.
    """

    def __init__(self, folder: Path, code: str, pipeline: str = PIPELINE, *, salted: bool = False) -> None:
        self.repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
        if salted:
            del self.repo.tool.env["PYTHONHASHSEED"]
        self.repo.git("init", "-q")
        self.repo.run("init", "-q")
        self.repo.gen({"make.py": code, "dvc.yaml": pipeline, "names": dict.fromkeys("abc", "")})
        self.repo.git("add", "-A")
        self.repo.git("commit", "-qm", "one")
        self.repo.run("repro", "-q")

    def shake(self, *factors: str, repeats: int = 1) -> Shaken:
        place = find_place(str(self.repo.path), environ=self.repo.tool.env, clock=SYSTEM)
        records = records_of(place)
        run = records.resolve("make")
        return shake(place, records, run, factors=factors or None, repeats=repeats, events=silent)


def outcomes(found: Shaken) -> dict[str, str]:
    return {one.name: one.outcome for one in found.factors}


STEADY = 'open("out.json", "w").write("1")'


def test_a_stage_that_hangs_on_nothing_is_the_same(tmp_path: Path) -> None:
    found = Bench(tmp_path, STEADY).shake("umask", "hash-seed")
    assert found.reproduces is True
    assert (found.noise, found.plain, found.pinned) == ((), 2, "")
    assert outcomes(found) == {"hash-seed": "same", "umask": "same"}


#: A stage with an output for each factor, which hangs on that and on nothing else.
HANGING = """\
import datetime, json, locale, os, socket, time

def reached():
    server = socket.create_server(("127.0.0.1", 0))
    try:
        socket.create_connection(server.getsockname(), timeout=5).close()
    except OSError:
        return False
    return True

found = {
    "hash-seed": list({*"abcdefgh"}),
    "time-zone": time.localtime(86400).tm_hour,
    "locale": locale.setlocale(locale.LC_ALL, ""),
    "cwd": os.path.basename(os.getcwd()),
    "home": bool(os.listdir(os.path.expanduser("~"))),
    "threads": os.environ.get("OMP_NUM_THREADS"),
    "directory-order": os.listdir("names"),
    "clock": str(datetime.datetime.now(datetime.timezone.utc))[:7],
    "umask": os.umask(0),
    "network": reached(),
}
os.umask(0o022)
os.makedirs("out", exist_ok=True)
for name, value in found.items():
    json.dump(value, open(f"out/{name}.json", "w"))
"""


def test_each_factor_is_blamed_for_the_output_that_hangs_on_it_and_for_no_other(tmp_path: Path) -> None:
    outs = ", ".join(f"out/{name}.json" for name in FACTORS)
    found = Bench(tmp_path, HANGING, PIPELINE.replace("out.json", outs)).shake()
    assert (found.reproduces, found.noise, found.plain) == (False, (), 3)
    for factor in found.factors:
        if factor.name == "network" and factor.outcome == "not tried":
            assert "kernel" in factor.why or "unshare" in factor.why
            continue
        assert (factor.name, factor.outcome) == (factor.name, "changes")
        assert [one.path for one in factor.outputs] == [f"out/{factor.name}.json"]
    assert [one.name for one in found.factors] == list(FACTORS)


@pytest.mark.slow
def test_what_differs_in_plain_replays_is_noise_and_factors_count_beyond_it(tmp_path: Path) -> None:
    code = """\
import json, time
json.dump({"at": time.time_ns(), "hour": time.localtime(86400).tm_hour}, open("out.json", "w"))
"""
    found = Bench(tmp_path, code).shake("time-zone", "umask")
    assert [(one.path, one.first.partition(" ")[0], one.parts) for one in found.noise] == [
        ("out.json", "at", 1)
    ]
    zone, umask = found.factors
    assert [(one.path, one.first, one.parts) for one in zone.outputs] == [
        ("out.json", "hour is 13, not 0", 1)
    ]
    assert (umask.outcome, umask.why) == ("same", "apart from what differs anyway: out.json")
    text = "\n".join(lines(found))
    assert "noise: out.json: at " in text
    assert "time-zone  changes" in text
    assert "TZ is Pacific/Kiritimati, not UTC" in text
    json.dumps(found.document())


@pytest.mark.slow
def test_no_factor_is_judged_by_an_output_that_is_noise_altogether(tmp_path: Path) -> None:
    code = 'import os; open("out.json", "w").write(f"[not JSON {os.urandom(8).hex()}")'
    found = Bench(tmp_path, code).shake("time-zone")
    assert outcomes(found) == {"time-zone": "unclear"}
    assert found.reproduces is False


@pytest.mark.slow
def test_a_run_that_fails_without_its_home_is_told_with_what_it_said(tmp_path: Path) -> None:
    code = 'import os; open(os.path.expanduser("~/gitconfig")); open("out.json", "w").write("1")'
    (home,) = Bench(tmp_path, code).shake("home").factors
    assert (home.outcome, home.why) == ("fails", "exit code 1")
    assert home.said.startswith("FileNotFoundError: ")
    assert "said" not in home.document()


def test_a_run_whose_plain_replay_fails_is_not_shaken(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("1")
    bench = Bench(tmp_path, f'open("out.json", "w").write(open({str(outside)!r}).read())')
    outside.unlink()
    with pytest.raises(ShakeBaselineError, match="exit code 1: FileNotFoundError"):
        bench.shake("home")


@pytest.mark.slow
def test_hashes_that_no_seed_fixes_are_a_factor_and_not_noise(tmp_path: Path) -> None:
    pipeline = PIPELINE.replace("{seed: 1}", '{determinism: "off"}')
    code = 'import json; json.dump(list({*"abcdefgh"}), open("out.json", "w"))'
    found = Bench(tmp_path, code, pipeline, salted=True).shake("hash-seed")
    assert (found.noise, found.pinned) == ((), "PYTHONHASHSEED=0")
    assert outcomes(found) == {"hash-seed": "changes"}


def test_what_reached_no_process_of_python_is_not_tried_and_never_the_same(tmp_path: Path) -> None:
    code = 'import json, os; json.dump(os.listdir("names"), open("out.json", "w"))'
    found = Bench(tmp_path, code, PIPELINE.replace("python make.py", "python -I make.py")).shake(
        "directory-order"
    )
    (order,) = found.factors
    assert found.plain == 2, "nobody is blamed: no more need be known of noise"
    assert order.outcome == "not tried"
    assert order.why.startswith("no process of Python was reached")


def test_how_far_a_factor_reaches_is_said_beside_what_is_the_same(tmp_path: Path) -> None:
    found = Bench(tmp_path, STEADY).shake("directory-order")
    assert outcomes(found) == {"directory-order": "same"}
    line = next(line for line in lines(found) if line.startswith("directory-order"))
    assert line.startswith("directory-order  same       folders are listed the other way around")
    assert line.endswith("in processes of Python only")


def test_what_the_run_fixes_by_its_own_profile_is_not_tried(tmp_path: Path) -> None:
    pipeline = PIPELINE.replace("{seed: 1}", "{seed: 1, determinism: strict}")
    found = Bench(tmp_path, STEADY, pipeline).shake("hash-seed", "threads")
    assert {one.why for one in found.factors} == {"the run fixes it: determinism: strict"}


def test_replays_that_vary_something_say_so_in_their_records_and_nothing_else_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path, STEADY)
    found = bench.shake("umask")
    records = records_of(find_place(str(bench.repo.path), environ=bench.repo.tool.env, clock=SYSTEM))
    told = [records.get(one.id).trace["replay"].value for one in records.summaries() if one.kind == "replay"]
    assert told == [{"of": found.of}, {"of": found.of}, {"of": found.of, "varied": "umask"}]
    assert os.listdir(bench.repo.path / ".dvc" / "fourfold" / "replays") == []


def test_a_factor_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    bench = Bench(tmp_path, STEADY)
    with pytest.raises(UnknownFactorError, match="there is no factor 'moon'") as caught:
        bench.shake("moon")
    assert "hash-seed, time-zone" in caught.value.hint


def ground(folder: Path, **environ: str) -> Ground:
    place = Place(str(folder), str(folder / ".fourfold"), str(folder), environ, SYSTEM, None, None)
    return Ground(place, make(Parts()), environ, contained=False, folder=str(folder / "own"))


def test_the_clock_is_shifted_by_faketime_where_that_is_installed(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "faketime"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = variation("clock", ground(tmp_path, PATH=str(program.parent)))
    assert isinstance(found, Variation)
    assert (found.words, found.python) == ((str(program), "-f", "+34578000"), "")
    program.write_text("#!/bin/sh\nexit 1\n")
    broken = variation("clock", ground(tmp_path, PATH=str(program.parent)))
    assert isinstance(broken, Variation)
    assert broken.python
    without = variation("clock", ground(tmp_path, PATH=str(tmp_path)))
    assert isinstance(without, Variation)
    assert "there is no faketime" in without.how


def test_a_factor_is_varied_away_from_what_it_is(tmp_path: Path) -> None:
    def how(name: str, **environ: str) -> str:
        found = variation(name, ground(tmp_path, PATH="/usr/bin:/bin", **environ))
        assert isinstance(found, Variation)
        return found.how

    assert how("threads", OMP_NUM_THREADS="1").endswith("2, not 1")
    assert how("threads", OMP_NUM_THREADS="8").endswith("1, not 8")
    assert how("time-zone", TZ="Pacific/Kiritimati") == "TZ is UTC, not Pacific/Kiritimati"
    assert "not C.utf8" in how("locale", LC_ALL="C.utf8")
    assert not how("locale", LC_ALL="C.utf8").startswith("LC_ALL is C.UTF-8")


def test_without_unshare_the_network_is_not_tried(tmp_path: Path) -> None:
    assert variation("network", ground(tmp_path, PATH=str(tmp_path))) == Untried("there is no unshare")


def test_what_stands_before_a_command_sets_and_unsets_whatever_the_values_hold(tmp_path: Path) -> None:
    odd = "a 'b' $HOME\n;"
    varied = Variation("", {"ODD": odd, "GONE": None}, first="umask 027", words=("env", "MORE=1"))
    words = prefix(Variation("", {"BASE": "1"}), varied, str(tmp_path / "log"))
    code = 'import os; print([os.environ.get(n) for n in ("ODD", "GONE", "MORE", "BASE")], os.umask(0))'
    environ = {"PATH": os.environ["PATH"], "GONE": "here"}
    subprocess.run([*words, sys.executable, "-c", code], env=environ, check=True)
    assert (tmp_path / "log").read_text() == f"{[odd, None, '1', '1']} 23\n"
