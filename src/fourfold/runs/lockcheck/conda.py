"""What conda says is installed in an environment, by the names of the files in its ``conda-meta``."""

import os
import platform
import sys
from collections.abc import Mapping

from fourfold.runs.lockcheck.compare import Installed

_MACHINES = {"x86_64": "64", "amd64": "64", "aarch64": "aarch64", "arm64": "arm64", "ppc64le": "ppc64le"}


def conda_platform() -> str:
    """How conda calls this machine: ``linux-64``; "" for one that it has no name for."""
    system = {"linux": "linux", "darwin": "osx", "win32": "win"}.get(sys.platform, "")
    machine = _MACHINES.get(platform.machine().lower(), "")
    return f"{system}-{machine}" if system and machine else ""


def conda_installed(prefix: str) -> Mapping[str, Installed]:
    """Packages of conda in an environment, by ``conda:NAME``; none where there is no conda."""
    try:
        names = sorted(os.listdir(os.path.join(prefix, "conda-meta")))
    except OSError:
        return {}
    found = {}
    for name in names:
        parts = name.removesuffix(".json").rsplit("-", 2)
        if name.endswith(".json") and len(parts) == 3:
            key = f"conda:{parts[0].lower()}"
            found[key] = Installed(key, parts[1], build=parts[2])
    return found
