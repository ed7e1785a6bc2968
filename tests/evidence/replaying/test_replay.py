"""Replays in the engine: coordinates taken from other runs, things varied on purpose, chains, refusals."""

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.base.events import Event, Warned
from fourfold.evidence.replaying import standing
from fourfold.evidence.replaying.chains import replay_chain
from fourfold.evidence.replaying.recipe import CommandHiddenError, NothingToReplayError, OverwritingError
from fourfold.evidence.replaying.replay import (
    Changes,
    InputGoneError,
    Prepared,
    Replayed,
    Sources,
    Streams,
    replay,
)
from fourfold.evidence.replaying.reseeding import SeedFixedError
from fourfold.evidence.replaying.surroundings import EnvironmentDiffersError
from fourfold.formats.native.fact import observed
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.changes import value_of
from fourfold.runs.environment.asking import ask
from fourfold.runs.place import Place
from fourfold.runs.store import Records, records_of
from fourfold.wiring import find_place
from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool

PREP = """\
import random
open("prep.txt", "w").write(open("raw.txt").read().upper() + str(random.random()))
"""
TRAIN = """\
import json, random
import lib
scale = next(line.split(":")[1].strip() for line in open("params.yaml") if line.startswith("scale"))
open("model.txt", "w").write("|".join([lib.NAME, scale, open("prep.txt").read(), str(random.random())]))
json.dump({"size": len(scale)}, open("metrics.json", "w"))
"""
PIPELINE = f"""\
stages:
  prep:
    cmd: {sys.executable} prep.py
    deps: [prep.py, raw.txt]
    outs: [prep.txt]
  train:
    cmd: {sys.executable} train.py
    deps: [train.py, lib.py, prep.txt]
    params: [scale]
    outs: [model.txt]
    metrics: [metrics.json: {{cache: false}}]
    meta:
      fourfold: {{seed: seed}}
"""


