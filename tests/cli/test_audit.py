"""``ff audit``: what was forged, edited or swapped is named; what is merely not proven is told apart."""

import base64
import io
import json
import os
import random
import shutil
import subprocess
import time
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from fourfold.cli.main import Invocation
from fourfold.evidence.auditing import signing, statements
from fourfold.evidence.auditing.documents import audit_file
from fourfold.formats.attest import dsse, intoto, verdict
from fourfold.formats.dvc import lock as dvc_lock
from fourfold.formats.dvc.lock import entry_document
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.record import RunId
from fourfold.runs import envelopes
from fourfold.runs.place import Place
from fourfold.runs.store import records_of
from fourfold.wiring import find_place
from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool

PIPELINE = """\
stages:
  prepare:
    cmd: cp raw.txt table.txt && cat more.txt >> table.txt
    deps: [raw.txt]
    outs: [table.txt]
  train:
    cmd: wc -c table.txt > model.txt && mkdir -p parts && cp table.txt parts/1
    deps: [table.txt]
    params: [lr]
    outs: [model.txt, parts]
"""
FOUND = {"level": "bitwise", "holds": True, "asked": "bitwise", "reason": "", "outputs": []}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two stages, each of which ran twice: with two parameters, each committed."""
    folder = tmp_path_factory.mktemp("audit")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen({"dvc.yaml": PIPELINE, "more.txt": "more\n", "params.yaml": "lr: 0.1\n", "raw.txt": "raw\n"})
    repo.run("add", "-q", "raw.txt")
    repo.run("repro", "-q")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "one")
    repo.gen({"params.yaml": "lr: 0.2\n", "raw.txt": "rawer\n"})
    repo.run("add", "-q", "raw.txt")
    repo.run("repro", "-q")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "two")
    return folder / "repo"


class Repo(Sandbox):
    """A copy of the template."""

    def audit(self, *args: str, code: int = 0) -> dict[str, Any]:
        out, err = io.StringIO(), io.StringIO()
        argv = ["audit", "verify", "--json", "--cd", str(self.path), *args]
        environ = {**os.environ, "HOME": str(self.path.parent / "home")}
        ended = Invocation(argv, environ=environ, stdin=io.StringIO(), stdout=out, stderr=err).run()
        assert ended == code, out.getvalue() + err.getvalue()
        found: dict[str, Any] = json.loads(out.getvalue())
        return found

    def kinds(self, *args: str, code: int = 1, weight: str = "broken") -> dict[str, list[str]]:
        """The subjects of findings, by kind."""
        kinds: dict[str, list[str]] = {}
        for one in self.audit(*args, code=code)[weight]:
            kinds.setdefault(one["kind"], []).append(one["subject"])
        return kinds

    @property
    def place(self) -> Place:
        return find_place(str(self.path), environ={**os.environ, "HOME": str(self.path.parent / "home")})

    def run_id(self, name: str) -> str:
        return records_of(self.place).resolve(name)

    def document(self, kind: str, name: str) -> Path:
        return self.path / ".dvc/fourfold/runs" / kind / name[:2] / name[2:]

    def write_anew(self, run: str, old: bytes, new: bytes) -> str:
        """A record with other words, under the id that is right for them: that id."""
        path = self.document("records", run)
        data = path.read_bytes().replace(old, new)
        fresh = self.document("records", digest(data))
        fresh.parent.mkdir(exist_ok=True)
        fresh.write_bytes(data)
        path.unlink()
        return digest(data)

    def append(self, document: dict[str, Any], after: str) -> str:
        """A record at the end of the chain, as whoever can write here can put it there: its id."""
        data = canonical({**document, "previous": after})
        fresh = self.document("records", digest(data))
        fresh.parent.mkdir(exist_ok=True)
        fresh.write_bytes(data)
        (self.path / ".dvc/fourfold/runs/head").write_text(digest(data))
        return digest(data)

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.path / file).read_text()
        assert old in text
        (self.path / file).write_text(text.replace(old, new))

    def cache(self, data: bytes) -> str:
        """Put an object into the cache; its name."""
        name = md5(data, usedforsecurity=False).hexdigest()
        path = self.path / ".dvc/cache/files/md5" / name[:2] / name[2:]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return name

    def locked(self, path: str) -> str:
        """The digest that ``dvc.lock`` gives an output."""
        lines = (self.path / "dvc.lock").read_text().splitlines()
        at = max(number for number, line in enumerate(lines) if line.strip() == f"- path: {path}")
        return next(line.split()[-1] for line in lines[at:] if "md5: " in line)

    def verified(self, stage: str = "train", found: dict[str, Any] = FOUND, **environ: str) -> str:
        """Keep a verdict about the newest run of a stage, and note it; its id."""
        place = self.place._replace(environ={"HOME": "/nowhere", **environ})
        records = records_of(place)
        run = records.resolve(stage)
        name = statements.record_verdict(place, records, run, found)
        statements.note_in_lock(place, records, run, name)
        return name


@pytest.fixture
def repo(template: Path, tmp_path: Path, ff: Tool) -> Repo:
    shutil.copytree(template, tmp_path / "repo", symlinks=True)
    return Repo(tmp_path / "repo", ff)


def test_what_nobody_touched_is_clean_at_every_commit(repo: Repo) -> None:
    found = repo.audit("--all-commits", "--data", "--strict")
    assert found["clean"]
    assert found["broken"] == found["open"] == found["note"] == []
    assert found["checked"]["records"] == found["checked"]["entries"] == 4
    assert "nothing is broken" in repo.run("audit", "verify").stdout


def test_an_output_forged_in_the_lock_file_with_its_object_in_the_cache_is_named(repo: Repo) -> None:
    real = repo.locked("model.txt")
    forged = repo.cache(b"better\n")
    repo.edit("dvc.lock", real, forged)
    (finding,) = repo.audit(code=1)["broken"]
    assert (finding["kind"], finding["subject"]) == ("entry-forged", "dvc.lock: train")
    assert finding["details"] == [f"model.txt: the entry says {forged}, the run wrote {real}"]
    text = repo.run("audit", "verify", check=False).stdout
    assert "entry-forged" in text
    assert "dvc.lock: train" in text


def test_a_forgery_in_an_old_commit_is_named_with_the_commit(repo: Repo) -> None:
    repo.edit("dvc.lock", repo.locked("model.txt"), repo.cache(b"better\n"))
    repo.git("commit", "-qam", "three")
    bad = repo.git("rev-parse", "HEAD").strip()
    repo.git("revert", "--no-edit", "HEAD")
    assert repo.audit()["broken"] == []
    (finding,) = repo.audit("--all-commits", code=1)["broken"]
    assert finding["subject"] == f"dvc.lock: train at {bad[:12]}"
    assert repo.audit("--rev", "HEAD~1", code=1)["broken"] == [finding]


def test_an_input_forged_in_the_lock_file_is_named(repo: Repo) -> None:
    lock = (repo.path / "dvc.lock").read_text()
    before, train = lock.split("  train:\n")
    real = train.split("md5: ")[1].split()[0]
    (repo.path / "dvc.lock").write_text(before + "  train:\n" + train.replace(real, repo.cache(b"x")))
    assert repo.kinds() == {"entry-forged": ["dvc.lock: train"]}


def test_an_entry_of_a_run_that_nobody_recorded_is_open_and_not_forged(repo: Repo) -> None:
    repo.gen({"raw.txt": "other\n"})
    repo.run("add", "-q", "raw.txt")
    repo.run("repro", "-q", env={"FOURFOLD_CAPTURE": "off"})
    (repo.path / "fourfold.lock").unlink()
    assert repo.audit()["clean"]
    assert repo.kinds(code=0, weight="open") == {"entry-unrecorded": ["dvc.lock: prepare", "dvc.lock: train"]}
    repo.audit("--strict", code=1)


def test_lock_files_that_disagree_since_somebody_ran_without_recording_are_no_forgery(repo: Repo) -> None:
    ours = (repo.path / "fourfold.lock").read_text()
    repo.gen({"raw.txt": "other\n"})
    repo.run("add", "-q", "raw.txt")
    repo.run("repro", "-q", env={"FOURFOLD_CAPTURE": "off"})
    (repo.path / "fourfold.lock").write_text(ours)
    assert repo.kinds() == {"lock-files-disagree": ["dvc.lock: prepare", "dvc.lock: train"]}


def test_another_result_of_a_run_that_is_not_here_is_no_forgery(repo: Repo) -> None:
    repo.edit("dvc.lock", repo.locked("model.txt"), repo.cache(b"theirs\n"))
    repo.edit("fourfold.lock", repo.run_id("train"), "ab" * 32)
    assert repo.kinds() == {"run-missing": ["fourfold.lock: train"]}
    assert repo.kinds(weight="open") == {"entry-unrecorded": ["dvc.lock: train"]}


def test_what_was_committed_before_recording_began_is_unrecorded(tmp_path: Path, ff: Tool) -> None:
    repo = Repo(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen({"dvc.yaml": "stages:\n  chance:\n    cmd: date +%s%N > out\n    outs: [out]\n"})
    repo.run("repro", "-q", env={"FOURFOLD_CAPTURE": "off"})
    repo.git("add", "-A")
    repo.git("commit", "-qm", "one")
    time.sleep(1.1)  # Git counts whole seconds
    repo.run("repro", "-q", "-f")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "two")
    assert repo.audit("--all-commits")["clean"]
    old = repo.git("rev-parse", "HEAD~1").strip()
    assert repo.kinds("-A", code=0, weight="open") == {
        "entry-unrecorded": [f"dvc.lock: chance at {old[:12]}"]
    }


def test_a_dependency_that_was_declared_afterwards_is_no_forgery(repo: Repo) -> None:
    assert repo.run("deps", "fix", "--yes", check=False).code in {0, 254}
    repo.run("deps", "fix")
    assert "more.txt" in (repo.path / "dvc.lock").read_text()
    assert repo.audit()["broken"] == []
    assert repo.kinds(code=0, weight="note") == {"entry-declared-later": ["dvc.lock: prepare"]}


def test_a_record_that_was_edited_is_named(repo: Repo) -> None:
    run = repo.run_id("train~1")
    path = repo.document("records", run)
    path.write_bytes(path.read_bytes().replace(b'"lr":0.1', b'"lr":0.9'))
    found = repo.kinds()
    assert found["record-damaged"] == found["chain-gap"] == [f"run {run[:12]}"]


def test_a_record_that_was_written_anew_under_a_fresh_id_breaks_the_chain(repo: Repo) -> None:
    run = repo.run_id("prepare~1")
    repo.write_anew(run, b'"state":"succeeded"', b'"state":"failed"')
    assert repo.kinds()["chain-gap"] == [f"run {run[:12]}"]


def test_a_last_record_written_anew_with_the_head_is_named_by_the_lock_file(repo: Repo) -> None:
    fresh = repo.write_anew(repo.run_id("train"), b'"lr":0.2', b'"lr":0.3')
    (repo.path / ".dvc/fourfold/runs/head").write_text(fresh)
    assert repo.kinds() == {
        "record-contradicts-itself": ["dvc.lock: train"],
        "run-missing": ["fourfold.lock: train"],
    }


def test_a_record_that_was_added_to_make_a_forged_entry_true_forks_the_chain(repo: Repo) -> None:
    run = repo.run_id("train")
    document = json.loads(repo.document("records", run).read_bytes())
    document["times"]["seconds"] = 1.0
    data = canonical(document)
    fresh = repo.document("records", digest(data))
    fresh.parent.mkdir(exist_ok=True)
    fresh.write_bytes(data)
    assert repo.kinds() == {"chain-fork": [f"run {digest(data)[:12]}"]}


def test_a_record_whose_outputs_are_not_those_of_its_entry_contradicts_itself(repo: Repo) -> None:
    run = repo.run_id("train")
    document = json.loads(repo.document("records", run).read_bytes())
    document["data"]["outputs"]["value"][0]["md5"] = "0" * 32
    repo.append(document, run)
    assert repo.kinds() == {"record-contradicts-itself": ["dvc.lock: train"]}


@pytest.mark.parametrize(("what", "lr"), [("inputs", 0), ("command", 0), ("params", 0.9), ("params", "***")])
def test_a_record_that_read_or_did_other_than_its_entry_says_contradicts_itself(
    repo: Repo, what: str, lr: object
) -> None:
    run = repo.run_id("train")
    document = json.loads(repo.document("records", run).read_bytes())
    if what == "command":
        document["command"] = ["true"]
    elif what == "inputs":
        row = next(one for one in document["data"]["inputs"]["value"] if one["path"] == "table.txt")
        row["md5"] = "0" * 32
    else:
        document["data"]["params"]["value"] = {"params.yaml": {"lr": lr}}
    repo.append(document, run)
    assert repo.kinds() == {"record-contradicts-itself": ["dvc.lock: train"]}


def test_commands_of_several_lines_and_an_input_that_its_own_stage_changed_are_no_contradiction(
    tmp_path: Path, ff: Tool
) -> None:
    repo = Repo(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    pipeline = {
        "lines": {"cmd": "cat params.yaml > one\n\n  cat raw >> one\n", "deps": ["params.yaml", "raw"]},
        "grows": {"cmd": "cat one > two && echo more >> log", "deps": ["one", "log"], "outs": ["two"]},
    }
    pipeline["lines"] |= {"params": ["lr"], "outs": ["one"]}
    repo.gen({"dvc.yaml": json.dumps({"stages": pipeline}), "params.yaml": "lr: 1\n", "raw": "r", "log": "-"})
    repo.run("repro", "-q")
    repo.commit("one")
    assert repo.kinds(code=0) == repo.kinds(code=0, weight="open") == {}
    text = (repo.path / "dvc.lock").read_text()
    head, _, tail = text.partition(repo.locked("one"))
    (repo.path / "dvc.lock").write_text(head + "cd" * 16 + tail)
    assert repo.kinds()["entry-forged"] == ["dvc.lock: lines"]


MIRRORED = {
    "cmd": "mkdir -p good bad && cp a good/model && cp b bad/model",
    "deps": ["a", "b"],
    "outs": ["good/model", "bad/model"],
}


@pytest.mark.parametrize("what", ["deps", "outs", "elsewhere"])
def test_a_run_that_was_replayed_and_signed_vouches_for_no_entry_in_which_files_are_swapped(
    tmp_path: Path, ff: Tool, what: str
) -> None:
    repo = Repo(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen({"dvc.yaml": json.dumps({"stages": {"train": MIRRORED}}), "a": "good", "b": "bad"})
    repo.run("repro", "-q")
    repo.commit("one")
    key = signing.make_key(str(tmp_path / "key.pem"))
    signing.add_trusted(str(repo.path / signing.KEYS_FILE), key.public._replace(name="ada"))
    good, bad = repo.locked("good/model"), repo.locked("bad/model")
    run = repo.run_id("train")
    document = json.loads(repo.document("records", run).read_bytes())
    # What the run read, did and wrote stays true, so that a replay agrees; of the entry, it lies.
    deps, _, outs = (repo.path / "dvc.lock").read_text().partition("    outs:")
    if what == "deps":
        deps = good.join(part.replace(good, bad) for part in deps.split(bad))
    elif what == "outs":
        outs = good.join(part.replace(good, bad) for part in outs.split(bad))
    else:
        outs = outs.replace(good, bad)
        row = {"path": "s3://somewhere/model", "role": "out", "md5": bad}
        document["data"]["elsewhere"] = {"grade": "declared", "value": [row]}
    text = f"{deps}    outs:{outs}"
    (repo.path / "dvc.lock").write_text(text)
    entry = dvc_lock.parse(text.encode()).stages["train"]
    document["data"]["entry"]["value"] = digest(canonical(entry_document(entry)))
    repo.edit("fourfold.lock", run, repo.append(document, run))
    repo.verified(**{signing.VARIABLE: key.path})
    assert repo.kinds("--signed") == {"record-contradicts-itself": ["dvc.lock: train"]}


@pytest.mark.parametrize("fact", ["inputs", "outputs"])
def test_no_replay_agrees_with_a_record_that_gives_right_bytes_the_md5_of_others(
    tmp_path: Path, ff: Tool, fact: str
) -> None:
    repo = Repo(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    stage = {"cmd": "cat a > model", "deps": ["a"], "outs": ["model"]}
    repo.gen({"dvc.yaml": json.dumps({"stages": {"train": stage}}), "a": "good"})
    repo.commit("code")
    repo.run("repro", "-q")
    key = signing.make_key(str(tmp_path / "key.pem"))
    signing.add_trusted(str(repo.path / signing.KEYS_FILE), key.public._replace(name="ada"))
    run = repo.run_id("train")
    document = json.loads(repo.document("records", run).read_bytes())
    [row] = document["data"][fact]["value"]
    evil = repo.cache(b"evil")
    lines = (repo.path / "dvc.lock").read_text().partition("    outs:")
    parts = [lines[0].replace(row["md5"], evil), lines[2]]
    if fact == "outputs":
        parts = [lines[0], lines[2].replace(row["md5"], evil)]
    row["md5"] = evil
    (repo.path / "dvc.lock").write_text(lines[1].join(parts))
    entry = dvc_lock.parse((repo.path / "dvc.lock").read_bytes()).stages["train"]
    document["data"]["entry"]["value"] = digest(canonical(entry_document(entry)))
    repo.edit("fourfold.lock", run, repo.append(document, run))
    verified = repo.run("verify", "train", check=False, env={signing.VARIABLE: key.path})
    assert verified.code == 1, verified.stdout
    assert repo.kinds("--signed") == {"entry-unsigned": ["dvc.lock: train"]}


def test_digests_of_dvc_2_that_no_record_has_are_told_and_neither_a_contradiction_nor_vouched_for(
    tmp_path: Path, ff: Tool
) -> None:
    repo = Repo(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    stage = {"cmd": "cat a e > model && cp e out", "deps": ["a", "e"], "outs": ["model", "out"]}
    repo.gen({"dvc.yaml": json.dumps({"stages": {"train": stage}}), "e": "-"})
    (repo.path / "a").write_bytes(b"a\r\nb\r\n")
    repo.run("repro", "-q")
    text = (repo.path / "dvc.lock").read_text().replace("      hash: md5\n", "")
    for data in (b"a\r\nb\r\n", b"a\r\nb\r\n-"):
        old = md5(data, usedforsecurity=False).hexdigest()
        text = text.replace(old, md5(data.replace(b"\r", b""), usedforsecurity=False).hexdigest())
    (repo.path / "dvc.lock").write_text(text)
    shutil.rmtree(repo.path / ".dvc/fourfold/runs")
    (repo.path / "fourfold.lock").unlink()
    repo.run("repro", "-q", "-f")
    assert "hash: md5" not in (repo.path / "dvc.lock").read_text()
    assert repo.kinds(code=0, weight="open") == {"entry-legacy": ["dvc.lock: train"]}
    key = signing.make_key(str(tmp_path / "key.pem"))
    signing.add_trusted(str(repo.path / signing.KEYS_FILE), key.public._replace(name="ada"))
    repo.verified(**{signing.VARIABLE: key.path})
    assert repo.kinds("--signed") == {"entry-unsigned": ["dvc.lock: train"]}


def test_names_in_which_a_secret_was_struck_out_are_no_contradiction(tmp_path: Path, ff: Tool) -> None:
    repo = Repo(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    stage = {
        "cmd": "cat in-mistletoe > out-mistletoe && echo a postgres > b",
        "deps": ["in-mistletoe"],
        "params": ["postgres.size", "mistletoe", "n"],
        "outs": ["out-mistletoe", "b"],
    }
    params = "postgres: {size: 3}\nmistletoe: mistletoe\nn: 1\n"
    repo.gen({"dvc.yaml": json.dumps({"stages": {"s": stage}}), "in-mistletoe": "x", "params.yaml": params})
    repo.run("repro", "-q", env={"DB_PASSWORD": "postgres", "API_TOKEN": "mistletoe"})
    repo.commit("one")
    record = repo.document("records", repo.run_id("s")).read_text()
    assert "mistletoe" not in record
    assert repo.kinds(code=0) == repo.kinds(code=0, weight="open") == {}
    repo.edit("dvc.lock", "postgres.size: 3", "postgres.size: 4")
    assert repo.kinds()["entry-forged"] == ["dvc.lock: s"]


def test_a_head_that_was_moved_back_is_named(repo: Repo) -> None:
    last, before = repo.run_id("@"), repo.run_id("@~1")
    head = repo.path / ".dvc/fourfold/runs/head"
    head.write_text(before)
    assert repo.kinds() == {"chain-fork": [f"run {last[:12]}"]}
    head.write_text("0" * 64)
    assert "chain-head-lost" in repo.kinds()
    head.unlink()
    assert repo.kinds(code=0, weight="note") == {"chain-missing": ["chain"]}


def test_a_chain_that_was_cut_off_at_its_end_is_named_by_the_lock_file_and_stays_broken(repo: Repo) -> None:
    runs = [repo.run_id(name) for name in ("@", "@~1", "@~2")]
    shutil.copytree(repo.path / ".dvc/fourfold/runs", repo.path.parent / "whole")
    for run in runs[:2]:
        repo.document("records", run).unlink()
    (repo.path / ".dvc/fourfold/runs/list").unlink()
    head = repo.path / ".dvc/fourfold/runs/head"
    head.write_text(runs[2])
    assert repo.kinds() == {"run-missing": ["fourfold.lock: prepare", "fourfold.lock: train"]}
    # Where the head is not moved back, the next run names the record that is gone, and goes on naming it.
    head.write_text(runs[0])
    repo.run("repro", "-f", "-q")
    assert repo.kinds() == {"chain-gap": [f"run {runs[0][:12]}"]}
    for run in runs[:2]:  # until it is brought back
        shutil.copy(repo.path.parent / "whole/records" / run[:2] / run[2:], repo.document("records", run))
    assert repo.audit()["broken"] == []


def test_last_runs_that_no_lock_file_names_are_missed_by_whoever_noted_the_last(repo: Repo) -> None:
    before = repo.audit()["head"]
    repo.run("run", "--", "true")
    last = repo.audit()["head"]
    assert last != before
    repo.document("records", last).unlink()
    (repo.path / ".dvc/fourfold/runs/head").write_text(before)
    (repo.path / ".dvc/fourfold/runs/list").unlink()
    assert repo.kinds("--noted", before, "--noted", before[:40].upper(), code=0) == {}
    repo.run("run", "--", "echo", "another")
    assert repo.kinds("--noted", before, "--noted", last) == {"chain-cut": [f"run {last[:12]}"]}
    for wrong in (last[:31], "x" * 64, last + "0"):
        refused = repo.run("audit", "verify", "--noted", wrong, check=False)
        assert "is no id of a run" in refused.stderr


def test_a_part_that_was_swapped_or_taken_is_named(repo: Repo) -> None:
    parts = sorted((repo.path / ".dvc/fourfold/runs/parts").glob("*/*"))
    first, second = parts[0], parts[1]
    name = first.parent.name + first.name
    first.write_bytes(second.read_bytes())
    assert repo.kinds() == {"part-damaged": [f"part {name[:12]}"]}
    first.unlink()
    assert set(repo.kinds()) == {"part-missing"}


def test_records_from_elsewhere_are_told_and_break_nothing(repo: Repo, tmp_path: Path, ff: Tool) -> None:
    repo.run("remote", "add", "-d", "there", str(tmp_path / "remote"))
    repo.verified()
    repo.git("commit", "-qam", "remote")
    repo.run("push", "-q")
    clone = Repo(tmp_path / "clone", ff)
    subprocess.run(["git", "clone", "-q", str(repo.path), str(clone.path)], check=True, capture_output=True)
    (missing,) = clone.audit(code=1)["broken"]
    assert (missing["kind"], missing["details"]) == (
        "records-missing",
        ["fourfold.lock: prepare", "fourfold.lock: train"],
    )
    clone.run("pull", "-q")
    assert clone.audit()["checked"]["statements"] == 1
    assert clone.kinds(code=0, weight="open") == {"statement-unsigned": [clone_statement(clone)]}
    clone.gen({"raw.txt": "third\n"})
    clone.run("add", "-q", "raw.txt")
    clone.run("repro", "-q")
    assert clone.kinds(code=0, weight="note") == {"record-foreign": ["records"]}


def clone_statement(clone: Repo) -> str:
    found = next((clone.path / ".dvc/fourfold/runs/statements").glob("*/*/*/*"))
    return f"statement {(found.parent.name + found.name)[:12]}"


def test_a_statement_is_worth_what_its_signature_is(repo: Repo, tmp_path: Path) -> None:
    key = signing.make_key(str(tmp_path / "key.pem"))
    name = repo.verified(**{signing.VARIABLE: key.path})
    subject = f"statement {name[:12]}"
    assert repo.kinds(code=0, weight="open") == {"signature-unknown": [subject]}
    keys = tmp_path / "keys"
    signing.add_trusted(str(keys), key.public._replace(name="ada"))
    assert repo.kinds("--keys", str(keys), code=0, weight="open") == {}
    other = signing.make_key(str(tmp_path / "other.pem"))
    keys.unlink()
    signing.add_trusted(str(keys), other.public._replace(name="bob"))
    assert repo.kinds("--keys", str(keys), code=0, weight="open") == {"signature-unknown": [subject]}
    assert "code: usage" in repo.run("audit", "verify", "--keys", "nowhere", check=False).stderr


def test_a_forged_run_with_all_that_names_it_lacks_a_signature_where_one_is_asked_for(
    repo: Repo, tmp_path: Path
) -> None:
    key = signing.make_key(str(tmp_path / "key.pem"))
    keys = ["--signed", "--keys", str(tmp_path / "keys")]
    signing.add_trusted(keys[-1], key.public._replace(name="ada"))
    entries = ["dvc.lock: prepare", "dvc.lock: train"]
    assert repo.kinds(*keys) == {"entry-unsigned": entries}
    for stage in ("prepare", "train"):
        repo.verified(stage, **{signing.VARIABLE: key.path})
    assert repo.kinds(*keys, code=0) == {}
    # A run that never was, in the chain and in both lock files: somebody can write all of them.
    old = repo.run_id("train")
    better = repo.cache(b"better\n")
    worse = repo.locked("model.txt")
    repo.edit("dvc.lock", worse, better)
    document = json.loads(repo.document("records", old).read_bytes())
    entry = dvc_lock.parse((repo.path / "dvc.lock").read_bytes()).stages["train"]
    for row in document["data"]["outputs"]["value"]:
        if row["path"] == "model.txt":
            row |= {"md5": better, "blake3": digest(b"better\n")}
    document["data"]["entry"]["value"] = digest(canonical(entry_document(entry)))
    repo.edit("fourfold.lock", old, repo.append(document, old))
    text = (repo.path / "fourfold.lock").read_text()
    head, _, tail = text.partition("  train:")
    (repo.path / "fourfold.lock").write_text(head + "  train:" + tail.partition("    verdict:")[0])
    assert repo.kinds(code=0) == {}
    assert repo.kinds(*keys) == {"entry-unsigned": ["dvc.lock: train"]}
    # Neither the signature of somebody who is not trusted nor a verdict that does not hold will do.
    other = signing.make_key(str(tmp_path / "other.pem"))
    repo.verified(**{signing.VARIABLE: other.path})
    repo.verified(found={**FOUND, "level": "different", "holds": False}, **{signing.VARIABLE: key.path})
    assert repo.kinds(*keys) == {"entry-unsigned": ["dvc.lock: train"]}
    refused = repo.run("audit", "verify", "--signed", "keys", check=False)
    assert "code: usage" in refused.stderr


def test_a_verdict_that_a_later_signed_one_overruled_vouches_for_nothing(repo: Repo, tmp_path: Path) -> None:
    key = signing.make_key(str(tmp_path / "key.pem"))
    signing.add_trusted(str(repo.path / signing.KEYS_FILE), key.public._replace(name="ada"))
    sign = {signing.VARIABLE: key.path}
    for stage in ("prepare", "train"):
        repo.verified(stage, **sign)
    assert repo.kinds("--signed", code=0) == {}
    lost = {**FOUND, "level": "different", "holds": False, "tried": ["bitwise", "canonical"]}
    repo.verified(found=lost)
    assert repo.kinds("--signed", code=0) == {}, "what nobody signed overrules nothing that is signed"
    repo.verified(found=lost, **sign)
    assert repo.kinds("--signed") == {"entry-unsigned": ["dvc.lock: train"]}


def test_a_statement_that_was_changed_and_named_anew_is_named(repo: Repo, tmp_path: Path) -> None:
    key = signing.make_key(str(tmp_path / "key.pem"))
    signing.add_trusted(str(repo.path / signing.KEYS_FILE), key.public._replace(name="ada"))
    name = repo.verified(**{signing.VARIABLE: key.path})
    run = repo.run_id("train")
    folder = repo.document("statements", run)
    old = folder / name[:2] / name[2:]
    envelope = json.loads(old.read_bytes())
    payload = base64.b64decode(envelope["payload"]).replace(b'"bitwise"', b'"numeric"')
    envelope["payload"] = base64.b64encode(payload).decode()
    data = canonical(envelope)
    fresh = folder / digest(data)[:2] / digest(data)[2:]
    fresh.parent.mkdir(exist_ok=True)
    fresh.write_bytes(data)
    old.unlink()
    found = repo.kinds()
    assert found["signature-bad"] == [f"statement {digest(data)[:12]}"]
    assert found["verdict-missing"] == ["fourfold.lock: train"]


def test_an_old_verdict_that_a_later_one_overruled_is_told(repo: Repo) -> None:
    name = repo.verified()
    place = repo.place._replace(environ={"HOME": "/nowhere"})
    records = records_of(place)
    run = records.resolve("train")

    def later(level: str, asked: str, *tried: str) -> dict[str, list[str]]:
        said = {"level": level, "asked": asked, "holds": False, "tried": list(tried), "outputs": []}
        statements.record_verdict(place, records, run, said)
        found = repo.kinds(code=0, weight="open")
        del found["statement-unsigned"]
        return found

    assert later("inconclusive", "bitwise", "bitwise", "canonical") == {}
    assert later("numeric", "canonical", "canonical") == {}  # it did not look for more
    assert later("different", "bitwise", "bitwise", "canonical") == {
        "verdict-overruled": ["fourfold.lock: train"]
    }
    assert name in (repo.path / "fourfold.lock").read_text()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("level: bitwise", "level: numeric"),
        ("tree: ", "tree: abcd"),
        ("determinism: ", "determinism: very-"),
    ],
)
def test_a_lock_file_that_says_other_than_the_record_is_named(repo: Repo, old: str, new: str) -> None:
    repo.verified()
    text = (repo.path / "fourfold.lock").read_text()
    before, train = text.split("  train:\n")
    assert old in train
    (repo.path / "fourfold.lock").write_text(before + "  train:\n" + train.replace(old, new))
    kind = "verdict-contradicts" if "level" in old else "lock-contradicts-record"
    assert repo.kinds() == {kind: ["fourfold.lock: train"]}


def test_a_lock_file_that_names_the_run_of_another_stage_or_none_is_named(repo: Repo) -> None:
    run = repo.run_id("train")
    repo.edit("fourfold.lock", run, repo.run_id("prepare"))
    assert "lock-contradicts-record" in repo.kinds()
    repo.edit("fourfold.lock", f"run: {repo.run_id('prepare')}\n    code", "run: " + "ab" * 32 + "\n    code")
    assert "run-missing" in repo.kinds()
    (repo.path / "fourfold.lock").write_text("schema: fourfold.lock/9\n")
    assert repo.kinds() == {"lock-unreadable": ["lock files of ."]}


def test_outputs_whose_bytes_are_others_are_named_when_they_are_read(repo: Repo) -> None:
    name = repo.locked("model.txt")
    path = repo.path / ".dvc/cache/files/md5" / name[:2] / name[2:]
    (repo.path / "model.txt").unlink()
    path.chmod(0o644)
    path.write_bytes(b"other")
    assert repo.audit()["clean"]
    assert repo.kinds("--data") == {"output-damaged": ["model.txt"]}
    inner = md5((repo.path / "parts/1").read_bytes(), usedforsecurity=False).hexdigest()
    path = repo.path / ".dvc/cache/files/md5" / inner[:2] / inner[2:]
    path.chmod(0o644)
    path.write_bytes(b"other")
    assert set(repo.kinds("--data")["output-damaged"]) >= {"model.txt", "parts"}


def test_a_run_and_a_report_show_the_verdict(repo: Repo) -> None:
    assert "statements" not in repo.run("runs", "show", "train").stdout
    name = repo.verified()
    shown = repo.run("runs", "show", "train").stdout
    assert "statements\n  verified, bitwise (not signed, 20" in shown
    assert repo.run("runs", "show", "train", "--json").json()["statements"][0]["id"] == name
    repo.git("commit", "-qam", "verified")
    page = repo.run("report", "HEAD~1").stdout
    assert "1 of 2 stages verified: `train` (bitwise)" in page
    found = repo.run("report", "HEAD~1", "--json").json()["verified"]
    assert found == [{"name": "train", "level": "bitwise", "statement": name}]


def test_a_report_does_not_call_a_result_verified_that_the_run_did_not_write(repo: Repo) -> None:
    repo.verified()
    repo.git("commit", "-qam", "verified")
    repo.edit("dvc.lock", repo.locked("model.txt"), repo.cache(b"another model\n"))
    repo.git("commit", "-qam", "another result, by plain DVC perhaps")
    assert repo.run("report", "HEAD~2", "--json").json()["verified"] == []


@pytest.mark.parametrize("level", ["different", "@everyone <img src=x>"])
def test_a_level_that_is_none_is_no_verification(repo: Repo, level: str) -> None:
    repo.verified()
    repo.edit("fourfold.lock", "level: bitwise", f"level: '{level}'")
    assert repo.run("report", "HEAD~1", "--json").json()["verified"] == []


# --- documents --------------------------------------------------------------------------------------------


@pytest.fixture
def exported(repo: Repo, tmp_path: Path) -> Path:
    """The export of a run, about which there is a signed statement."""
    key = signing.make_key(str(tmp_path / "key.pem"))
    signing.add_trusted(str(repo.path / signing.KEYS_FILE), key.public._replace(name="ada"))
    repo.verified(**{signing.VARIABLE: key.path})
    repo.run("runs", "export", "train", "-o", str(tmp_path / "run.json"))
    return tmp_path / "run.json"


def test_an_export_that_nobody_touched_is_clean(repo: Repo, exported: Path) -> None:
    found = repo.audit("--strict", str(exported))
    assert found["clean"]
    assert found["checked"]["statements"] == 1


def test_a_byte_that_was_changed_anywhere_in_an_export_is_named(repo: Repo, exported: Path) -> None:
    keys = signing.trusted_keys(str(repo.path / signing.KEYS_FILE))
    data = exported.read_bytes()
    copy = exported.with_name("copy.json")
    tried = {*range(0, len(data), max(len(data) // 400, 1)), len(data) - 1}
    for at in sorted(tried):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        copy.write_bytes(changed)
        assert audit_file(str(copy), keys).of("broken"), f"byte {at}"
    copy.write_bytes(data[:-1])
    assert audit_file(str(copy), keys).of("broken")


def test_a_statement_alone_is_audited(repo: Repo, tmp_path: Path) -> None:
    name = repo.verified()
    run = repo.run_id("train")
    path = repo.document("statements", run) / name[:2] / name[2:]
    shutil.copy(path, tmp_path / "said.json")
    assert repo.kinds(str(tmp_path / "said.json"), code=0, weight="open") == {
        "statement-unsigned": [f"statement {name[:12]}"]
    }
    (tmp_path / "said.json").write_bytes(path.read_bytes().replace(b'payload":"ey', b'payload":"fy'))
    assert "statement-damaged" in repo.kinds(str(tmp_path / "said.json"))


def test_a_long_statement_alone_is_audited(repo: Repo, tmp_path: Path) -> None:
    place = repo.place
    outputs = [{"path": f"folder/file-{at}", "level": "bitwise"} for at in range(3000)]
    records = records_of(place)
    run = records.resolve("train")
    name = statements.record_verdict(place, records, run, {**FOUND, "outputs": outputs})
    shutil.copy(repo.document("statements", run) / name[:2] / name[2:], tmp_path / "said.json")
    assert (tmp_path / "said.json").stat().st_size > 1 << 17
    assert repo.kinds(str(tmp_path / "said.json"), code=0, weight="open") == {
        "statement-unsigned": [f"statement {name[:12]}"]
    }


def test_a_statement_of_another_run_in_an_archive_is_named(repo: Repo, tmp_path: Path) -> None:
    name = repo.verified()
    data = (repo.document("statements", repo.run_id("train")) / name[:2] / name[2:]).read_bytes()
    other = repo.run_id("prepare")
    folder = repo.document("statements", other) / name[:2]
    folder.mkdir(parents=True)
    (folder / name[2:]).write_bytes(data)
    subject = f"statement {name[:12]}"
    assert repo.kinds() == {"statement-misplaced": [subject]}
    repo.run("export", "train", "-o", str(tmp_path / "run.zip"))
    assert repo.kinds(str(tmp_path / "run.zip")) == {"statement-misplaced": [subject]}
    repo.run("runs", "export", "prepare", "-o", str(tmp_path / "run.json"))
    assert repo.kinds(str(tmp_path / "run.json")) == {"statement-misplaced": [subject]}


def test_a_text_in_an_export_that_is_no_unicode_is_named(repo: Repo, exported: Path) -> None:
    document = json.loads(exported.read_bytes())
    document["statements"] = {digest(b"?"): "\ud800"}
    exported.write_text(json.dumps(document))
    assert repo.kinds(str(exported)) == {"export-damaged": [str(exported)]}


def test_a_key_that_stands_twice_in_a_record_is_told(repo: Repo) -> None:
    data = repo.document("records", repo.run_id("train")).read_bytes()
    twice = data.replace(b'"kind":"stage",', b'"kind":"command","kind":"stage",')
    fresh = repo.document("records", digest(twice))
    fresh.parent.mkdir(exist_ok=True)
    fresh.write_bytes(twice)
    found = repo.audit(code=1)
    assert [one["kind"] for one in found["broken"]] == ["chain-fork"]
    assert [one["subject"] for one in found["open"]] == [f"run {digest(twice)[:12]}"]
    assert found["open"][0]["kind"] == "record-odd"


def test_what_a_statement_says_looks_like_no_finding_of_ours(repo: Repo) -> None:
    run = repo.run_id("train")
    said = verdict.parse({**FOUND, "run": run})
    subjects = (
        intoto.Resource(statements.RECORD, {"blake3": run}),
        intoto.Resource("x\n  nothing is broken\n", {"blake3": "ab" * 32}),
    )
    envelopes.keep(
        records_of(repo.place), RunId(run), dsse.render(intoto.envelope(verdict.statement(said, subjects)))
    )
    shown = repo.run("audit", "verify", check=False).stdout
    assert "statement-contradicts" in shown
    assert not any(line.strip() == "nothing is broken" for line in shown.splitlines())


def test_lock_files_of_a_project_within_the_project_are_its_own(repo: Repo) -> None:
    inner = repo.path / "inner"
    inner.mkdir()
    nested = Sandbox(inner, repo.tool)
    nested.run("init", "-q", "--subdir")
    nested.gen({"dvc.yaml": "stages: {a: {cmd: echo a > a, outs: [a]}}\n"})
    nested.run("repro", "-q")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "inner")
    found = repo.audit("--all-commits", "--strict")
    assert found["broken"] == found["open"] == []
    assert nested.run("audit", "verify", "--rev", "HEAD", "--json").json()["checked"]["entries"] == 1


def test_a_byte_that_was_changed_anywhere_in_an_archive_is_named(repo: Repo, tmp_path: Path) -> None:
    path = tmp_path / "run.zip"
    repo.verified()
    repo.run("export", "train", "-o", str(path))
    found = repo.audit(str(path))
    assert found["broken"] == []
    assert (found["checked"]["records"], found["checked"]["statements"]) == (2, 1)
    data = path.read_bytes()
    copy = tmp_path / "copy.zip"
    drawn = random.Random(1)
    for at in sorted({*range(60), *drawn.sample(range(len(data)), 400), *range(len(data) - 120, len(data))}):
        changed = bytearray(data)
        changed[at] ^= drawn.randrange(1, 256)
        copy.write_bytes(changed)
        assert audit_file(str(copy), {}).of("broken"), f"byte {at}"
    copy.write_bytes(data + b"x")
    assert audit_file(str(copy), {}).of("broken")
    copy.write_bytes(data[:-1])
    assert audit_file(str(copy), {}).of("broken")
    copy.write_bytes(data)
    assert not audit_file(str(copy), {}).of("broken")
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    copy.write_bytes(changed)
    assert set(repo.kinds(str(copy))) <= {"archive-damaged", "archive-changed"}


def test_what_is_nothing_of_ours_is_refused(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello")
    ran = repo.run("audit", "verify", str(tmp_path / "x"), check=False)
    assert ran.code == 255
    assert "nothing-to-audit" in ran.stderr
    assert repo.run("audit", "verify", str(tmp_path / "none"), check=False).code == 255
    assert "code: usage" in repo.run("audit", "verify", "--data", str(tmp_path / "x"), check=False).stderr


def test_revisions_where_there_is_no_history_are_refused(tmp_path: Path, ff: Tool) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    plain = Sandbox(folder, ff)
    assert "nothing is broken" in plain.run("audit", "verify").stdout
    for option in (["--rev", "HEAD"], ["--all-commits"]):
        assert "code: no-history" in plain.run("audit", "verify", *option, check=False).stderr


# --- keys -------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_outside_of_the_repository_and_trusted(repo: Repo) -> None:
    made = repo.run("audit", "keygen", "--name", "ada", "--json").json()
    assert made["made"]
    assert made["trusted"]
    assert not made["key_file"].startswith(str(repo.path))
    assert os.stat(made["key_file"]).st_mode & 0o777 == 0o600
    assert f"ada {made['public']}\n" in (repo.path / signing.KEYS_FILE).read_text()
    again = repo.run("audit", "keygen", "--name", "ada", "--json").json()
    assert (again["made"], again["trusted"], again["id"]) == (False, False, made["id"])
    ran = repo.run("audit", "keygen", "--key-file", "key.pem", check=False)
    assert "key-in-repository" in ran.stderr
    assert not (repo.path / "key.pem").exists()


def test_a_key_for_nobody_in_particular_is_called_as_git_calls_its_user(repo: Repo) -> None:
    repo.git("config", "user.name", "Ada Lovelace, Countess")
    made = repo.run("audit", "keygen", "--no-trust", "--json").json()
    assert made["name"] == "ada-lovelace--countess"
    assert not (repo.path / signing.KEYS_FILE).exists()
    assert made["public"] in repo.run("audit", "keygen", "--no-trust").stdout
