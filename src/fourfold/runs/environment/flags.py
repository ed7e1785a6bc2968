"""What may bring other code into a Python than its distributions say: editables, ``.pth``, ``PYTHONPATH``.

Each is named with the commit it stands at, or the digest of the files that were really imported from it.
What lies in the project is the business of the first coordinate, code, and is only named.
"""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from fourfold.runs.environment.distributions import Distribution, is_installed, sites_of
from fourfold.runs.environment.interpreter import Python, listing, text
from fourfold.runs.environment.libraries import Asked, content
from fourfold.runs.environment.naming import Names

if TYPE_CHECKING:
    from fourfold.runs.place import Place

#: Modules that `site` imports at every start, wherever it finds them.
_CUSTOM = ("sitecustomize", "usercustomize")


def flags(
    python: Python, found: Mapping[str, Distribution], place: "Place", names: Names, asked: Asked
) -> dict[str, Any]:
    """What a reader of an environment should look at twice; what there is none of is left out.

    Args:
        python: The interpreter and its processes.
        found: What it has installed.
        place: Where the run happened.
        names: How files are named.
        asked: With what files are looked at.
    """
    path = [entry for entry in listing(python.first, "path") if isinstance(entry, str)]
    sites = sites_of(path)

    def origin(folder: str) -> dict[str, Any]:
        return _origin(folder, python, place, asked)

    known = {one.source for one in found.values() if one.direct == "editable"}
    known |= {os.path.join(source, "src") for source in known}
    told: dict[str, Any] = {
        "editable": {
            name: {"source": names.shown(one.source), **_outside(one.source, names, origin)}
            for name, one in found.items()
            if one.direct == "editable"
        },
        "pth": _pth(sites, found, names, asked),
        "pythonpath": [names.shown(entry) for entry in listing(python.first, "pythonpath") if _is_abs(entry)],
        "user_site": [names.shown(site) for site in sites if _is_user(site, place.environ)],
        "outside": {
            names.shown(site): origin(site)
            for site in sites
            if not names.is_project(site) and not _below_prefix(site, python) and site not in known
        },
        "custom": _custom(python, names, asked),
    }
    return {key: value for key, value in told.items() if value}


def _is_abs(entry: object) -> bool:
    return isinstance(entry, str) and os.path.isabs(entry)


def _is_user(site: str, environ: Mapping[str, str]) -> bool:
    home = environ.get("HOME", "")
    return bool(home) and site.startswith(os.path.join(os.path.normpath(home), ".local", "lib", "python"))


def _below_prefix(path: str, python: Python) -> bool:
    prefixes = [text(python.first, "prefix"), text(python.first, "base_prefix")]
    return any(prefix and path.startswith(prefix.rstrip(os.sep) + os.sep) for prefix in prefixes)


def _outside(folder: str, names: Names, origin: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    return {} if names.is_project(folder) else origin(folder)


def _origin(folder: str, python: Python, place: "Place", asked: Asked) -> dict[str, Any]:
    """The commit of the repository that a folder is in, and the files that were imported from it."""
    below = folder.rstrip(os.sep) + os.sep
    files = sorted(
        {
            file
            for file in python.modules.values()
            if file.startswith(below) and not is_installed(file[len(below) :])
        }
    )
    lines = []
    for file in files:
        told = content(file, asked)
        lines.append(f"{file[len(below) :]},{told['blake3'] if told is not None else ''}\n")
    found: dict[str, Any] = {"imported": len(files)}
    if lines:
        found["digest"] = blake3("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    commit = _commit(folder, place)
    if commit:
        found["commit"] = commit
    return found


def _commit(folder: str, place: "Place") -> str:
    from fourfold.base.errors import FourfoldError  # noqa: PLC0415 - few environments reach outside
    from fourfold.scm.git import Git, find_root  # noqa: PLC0415 - likewise

    try:
        root = find_root(folder)
        return "" if root is None else str(Git(root, place.environ).head() or "")
    except (FourfoldError, OSError):
        return ""


def _pth(sites: list[str], found: Mapping[str, Distribution], names: Names, asked: Asked) -> dict[str, Any]:
    """Files that `site` obeys at every start, with the distribution that brought each."""
    owners = {
        (one.site, top): name for name, one in found.items() for top in one.tops if top.endswith(".pth")
    }
    told: dict[str, Any] = {}
    for site in sites:
        if os.path.basename(site) not in {"site-packages", "dist-packages"}:
            continue
        try:
            files = sorted(name for name in os.listdir(site) if name.endswith(".pth"))
        except OSError:
            continue
        for name in files:
            digest = content(os.path.join(site, name), asked)
            told[names.shown(os.path.join(site, name))] = {
                "blake3": digest["blake3"] if digest is not None else None,
                "owner": owners.get((site, name)),
            }
    return told


def _custom(python: Python, names: Names, asked: Asked) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for module in _CUSTOM:
        file = python.modules.get(module)
        if file is not None:
            digest = content(file, asked)
            told[module] = {
                "file": names.shown(file),
                "blake3": digest["blake3"] if digest is not None else None,
            }
    return told
