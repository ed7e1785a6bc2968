"""dataset add and update, artifacts get, push --to: what a user sees, and what is said to mistakes."""

import json
import shlex
import shutil
from pathlib import Path

import pytest

from tests.cli.test_answers import answer
from tests.fixtures.http_files import HttpFiles, Script
from tests.fixtures.sandbox import Sandbox


@pytest.fixture
def repo(ff_repo: Sandbox) -> Sandbox:
    """A repository with a tracked model, tagged ``v1``, on the remote ``dev``."""
    ff_repo.gen({"model": "1\n", "d": {"a": "2\n"}, "dvc.yaml": "artifacts:\n  m: {path: model}\n"})
    ff_repo.run("add", "model", "d")
    for name in ("dev", "prod"):
        ff_repo.run("remote", "add", *(["-d"] if name == "dev" else []), name, f"../{name}")
    ff_repo.commit("one")
    ff_repo.git("tag", "v1")
    ff_repo.git("tag", "-a", "-m", "x", "m@v1.0.0")
    ff_repo.run("push")
    return ff_repo


def test_a_data_set_is_declared_looked_at_again_and_told(ff_repo: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "source"
    ff_repo.git("init", "--quiet", str(source))
    other = Sandbox(source, ff_repo.tool)
    other.gen({"f": "1\n"})
    first = other.commit("one")
    other.git("tag", "v1")
    ran = ff_repo.run("dataset", "add", "one", "--dvc", str(source), "--path", "f", "--rev", "main")
    assert ran.stdout == f"Adding one ({source}:/f @ main)\n"
    assert "git add dvc.lock dvc.yaml" in ran.stderr
    assert ff_repo.run("ds", "update", "one").stdout == "Nothing to update\n"
    other.gen({"f": "2\n"})
    second = other.commit("two")
    assert ff_repo.run("ds", "update", "one").stdout == f"Updating one ({first[:9]} -> {second[:9]})\n"
    told = ff_repo.run("dataset", "update", "one", "--version", "v1", "--json").json()
    assert told["dataset"] == {
        "name": "one",
        "url": str(source),
        "type": "dvc",
        "path": "f",
        "rev": "v1",
        "rev_lock": first,
    }
    assert (told["changed"], told["files"]) == (True, ["dvc.lock", "dvc.yaml"])


def test_a_stage_that_needs_a_data_set_runs_when_it_moves_and_only_then(
    ff_repo: Sandbox, tmp_path: Path
) -> None:
    source = Sandbox(tmp_path / "source", ff_repo.tool)
    ff_repo.git("init", "--quiet", str(source.path))
    source.commit("one")
    ff_repo.gen(
        {"dvc.yaml": "stages:\n  look:\n    cmd: echo ran > out\n    deps: [ds://one]\n    outs: [out]\n"}
    )
    ff_repo.run("dataset", "add", "one", "--dvc", str(source.path))
    assert "Running stage 'look'" in ff_repo.run("repro").stdout
    source.commit("two")
    assert "didn't change" in ff_repo.run("repro").stdout
    ff_repo.run("dataset", "update", "one")
    assert ff_repo.run("status", "--json").json() == {"look": [{"changed deps": {"ds://one": "modified"}}]}
    assert "dependency ds://one is" in ff_repo.run("why", "look").stdout
    assert "Running stage 'look'" in ff_repo.run("repro").stdout
    ff_repo.gen({"dvc.yaml": ff_repo.text("dvc.yaml").replace("ds://one", "ds://oen")})
    code, said, hint, kind = answer(ff_repo.run("repro", check=False))
    assert (code, kind) == (255, "stage-failed")
    assert "dataset not found: 'oen'" in said
    assert hint == "did you mean 'one'?"


@pytest.mark.parametrize(
    ("command", "code", "said", "kind"),
    [
        ("dataset add x", 254, "one of the arguments", "usage"),
        ("dataset add x --dvc a --url b", 254, "not allowed with", "usage"),
        (
            "dataset add x --url s3://b/x --rev v1",
            255,
            "--rev can't be used without --dvc",
            "data-set-option",
        ),
        (
            "dataset add x --url s3://b/x --path v",
            255,
            "--path can't be used without --dvc",
            "data-set-option",
        ),
        ("dataset add x --dc chains", 255, "one of DataChain", "datachain-data-set"),
        ("dataset add x --dvc ../nowhere", 255, "no repository at '../nowhere'", "source-not-found"),
        ("dataset add x --dvc ext::sh", 255, "ext::sh", "unsafe-git-url"),
        ("dataset add x --url ../dev", 255, "neither tags nor versions", "data-set-without-versions"),
        ("dataset add x --url s3://[", 251, "is no URL", "bad-url"),
        ("dataset add x --url remote://nope/x", 251, "nope", "remote-not-found"),
        ("dataset update nope", 1, "dataset not found: 'nope'", "data-set-not-found"),
        ("artifacts get . nope", 1, "unable to find artifact 'nope'", "artifact-not-found"),
        ("artifacts get . 'a b'", 1, "no name of an artifact", "bad-artifact-name"),
        (
            "artifacts get . m --rev v1.0.0 --stage prod",
            1,
            "mutually exclusive",
            "options-exclude-each-other",
        ),
        ("artifacts get . m --rev 1.0.0", 1, "'m @ 1.0.0'", "artifact-not-found"),
        ("artifacts get ../nowhere m", 1, "no repository at '../nowhere'", "source-not-found"),
        ("push --to prod --rev v9", 1, "unknown Git revision 'v9'", "unknown-revision"),
        ("push --to prdo --rev v1", 1, "prdo", "remote-not-found"),
        ("push --to prod --from deev --rev v1", 1, "deev", "remote-not-found"),
        ("push nothing --to prod --rev v1", 1, "nothing", "target-not-found"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_changes_nothing(
    repo: Sandbox, command: str, code: int, said: str, kind: str
) -> None:
    before = repo.text("dvc.yaml")
    found = answer(repo.run(*shlex.split(command), check=False))
    assert (found[0], found[3]) == (code, kind)
    assert said in found[1]
    assert found[2]
    assert repo.text("dvc.yaml") == before
    assert not repo.exists("dvc.lock")
    assert not any((repo.path.parent / "prod").rglob("*"))


def test_a_version_of_a_model_is_brought_by_its_tag(repo: Sandbox) -> None:
    assert repo.run("artifacts", "get", ".", "m", "-o", "got").stdout == "Got got (2 B)\n"
    assert repo.text("got") == "1\n"
    url = repo.run("artifacts", "get", ".", "m", "--show-url").stdout.strip()
    assert url.endswith("dev/files/md5/b0/26324c6904b2a9cb4b88d6d61c81d1")
    code, said, hint, _ = answer(repo.run("artifacts", "get", ".", "m", check=False))
    assert (code, hint) == (1, "replace it with --force")
    assert "already exists" in said


def test_a_revision_is_promoted_and_each_output_is_told(repo: Sandbox) -> None:
    repo.gen({"model": "newer\n"})
    repo.run("add", "model")
    ran = repo.run("push", "--to", "prod", "--rev", "v1")
    assert ran.stdout == "d of v1 is on 'prod'\nmodel of v1 is on 'prod'\n3 files pushed (65 B)\n"
    told = repo.run("push", "-r", "prod", "--rev", "v1", "--json", "model.dvc").json()
    assert (told["pushed"], told["present"], told["brought"], told["remote"]) == (0, 1, 0, "prod")
    assert told["outputs"] == [
        {"path": "model", "rev": "v1", "md5": "b026324c6904b2a9cb4b88d6d61c81d1", "size": 2}
    ]
    assert repo.text("model") == "newer\n"


def test_what_is_damaged_on_the_way_is_told_and_not_promoted(repo: Sandbox) -> None:
    place = repo.path.parent / "dev/files/md5/26/ab0db90d72e28ad0ba1e22ee510510"
    place.chmod(0o644)
    place.write_text("x\n")
    shutil.rmtree(repo.path / ".dvc" / "cache")
    ran = repo.run("push", "--to", "prod", "--rev", "v1", "--json", check=False)
    told = json.loads(ran.stdout)
    assert ran.code == 1
    assert told["error"]["code"] == "corrupt-on-remote"
    assert [(trouble["kind"], trouble["path"]) for trouble in told["troubles"]] == [
        ("corrupt", "d/a"),
        ("withheld", "d"),
    ]


OFFLINE = (
    "dag",
    "data status",
    "diff",
    "stage list",
    "params diff",
    "metrics show",
    "checkout",
    "push",
    "fetch",
    "gc -w -f",
    "status -c",
    "commit -f model.dvc",
    "freeze look",
    "status look",
)


def test_only_commands_that_need_to_know_ask_a_url(repo: Sandbox, http_files: HttpFiles) -> None:
    http_files.files["/f"] = b"1\n"
    url = f"{http_files.url}/f"
    repo.gen(
        {"dvc.yaml": f"stages:\n  look:\n    cmd: echo > out\n    deps: ['{url}', model]\n    outs: [out]\n"}
    )
    for command in ("repro", "status", "why look", "repro --dry", "commit -f look"):
        http_files.seen.clear()
        repo.run(*command.split())
        assert http_files.seen, command
    http_files.seen.clear()
    for command in OFFLINE:
        repo.run(*command.split())
        assert not http_files.seen, command


def test_a_url_that_cannot_be_asked_fails_its_stage_and_no_other(
    repo: Sandbox, http_files: HttpFiles
) -> None:
    http_files.choose = lambda _method, _path: Script(403)
    far = f"  far:\n    cmd: echo > f\n    deps: ['{http_files.url}/f']\n    outs: [f]\n"
    near = "  near:\n    cmd: echo > n\n    deps: [model]\n    outs: [n]\n"
    repo.gen({"dvc.yaml": f"stages:\n{far}{near}"})
    ran = repo.run("repro", "-k", check=False)
    assert ran.code == 255
    assert repo.exists("n")
    assert not repo.exists("f")
    assert "dependency" in ran.stderr
    assert http_files.url in ran.stderr
    code, said, hint, kind = answer(repo.run("status", check=False))
    assert (code, kind) == (1, "dependency-unknown")
    assert "of stage 'far' cannot be looked at" in said
    assert hint
    assert repo.run("repro", "near").code == 0
