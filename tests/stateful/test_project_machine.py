"""A project under random commands, edits and sudden deaths, against a model of a few dictionaries.

The model knows what the workspace holds, what each pointer file records, and what was saved where; the
invariants read the disk with hashlib. Verbs are called in this process, a fresh `Project` each time, as a
new command would open it; a crash is a child that is killed at some touch of the disk, and the same verb
again.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from fourfold.base.errors import FourfoldError
from fourfold.content.checkout import UnsavedChangesError
from fourfold.project import checkout as checkout_verb
from fourfold.project.add import add
from fourfold.project.commit import commit
from fourfold.project.fetch import fetch
from fourfold.project.gc import gc
from fourfold.project.journal import log
from fourfold.project.project import Project
from fourfold.project.pull import pull
from fourfold.project.push import push
from fourfold.project.scope import Scope
from fourfold.project.status import status
from fourfold.project.undo import redo, undo
from tests.faults import checker
from tests.project.workplace import Workplace
from tests.stateful.crash import killed_at

#: What a target holds: its files by their relative names; a single file by the empty name.
Content = dict[str, bytes]
TARGETS = {"f": ("",), "d": ("a", "b", "sub/c", "sub/deep/e")}
FILES = [(target, name) for target, names in TARGETS.items() for name in names]
NAMES = ["add", "commit", "checkout", "push", "pull", "fetch", "gc"]
BYTES = st.sampled_from([b"", b"one", b"two\n", b"dos\r\n", b"\0\xff", b"long" * 30])


def names_of(content: Content) -> set[str]:
    """The objects that a content consists of."""
    names = {hashlib.md5(data).hexdigest() for data in content.values()}
    return names if "" in content else names | {name_of(content)}


def name_of(content: Content) -> str:
    """The object that a pointer file names for it."""
    if "" in content:
        return hashlib.md5(content[""]).hexdigest()
    rows = [{"md5": hashlib.md5(content[n]).hexdigest(), "relpath": n} for n in sorted(content)]
    return hashlib.md5(json.dumps(rows, sort_keys=True).encode()).hexdigest() + ".dir"


class ProjectMachine(RuleBasedStateMachine):
    """One project and its model."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="ff-machine-"))
        self.recorded: dict[str, Content] = {}
        #: Objects that must be in the cache, and on the remote; more may be there.
        self.cache: set[str] = set()
        self.remote: set[str] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.base)

    # --- the world ---------------------------------------------------------------------------------------

    @initialize(link=st.sampled_from(["copy", "hardlink", "symlink"]))
    def begin(self, link: str) -> None:
        self.place = Workplace(self.base, no_scm=True)
        (self.base / "remote").mkdir()
        (self.place.root / ".dvc" / "config.local").write_text(
            f"[core]\n    remote = r\n[cache]\n    type = {link}\n"
            f"['remote \"r\"']\n    url = {self.base}/remote\n"
        )
        self.link = link
        for target, name in FILES[:-1]:
            self.edit((target, name), (target + name).encode())
        self.run("add", ["d", "f"])

    def open(self) -> Project:
        return self.place.open()

    def on_disk(self, target: str) -> Content:
        root = self.place.root / target
        if root.is_dir():
            return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        return {"": root.read_bytes()} if root.exists() else {}

    def stored(self, place: Path) -> set[str]:
        return set().union(*checker.stored(place).values())

    def cache_now(self) -> set[str]:
        return self.stored(self.place.root / ".dvc" / "cache")

    def work(self) -> dict[str, Content]:
        return {target: self.on_disk(target) for target in TARGETS}

    def pointers(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in self.place.root.glob("*.dvc") if p.is_file()}

    # --- the user's own hands ----------------------------------------------------------------------------

    @rule(file=st.sampled_from(FILES), data=BYTES)
    def edit(self, file: tuple[str, str], data: bytes) -> None:
        path = self.place.root.joinpath(*file) if file[1] else self.place.root / file[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path):
            path.unlink()  # it may be the cache's own file: an editor that replaces, not one that spoils
        path.write_bytes(data)

    @rule(
        what=st.sampled_from(["f", "d/a", "d/sub", "d", "f and d", "the cache"]),
    )
    def lose(self, what: str) -> None:
        """Deleted by hand; the cache only where workspace files do not need it to live."""
        if what == "the cache":
            if self.link == "copy":
                shutil.rmtree(self.place.root / ".dvc" / "cache", ignore_errors=True)
                self.cache.clear()
            return
        for name in what.split(" and "):
            path = self.place.root / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        folder = self.place.root / "d"
        if folder.is_dir() and not self.on_disk("d"):
            shutil.rmtree(folder)

    # --- verbs, as (what to run, what is true afterwards) ------------------------------------------------

    def add(self, targets: list[str]) -> tuple[Callable[[], object], Callable[[], None]]:
        def then() -> None:
            for target in targets:
                self.recorded[target] = self.on_disk(target)
                self.cache |= names_of(self.recorded[target])

        return lambda: add(self.open(), targets), then

    def commit(self) -> tuple[Callable[[], object], Callable[[], None]]:
        targets = sorted(self.recorded)
        return lambda: commit(self.open(), force=True), self.add(targets)[1]

    def checkout(self) -> tuple[Callable[[], object], Callable[[], None]]:
        return lambda: checkout_verb.checkout(self.open(), force=True), self.check_workspace

    def check_workspace(self) -> None:
        for target, content in self.recorded.items():
            assert self.on_disk(target) == content, target

    def push(self) -> tuple[Callable[[], object], Callable[[], None]]:
        def then() -> None:
            for content in self.recorded.values():
                self.remote |= names_of(content)

        return lambda: _whole(push(self.open())), then

    def fetch(self) -> tuple[Callable[[], object], Callable[[], None]]:
        def then() -> None:
            for content in self.recorded.values():
                self.cache |= names_of(content)

        return lambda: fetch(self.open()), then

    def pull(self) -> tuple[Callable[[], object], Callable[[], None]]:
        def then() -> None:
            self.fetch()[1]()
            self.check_workspace()

        return lambda: _whole(pull(self.open(), force=True)), then

    def gc(self) -> tuple[Callable[[], object], Callable[[], None]]:
        def then() -> None:
            needed = set().union(*map(names_of, self.recorded.values())) if self.recorded else set()
            self.cache &= needed
            assert self.cache_now() <= needed

        return lambda: gc(self.open(), Scope()), then

    def verb(
        self, name: str, targets: list[str]
    ) -> tuple[str, Callable[[], object], Callable[[], None]] | None:
        """The verb, or the next one of which the model says that it must succeed now."""
        at = NAMES.index(name)
        for other in (*NAMES[at:], *NAMES[:at]):
            if (made := self.possible(other, targets)) is not None:
                return (other, *made)
        return None

    def possible(
        self, name: str, targets: list[str]
    ) -> tuple[Callable[[], object], Callable[[], None]] | None:
        """What to run and what is true afterwards, where the verb must succeed."""
        have = self.work()
        lacking = [content for content in self.recorded.values() if not names_of(content) <= self.cache]
        if name == "add":
            there = [target for target in targets if have[target]]
            return self.add(there) if there else None
        if name == "commit":
            return self.commit() if all(have[target] for target in self.recorded) else None
        if name in {"checkout", "push"} and lacking:
            return None
        if name == "gc" and any(name_of(c) not in self.cache | self.remote for c in lacking):
            return None  # nobody knows which files the directory has
        if name in {"fetch", "pull"} and any(not names_of(c) <= self.cache | self.remote for c in lacking):
            return None
        verbs = {"checkout": self.checkout, "push": self.push, "fetch": self.fetch, "pull": self.pull}
        return verbs.get(name, self.gc)()

    SOME = st.sampled_from([["f"], ["d"], ["d", "f"]])

    @rule(name=st.sampled_from(NAMES), chosen=SOME)
    def run(self, name: str, chosen: list[str]) -> None:
        if (made := self.verb(name, chosen)) is not None:
            made[1]()
            made[2]()

    @rule(name=st.sampled_from(NAMES), chosen=SOME, at=st.integers(1, 35))
    def crash(self, name: str, chosen: list[str], at: int) -> None:
        if (made := self.verb(name, chosen)) is None:
            return
        name, work, then = made
        before, pointers = self.work(), self.pointers()
        if killed_at(at, work):
            self.check_after_death(name, before, pointers)
        work()
        then()
        assert not list(self.temporaries())

    def check_after_death(self, name: str, before: dict[str, Content], pointers: dict[str, bytes]) -> None:
        self.objects_are_what_their_names_say()
        self.what_was_saved_is_there(garbage=name == "gc")
        now = self.work()
        for target, name_in in FILES:
            allowed = [before[target].get(name_in), self.recorded.get(target, {}).get(name_in)]
            assert now[target].get(name_in) in allowed, (target, name_in)
            if allowed[0] is not None and allowed[1] is not None:
                assert name_in in now[target], f"{target}/{name_in} is gone"
        if name in {"push", "fetch", "gc"}:
            assert self.pointers() == pointers

    def temporaries(self) -> Iterator[str]:
        for root, _folders, files in os.walk(self.base):
            yield from (os.path.join(root, name) for name in files if name.endswith(".tmp"))

    @rule()
    def checkout_without_force(self) -> None:
        before, cache = self.work(), self.cache_now()
        try:
            checkout_verb.checkout(self.open())
        except UnsavedChangesError:
            assert self.work() == before
            unsaved = {
                name
                for target, content in before.items()
                for name in names_of(content)
                if not name.endswith(".dir") and target in self.recorded
            }
            assert unsaved - cache
        except (checkout_verb.CheckoutIncompleteError, FourfoldError):
            assert any(not names_of(content) <= cache for content in self.recorded.values())
        else:
            self.check_workspace()
        held = cache | self.cache_now()
        for target, name in FILES:
            had = before[target].get(name)
            if had is not None and self.on_disk(target).get(name) != had:
                assert hashlib.md5(had).hexdigest() in held, f"{target}/{name} was lost without force"

    @rule(name=st.sampled_from(["add", "commit", "checkout"]), chosen=SOME)
    def do_and_undo(self, name: str, chosen: list[str]) -> None:
        """A command taken back leaves no trace, and done again leaves what it left."""
        if (made := self.possible(name, chosen)) is None:
            return
        entries = len(log(self.open()))
        before = (self.work(), self.pointers())
        made[0]()
        after = (self.work(), self.pointers())
        if len(log(self.open())) == entries:
            assert after == before
            return
        undo(self.open())
        assert (self.work(), self.pointers()) == before
        redo(self.open())
        assert (self.work(), self.pointers()) == after
        made[1]()

    # --- what always holds -------------------------------------------------------------------------------

    @invariant()
    def objects_are_what_their_names_say(self) -> None:
        assert not checker.torn_objects(self.base)

    @invariant()
    def what_was_saved_is_there(self, *, garbage: bool = False) -> None:
        needed = set().union(*map(names_of, self.recorded.values())) if garbage and self.recorded else None
        cache = self.cache if not garbage else self.cache & (needed or set())
        assert cache <= (self.cache_now() if cache else set())
        assert self.remote <= (self.stored(self.base / "remote") if self.remote else set())

    @invariant()
    def status_tells_the_truth(self) -> None:
        if not self.recorded:
            return
        said = {changed.owner.relpath for changed in status(self.open()).changed}
        have = self.cache_now()
        for target, content in self.recorded.items():
            clean = f"{target}.dvc" not in said
            same = self.on_disk(target) == content
            assert same or not clean, f"status calls {target} clean"
            assert clean or not same or not names_of(content) <= have, f"status calls {target} changed"


def _whole(result: object) -> None:
    error = getattr(result, "error", None)
    if error is not None:
        raise error


def _profile(examples: int, steps: int) -> settings:
    return settings(
        settings(),
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def test_a_project_under_random_commands_and_deaths_keeps_its_promises() -> None:
    run_state_machine_as_test(ProjectMachine, settings=_profile(60, 25))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_project_under_many_more_random_commands_keeps_its_promises() -> None:
    run_state_machine_as_test(ProjectMachine, settings=_profile(1500, 50))
