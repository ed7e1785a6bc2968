"""What proves that installed files are those of a locked hash: wheels at hand, caches of the real pip."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.formats.locks.model import Archive, Package
from fourfold.runs.envcheck.oracle import Oracle
from fourfold.runs.envcheck.wheels import file_names, of_pip, read_wheel
from fourfold.runs.environment.distributions import Distribution, installed
from fourfold.runs.environment.remembered import Remembered
from fourfold.runs.place import Place
from tests.fixtures.http_files import HttpFiles
from tests.fixtures.wheels import OFFLINE, Venv, make_wheel, sha256


def place_of(root: Path, **environ: str) -> Place:
    return Place(
        str(root), str(root / ".fourfold"), str(root), {"HOME": str(root), **environ}, SYSTEM, None, None
    )


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return make_wheel(folder, "Beta.Pack", "1.1", scripts={"tool": b"#!python\nprint(1)\n"})


@pytest.fixture
def beta(tmp_path: Path, wheel: Path) -> Distribution:
    """The wheel, installed by the real pip from a folder: nothing says of which hash it was."""
    venv = Venv(tmp_path / "env")
    venv.pip("install", "--no-deps", "--find-links", str(wheel.parent), "beta-pack")
    return installed([str(venv.site)], Remembered(""), 0)["beta-pack"]


def locked(wheel: Path, url: str = "", digest: str = "") -> list[Package]:
    return [Package("beta-pack", "1.1", (Archive(wheel.name, (digest or sha256(wheel),), url),))]


def test_a_wheel_that_is_named_proves_and_is_remembered(
    tmp_path: Path, wheel: Path, beta: Distribution
) -> None:
    place = place_of(tmp_path)
    assert Oracle(place, keep=True).ask(beta, locked(wheel), str(tmp_path)) == "unknown"
    oracle = Oracle(place, keep=True, wheels=[str(wheel.parent)])
    assert oracle.ask(beta, locked(wheel), str(tmp_path)) == "proven"
    oracle.save()
    packages = locked(wheel)
    wheel.unlink()
    assert Oracle(place, keep=True).ask(beta, packages, str(tmp_path)) == "proven"
    assert Oracle(place, keep=False).ask(beta, packages, str(tmp_path)) == "unknown"
    (tmp_path / ".fourfold" / "runs" / "facts" / "wheels.json").write_text(
        '{"version": 2, "wheels": [[1], 2]}'
    )
    assert Oracle(place, keep=True).ask(beta, packages, str(tmp_path)) == "unknown"


@pytest.mark.parametrize("named", ["path", "file"])
def test_a_wheel_where_the_lock_says_proves(
    tmp_path: Path, wheel: Path, beta: Distribution, named: str
) -> None:
    url = "wheels/" + wheel.name if named == "path" else wheel.as_uri()
    assert Oracle(place_of(tmp_path), keep=False).ask(beta, locked(wheel, url), str(tmp_path)) == "proven"


def test_another_wheel_of_the_same_version_is_told(tmp_path: Path, wheel: Path, beta: Distribution) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = make_wheel(folder, "Beta.Pack", "1.1", files={"beta_pack/__init__.py": b"import os\n"})
    oracle = Oracle(place_of(tmp_path), keep=False, wheels=[str(folder)])
    assert oracle.ask(beta, locked(other), str(tmp_path)) == "other"
    assert oracle.ask(beta, locked(wheel), str(tmp_path)) == "unknown"


def test_the_cache_of_the_real_pip_is_understood(
    tmp_path: Path, wheel: Path, beta: Distribution, http_files: HttpFiles
) -> None:
    http_files.files[f"/{wheel.name}"] = wheel.read_bytes()
    url = f"{http_files.url}/{wheel.name}"
    environ = {**os.environ, **OFFLINE, "PIP_CACHE_DIR": str(tmp_path / "pip")}
    # pip keeps what came over plain HTTP of hosts that it trusts only.
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--trusted-host", "127.0.0.1"]
    command += ["-d", str(tmp_path / "down"), url]
    subprocess.run(command, env=environ, check=True, capture_output=True)
    place = place_of(tmp_path, PIP_CACHE_DIR=str(tmp_path / "pip"))
    assert Oracle(place, keep=False).ask(beta, locked(wheel, url), str(tmp_path)) == "proven"
    # A lock without addresses: the bodies of the cache are looked through.
    assert Oracle(place, keep=False).ask(beta, locked(wheel), str(tmp_path)) == "proven"
    assert Oracle(place, keep=False, search=False).ask(beta, locked(wheel), str(tmp_path)) == "unknown"


def test_an_address_of_pypi_is_found_by_what_pip_s_cache_is_named_by(
    tmp_path: Path, wheel: Path, beta: Distribution
) -> None:
    data = wheel.read_bytes()
    digest = hashlib.blake2b(data, digest_size=32).hexdigest()
    url = f"https://files.pythonhosted.org/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{wheel.name}"
    name = hashlib.sha224(url.encode()).hexdigest()
    body = tmp_path.joinpath("pip", "http-v2", *name[:5], f"{name}.body")
    body.parent.mkdir(parents=True)
    body.write_bytes(data)
    place = place_of(tmp_path, PIP_CACHE_DIR=str(tmp_path / "pip"))
    found = of_pip(str(body), beta, place.environ)
    assert found is not None
    assert (found.url, found.hash) == (url, sha256(wheel))
    told = Oracle(place, keep=False).wheel_of(beta)
    assert told is not None
    assert told.url == url


def test_what_is_no_wheel_is_passed_over(tmp_path: Path, wheel: Path) -> None:
    bad = tmp_path / "bad.whl"
    bad.write_bytes(wheel.read_bytes()[:-30])
    assert read_wheel(str(bad)) is None
    bad.write_bytes(b"")
    assert read_wheel(str(bad)) is None
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("x", "y")
    assert read_wheel(str(bad)) is None
    assert read_wheel(str(tmp_path)) is None
    assert read_wheel(str(tmp_path / "nowhere")) is None


def test_names_of_wheels_follow_from_their_tags(tmp_path: Path, beta: Distribution) -> None:
    assert "beta_pack-1.1-py3-none-any.whl" in [name.lower() for name in file_names(beta)]
    (Path(beta.folder) / "WHEEL").write_text(
        "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_17_x86_64\nTag: cp311-cp311-manylinux2014_x86_64\n"
    )
    ends = [name.partition("-1.1-")[2] for name in file_names(beta)]
    assert "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl" in ends
    assert "cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl" in ends
    direct = {"url": "https://example.com/x.whl", "archive_info": {"hash": "sha256=" + "a" * 64}}
    (Path(beta.folder) / "direct_url.json").write_text(json.dumps(direct))
    one = beta._replace(direct="archive")
    package = [Package("beta-pack", "1.1", (Archive("x.whl", ("sha256:" + "a" * 64,)),))]
    other = [Package("beta-pack", "1.1", (Archive("x.whl", ("sha256:" + "b" * 64,)),))]
    oracle = Oracle(place_of(tmp_path), keep=False)
    assert oracle.ask(one, package, "/") == "proven"
    assert oracle.ask(one, other, "/") == "other"
