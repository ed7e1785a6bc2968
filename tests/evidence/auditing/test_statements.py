"""Verdicts as statements: about record and outputs, signed where there is a key, noted in the lock."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement as TheirStatement
from securesystemslib import dsse as their_dsse

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Warned
from fourfold.evidence.auditing import signing, statements
from fourfold.evidence.auditing.signing import KEYS_FILE, VARIABLE
from fourfold.formats.attest.intoto import FOLDER_DIGEST
from fourfold.formats.native.record import RunId
from fourfold.runs import envelopes
from fourfold.runs.place import Place
from fourfold.runs.store import Records, records_of
from fourfold.wiring import find_place
from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool

PIPELINE = """\
stages:
  make:
    cmd: sh make.sh
    deps: [make.sh]
    outs: [parts, model]
    metrics: [{metrics.json: {cache: false}}]
"""
SCRIPT = """\
mkdir -p parts
echo one > parts/1
echo two > parts/2
echo '{"auc": 0.5}' > metrics.json
echo m > model
"""
FOUND = {
    "level": "bitwise",
    "holds": True,
    "asked": "bitwise",
    "reason": "",
    "outputs": [{"path": "model", "level": "bitwise"}],
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose only stage has run."""
    folder = tmp_path_factory.mktemp("statements")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen({"dvc.yaml": PIPELINE, "make.sh": SCRIPT})
    repo.git("add", "-A")
    repo.git("commit", "-qm", "one")
    repo.run("repro", "-q")
    return folder / "repo"


class Project:
    """A copy of the template, and what the engine needs to look at it."""

    def __init__(self, root: Path, home: Path, **environ: str) -> None:
        self.root = root
        self.environ = {"HOME": str(home), "PATH": "/usr/bin:/bin", **environ}

    @property
    def place(self) -> Place:
        return find_place(str(self.root), environ=self.environ)

    @property
    def records(self) -> Records:
        return records_of(self.place)

    @property
    def run(self) -> RunId:
        return self.records.resolve("make")

    def state(self, **more: Any) -> str:
        return statements.record_verdict(self.place, self.records, self.run, {**FOUND, **more})

    def stated(self) -> tuple[statements.Stated, ...]:
        return statements.statements_of(self.place, self.records, self.run)


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    shutil.copytree(template, tmp_path / "repo", symlinks=True)
    return Project(tmp_path / "repo", tmp_path / "home")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_verdict_is_about_the_record_and_every_output_by_sha256(project: Project) -> None:
    project.state()
    (one,) = project.stated()
    subjects = {each.name: each.digest for each in one.statement.subjects}
    record = project.records.read("records", project.run)
    assert subjects[statements.RECORD] == {"sha256": sha256(record), "blake3": project.run}
    assert subjects["model"]["sha256"] == sha256(b"m\n")
    assert subjects["metrics.json"]["sha256"] == sha256((project.root / "metrics.json").read_bytes())
    entry = (project.root / "dvc.lock").read_text()
    md5 = next(line.split()[-1] for line in entry.splitlines() if line.endswith(".dir"))
    manifest = project.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    assert subjects["parts"]["sha256"] == sha256(manifest.read_bytes())
    assert set(subjects["parts"]) == {"sha256", FOLDER_DIGEST}


def test_the_libraries_of_in_toto_and_dsse_read_what_lies_on_disk(project: Project) -> None:
    name = project.state()
    data = envelopes.read(project.records, project.run, name)
    read = their_dsse.Envelope.from_dict(json.loads(data))
    theirs = ParseDict(json.loads(read.payload), statement_pb2.Statement())
    TheirStatement.copy_from_pb(theirs).validate()
    assert theirs.subject[0].name == statements.RECORD


def test_outputs_whose_bytes_are_gone_keep_the_digests_of_the_record(project: Project) -> None:
    shutil.rmtree(project.root / ".dvc/cache")
    (project.root / "model").unlink()
    project.state()
    subjects = {each.name: each.digest for each in project.stated()[0].statement.subjects}
    assert set(subjects["model"]) == {"blake3"}


def test_a_copy_with_other_bytes_than_the_record_says_is_not_vouched_for(project: Project) -> None:
    (project.root / "model").unlink()
    for path in (project.root / ".dvc/cache/files/md5").glob("*/*"):
        path.chmod(0o644)
        path.write_bytes(b"forged\n")
    project.state()
    subjects = {each.name: each.digest for each in project.stated()[0].statement.subjects}
    assert set(subjects["model"]) == {"blake3"}


