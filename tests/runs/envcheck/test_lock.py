"""``ff env lock``: what it writes is a lock for its owner, for the real uv, and for ``ff env check``."""

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.pylock import Pylock

from fourfold.formats.locks.pylock import parse
from fourfold.formats.locks.pylock_write import render
from tests.fixtures.http_files import HttpFiles
from tests.fixtures.sandbox import Tool
from tests.fixtures.wheels import Venv, make_wheel, sha256
from tests.runs.envcheck.uvproject import Project


def written(project: Project, name: str = "pylock.toml") -> dict[str, Any]:
    document = tomllib.loads((project.root / name).read_text())
    Pylock.from_dict(document).validate()
    return document


def test_the_lock_of_an_environment_has_the_wheels_that_it_came_from(project: Project, made: Path) -> None:
    done = project.lock()
    assert (done.code, done.stderr) == (0, "")
    packages = {item["name"]: item for item in written(project)["packages"]}
    assert list(packages) == ["alpha", "beta", "pyyaml"]
    wheel = next((made / "wheels").glob("beta-1.1-*"))
    assert packages["beta"]["wheels"][0]["hashes"] == {"sha256": sha256(wheel).removeprefix("sha256:")}
    first = (project.root / "pylock.toml").read_bytes()
    project.lock()
    assert (project.root / "pylock.toml").read_bytes() == first


def test_the_environment_is_equal_to_its_lock_and_uv_installs_the_same_from_it(project: Project) -> None:
    project.lock()
    code, found = project.check()
    assert (code, found["lock"]["kind"], found["lock"]["proven"]) == (0, "pylock.toml", 3)
    shutil.rmtree(project.root / ".venv")
    project.uv("venv", "-q")
    project.uv("pip", "sync", "--preview", "pylock.toml")
    code, found = project.check()
    assert (code, found["lock"]["proven"]) == (0, 3)


def test_what_nothing_is_known_of_is_told_and_marked_and_compared_all_the_same(
    project: Project, tmp_path: Path
) -> None:
    (project.root / "uv.lock").unlink()
    done = project.lock(UV_CACHE_DIR=str(tmp_path / "none"))
    assert done.code == 1
    assert "nothing is known of where these came from" in done.stderr
    assert "beta 1.1" in done.stderr
    document = written(project)
    assert document["packages"] == []
    assert [item["name"] for item in document["tool"]["fourfold"]["unknown"]] == ["alpha", "beta", "pyyaml"]
    assert project.findings() == []
    project.uv("pip", "install", "beta==1.0")
    assert project.findings() == [("not-locked", "beta is 1.0, locked is 1.1")]


def test_wheels_that_are_named_and_addresses_of_a_lock_of_before(
    project: Project, tmp_path: Path, made: Path
) -> None:
    (project.root / "uv.lock").unlink()
    none = str(tmp_path / "none")
    done = project.lock("--wheels", str(made / "wheels"), "-o", "pylock.here.toml", UV_CACHE_DIR=none)
    assert done.code == 0
    packages = written(project, "pylock.here.toml")["packages"]
    paths = [item["wheels"][0]["path"] for item in packages]
    assert (project.root / paths[0]).resolve() == (made / "wheels" / "alpha-1.0-py3-none-any.whl").resolve()


