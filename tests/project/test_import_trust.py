"""A pointer file of a stranger says where an import comes from: it is read from there, and nothing runs."""

import contextlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.project.config_policy import UntrustedEndpointError
from fourfold.project.fetch import fetch
from fourfold.project.project import Project
from fourfold.project.pull import pull
from fourfold.project.status import status
from fourfold.project.update import update
from fourfold.project.urls import locate
from tests.fixtures.servers import free_port
from tests.project.depot import md5
from tests.project.workplace import Workplace

#: Where imports of strangers come from; ``{trap}`` is a program that leaves a mark when it runs.
ADDRESSES = (
    "ext::sh -c {trap}",
    "ext::{trap}",
    "--upload-pack={trap}",
    "--upload-pack={trap} host:path",
    "-u{trap}",
    "ssh://-oProxyCommand={trap}/path",
    "-oProxyCommand={trap}:path",
    "host:-oProxyCommand={trap}",
    "fd::7",
    "evil::{trap}",
    "file:///dev/null;{trap}",
    "$({trap})",
    "`{trap}`",
    "bare",
    "./bare",
    "file://{root}/bare",
)
VERBS: dict[str, Callable[[Project], Any]] = {
    "fetch": fetch,
    "pull": pull,
    "status": status,
    "update": lambda project: update(project, ["x.dvc"]),
    "update to a revision": lambda project: update(project, ["x.dvc"], rev="--upload-pack=x"),
}


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A program that leaves a mark when it runs."""
    program = tmp_path / "trap"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    program.chmod(0o755)
    return program


def pointer(source: str, lock: str = "0" * 40) -> str:
    """The pointer file of an import from a repository."""
    return (
        f"frozen: true\ndeps:\n- path: x\n  repo:\n    url: {json.dumps(source)}\n    rev_lock: {lock}\n"
        f"outs:\n- md5: {md5('x')}\n  size: 1\n  hash: md5\n  path: x\n"
    )


def embed(work: Workplace, trap: Path) -> str:
    """A bare repository as a folder of the project, whose settings and hooks name the program; its commit."""
    bare = work.path("bare")
    work.git("clone", "--quiet", "--bare", ".", bare)
    for name in ("core.fsmonitor", "uploadpack.packObjectsHook", "core.sshCommand", "core.pager"):
        subprocess.run(["git", "config", name, str(trap)], cwd=bare, env=work.environ, check=True)
    for hook in ("post-checkout", "pre-receive", "reference-transaction", "post-update"):
        path = os.path.join(bare, "hooks", hook)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(trap, path)
    return work.git("rev-parse", "HEAD").strip()


@pytest.mark.parametrize("verb", VERBS)
def test_no_address_of_a_source_runs_anything(work: Workplace, trap: Path, verb: str) -> None:
    work.gen({"plain": "x"})
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message", "one")
    commit = embed(work, trap)
    for address in ADDRESSES:
        source = address.format(trap=trap, root=work.root)
        work.gen({"x.dvc": pointer(source, commit)})
        project = work.open()
        with contextlib.suppress(FourfoldError):
            VERBS[verb](project)
        assert not (trap.parent / "sprung").exists(), address


@pytest.mark.parametrize("path", ["../outside", "/etc/hostname", "sub/../../outside", "..", ".git/config"])
def test_no_path_in_a_source_leads_out_of_it(work: Workplace, tmp_path: Path, path: str) -> None:
    (tmp_path / "outside").write_text("secret")
    source = Workplace(_folder(tmp_path / "source"))
    source.gen({"x": "x"})
    source.git("add", "--all")
    source.git("commit", "--quiet", "--message", "one")
    text = pointer(str(source.root), source.git("rev-parse", "HEAD").strip())
    work.gen({"x.dvc": text.replace("path: x\n  repo", f"path: {path}\n  repo")})
    assert fetch(work.open()).error is not None
    with pytest.raises(FourfoldError):
        update(work.open(), ["x.dvc"])
    assert not work.exists("x")


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_command_that_a_pointer_file_brings_is_not_run(work: Workplace, trap: Path) -> None:
    url = f"webdav://127.0.0.1:{free_port()}/folder/x"
    place = locate(work.open(), url, options={"bearer_token_command": str(trap)}, committed="x.dvc")
    assert place.raw is not None
    with pytest.raises(FourfoldError):
        place.raw.head(place.key)
    assert not (trap.parent / "sprung").exists()


def test_an_endpoint_that_a_pointer_file_brings_gets_no_token(work: Workplace) -> None:
    options = {"endpointurl": "https://evil.example.com"}
    with pytest.raises(UntrustedEndpointError):
        locate(work.open(), "gs://bucket/x", options=options, committed="x.dvc")
