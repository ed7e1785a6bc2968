"""What explain, attribute and bisect say of a world in which something was planted, and whether it is so."""

from typing import NamedTuple

from fourfold.formats.native.lockfile import parse
from tests.evidence.planted.worlds import MESSAGE, Planted, World

#: Seconds for one command: the lab's stages load large libraries.
_PATIENCE = 600.0
#: What is planted must have so much of the whole effect.
LEAST = 0.9


class Judged(NamedTuple):
    """What the three commands said.

    Attributes:
        before: The metric before.
        after: The metric after.
        suspect: The first cause that explain names: ``coordinate: name``.
        share: Of what was planted, as attribute says; None where it says none.
        executed: Steps that attribute ran.
        commit: The commit that bisect names.
    """

    before: float
    after: float
    suspect: str
    share: float | None
    executed: int
    commit: str

    def row(self, world: str, planted: Planted) -> str:
        """As a row of the table."""
        share = "-" if self.share is None else f"{self.share:.0%}"
        pairs = ((f"{self.before:.{digits}f}", f"{self.after:.{digits}f}") for digits in (4, 6, 9))
        moved = " -> ".join(next((pair for pair in pairs if pair[0] != pair[1]), ("the same", "the same")))
        return f"| {world} | {planted.name} | {moved} | `{self.suspect}` | {share} | {self.commit} |"


def judge(world: World, planted: Planted) -> Judged:
    """Ask all three."""
    repo = world.repo
    start = repo.git("rev-list", "--max-parents=0", "HEAD").strip()
    first, last = (_run(world, rev) for rev in (start, "HEAD"))
    explained = repo.run("explain", first, last, "--json").json()
    causes = explained["causes"]
    measured = repo.run(
        "attribute", first, last, "--metric", world.metric, "--json", timeout=_PATIENCE
    ).json()
    share = next((each["share"] for each in measured["effects"] if each["factor"] == planted.factor), None)
    found = repo.run("bisect", "--metric", world.metric, "--good", start, "--json").json()
    return Judged(
        measured["before"],
        measured["after"],
        f"{causes[0]['coordinate']}: {causes[0]['name']}" if causes else "nothing",
        share,
        measured["executed"],
        found["first_bad"]["title"],
    )


def check(judged: Judged, planted: Planted) -> None:
    """What must be so."""
    assert judged.suspect.partition(": ")[2] in planted.causes, judged
    assert judged.share is not None, judged
    assert judged.share >= LEAST, judged
    assert judged.commit == MESSAGE, judged


def _run(world: World, rev: str) -> str:
    """The run of the last stage at a revision."""
    lock = parse(world.repo.git("show", f"{rev}:fourfold.lock").encode())
    return lock.stages["evaluate"].run