def test_an_index_is_asked_when_it_is_named(project: Project, tmp_path: Path, http_files: HttpFiles) -> None:
    (project.root / "uv.lock").unlink()
    digest = "ab" * 32
    page = f'<a href="../../f/beta-1.0-py3-none-any.whl#sha256={digest}">x</a>\n'
    page += f'<a href="../../f/beta-1.1-py3-none-any.whl#sha256={"cd" * 32}">x</a>\n'
    http_files.files["/simple/beta/"] = page.encode()
    files = [{"filename": "alpha-1.0.tar.gz", "url": "/f/alpha-1.0.tar.gz", "hashes": {"sha256": digest}}]
    http_files.files["/simple/alpha/"] = json.dumps({"files": files}).encode()
    http_files.login = ("basic", "user", "secret")
    none = str(tmp_path / "none")
    index = http_files.url.replace("http://", "http://user:secret@") + "/simple/"
    done = project.lock("--index-url", index, UV_CACHE_DIR=none)
    assert done.code == 1
    assert "pyyaml 6.0.3" in done.stderr
    packages = {item["name"]: item for item in written(project)["packages"]}
    assert packages["beta"]["wheels"][0]["hashes"] == {"sha256": "cd" * 32}
    assert packages["beta"]["wheels"][0]["url"] == f"{http_files.url}/f/beta-1.1-py3-none-any.whl"
    assert packages["alpha"]["sdist"]["url"].endswith("/f/alpha-1.0.tar.gz")
    assert "secret" not in (project.root / "pylock.toml").read_text()
    done = project.lock("--index-url", "file:///etc", UV_CACHE_DIR=none)
    assert (done.code, "code: bad-index-url" in done.stderr) == (255, True)
    done = project.lock("--index-url", "http://127.0.0.1:1/", UV_CACHE_DIR=none)
    assert (done.code, "code: index-unreachable" in done.stderr) == (255, True)


def test_a_lock_of_another_tool_is_not_replaced_unless_forced(project: Project) -> None:
    project.uv("export", "-q", "--format", "pylock.toml", "-o", "pylock.toml")
    before = (project.root / "pylock.toml").read_bytes()
    done = project.lock()
    assert (done.code, "code: lock-exists" in done.stderr) == (255, True)
    assert (project.root / "pylock.toml").read_bytes() == before
    assert project.lock("--force").code == 0
    done = project.lock("-o", "my.lock")
    assert (done.code, "installers take no lock of that name" in done.stderr) == (255, True)


def test_what_was_installed_by_its_address_is_locked_by_it(tmp_path: Path, ff: Tool) -> None:
    folder = tmp_path / "own"
    (folder / "src" / "own").mkdir(parents=True)
    (folder / "src" / "own" / "__init__.py").write_text("")
    wheel = make_wheel(tmp_path, "delta", "3.0")
    venv = Venv(tmp_path / "env")
    venv.pip("install", str(wheel))
    info = next(venv.site.glob("delta-*.dist-info"))
    assert (info / "direct_url.json").exists()
    done = ff("env", "lock", "--python", "env", "-o", "-", cwd=tmp_path)
    package = tomllib.loads(done.stdout)["packages"][0]
    assert package["archive"]["hashes"] == {"sha256": sha256(wheel).removeprefix("sha256:")}
    (info / "direct_url.json").write_text(
        json.dumps({"url": folder.as_uri(), "dir_info": {"editable": True}})
    )
    done = ff("env", "lock", "--python", "env", "-o", "-", cwd=tmp_path)
    assert tomllib.loads(done.stdout)["packages"][0]["directory"] == {"path": "own", "editable": True}
    (info / "direct_url.json").write_text(
        json.dumps(
            {
                "url": "https://user:secret@example.com/r.git",
                "vcs_info": {"vcs": "git", "commit_id": "a" * 40},
            }
        )
    )
    done = ff("env", "lock", "--python", "env", "-o", "-", cwd=tmp_path)
    assert tomllib.loads(done.stdout)["packages"][0]["vcs"] == {
        "type": "git",
        "url": "https://example.com/r.git",
        "commit-id": "a" * 40,
    }


@pytest.mark.parametrize("text", ['a"b', "a\\b", "tab\there", "del\x7f", "\u2028 ünicode 🚀", ""])
def test_any_text_comes_back_from_what_is_written(text: str) -> None:
    document = {
        "lock-version": "1.0",
        "created-by": text,
        "packages": [{"name": "a", "version": "1", "marker": text, "directory": {"path": text}}],
        "tool": {"fourfold": {"unknown": [{"name": "b", "version": "2", "why": text}], text or "x": text}},
    }
    assert tomllib.loads(render(document).decode()) == document
    if text.isascii() and text.isprintable():
        assert [package.name for package in parse(render(document)).packages] == ["a", "b"]