class World:
    """A project with its place and records."""

    def __init__(self, repo: Sandbox) -> None:
        self.repo = repo
        self.place: Place = find_place(str(repo.path), environ=repo.tool.env, clock=SYSTEM)
        self.records: Records = records_of(self.place)
        self.names: dict[str, RunId] = {}

    def run(self, name: str = "train") -> RunId:
        """A run by its name, as it was when the test began to forge others."""
        if name not in self.names:
            self.names[name] = self.records.resolve(name)
        return self.names[name]

    def with_environ(self, **more: str) -> Place:
        return find_place(str(self.repo.path), environ={**self.repo.tool.env, **more}, clock=SYSTEM)

    def replay(self, run: RunId, place: Place | None = None, **options: Any) -> Replayed:
        devnull = os.open(os.devnull, os.O_WRONLY)
        try:
            streams = options.pop("streams", Streams(output=devnull))
            return replay(place or self.place, self.records, run, streams=streams, **options)
        finally:
            os.close(devnull)

    def forge(self, record: RunRecord) -> RunId:
        """Add a record that nobody made."""
        return self.records.append(lambda previous: record._replace(previous=previous))

    def left(self) -> list[str]:
        folder = self.repo.path / ".dvc/fourfold/replays"
        return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two versions of a pipeline of two stages, in which everything moved: A is ``train~1``, B ``train``."""
    folder = tmp_path_factory.mktemp("replay")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(
        {
            "prep.py": PREP,
            "train.py": TRAIN,
            "lib.py": "NAME = 'old'\n",
            "raw.txt": "first",
            "params.yaml": "scale: 1\nseed: 11\n",
            "dvc.yaml": PIPELINE,
        }
    )
    repo.run("add", "-q", "raw.txt")
    repo.commit("one")
    repo.run("repro", "-q")
    repo.commit("one ran")
    repo.gen({"lib.py": "NAME = 'new'\n", "raw.txt": "second", "params.yaml": "scale: 22\nseed: 12\n"})
    repo.run("add", "-q", "raw.txt")
    repo.commit("two")
    repo.run("repro", "-q")
    repo.commit("two ran")
    found = World(repo)
    for name in ("prep", "train", "train~1"):
        found.run(name)
    return found


def model(replayed: Replayed) -> list[str]:
    """The parts of the model: name of the code, parameter, data, number drawn."""
    file = next(pair.file for pair in replayed.outputs if pair.path == "model.txt")
    assert file is not None
    return Path(file).read_text().split("|")


def test_each_coordinate_can_come_from_another_run(world: World) -> None:
    a, b = world.run("train~1"), world.run("train")
    with world.replay(a) as plain, world.replay(b) as other:
        assert plain.equal
        assert other.equal
        first, second = model(plain), model(other)
    assert all(one != two for one, two in zip(first, second, strict=True))
    with world.replay(a, sources=Sources(code=b)) as mixed:
        assert model(mixed) == [second[0], *first[1:]]
        assert value_of(mixed.record.trace, "replay") == {"of": a, "code": b}
        assert not mixed.equal
    with world.replay(a, sources=Sources(data=b)) as mixed:
        assert model(mixed) == [first[0], second[1], second[2], first[3]]
        seed = next(
            line for line in Path(mixed.box.root, "params.yaml").read_text().splitlines() if "seed" in line
        )
        assert seed == "seed: 11"
    with world.replay(a, sources=Sources(randomness=b)) as mixed:
        assert model(mixed) == [*first[:3], second[3]]
    with world.replay(a, sources=Sources(code=b, data=b, environment=b, randomness=b)) as mixed:
        assert model(mixed) == second
    assert world.left() == []


def test_a_chain_feeds_each_run_with_what_those_before_it_made(world: World) -> None:
    a, b = world.run("train~1"), world.run("train")
    with replay_chain(world.place, world.records, a) as chain:
        assert [step.original.stage for step in chain.steps] == ["prep", "train"]
        assert chain.equal
        assert chain.whole
    other = {"prep": world.run("prep"), "train": b}
    with replay_chain(
        world.place,
        world.records,
        a,
        sources=lambda step: Sources(data=other["prep"]) if step.record.stage == "prep" else Sources(),
    ) as chain:
        assert [step.equal for step in chain.steps] == [False, False]
        assert "SECOND" in model(chain.steps[-1])[2]
    assert world.left() == []


def test_what_varies_on_purpose_varies_and_nothing_else(world: World) -> None:
    a = world.run("train~1")
    with world.replay(a, changes=Changes(seed=77, cwd_name="elsewhere")) as replayed:
        assert os.path.basename(replayed.box.root) == "elsewhere"
        assert value_of(replayed.record.randomness, "seed") == 77
        assert "seed: 77" in Path(replayed.box.root, "params.yaml").read_text()
        assert not replayed.equal
    said: list[Prepared] = []
    look = Changes(environ={"LOOK": "1", "LANG": None}, prefix=("env", "MORE=2"))
    with world.replay(a, changes=look, streams=Streams(output=2, prepared=said.append)) as replayed:
        assert replayed.equal
    (told,) = said
    assert (told.of, told.seed, told.missing) == (a, 11, ())


def test_inputs_that_are_given_are_taken_as_they_are(world: World, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("given")
    with world.replay(world.run("train"), given={"prep.txt": str(tmp_path / "mine.txt")}) as replayed:
        assert model(replayed)[2] == "given"


def test_numbers_of_threads_and_language_are_those_of_then(world: World) -> None:
    place = world.with_environ(
        LANG="de_DE.UTF-8", LC_NUMERIC="de_DE.UTF-8", TZ="Asia/Tokyo", OMP_NUM_THREADS="7"
    )
    with world.replay(world.run(), place=place, policy="running") as replayed:
        assert replayed.equal
        here, there = (value_of(one.environment, "locale") for one in (replayed.record, replayed.original))
        assert here["variables"] == there["variables"]
        assert value_of(replayed.record.environment, "threads") == value_of(
            replayed.original.environment, "threads"
        )


def test_a_hash_seed_that_the_user_had_set_is_set_again(world: World) -> None:
    place = world.with_environ(PYTHONHASHSEED="99")
    with world.replay(world.run(), place=place) as replayed:
        assert replayed.record.randomness["hash_seed"] == replayed.original.randomness["hash_seed"]


@pytest.mark.parametrize("line", ["{} train.py --token ***", "*** train.py"])
def test_a_secret_that_was_struck_out_is_taken_from_the_code_or_the_run_is_refused(
    world: World, line: str
) -> None:
    record = world.records.get(world.run())
    struck = world.forge(record._replace(command=(line.format(sys.executable),)))
    if line.startswith("***"):  # the line of dvc.yaml is this one, with something where the stars are
        with world.replay(struck) as replayed:
            assert replayed.record.outcome.state == "succeeded"
    else:
        with pytest.raises(CommandHiddenError, match="a secret was struck out of the command line"):
            world.replay(struck)
    assert world.left() == []


@pytest.mark.parametrize("command", [(), ("true\0-c", "x")])
def test_a_record_without_a_command_that_can_be_run_is_refused(
    world: World, command: tuple[str, ...]
) -> None:
    forged = world.forge(world.records.get(world.run())._replace(command=command))
    with pytest.raises(NothingToReplayError):
        world.replay(forged)
    assert world.left() == []


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"inputs": observed("x"), "outputs": observed({"a": 1}), "params": observed(["x"])},
        {"inputs": observed([7, {"path": 3}, {}]), "outputs": observed([None])},
        {"params": observed({"part": "0" * 64, "size": 1}), "missing": observed(7), "kept": observed("x")},
    ],
)
def test_a_record_of_another_shape_runs_with_what_can_be_read_of_it(
    world: World, facts: dict[str, Any]
) -> None:
    record = world.records.get(world.run("prep"))
    inputs = {"inputs": record.data["inputs"]} if facts else {}
    odd = record._replace(
        data={**inputs, **facts},
        randomness={"seed": observed("x"), "determinism": observed(1), "numerics": observed({"asked": 1})},
        trace={"undeclared_reads": observed([1]), "env": observed({"declared": 1})},
    )
    forged = world.forge(odd)
    with world.replay(forged, policy="running") as replayed:
        assert replayed.record.kind == "replay"


def test_odd_numerics_of_a_record_are_left_out(world: World) -> None:
    asked = {"threads": 10**9, "blas": "x;y", "simd": "z", "tf32": "yes", "workspace": 3, "other": 1}
    record = world.records.get(world.run())
    odd = {**record.randomness, "numerics": observed({"asked": asked})}
    with world.replay(world.forge(record._replace(randomness=odd))) as replayed:
        assert replayed.record.randomness["numerics"].grade == "absent"


def test_a_declared_variable_with_another_value_is_refused_unless_the_running_one_is_asked_for(
    tmp_path: Path, ff: Tool
) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(
        {
            "go.py": "import os\nopen('out.txt', 'w').write(os.environ['CUSTOMER'])\n",
            "dvc.yaml": f"stages:\n  go:\n    cmd: {sys.executable} go.py\n    deps: [go.py]\n"
            "    outs: [out.txt]\n    meta:\n      fourfold: {env: [CUSTOMER]}\n",
        }
    )
    repo.commit("one")
    repo.run("repro", "-q", env={"CUSTOMER": "ada"})
    world = World(repo)
    run = world.run("go")
    with world.replay(run, place=world.with_environ(CUSTOMER="ada")) as replayed:
        assert replayed.equal
    other = world.with_environ(CUSTOMER="bob")
    with pytest.raises(EnvironmentDiffersError, match="CUSTOMER"):
        world.replay(run, place=other)
    with world.replay(run, place=other, policy="running") as replayed:
        assert not replayed.equal


def test_what_nobody_has_is_all_named_in_one_error(world: World) -> None:
    record = world.records.get(world.run())
    rows = [{"path": f"gone-{at}.csv", "role": "dep", "md5": f"{at}" * 32} for at in range(3)]
    forged = world.forge(record._replace(data={**record.data, "inputs": observed(rows)}))
    with pytest.raises(InputGoneError) as caught:
        world.replay(forged)
    assert caught.value.message.endswith("(and 2 more)")
    assert len(caught.value.details) == 3
    assert world.left() == []


def test_a_replay_can_be_replayed(world: World) -> None:
    with world.replay(world.run()) as first:
        pass
    with world.replay(first.run) as second:
        assert second.equal
        assert value_of(second.record.trace, "replay") == {"of": first.run}


@pytest.mark.parametrize("mode", ["off", "audit"])
def test_a_replay_runs_however_it_is_watched(world: World, mode: str) -> None:
    with world.replay(world.run(), place=world.with_environ(FOURFOLD_TRACE=mode)) as replayed:
        assert replayed.equal
        method = value_of(replayed.record.trace, "coverage")["method"]
        assert method == {"off": "none"}.get(mode, mode)


def test_two_replays_at_once_do_not_meet(world: World) -> None:
    with world.replay(world.run("train~1")) as one, world.replay(world.run("train")) as two:
        assert one.equal
        assert two.equal
        assert one.box.root != two.box.root
        assert len(world.left()) == 2
    assert world.left() == []


def test_a_stage_that_asks_git_finds_a_repository_of_its_own(tmp_path: Path, ff: Tool) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(
        {
            "dvc.yaml": "stages:\n  go:\n    cmd: git log -1 --format=%H > out.txt && git rev-parse "
            "--show-prefix >> out.txt\n    outs: [out.txt]\n"
        }
    )
    repo.commit("one")
    repo.run("repro", "-q")
    repo.commit("two")
    world = World(repo)
    with world.replay(world.run("go")) as replayed:
        assert replayed.equal


def test_submodules_and_large_files_are_those_of_the_clone_or_named(tmp_path: Path, ff: Tool) -> None:
    other = Sandbox(tmp_path / "other", ff)
    other.git("init", "-q")
    other.gen({"part.txt": "part"})
    other.commit("part")
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.git("submodule", "--quiet", "add", "../other", "lib")
    big, name = b"large " * 100, hashlib.sha256(b"large " * 100).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(big)}\n"
    repo.gen({"big.bin": pointer, "go.sh": "cat lib/part.txt > out.txt\n"})
    repo.commit("as pointers")
    repo.gen({".gitattributes": "*.bin filter=lfs -text\n"})
    repo.commit("one")
    stored = f".git/lfs/objects/{name[:2]}/{name[2:4]}/{name}"
    repo.gen({stored: big})
    repo.run("run", "-q", "--", "sh", "go.sh")
    world = World(repo)
    run = world.run("@")
    with world.replay(run, policy="running") as replayed:
        assert replayed.left_out == ()
        assert replayed.equal
        assert Path(replayed.box.root, "big.bin").read_bytes() == big
    repo.gen({stored: b"other"})
    repo.git("submodule", "--quiet", "deinit", "-f", "lib")
    with pytest.raises(InputGoneError, match="cannot be had"):
        world.replay(run, policy="running")
    record = world.records.get(run)
    nothing_read = world.forge(record._replace(data={**record.data, "inputs": observed([])}))
    with world.replay(nothing_read, policy="running") as replayed:
        assert [line.split(" (")[0] for line in replayed.left_out] == ["lib", "big.bin"]
        assert Path(replayed.box.root, "big.bin").read_text() == pointer
        assert not replayed.equal


def test_an_output_that_a_stage_keeps_between_runs_is_told(tmp_path: Path, ff: Tool) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(
        {
            "go.py": "open('log.txt', 'a').write('x')\n",
            "dvc.yaml": f"stages:\n  go:\n    cmd: {sys.executable} go.py\n    deps: [go.py]\n"
            "    outs: [log.txt: {persist: true}]\n",
        }
    )
    repo.commit("one")
    repo.run("repro", "-q")
    repo.run("repro", "-q", "-f")
    world, heard = World(repo), list[Event]()
    with world.replay(world.run("go"), events=heard.append) as replayed:
        assert not replayed.equal
    assert "replay-of-persistent" in [event.code for event in heard if isinstance(event, Warned)]


def test_line_ends_are_those_that_the_repository_asks_for(tmp_path: Path, ff: Tool) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.git("config", "core.autocrlf", "true")
    repo.gen(
        {"in.txt": b"a\r\nb\r\n", "go.py": b"open('out.txt', 'wb').write(open('in.txt', 'rb').read())\r\n"}
    )
    repo.commit("one")
    repo.run("run", "-q", "--", sys.executable, "go.py")
    world = World(repo)
    with world.replay(world.run("@"), policy="running") as replayed:
        assert replayed.equal
        assert value_of(replayed.record.code, "tree") == value_of(replayed.original.code, "tree")
        assert value_of(replayed.record.code, "dirty") == value_of(replayed.original.code, "dirty")


def commanded(folder: Path, ff: Tool, **files: object) -> Sandbox:
    """A repository with some files, committed; no project."""
    repo = Sandbox(folder, ff)
    repo.git("init", "-q")
    repo.gen(files)
    repo.commit("one")
    return repo


def test_a_command_that_rewrites_its_input_begins_with_what_it_began_with(tmp_path: Path, ff: Tool) -> None:
    repo = commanded(tmp_path / "repo", ff, **{"log.txt": "a\n", "go.py": "x = 1\n"})
    line = "import sys; text = open('log.txt').read(); open('log.txt', 'w').write(text + 'b\\n')"
    repo.run("run", "-q", "--", sys.executable, "-c", line)
    assert repo.text("log.txt") == "a\nb\n"
    world = World(repo)
    with world.replay(world.records.resolve("@")) as replayed:
        assert [(pair.path, pair.same) for pair in replayed.outputs] == [("log.txt", True)]
        assert Path(str(replayed.outputs[0].file)).read_text() == "a\nb\n"
    assert repo.text("log.txt") == "a\nb\n"


def test_a_command_that_rewrites_what_no_code_has_is_refused(tmp_path: Path, ff: Tool) -> None:
    repo = commanded(tmp_path / "repo", ff, **{".gitignore": "log.txt\n"})
    repo.gen({"log.txt": "a\n"})
    line = "text = open('log.txt').read(); open('log.txt', 'w').write(text + 'b\\n')"
    repo.run("run", "-q", "--", sys.executable, "-c", line)
    world = World(repo)
    with pytest.raises(InputGoneError, match="input 'log"):
        world.replay(world.records.resolve("@"))


def test_what_lies_outside_of_the_repository_is_never_overwritten(tmp_path: Path, ff: Tool) -> None:
    repo = commanded(tmp_path / "repo", ff, **{"go.py": "x = 1\n"})
    target = tmp_path / "home" / "results" / "out.txt"
    target.parent.mkdir(parents=True)
    line = f"open({str(target)!r}, 'w').write('x')"
    repo.run("run", "-q", "-o", str(target), "--", sys.executable, "-c", line)
    target.write_text("newer")
    world = World(repo)
    run = world.records.resolve("@")
    with pytest.raises(OverwritingError, match=r"outside of its repository: a replay would overwrite it"):
        world.replay(run)
    assert target.read_text() == "newer"
    target.unlink()
    for folder in (None, str(tmp_path / "kept")):
        with world.replay(run, folder=folder) as replayed:
            assert [pair.same for pair in replayed.outputs] == [True]
            assert target.read_text() == "x"
        assert not target.exists()


@pytest.mark.parametrize("named", ["out.txt", "results", ""])
def test_a_command_that_names_the_workspace_where_it_writes_is_refused(
    tmp_path: Path, ff: Tool, named: str
) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    out = "out.txt" if named == "out.txt" else "results/out.txt"
    inner = os.path.relpath(out, named) if named not in {"", "out.txt"} else out if not named else ""
    code = f"import os, sys\nopen(os.path.join(sys.argv[1], {inner!r}).rstrip('/'), 'w').write('x')\n"
    where = os.path.join(str(repo.path), named).rstrip("/")
    repo.gen(
        {
            "go.py": code,
            "results": {},
            "dvc.yaml": f"stages:\n  go:\n    cmd: {sys.executable} go.py '{where}'\n"
            f"    deps: [go.py]\n    outs: [{out}]\n",
        }
    )
    repo.commit("one")
    repo.run("repro", "-q")
    world = World(repo)
    repo.path.joinpath(out).unlink()
    repo.gen({out: "newer"})
    with pytest.raises(OverwritingError, match="in the workspace: a replay would write"):
        world.replay(world.run("go"))
    assert repo.text(out) == "newer"
    assert world.left() == []


def test_a_replay_in_a_hook_of_git_leaves_the_repository_of_the_hook_alone(world: World) -> None:
    git = world.repo.path / ".git"
    hook = world.with_environ(GIT_DIR=str(git), GIT_INDEX_FILE=str(git / "index"), DVC_ROOT="/elsewhere")
    record = world.records.get(world.run("prep"))
    line = f"git init -q -b other && git add --all && echo $DVC_ROOT > where && {record.command[0]}"
    before = [(git / name).read_bytes() for name in ("HEAD", "index")]
    with world.replay(world.forge(record._replace(command=(line,))), place=hook) as replayed:
        assert replayed.record.outcome.state == "succeeded"
        assert Path(replayed.box.project_root, "where").read_text().strip() == replayed.box.project_root
    assert [(git / name).read_bytes() for name in ("HEAD", "index")] == before


def test_a_line_of_many_secrets_is_compared_at_once(world: World) -> None:
    record = world.records.get(world.run())
    command = " ".join(["***"] * 40) + " x"
    with pytest.raises(CommandHiddenError):
        world.replay(world.forge(record._replace(command=(command,))))


def test_an_interpreter_is_asked_once_for_many_replays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(executable: str, environ: Mapping[str, str]) -> Mapping[str, Any]:
        asked.append(executable)
        return ask(executable, environ)

    monkeypatch.setattr(standing, "ask", counted)
    place = world.with_environ(ASKED="1")
    for _ in range(3):
        with world.replay(world.run("prep"), place=place) as replayed:
            assert replayed.surroundings.how == "running"
    assert len(asked) == len(set(asked)) > 0


def test_a_file_of_parameters_that_cannot_be_read_takes_no_other_seed(tmp_path: Path, ff: Tool) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(
        {
            "go.py": "open('out.txt', 'w').write('x')\n",
            "own.json": '{"seed": 3}',
            "dvc.yaml": f"stages:\n  go:\n    cmd: {sys.executable} go.py\n    deps: [go.py]\n"
            "    params: [own.json: [seed]]\n    outs: [out.txt]\n"
            "    meta: {fourfold: {seed: 'own.json:seed'}}\n",
        }
    )
    repo.commit("one")
    repo.run("repro", "-q")
    world = World(repo)
    run = world.run("go")
    with world.replay(run, changes=Changes(seed=5)) as replayed:
        assert Path(replayed.box.root, "own.json").read_text() == '{\n  "seed": 5\n}\n'
    broken = tmp_path / "broken.json"
    for text in ("{", "[" * 100_000, "3"):
        broken.write_text(text)
        with pytest.raises(SeedFixedError):
            world.replay(run, changes=Changes(seed=5), given={"own.json": str(broken)})
