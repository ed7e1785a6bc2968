"""A project with a remote for tests: a folder or a bucket behind the same few words, and ways to hurt it."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fourfold.base.ids import Oid
from fourfold.project.add import add
from fourfold.storage.blob.protocol import BlobStore
from fourfold.storage.schemes import open_store
from tests.fixtures.sandbox import Tree
from tests.project.workplace import Workplace

TREE: Tree = {"f": "one\n", "d": {"a": "two\n", "b": "three\n", "sub": {"c": "four\n"}}}
#: Objects of `TREE`, manifest included.
COUNT = 5


def md5(data: str | bytes) -> Oid:
    """The name of an object."""
    return Oid(hashlib.md5(data.encode() if isinstance(data, str) else data).hexdigest())


def key(oid: str, *, legacy: bool = False) -> str:
    """Where an object lies on a remote."""
    return f"{'' if legacy else 'files/md5/'}{oid[:2]}/{oid[2:]}"


class Place:
    """Somewhere a remote can be.

    Attributes:
        url: Of the remote.
        options: Its configuration.
    """

    def __init__(self, url: str, options: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self.url = url
        self.options = dict(options)
        self._environ = dict(environ)

    @property
    def store(self) -> BlobStore:
        """Its bytes, by a client of the test's own."""
        return open_store(self.url, self.options, environ=self._environ)

    def keys(self) -> set[str]:
        """Everything there."""
        return {info.key for page in self.store.list() for info in page}

    def put(self, oid: str, data: bytes) -> None:
        """Put bytes under the name of an object, right or wrong, read-only where that means something."""
        if "://" not in self.url:
            path = Path(self.url, key(oid))
            path.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o444)
        else:
            self.store.put(key(oid), data)

    def get(self, oid: str) -> bytes:
        """The bytes of an object."""
        return self.store.get(key(oid))

    def has(self, oid: str) -> bool:
        """Whether an object is there."""
        return self.store.head(key(oid)) is not None

    def lose(self, *oids: str) -> None:
        """Remove objects."""
        self.store.delete([key(oid) for oid in oids])

    def flip(self, oid: str) -> bytes:
        """Flip one bit of an object; the damaged bytes."""
        data = bytearray(self.get(oid))
        data[len(data) // 2] ^= 1
        self.put(oid, bytes(data))
        return bytes(data)

    def truncate(self, oid: str, size: int = 1) -> None:
        """Cut an object off."""
        self.put(oid, self.get(oid)[:size])


class Depot(Workplace):
    """A project whose default remote ``store`` is at a `Place`; what it tracks is `TREE` unless told."""

    def __init__(self, base: Path, place: Place, tree: Tree = TREE) -> None:
        super().__init__(base)
        self.place = place
        self.remote("store", place, default=True)
        if tree:
            self.track_tree(tree)

    def remote(self, name: str, place: Place, *, default: bool = False) -> None:
        """Configure a remote in the local configuration."""
        lines = "".join(f"    {option} = {value}\n" for option, value in place.options.items())
        core = f"[core]\n    remote = {name}\n" if default else ""
        with open(self.path(".dvc/config.local"), "a") as file:
            file.write(f"{core}['remote \"{name}\"']\n    url = {place.url}\n{lines}")

    def track_tree(self, tree: Tree) -> None:
        """Make files and track each entry."""
        self.gen(tree)
        add(self.open(), list(tree))

    def commit(self, message: str = "a commit") -> str:
        """Commit everything to Git."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def lose(self, *names: str) -> None:
        """Forget the whole cache and all that is known of it, and these files of the workspace."""
        import shutil  # noqa: PLC0415 - few tests lose

        for name in (".dvc/cache", ".dvc/fourfold", *names):
            path = Path(self.path(name))
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def cached(self, oid: str, *, legacy: bool = False) -> Path:
        """Where an object of the cache lies."""
        return Path(self.path(".dvc/cache"), key(oid, legacy=legacy))

    def objects(self) -> set[str]:
        """The names of all objects of the 3.x layout of the cache."""
        return set(self.open().store.listing())

    def hurt(self, oid: str, data: bytes = b"something else\n") -> None:
        """Replace an object of the cache by other bytes that look just as trustworthy."""
        path = self.cached(oid)
        path.chmod(0o644)
        path.write_bytes(data)
        path.chmod(0o444)

    def litter(self) -> list[str]:
        """Temporary files of cache and folder remote."""
        roots = [self.path(".dvc/cache"), *([] if "://" in self.place.url else [self.place.url])]
        return [
            os.path.join(folder, name)
            for root in roots
            for folder, _folders, names in os.walk(root)
            for name in names
            if name.endswith(".tmp") or ".fourfold" in folder
        ]


def recorder() -> "tuple[list[Any], Any]":
    """A list and the sink that fills it."""
    events: list[Any] = []
    return events, events.append
