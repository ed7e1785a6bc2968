"""What stages depend on elsewhere: URLs that are asked side by side, each once."""

import time
from pathlib import Path

import pytest

from fourfold.project.changes import Examiner
from fourfold.project.externaldeps import Elsewhere, ExternalUnknownError
from fourfold.project.files import load_file
from fourfold.project.status import as_dvc, status
from tests.fixtures.http_files import HttpFiles, Script
from tests.fixtures.servers import S3Server
from tests.project.workplace import Workplace


def pipeline(work: Workplace, *deps: str) -> None:
    """One stage that depends on these, and has never run."""
    listed = "".join(f"    - {dep}\n" for dep in deps)
    work.gen({"dvc.yaml": f"stages:\n  look:\n    cmd: echo\n    deps:\n{listed}"})


def said(work: Workplace) -> object:
    """What status says of the one stage's dependencies."""
    project = work.open()
    found = as_dvc(project, status(project))
    return found["look"][0]["changed deps"] if found else {}


def lock(work: Workplace, deps: str) -> None:
    """Write the lock entry of the one stage."""
    work.gen({"dvc.lock": f"schema: '2.0'\nstages:\n  look:\n    cmd: echo\n    deps:\n{deps}"})


def test_a_file_over_http_is_modified_when_its_tag_differs_and_deleted_when_it_is_gone(
    work: Workplace, http_files: HttpFiles
) -> None:
    http_files.files["/f"] = b"one"
    url = f"{http_files.url}/f"
    pipeline(work, url)
    assert said(work) == {url: "modified"}
    project = work.open()
    (owner,) = load_file(project, work.path("dvc.yaml"))
    now = Examiner(project).elsewhere.now(owner, owner.deps[0])
    assert now is not None
    assert (now.size, now.oid) == (3, None)
    lock(work, f"    - path: {url}\n      hash: md5\n      checksum: '{now.checksum}'\n      size: 3\n")
    assert said(work) == {}
    http_files.files["/f"] = b"two"
    assert said(work) == {url: "modified"}
    http_files.files.clear()
    assert said(work) == {url: "deleted"}


def test_versions_and_sizes_that_are_recorded_do_not_count(work: Workplace, rclone_s3: S3Server) -> None:
    bucket = rclone_s3.make_bucket()
    tag = rclone_s3.client().put_object(Bucket=bucket, Key="a", Body=b"1")["ETag"].strip('"')
    work.environ.update(rclone_s3.environ())
    url = f"s3://{bucket}/a"
    pipeline(work, url)
    lock(
        work, f"    - path: {url}\n      hash: md5\n      etag: {tag}\n      size: 9\n      version_id: old\n"
    )
    assert said(work) == {}


def test_a_path_below_a_remote_of_this_machine_is_compared_by_its_content(
    work: Workplace, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "f").write_text("data")
    (work.root / ".dvc" / "config").write_text(f"['remote \"there\"']\n    url = {tmp_path}/there\n")
    pipeline(work, "remote://there/f")
    digest = "8d777f385d3dfec8815d20f7496026dc"
    lock(work, f"    - path: remote://there/f\n      hash: md5\n      md5: {digest}\n      size: 4\n")
    assert said(work) == {}
    (tmp_path / "there" / "f").write_text("other")
    assert said(work) == {"remote://there/f": "modified"}


def test_a_server_that_does_not_answer_is_an_error_that_names_stage_and_url(
    work: Workplace, http_files: HttpFiles
) -> None:
    http_files.choose = lambda _method, _path: Script(403)
    pipeline(work, f"{http_files.url}/f")
    with pytest.raises(ExternalUnknownError, match="of stage 'look' cannot be looked at") as caught:
        said(work)
    assert http_files.url in caught.value.message


def test_secrets_in_a_url_are_not_shown(work: Workplace, http_files: HttpFiles) -> None:
    http_files.choose = lambda _method, _path: Script(403)
    pipeline(work, f"http://ada:lovelace@127.0.0.1:{http_files.port}/f")
    with pytest.raises(ExternalUnknownError) as caught:
        said(work)
    assert "lovelace" not in caught.value.message


@pytest.mark.parametrize("url", ["remote://nowhere/f", "nosuch://host/f", "http://[/f", "remote://"])
def test_a_url_that_cannot_be_understood_is_an_error_that_names_it(work: Workplace, url: str) -> None:
    pipeline(work, f"'{url}'")
    with pytest.raises(ExternalUnknownError, match="of stage 'look' cannot be looked at"):
        said(work)


def test_many_urls_are_asked_side_by_side_and_each_once(work: Workplace, http_files: HttpFiles) -> None:
    names = [f"/f{at}" for at in range(16)]
    http_files.files = dict.fromkeys(names, b"data")
    http_files.choose = lambda _method, _path: time.sleep(0.2)
    pipeline(work, *[http_files.url + name for name in names], f"{http_files.url}/f0")
    began = time.monotonic()
    assert len(said(work)) == 16  # type: ignore[arg-type]
    assert time.monotonic() - began < 2.5
    asked = [(path, method) for method, path, _headers in http_files.seen]
    assert sorted(set(asked)) == sorted((name, "HEAD") for name in names)
    assert len(asked) <= 2 * len(names)


def test_what_is_frozen_is_not_asked(work: Workplace, http_files: HttpFiles) -> None:
    url = f"{http_files.url}/f"
    work.gen({"dvc.yaml": f"stages:\n  look:\n    cmd: echo\n    frozen: true\n    deps:\n    - {url}\n"})
    lock(work, f"    - path: {url}\n      hash: md5\n      checksum: x\n")
    assert said(work) == {}
    assert not http_files.seen
    Elsewhere(work.open()).foresee([])
