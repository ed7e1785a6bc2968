"""Real interpreters with real wheels, and stages that run in them and tell of themselves."""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.fact import Section
from fourfold.runs import reports
from fourfold.runs.environment import section
from fourfold.runs.observation import Access, Coverage, Observation, Trace
from fourfold.runs.place import Place
from fourfold.runs.task import Task

INJECT = str(Path(reports.__file__).parent / "inject")
#: Starts what tells of itself, as the engine has it started.
START = (
    "import os, sys; sys.path.insert(0, {0!r}); import _fourfold_report; del sys.path[0]\n"
    "_fourfold_report.install(os.environ['FOURFOLD_RUN_DIR'])\n"
)


class Stage:
    """A folder in which programs run and tell of themselves."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.root.mkdir()
        self.parts: dict[str, Mapping[str, Any]] = {}
        self.hook = root / "hook"
        self.hook.mkdir()
        (self.hook / "sitecustomize.py").write_text(START.format(INJECT))
        self.home = root / "home"
        self.home.mkdir()
        self.reports = root / "reports"

    def keep(self, document: Mapping[str, Any]) -> dict[str, Any]:
        data = canonical(document)
        self.parts[digest(data)] = document
        return {"part": digest(data), "size": len(data)}

    def run(
        self,
        code: str,
        *options: str,
        python: str = sys.executable,
        accesses: Sequence[Access] = (),
        environ: Mapping[str, str] | None = None,
    ) -> Section:
        """Run a script, and give the section of it."""
        shutil.rmtree(self.reports, ignore_errors=True)
        self.reports.mkdir()
        (self.root / "script.py").write_text(code)
        base = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8", **(environ or {})}
        injected = {**base, "PYTHONPATH": str(self.hook), "FOURFOLD_RUN_DIR": str(self.reports)}
        subprocess.run([python, *options, "script.py"], cwd=self.root, env=injected, check=True)
        return self.section(base, accesses)

    def section(self, environ: Mapping[str, str], accesses: Sequence[Access] = ()) -> Section:
        trace = Trace(Coverage("none", "nobody looked"), tuple(accesses))
        task = Task("stage", "train", ("python script.py",), str(self.root), str(self.root), environ)
        place = Place(str(self.root), str(self.root / ".own"), str(self.root), environ, SYSTEM, None, None)
        told = reports.read(str(self.reports)) if self.reports.exists() else ()
        return section(task, place, Observation(trace, told), self.keep)

    def part(self, found: Section, name: str) -> Mapping[str, Any]:
        return self.parts[found[name].value["part"]]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def make_python(tmp_path: Path) -> Callable[..., str]:
    """Makes a virtual environment with wheels of one module each, by name and version."""

    def make(name: str, **versions: str) -> str:
        folder = tmp_path / name
        venv.create(folder, with_pip=False, symlinks=True)
        wheels = [str(wheel(tmp_path, package, version)) for package, version in versions.items()]
        if wheels:
            install(folder, *wheels)
        return str(folder / "bin" / "python")

    return make


def install(folder: Path, *what: str) -> None:
    """Install into a virtual environment by the pip of the tests."""
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    subprocess.run([*command, "-q", "--no-index", "--no-deps", "--no-compile", *what], check=True)


def wheel(folder: Path, name: str, version: str, more: Mapping[str, str] | None = None) -> Path:
    """A wheel of one module, and more files by their names in it."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **(more or {}),
    }
    rows = []
    with ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
            proof = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows.append(f"{file},sha256={proof},{len(text)}")
        archive.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,", ""]))
    return path


def site_of(folder: Path) -> Path:
    """The folder of packages of a virtual environment."""
    (site,) = folder.glob("lib/python*/site-packages")
    return site


def editable(folder: Path, name: str, sources: Path) -> None:
    """What pip leaves of an editable install in a virtual environment."""
    site = site_of(folder)
    info = site / f"{name}-0.1.dist-info"
    info.mkdir()
    (site / f"__editable__.{name}.pth").write_text(f"{sources}\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    (info / "direct_url.json").write_text(
        json.dumps({"url": sources.as_uri(), "dir_info": {"editable": True}})
    )
    (info / "RECORD").write_text(f"__editable__.{name}.pth,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n")
