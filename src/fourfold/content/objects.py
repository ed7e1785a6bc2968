"""The object store on this machine: where objects lie, whether they are there, reading them whole.

The layout is DVC's: ``files/md5/aa/rest`` for 3.x objects, ``aa/rest`` below the root for 2.x ones
(*legacy*: named by the text-folding MD5), trees with ``.dir``. The same class serves the cache and a
remote that is a folder. Reading proves what it returns, and never deletes, renames or changes a mode;
writing is `fourfold.content.intake`, the proofs that spare a second reading `fourfold.content.proofs`.
"""

import os
from collections.abc import Iterator

from fourfold.base.errors import CorruptError, NotFoundError, from_os_error
from fourfold.base.ids import Oid, is_tree
from fourfold.content.naming import folded_bytes_digest, name_of
from fourfold.content.tree import Tree, unpack

#: Below the root of a store; DVC does not look there.
OWN_DIRECTORY = ".fourfold"
_HEX = "0123456789abcdef"
#: The 256 folders of a layout.
PREFIXES = tuple(high + low for high in _HEX for low in _HEX)
#: Fewer objects than this are looked for one by one; of more, whole folders are listed.
_FEW = 512


class ObjectMissingError(NotFoundError):
    """An object is not in the store."""

    code = "object-missing"


class CorruptObjectError(CorruptError):
    """An object does not hash to its name."""

    code = "corrupt-object"


class ObjectStore:
    """Objects below ``root``.

    Args:
        root: The directory; it need not exist yet.
        shared: Folders are writable by their group (``cache.shared = group``).
    """

    __slots__ = ("root", "shared")

    def __init__(self, root: str, *, shared: bool = False) -> None:
        self.root = root
        self.shared = shared

    def __repr__(self) -> str:
        return f"ObjectStore({self.root!r})"

    @property
    def file_mode(self) -> int:
        """The permission bits of an object: nobody writes it, in a shared cache either."""
        return 0o444

    @property
    def folder_mode(self) -> int:
        """The permission bits of a folder, less the umask where nothing is shared."""
        return 0o2775 if self.shared else 0o777

    def base(self, *, legacy: bool = False) -> str:
        """The directory that holds the 256 folders of a layout."""
        return self.root if legacy else f"{self.root}/files/md5"

    def path(self, oid: str, *, legacy: bool = False) -> str:
        """Where the object lies, or would."""
        return f"{self.base(legacy=legacy)}/{oid[:2]}/{oid[2:]}"

    def has(self, oid: Oid, *, legacy: bool = False) -> bool:
        """Whether an object of that name is there; nothing is said about its bytes."""
        return os.path.exists(self.path(oid, legacy=legacy))

    def folder(self, prefix: str, *, legacy: bool = False) -> set[str]:
        """The names (less their first two digits) in one of the 256 folders."""
        try:
            return set(os.listdir(f"{self.base(legacy=legacy)}/{prefix}"))
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def missing(self, oids: list[Oid], *, legacy: bool = False) -> list[Oid]:
        """Those of ``oids`` that are not there, in their order; by listing folders when there are many."""
        if len(oids) < _FEW:
            return [oid for oid in oids if not self.has(oid, legacy=legacy)]
        by_folder: dict[str, list[Oid]] = {}
        for oid in oids:
            by_folder.setdefault(oid[:2], []).append(oid)
        absent: set[Oid] = set()
        for prefix, wanted in by_folder.items():
            there = self.folder(prefix, legacy=legacy)
            absent.update([oid for oid in wanted if oid[2:] not in there])
        return [oid for oid in oids if oid in absent]

    def holds_all(self, packed: bytes, *, legacy: bool = False) -> bool:
        """Whether every object is there whose digest, of 16 bytes, is among ``packed``.

        As `missing`, for whoever has columns: of a million objects, those of one folder are named at a time.
        """
        if len(packed) < _FEW * 16:
            return not self.missing(unpack(packed), legacy=legacy)
        by_folder = [bytearray() for _prefix in PREFIXES]
        for at in range(0, len(packed), 16):
            by_folder[packed[at]] += packed[at : at + 16]
        return all(
            self.folder(prefix, legacy=legacy).issuperset([oid[2:] for oid in unpack(bytes(digests))])
            for prefix, digests in zip(PREFIXES, by_folder, strict=True)
            if digests
        )

    def listing(self, *, legacy: bool = False) -> Iterator[Oid]:
        """Every object name of a layout, folder by folder; names that are not objects are left out."""
        for prefix in PREFIXES:
            for name in sorted(self.folder(prefix, legacy=legacy)):
                if is_object_name(prefix + name):
                    yield Oid(prefix + name)

    def read(self, oid: Oid, *, legacy: bool = False) -> bytes:
        """The bytes of an object, proven.

        Raises:
            ObjectMissingError: it is not there.
            CorruptObjectError: it is there and does not hash to its name.
        """
        path = self.path(oid, legacy=legacy)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            raise ObjectMissingError(
                f"object {oid} is not in the cache", hint="get it from a remote with: ff fetch"
            ) from None
        except OSError as error:
            raise from_os_error(error, "reading the cache") from error
        # A 2.x manifest is named by the plain MD5 of its bytes, a 2.x file by the folded one.
        found = folded_bytes_digest(data).hex() if legacy and not is_tree(oid) else name_of(data)
        if found != oid[:32]:
            raise corrupt(oid, path)
        return data

    def read_tree(self, oid: Oid, *, legacy: bool = False) -> Tree:
        """A directory manifest, proven.

        Raises:
            ObjectMissingError: it is not there.
            CorruptObjectError: it is damaged.
            BadManifestError: its bytes are no manifest.
            UnsafePathError: a path in it could leave its folder.
        """
        return Tree.parse(self.read(oid, legacy=legacy), f"object {oid}", oid)


def is_object_name(text: str) -> bool:
    """Whether a name is one that an object can have: 32 lower-case hex digits, perhaps with ``.dir``."""
    return len(text) in {32, 36} and text[32:] in {"", ".dir"} and not text[:32].strip(_HEX)


def corrupt(oid: Oid, path: str) -> CorruptObjectError:
    """The error for an object whose bytes are not what its name says."""
    return CorruptObjectError(
        f"object {oid} is damaged: {path} does not hash to its name",
        hint="heal it from a good copy with: ff repair",
    )
