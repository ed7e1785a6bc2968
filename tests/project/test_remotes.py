"""Remotes of the configuration, ready for use."""

from pathlib import Path
from typing import Any

import pytest

from fourfold.base.ids import Oid
from fourfold.project.config import NoRemoteError, RemoteNotFoundError
from fourfold.project.push import Opened
from fourfold.project.remotes import CloudVersionedError, object_key, open_remote, remote_for
from fourfold.storage.blob.local import EscapingLinkError
from tests.project.workplace import Workplace

OID = Oid("d8e8fca2dc0f896fd7cb4cb0031ba249")


def test_objects_lie_where_dvc_puts_them() -> None:
    assert object_key(OID) == "files/md5/d8/e8fca2dc0f896fd7cb4cb0031ba249"
    assert object_key(OID, legacy=True) == "d8/e8fca2dc0f896fd7cb4cb0031ba249"
    assert object_key(Oid(f"{OID}.dir")) == "files/md5/d8/e8fca2dc0f896fd7cb4cb0031ba249.dir"


def test_a_folder_is_a_remote(work: Workplace, tmp_path: Path) -> None:
    work.gen({".dvc/config": "[core]\n    remote = here\n['remote \"here\"']\n    url = ../../shelf\n"})
    remote = open_remote(work.open())
    remote.store.put(remote.key(OID), b"test\n")
    assert (tmp_path / "shelf" / remote.key(OID)).read_bytes() == b"test\n"
    assert open_remote(work.open(), "here").name == "here"
    assert (remote.worktree, remote.version_aware) == (False, False)


def test_without_a_remote_the_error_says_how_to_make_one(work: Workplace) -> None:
    with pytest.raises(NoRemoteError) as caught:
        open_remote(work.open())
    assert "ff remote add" in caught.value.hint
    with pytest.raises(RemoteNotFoundError, match="nowhere"):
        open_remote(work.open(), "nowhere")


def test_an_output_goes_to_its_own_remote_then_to_the_named_one_then_to_the_default(work: Workplace) -> None:
    work.gen({".dvc/config": "[core]\n    remote = usual\n['remote \"usual\"']\n    url = /x\n"})
    project = work.open()
    assert remote_for(project, "own", "named") == "own"
    assert remote_for(project, None, "named") == "named"
    assert remote_for(project, None, None) == "usual"


def test_a_remote_of_versions_refuses_what_needs_hashes(work: Workplace) -> None:
    text = "['remote \"cloud\"']\n    url = s3://bucket\n    worktree = true\n    endpointurl = http://127.0.0.1:9\n"
    work.gen({".dvc/config": text})
    remote = open_remote(work.open(), "cloud")
    assert remote.version_aware
    with pytest.raises(CloudVersionedError, match="worktree"):
        raise remote.unsupported("push")


def test_a_folder_inside_the_project_is_not_left_through_a_link(work: Workplace, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("theirs")
    work.gen({".dvc/config": "['remote \"inside\"']\n    url = ../shelf\n", "shelf": {"a": "1"}})
    (work.root / "shelf" / "link").symlink_to(tmp_path / "secret")
    store = open_remote(work.open(), "inside").store
    assert store.get("a") == b"1"
    with pytest.raises(EscapingLinkError):
        store.get("link")


def test_a_certificate_that_is_not_checked_is_told_once(work: Workplace) -> None:
    text = "['remote \"loose\"']\n    url = https://127.0.0.1:9/x\n    ssl_verify = false\n"
    work.gen({".dvc/config.local": text})
    heard: list[Any] = []
    opened = Opened(work.open(), None, events=heard.append)
    opened.get("loose")
    opened.get("loose")
    assert [event.code for event in heard] == ["certificate-not-checked"]
