"""A project whose environment the real uv made."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.fixtures.sandbox import Ran, Tool
from tests.fixtures.wheels import Venv, uv

PYPROJECT = """\
[project]
name = "thing"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["alpha", "pyyaml"]
"""


class Project:
    """A project with an environment that uv made.

    Attributes:
        root: Its folder.
        site: Its site-packages.
    """

    def __init__(self, folder: Path, made: Path, ff: Tool) -> None:
        self.root = folder / "thing"
        self.site = Venv(self.root / ".venv").site
        self._index = f"file://{made}/simple"
        self._cache = str(made / "uv")
        self._ff = ff

    def uv(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environ = {"UV_INDEX_URL": self._index, "UV_CACHE_DIR": self._cache, "UV_LINK_MODE": "copy"}
        return uv(*arguments, cwd=self.root, check=check, **environ)

    def check(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        done = self._ff(
            "env",
            "check",
            "--json",
            *arguments,
            cwd=self.root,
            check=False,
            env={"UV_CACHE_DIR": self._cache, "VIRTUAL_ENV": str(self.root / ".venv")},
        )
        return done.code, json.loads(done.stdout)

    def lock(self, *arguments: str, **environ: str) -> Ran:
        return self._ff(
            "env",
            "lock",
            *arguments,
            cwd=self.root,
            check=False,
            env={"UV_CACHE_DIR": self._cache, "VIRTUAL_ENV": str(self.root / ".venv"), **environ},
        )

    def findings(self, *arguments: str, weight: str = "differs") -> list[tuple[str, str]]:
        _code, found = self.check(*arguments)
        return [(item["code"], item["message"]) for item in found["findings"] if item["weight"] == weight]
