"""Files of an environment that nothing installed: modules that shadow others, path files, ``sitecustomize``.

Whoever can write into site-packages needs no known package: one line in a ``.pth`` file runs at each start.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

from fourfold.runs.envcheck.findings import Finding
from fourfold.runs.envcheck.interpreter import Interpreter
from fourfold.runs.envcheck.rehash import Row, owned, walk
from fourfold.runs.environment.distributions import Distribution

#: So many are named; the rest is a number.
_SHOWN = 10
_CODE = (".py", ".so", ".pyc", ".pyd", ".pth", ".egg-link")
_CUSTOMIZE = ("sitecustomize", "usercustomize")
#: What tools that make environments leave there: the file, and what it must hold (None: anything).
_KNOWN = {
    "_virtualenv.pth": b"import _virtualenv",
    "_virtualenv.py": None,
}


def strays(
    interpreter: Interpreter,
    listing: Mapping[str, Distribution],
    listed: Sequence[Row],
    without: Sequence[Distribution],
) -> Iterator[Finding]:
    """Files that no RECORD owns and that Python could load.

    Args:
        interpreter: Whose folders are looked at.
        listing: What is installed.
        listed: The files that RECORDs name.
        without: Distributions without a RECORD: what lies below their modules is taken for theirs.
    """
    mine = owned(listed)
    tops = {os.path.join(one.site, top) for one in without for top in one.tops}
    loose = {one.site for one in without}
    for site in interpreter.sites:
        found = [
            (path, on_top)
            for path, on_top in walk(site)
            if path not in mine
            and path.endswith(_CODE)
            and not _is_of(path, site, tops)
            and not _is_known(path, site, interpreter)
        ]
        if site in loose and not interpreter.made_by:
            # Packages of the system have no RECORDs: nothing can be told apart there but what always runs.
            count = sum(not path.endswith(".pth") for path, _ in found)
            found = [(path, on_top) for path, on_top in found if on_top and path.endswith(".pth")]
            if count:
                yield Finding(
                    "unverified", "note", f"{count} files in {site} that no RECORD owns", "", "", site
                )
        yield from _named(found, site, listing)
        patch = os.path.join(site, "_virtualenv.py")
        if _is_known(patch, site, interpreter) and os.path.isfile(patch):
            yield Finding(
                "unverified",
                "note",
                f"_virtualenv.py runs at every start: {interpreter.made_by} put it there, unhashed",
                "",
                "",
                patch,
            )
    yield from _customized(interpreter)


def _is_of(path: str, site: str, tops: set[str]) -> bool:
    first = path[len(site) + 1 :].partition(os.sep)[0]
    top = os.path.join(site, first)
    return top in tops or top.removesuffix(".py") in tops or first.endswith((".egg-info", ".dist-info"))


def _is_known(path: str, site: str, interpreter: Interpreter) -> bool:
    name = os.path.basename(path)
    if interpreter.made_by not in {"uv", "virtualenv"} or name not in _KNOWN or os.path.dirname(path) != site:
        return False
    content = _KNOWN[name]
    return content is None or _head(path).strip() == content


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(65536)
    except OSError:
        return b""


def _named(
    found: Sequence[tuple[str, bool]], site: str, listing: Mapping[str, Distribution]
) -> Iterator[Finding]:
    # What always runs first, then what shadows, then what lies deeper.
    order = sorted(found, key=lambda item: (not item[0].endswith(".pth"), not item[1], item[0]))
    for path, on_top in order[:_SHOWN]:
        yield _stray(path, site, on_top=on_top, listing=listing)
    if len(order) > _SHOWN:
        yield Finding(
            "stray-file",
            "differs",
            f"{len(order) - _SHOWN} more files in {site} that nothing installed",
            "",
            "",
            site,
        )


def _stray(path: str, site: str, *, on_top: bool, listing: Mapping[str, Distribution]) -> Finding:
    name = os.path.basename(path)
    shown = path[len(site) + 1 :].replace(os.sep, "/")
    remove = f"look at it, then remove it: {path}"
    stem = name.partition(".")[0]
    if on_top and path.endswith((".pth", ".egg-link")):
        return Finding(
            "stray-pth", "differs", f"{shown} was not installed by anything: {_does(path)}", remove, "", path
        )
    if on_top and stem in _CUSTOMIZE:
        return Finding(
            "stray-customize",
            "differs",
            f"{shown} runs at every start and was not installed by anything",
            remove,
            "",
            path,
        )
    first = shown.partition("/")[0]
    owner = next((one for one in listing.values() if one.site == site and first in one.tops), None)
    if owner is not None:
        return Finding(
            "stray-file",
            "differs",
            f"{owner.name} {owner.version}: {shown} is no file of it",
            remove,
            owner.name,
            path,
        )
    return Finding("stray-file", "differs", f"{shown} was not installed by anything", remove, "", path)


def _does(path: str) -> str:
    """What a ``.pth`` file brings about, in words."""
    lines = [
        line.strip()
        for line in _head(path).decode("utf-8", "replace").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    code = [line for line in lines if line.startswith(("import ", "import\t"))]
    if code:
        return (
            f"it runs code at every start ({len(code)} lines)"
            if len(code) > 1
            else "it runs code at every start"
        )
    if lines:
        return f"it adds {lines[0][:120]} to the path" + (
            f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        )
    return "it is empty"


def _customized(interpreter: Interpreter) -> Iterator[Finding]:
    """``sitecustomize`` where no package is: in the standard library."""
    for module in _CUSTOMIZE:
        path = os.path.join(interpreter.stdlib, f"{module}.py")
        if os.path.isfile(path) and _head(path).strip():
            yield Finding(
                "stray-customize",
                "note",
                f"{path} runs at every start; the system put it there, or somebody",
                "look at it once",
                "",
                path,
            )