def test_without_a_key_a_statement_is_observed_with_one_attested(project: Project, tmp_path: Path) -> None:
    project.state()
    assert [(one.grade, one.checked.state) for one in project.stated()] == [("observed", "unsigned")]
    key = signing.make_key(str(tmp_path / "key.pem"))
    project.environ[VARIABLE] = key.path
    project.state(reason="again")
    assert [one.checked.state for one in project.stated()] == ["unsigned", "unknown"]
    signing.add_trusted(str(project.root / KEYS_FILE), key.public._replace(name="ada"))
    last = project.stated()[-1]
    assert (last.grade, last.checked.by[0].name) == ("attested", "ada")
    assert next(statements.lines((last,))).startswith("verified, bitwise: again (signed by ada, ")


def test_a_key_that_cannot_be_used_is_told_and_the_statement_kept(project: Project, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"no key")
    (tmp_path / "key.pem").chmod(0o600)
    project.environ[VARIABLE] = str(tmp_path / "key.pem")
    heard: list[object] = []
    statements.record_verdict(project.place, project.records, project.run, FOUND, events=heard.append)
    assert [event.code for event in heard if isinstance(event, Warned)] == ["bad-signing-key"]
    assert project.stated()[0].checked.state == "unsigned"


def test_a_document_that_is_no_verdict_is_not_stated(project: Project) -> None:
    with pytest.raises(FourfoldError) as caught:
        project.state(level="perfect")
    assert caught.value.code == "bad-attestation"
    assert project.stated() == ()


def test_what_is_damaged_or_about_another_run_is_left_out(project: Project) -> None:
    name = project.state()
    data = envelopes.read(project.records, project.run, name)
    envelopes.keep(project.records, RunId("0" * 64), data)
    assert statements.statements_of(project.place, project.records, RunId("0" * 64)) == ()
    envelopes.keep(project.records, project.run, b"not an envelope")
    assert [one.id for one in project.stated()] == [name]
    kind = envelopes.kind_of(project.run)
    path = Path(project.records.folder) / kind / name[:2] / name[2:]
    path.write_bytes(data.replace(b'"payload":"ey', b'"payload":"fy'))
    assert project.stated() == ()


def test_the_lock_says_the_verdict_of_the_run_that_it_names(project: Project) -> None:
    lock = project.root / "fourfold.lock"
    before = lock.read_text()
    name = project.state()
    assert statements.note_in_lock(project.place, project.records, project.run, name) == str(lock)
    assert f"    verdict:\n      level: bitwise\n      stated: {name}\n" in lock.read_text()
    assert statements.note_in_lock(project.place, project.records, project.run, name) is None
    project_undo = find_ff()
    Sandbox(project.root, Tool([project_undo], project.root.parent / "home")).run("undo")
    assert lock.read_text() == before


@pytest.mark.parametrize(
    "more", [{"level": "numeric", "holds": False}, {"level": "different", "holds": False}]
)
def test_a_verdict_that_does_not_hold_is_not_noted(project: Project, more: dict[str, Any]) -> None:
    name = project.state(**more)
    assert statements.note_in_lock(project.place, project.records, project.run, name) is None
    assert "verdict" not in (project.root / "fourfold.lock").read_text()


def test_the_lock_says_nothing_of_a_run_that_it_does_not_name(project: Project) -> None:
    ff = Sandbox(project.root, Tool([find_ff()], project.root.parent / "home"))
    run = project.run
    name = statements.record_verdict(project.place, project.records, run, FOUND)
    ff.run("repro", "-f", "-q")
    assert statements.note_in_lock(project.place, project.records, run, name) is None


def test_a_stage_that_comes_from_the_run_cache_keeps_its_verdict(project: Project) -> None:
    ff = Sandbox(project.root, Tool([find_ff()], project.root.parent / "home"))
    name = project.state()
    statements.note_in_lock(project.place, project.records, project.run, name)
    (project.root / "model").unlink()
    ff.run("repro", "-q")
    assert name in (project.root / "fourfold.lock").read_text()
    ff.run("repro", "-f", "-q")
    assert name not in (project.root / "fourfold.lock").read_text()


def test_the_document_of_a_statement_is_json(project: Project) -> None:
    project.state()
    (one,) = project.stated()
    document = json.loads(json.dumps(one.document()))
    assert document["signature"] == "unsigned"
    assert document["statement"]["predicate"]["verifier"]["id"] == statements.VERIFIER
    assert document["statement"]["predicate"]["timeVerified"].endswith("Z")
