"""Requirements files of pip: a lock where every line has an exact version and hashes, else a wish.

Syntax as pip's documentation has it: options, ``-r`` and ``-c`` files, lines that go on after a backslash,
comments, hashes, URLs, paths and editable projects. Other files are read through the caller's function,
which decides where that may lead.
"""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from fourfold.formats.locks import model
from fourfold.formats.locks.documents import decode
from fourfold.formats.locks.model import Archive, BadLockFileError, Locked, Package

if TYPE_CHECKING:
    from packaging.requirements import Requirement

KIND = "requirements"
#: How deep ``-r`` may nest, and how many files one may bring in all.
_DEPTH, _FILES = 16, 200

Reader = Callable[[str], bytes]

_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTION = re.compile(r"(?:^|\s)(--?[A-Za-z][A-Za-z-]*)(?:[ =]+(?:\"([^\"]*)\"|'([^']*)'|(\S+)))?")
_HASH = re.compile(r"\s--hash[ =]+(\S+)")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
_FRAGMENT_HASH = re.compile(r"[#&](md5|sha1|sha224|sha256|sha384|sha512)=([0-9a-fA-F]+)")
_ARCHIVE = re.compile(r"\.(?:whl|zip|tar\.gz|tar\.bz2|tar\.xz|tgz)$", re.IGNORECASE)
_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*://|[a-z]+\+[a-z]+:|file:)", re.IGNORECASE)
_REVISION = re.compile(r"@([^@/#]+)(?:#.*)?$")
_WINDOWS_PATH = re.compile(r"^[A-Za-z]:[\\/]")


class _State(NamedTuple):
    """What goes along while files include files."""

    read: Reader
    seen: set[tuple[str, bool]]


def parse(data: bytes, source: str = "requirements.txt", read: Reader | None = None) -> Locked:
    """Read one.

    Args:
        data: The file's bytes.
        source: How messages call it, and what the paths in it are relative to.
        read: Gives the bytes of an included file by its path relative to the folder of ``source``;
            raises an `OSError` when it cannot. None refuses every inclusion.

    Raises:
        BadLockFileError: a line cannot be understood, or an included file cannot be read.
    """
    state = _State(read or _refuse, {(source, False)})
    wanted: dict[tuple[str, str, str], Package] = {}
    constraints: dict[tuple[str, str, str], Package] = {}
    for package in _file(data, source, state, constraint=False, depth=0):
        into = constraints if package.optional else wanted
        into.setdefault((package.name, package.version, package.marker), package)
        if len(wanted) + len(constraints) > model.MAX_PACKAGES:
            raise BadLockFileError(f"{source} names more than {model.MAX_PACKAGES} packages")
    by_name = {package.name: package for package in constraints.values()}
    packages = [_constrained(package, by_name.get(package.name)) for package in wanted.values()]
    fixed = bool(packages) and all(
        package.source in {"editable", "path", "vcs"} or (package.hashes and (package.version or package.url))
        for package in packages
    )
    names = {package.name for package in packages}
    packages += [package for package in constraints.values() if package.name not in names]
    return Locked(KIND, "lock" if fixed else "declared", tuple(packages))


def _refuse(path: str) -> bytes:
    raise FileNotFoundError(2, "not read", path)


