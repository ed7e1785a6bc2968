"""What is installed; the digest of a RECORD, one for a wheel and what was installed from it."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from fourfold.runs.environment.distributions import Distribution, imported, installed
from fourfold.runs.environment.records import portable_name, record_digest
from fourfold.runs.environment.remembered import Remembered
from tests.runs.environment.conftest import install, site_of, wheel


def look(site: Path) -> dict[str, Distribution]:
    return installed([str(site)], Remembered(""), time.time_ns())


def test_record_of_a_wheel_and_of_what_pip_installed_from_it_have_one_digest(
    tmp_path: Path, make_python: Callable[..., str]
) -> None:
    info, data = "basket-1.5.dist-info", "basket-1.5.data"
    more = {
        f"{info}/entry_points.txt": "[console_scripts]\nbasket = basket:main\n",
        f"{info}/licenses/LICENSE": "free\n",
        f"{data}/data/share/basket/share.txt": "shared\n",
        f"{data}/scripts/old-basket": "#!python\nprint(1)\n",
        f"{data}/headers/basket.h": "int basket;\n",
        f"{data}/platlib/basket_more/__init__.py": "",
    }
    built = wheel(tmp_path, "basket", "1.5", more)
    with ZipFile(built) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/RECORD")]
        text = archive.read(name).decode()
    make_python("env")
    install(tmp_path / "env", "--compile", str(built))
    found = look(site_of(tmp_path / "env"))["basket"]
    assert (tmp_path / "env" / "bin" / "old-basket").exists()
    assert found.record == record_digest(text)
    assert found.version == "1.5"
    assert {"basket.py", "basket_more"} <= set(found.tops)
    assert found.direct == "archive"
    assert found.installer == "pip"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("pkg/a.py", "pkg/a.py"),
        ("pkg/__pycache__/a.cpython-311.pyc", ""),
        ("x-1.dist-info/INSTALLER", ""),
        ("x-1.dist-info/METADATA", "x-1.dist-info/METADATA"),
        ("x-1.dist-info/licenses/RECORD", "x-1.dist-info/licenses/RECORD"),
        ("../../../bin/x", ""),
        ("..\\..\\Scripts\\x.exe", ""),
        ("../../../share/x", "{data}/share/x"),
        ("x-1.data/data/share/x", "{data}/share/x"),
        ("x-1.data/data/bin/x", ""),
        ("x-1.data/scripts/x", ""),
        ("x-1.data/platlib/pkg/a.so", "pkg/a.so"),
        ("pkg/some.data/other/x", "pkg/some.data/other/x"),
    ],
)
def test_name_of_a_file_is_the_same_in_a_wheel_and_installed(path: str, name: str) -> None:
    assert portable_name(path) == name


def test_record_digest_of_any_text_is_a_digest() -> None:
    for text in ("", "\0", 'a"b,,', '"a,b",sha256=x,1\n', "a,b", "\n" * 9, "\udcff,,"):
        assert len(record_digest(text)) == 64


def test_record_digest_changes_with_a_hash_and_not_with_the_order() -> None:
    one, other = "a.py,sha256=x,1\nb.py,sha256=y,2\n", "b.py,sha256=y,2\na.py,sha256=x,1\n"
    assert record_digest(one) == record_digest(other)
    assert record_digest(one) != record_digest(one.replace("=x", "=z"))


def test_installed_names_what_older_tools_left_and_what_has_no_record(tmp_path: Path) -> None:
    site, sources = tmp_path / "site", tmp_path / "sources"
    (site / "old_style-3.0-py3.11.egg-info").mkdir(parents=True)
    (site / "old_style-3.0-py3.11.egg-info" / "PKG-INFO").write_text("Name: Old-Style\nVersion: 3.0\n\nx")
    (site / "flat-1.0.egg-info").write_text("Name: flat\nVersion: 1.0\n")
    (site / "bare-2.dist-info").mkdir()
    (site / "not a distribution.dist-info").mkdir()
    (sources / "dev.egg-info").mkdir(parents=True)
    (sources / "dev.egg-info" / "PKG-INFO").write_text("Name: dev\nVersion: 0.1\n")
    (site / "dev.egg-link").write_text(f"{sources}\n.\n")
    found = look(site)
    assert {name: one.version for name, one in found.items()} == {
        "bare": "2",
        "dev": "0.1",
        "flat": "1.0",
        "old-style": "3.0",
    }
    assert found["bare"].record is None
    assert found["dev"].direct == "editable"
    assert found["dev"].source == str(sources)


def test_installed_takes_the_first_of_two_with_one_name(tmp_path: Path) -> None:
    for folder, version in (("one", "1"), ("two", "2")):
        (tmp_path / folder / f"apple-{version}.dist-info").mkdir(parents=True)
    found = installed([str(tmp_path / "two"), str(tmp_path / "one")], Remembered(""), 0)
    assert found["apple"].version == "2"


def test_installed_again_reads_nothing_and_sees_another_version(
    tmp_path: Path, make_python: Callable[..., str]
) -> None:
    make_python("env", apple="1.0")
    site = site_of(tmp_path / "env")
    known = Remembered("")
    later = time.time_ns() + 10**9
    first = installed([str(site)], known, later)
    record = site / "apple-1.0.dist-info" / "RECORD"
    record.chmod(0)
    assert installed([str(site)], known, later)["apple"].version == first["apple"].version
    record.chmod(0o644)
    shutil.rmtree(record.parent)
    install(tmp_path / "env", str(wheel(tmp_path, "apple", "1.1")))
    assert installed([str(site)], known, later)["apple"].version == "1.1"


def test_url_of_an_install_loses_its_secrets(tmp_path: Path) -> None:
    info = tmp_path / "apple-1.dist-info"
    info.mkdir()
    (info / "direct_url.json").write_text(
        '{"url": "https://me:hunter2@example.com/a.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}'
    )
    found = look(tmp_path)["apple"]
    assert found.direct == "vcs"
    assert found.commit == "abc"
    assert "hunter2" not in found.source
    assert "example.com" in found.source


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": 1}', '{"url": "x", "vcs_info": []}', "[" * 99999])
def test_broken_direct_url_is_no_error(tmp_path: Path, text: str) -> None:
    info = tmp_path / "apple-1.dist-info"
    info.mkdir()
    (info / "direct_url.json").write_text(text)
    assert look(tmp_path)["apple"].direct == "archive"


def test_imported_tells_two_distributions_of_one_namespace_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        info = tmp_path / f"fruit_{name}-1.dist-info"
        info.mkdir()
        (info / "RECORD").write_text(f"fruit/{name}.py,sha256=x,1\n")
    assert imported(look(tmp_path), {os.path.join(tmp_path, "fruit", "two.py")}) == {"fruit-two"}
