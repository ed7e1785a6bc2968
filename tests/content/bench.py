"""A workspace folder, a store and an index for tests of the content floor; no project around them."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fourfold.base.events import PhaseStarted
from fourfold.base.fs.walk import Prune
from fourfold.base.ids import Oid
from fourfold.content.build import identify, ingest
from fourfold.content.checkout import CheckedOut, Desk, Plan, checkout
from fourfold.content.identity import Built
from fourfold.content.intake import Intake
from fourfold.content.objects import ObjectStore
from fourfold.content.proofs import ProofBook
from fourfold.content.statindex import StatIndex
from fourfold.content.tree import Tree
from tests.fixtures.sandbox import gen

#: Longer than a racy timestamp: files that are this old can be told from later edits.
TICK = 0.03


class Bench:
    """The parts and the few moves that most tests make with them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root = base / "ws"
        self.root.mkdir()
        self.store = ObjectStore(str(base / "cache"))
        self.index = StatIndex(str(base / "ws" / ".dvc" / "fourfold" / "index"))
        self.proofs = ProofBook(self.index, self.store)
        self.plans: list[Plan] = []

    def gen(self, tree: Mapping[str, object]) -> None:
        """Make files in the workspace and let their timestamps age."""
        gen(self.root, tree)
        time.sleep(TICK)

    def path(self, name: str) -> str:
        """The absolute path of something in the workspace."""
        return str(self.root / name)

    def save(self, name: str, *, link_types: tuple[str, ...] = ("copy",)) -> Built:
        """Put something of the workspace into the store."""
        with Intake(self.store, self.proofs) as intake:
            built = ingest(self.path(name), self.index, intake, link_types=link_types)
            intake.commit()
        self.proofs.flush()
        return built

    def put(self, data: bytes) -> Oid:
        """Put bytes into the store by hand, as another tool would; their name."""
        oid = Oid(hashlib.md5(data).hexdigest())
        self.place(oid, data)
        return oid

    def put_tree(self, files: Mapping[str, bytes]) -> Oid:
        """Put a directory into the store by hand; its name."""
        tree = Tree.of((name, self.put(data)) for name, data in files.items())
        self.place(tree.oid, tree.to_bytes())
        return tree.oid

    def place(self, oid: str, data: bytes) -> Path:
        """Whatever bytes under the name of an object."""
        path = Path(self.store.path(oid))
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.unlink()
        path.write_bytes(data)
        path.chmod(0o444)
        return path

    def desk(
        self,
        *link_types: str,
        skip_file: Prune | None = None,
        announce: Callable[[Plan], None] | None = None,
    ) -> Desk:
        """What a checkout works with; it notes the plans that it hears."""
        return Desk(
            self.store,
            self.index,
            ProofBook(self.index, self.store),
            str(self.root),
            self.path(".dvc/fourfold/staging"),
            link_types=link_types or ("reflink", "copy"),
            skip_file=skip_file,
            announce=announce or self.plans.append,
        )

    def checkout(
        self, oid: Oid | None, name: str, *link_types: str, force: bool = False, relink: bool = False
    ) -> CheckedOut:
        """Make something of the workspace be an object."""
        return checkout(oid, self.path(name), self.desk(*link_types), force=force, relink=relink)

    def files(self, name: str = "data") -> dict[str, bytes]:
        """The files of the workspace below a folder, or the one file."""
        top = self.root / name
        if not top.is_dir():
            return {"": top.read_bytes()} if top.exists() else {}
        return {
            os.path.relpath(os.path.join(folder, file), top): Path(folder, file).read_bytes()
            for folder, _folders, files in os.walk(top)
            for file in files
        }

    def objects(self) -> set[str]:
        """The names of all files in the store, hidden ones too."""
        base = Path(self.store.root)
        return {str(path.relative_to(base)) for path in base.rglob("*") if path.is_file()}

    def hashed(self, name: str) -> int:
        """How many files must be read to know what something is now."""
        counts: list[int] = []

        def hear(event: object) -> None:
            if isinstance(event, PhaseStarted) and event.name == "hashing":
                counts.append(event.total or 0)

        identify(self.path(name), self.index, events=hear)
        return sum(counts)


def md5(data: bytes) -> str:
    """The name of bytes."""
    return hashlib.md5(data).hexdigest()