def _constrained(package: Package, constraint: Package | None) -> Package:
    """A requirement with what a constraint of that name adds."""
    if constraint is None:
        return package
    return package._replace(
        version=package.version or constraint.version,
        archives=package.archives or constraint.archives,
        specifier=package.specifier or constraint.specifier,
    )


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, with those that go on joined; each with the number of its first."""
    held: list[str] = []
    first = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not held:
            first = number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            held.append(line[:-1])
            continue
        whole = "".join([*held, "" if comment else line])
        held = []
        whole = _COMMENT.sub("", whole).strip()
        if whole:
            yield first, whole
    if held:
        whole = _COMMENT.sub("", "".join(held)).strip()
        if whole:
            yield first, whole


def _file(data: bytes, source: str, state: _State, *, constraint: bool, depth: int) -> Iterator[Package]:
    for number, line in _logical(decode(data, source)):
        where = f"{source}:{number}"
        if not line.startswith("-"):
            yield _requirement(line, where, constraint=constraint)
            continue
        option = _OPTION.match(line)
        if option is None:
            raise BadLockFileError(f"{where}: not a requirement: {line[:80]!r}")
        name = option[1]
        value = next((group for group in option.groups()[1:] if group is not None), "")
        if name.startswith("-r") or name == "--requirement":
            value = value if len(name) == 2 or name == "--requirement" else name[2:] + value
            yield from _included(value, source, where, state, constraint=constraint, depth=depth)
        elif name == "--constraint" or name.startswith("-c"):
            value = value if len(name) == 2 or name == "--constraint" else name[2:] + value
            yield from _included(value, source, where, state, constraint=True, depth=depth)
        elif name in {"-e", "--editable"}:
            yield _located(value, where, "editable", constraint=constraint)


def _included(
    path: str, source: str, where: str, state: _State, *, constraint: bool, depth: int
) -> Iterator[Package]:
    if depth >= _DEPTH or len(state.seen) >= _FILES:
        raise BadLockFileError(f"{where}: files include files too deep or too often: {path[:80]!r}")
    folder = source.rpartition("/")[0]
    target = path if path.startswith("/") or _SCHEME.match(path) or not folder else f"{folder}/{path}"
    if (target, constraint) in state.seen:
        return
    state.seen.add((target, constraint))
    try:
        data = state.read(target)
    except OSError as error:
        raise BadLockFileError(
            f"{where}: included file cannot be read: {path[:120]} ({error.strerror or error})",
            hint="bring that file back, or compile one file that holds everything",
        ) from None
    yield from _file(data, target, state, constraint=constraint, depth=depth + 1)


def _requirement(line: str, where: str, *, constraint: bool) -> Package:
    hashes = tuple(sorted({model.hash_text(value, where) for value in _HASH.findall(line)}))
    bare = re.split(r"\s+--?[A-Za-z]", line, maxsplit=1)[0].strip()
    if _SCHEME.match(bare) or bare.startswith((".", "/", "~")) or _WINDOWS_PATH.match(bare):
        return _located(bare, where, "", constraint=constraint, hashes=hashes)
    try:
        wish = _wish(bare)
    except ValueError as error:
        # pip takes a path without ./ too.
        if _ARCHIVE.search(bare.partition(";")[0].strip()) or "/" in bare.partition(";")[0]:
            return _located(bare, where, "", constraint=constraint, hashes=hashes)
        # What looks like an address may hold a password, which no message shows.
        told = "" if "@" in bare or "://" in bare else f": {bare[:80]!r}"
        raise BadLockFileError(f"{where}: not a requirement{told}") from error
    marker = str(wish.marker) if wish.marker else ""
    name = model.normal_name(wish.name, where)
    if wish.url:
        located = _located(wish.url, where, "", constraint=constraint, hashes=hashes, name=name)
        return located._replace(marker=marker)
    pins = [item for item in wish.specifier if item.operator in {"==", "==="} and "*" not in item.version]
    version = pins[0].version if len(pins) == 1 and len(wish.specifier) == 1 else ""
    return Package(
        name,
        version,
        (Archive("", hashes),) if hashes else (),
        marker=marker,
        optional=constraint,
        specifier="" if version else str(wish.specifier),
    )


def requirement(text: str, source: str) -> Package:
    """One requirement, as a list in another file has it (``alpha[x]>=1; python_version < "3.12"``).

    Raises:
        BadLockFileError: it is none.
    """
    return _requirement(_COMMENT.sub("", text).strip(), source, constraint=False)


def _wish(text: str) -> "Requirement":
    from packaging.requirements import Requirement  # noqa: PLC0415 - only requirements need the grammar

    return Requirement(text)


def _located(
    text: str,
    where: str,
    kind: str,
    *,
    constraint: bool,
    hashes: tuple[str, ...] = (),
    name: str = "",
) -> Package:
    """A requirement that is an address: of an archive, a repository or a folder."""
    address, _mark, marker = text.partition(" ;") if " ;" in text else text.partition("; ")
    address = address.strip()
    fragment = _FRAGMENT_HASH.search(address)
    if fragment:
        hashes = tuple(sorted({*hashes, model.hash_text(f"{fragment[1]}:{fragment[2]}", where)}))
    egg = _EGG.search(address)
    version, archive_name = "", model.file_name(address)
    if not name and egg:
        name = model.normal_name(egg[1], where)
    if archive_name.endswith(".whl"):
        parts = archive_name.split("-")
        if len(parts) >= 5:
            name, version = name or model.normal_name(parts[0], where), parts[1]
    source: model.SourceKind = "path"
    revision = ""
    if kind == "editable":
        source = "editable"
    elif re.match(r"[a-z]+\+", address):
        source = "vcs"
    elif _SCHEME.match(address) and not address.startswith("file:"):
        source = "url"
    if source == "vcs" or "+" in address.partition(":")[0]:
        found = _REVISION.search(address.partition("#")[0])
        revision = found[1] if found else ""
    archives = (Archive(archive_name if _ARCHIVE.search(archive_name) else "", hashes),) if hashes else ()
    return Package(
        name,
        version,
        archives,
        marker=marker.strip(),
        optional=constraint,
        source=source,
        url=model.clean_url(address),
        revision=revision,
    )
