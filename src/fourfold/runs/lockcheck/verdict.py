"""The fact ``lock`` of a record: which file locks the environment, and whether what is installed is that.

Names and versions, at every run; files are re-hashed by ``ff env check`` only.
"""

from collections.abc import Mapping
from typing import Any

from fourfold import __version__
from fourfold.base.errors import FourfoldError
from fourfold.formats.locks.model import clean_url
from fourfold.formats.native.canonical import digest
from fourfold.formats.native.fact import Fact, absent, declared, observed
from fourfold.runs.lockcheck.compare import Installed, compare, marker_environment, wanted
from fourfold.runs.lockcheck.conda import conda_installed, conda_platform
from fourfold.runs.lockcheck.find import LockFile, beside, find_lock, includes_others, parse_lock, read_lock
from fourfold.runs.lockcheck.remembered import key_of, recall, remember
from fourfold.runs.place import Place

#: So many differences stand in a record; the rest is a number.
_SHOWN = 20


def fact(
    place: Place, distributions: Mapping[str, Mapping[str, Any]], interpreter: Mapping[str, Any]
) -> Fact:
    """What locks the environment, and whether it is what is installed.

    Args:
        place: Where the run happens; its root is where the lock is looked for.
        distributions: What is installed, as `fourfold.runs.environment` lists it: by normalised name,
            ``version`` and ``direct`` (``editable`` | ``dir`` | ...).
        interpreter: ``version`` and ``name`` of the one that ran; ``prefix``, absolute, has conda's list.

    Returns:
        Observed, with ``file``, ``kind``, ``digest`` (BLAKE3 of its bytes), ``verified`` (True when all
        versions are the locked ones, None when that could not be said) and ``differences``; declared where
        the file fixes no versions; absent without a file.
    """
    try:
        path = find_lock(place.root, place.environ)
        if path is None:
            return absent("no lock file in the root")
        file = read_lock(path)
    except FourfoldError as error:
        return absent(clean_url(error.message))
    shown = place.shown(path)
    value: dict[str, Any] = {"file": shown, "kind": file.kind, "digest": digest(file.data)}
    installed = {name: installed_of(name, row) for name, row in distributions.items()}
    conda = conda_installed(str(interpreter.get("prefix") or ""))
    if includes_others(file):
        return _verdict(place, file, value, {**installed, **conda}, interpreter)
    told = [str(interpreter.get(name)) for name in ("version", "name", "implementation")]
    here = [list(one) for one in (*installed.values(), *conda.values())]
    key = key_of(__version__, value, digest(beside(file) or b""), told, conda_platform(), here)
    known = recall(place, key)
    if known is None:
        known = _verdict(place, file, value, {**installed, **conda}, interpreter)
        remember(place, key, known)
    return known


def _verdict(
    place: Place,
    file: LockFile,
    value: Mapping[str, Any],
    installed: Mapping[str, Installed],
    interpreter: Mapping[str, Any],
) -> Fact:
    try:
        locked = parse_lock(file, str(value["file"]), place.root)
    except FourfoldError as error:
        return observed(
            {**value, "verified": None, "differences": [error.message]}, "it cannot be understood"
        )
    means = wanted(locked, marker_environment(interpreter), conda_platform())
    texts = [str(item) for item in compare(locked, means, installed)]
    if locked.stale:
        texts.insert(0, locked.stale)
    if len(texts) > _SHOWN:
        texts = [*texts[:_SHOWN], f"and {len(texts) - _SHOWN} more"]
    if locked.grade == "declared":
        return declared({**value, "verified": None, "differences": texts}, "it fixes no versions")
    # Whether conda's packages are there cannot be said of a Python that is of no environment of conda.
    blind = means.conda and not texts and not any(name.startswith("conda:") for name in installed)
    why = "conda's packages cannot be seen from this Python" if blind else "names and versions"
    return observed({**value, "verified": None if blind else not texts, "differences": texts}, why)


def installed_of(name: str, row: Mapping[str, Any]) -> Installed:
    """One row of a listing of distributions."""
    direct = row.get("direct")
    return Installed(name, str(row.get("version", "")), direct == "editable", direct in {"editable", "dir"})
