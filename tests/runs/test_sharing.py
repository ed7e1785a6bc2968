"""Records go to remotes whole or not at all, and come from them proven; one that takes none stops nothing."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Warned
from fourfold.formats.attest import dsse, intoto, verdict
from fourfold.formats.native.fact import observed
from fourfold.formats.native.record import RunId, parts_of
from fourfold.project.config import RemoteConfig
from fourfold.project.remotes import Remote
from fourfold.runs import envelopes, sharing
from fourfold.runs.sharing import chosen, key_of, on_remote, pull_records, push_records
from fourfold.runs.store import Records
from fourfold.storage.blob.local import LocalStore
from fourfold.storage.blob.protocol import BlobDeniedError, BlobInfo, NoListingError
from tests.runs.recordmaking import Parts, keep, make, records_in


class Heard(list[Warned]):
    """Events that are warnings."""

    def __call__(self, event: object) -> None:
        if isinstance(event, Warned):
            self.append(event)

    @property
    def codes(self) -> list[str]:
        return [event.code for event in self]


class Refusing(LocalStore):
    """A folder whose server refuses to store what has this in its key."""

    refused = "parts"

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        for key, data in items:
            if self.refused in key:
                yield key, BlobDeniedError("read-only")
            else:
                yield from super().put_many([(key, data)])


class Blind(LocalStore):
    """A folder behind a server that lists nothing, as HTTP does."""

    def list(self, prefix: str = "") -> Iterator[list[BlobInfo]]:
        raise NoListingError(f"nothing lists {prefix}")


class Listed(LocalStore):
    """A folder that remembers what it was asked to list."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.prefixes: list[str] = []

    def list(self, prefix: str = "") -> Iterator[list[BlobInfo]]:
        self.prefixes.append(prefix)
        return super().list(prefix)


class Closed(LocalStore):
    """A folder behind a server that lists nothing to this user."""

    def list(self, prefix: str = "") -> Iterator[list[BlobInfo]]:
        raise BlobDeniedError(f"no list of {prefix}")


def remote(store: LocalStore, **options: str) -> Remote:
    return Remote("r", RemoteConfig("r", store.url, options, {}), store)


@pytest.fixture
def ours(tmp_path: Path) -> Records:
    return records_in(tmp_path / "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Records:
    return records_in(tmp_path / "theirs")


@pytest.fixture
def place(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "remote"))


def stored(store: LocalStore, kind: str) -> int:
    return sum(len(page) for page in store.list(f"fourfold/runs/{kind}/"))


def test_what_was_pushed_is_pulled_whole_and_is_the_same(
    ours: Records, theirs: Records, place: LocalStore
) -> None:
    names = [keep(ours), keep(ours, seed=2)]
    sent = push_records(ours, remote(place), names)
    assert (sent.runs, sent.present) == (2, 0)
    assert stored(place, "records") == 2
    assert stored(place, "parts") == sent.parts == len(ours.ids("parts"))
    again = push_records(ours, remote(place), names)
    assert (again.runs, again.parts, again.present) == (0, 0, 2)
    assert on_remote(remote(place)) == sorted(names)
    came = pull_records(theirs, remote(place), names)
    assert (came.runs, came.parts, came.size) == (2, sent.parts, sent.size)
    assert theirs.ids("records") == ours.ids("records")
    assert theirs.ids("parts") == ours.ids("parts")
    assert theirs.get(names[1]) == ours.get(names[1])
    assert theirs.resolve("train") == names[1]
    assert pull_records(theirs, remote(place), names).present == 2


@pytest.mark.parametrize("refused", ["parts", "records"])
def test_a_remote_that_refuses_is_told_and_gets_no_record_without_its_parts(
    ours: Records, tmp_path: Path, refused: str
) -> None:
    store = Refusing(str(tmp_path / "remote"))
    store.refused = refused
    heard = Heard()
    assert push_records(ours, remote(store), [keep(ours)], events=heard).runs == 0
    assert heard.codes == ["records-not-shared"]
    assert stored(store, "records") == 0


def test_a_remote_that_lists_nothing_is_asked_record_by_record(
    ours: Records, theirs: Records, tmp_path: Path
) -> None:
    store = Blind(str(tmp_path / "remote"))
    name = keep(ours)
    assert push_records(ours, remote(store), [name]).runs == 1
    assert push_records(ours, remote(store), [name]).present == 1
    assert pull_records(theirs, remote(store), [name]).runs == 1
    heard = Heard()
    assert on_remote(remote(store), events=heard) == []
    assert heard.codes == ["records-not-shared"]


def test_damage_on_the_remote_is_told_and_gets_no_name_here(
    ours: Records, theirs: Records, place: LocalStore
) -> None:
    first, second, third = keep(ours), keep(ours, seed=2), keep(ours, packages={"torch": "2"})
    push_records(ours, remote(place), [first, second, third])
    place.put(key_of("records", first), b"{}")
    part = next(part for part in parts_of(ours.get(third)) if part not in parts_of(ours.get(second)))
    place.put(key_of("parts", part), b"[]")
    heard = Heard()
    pull_records(theirs, remote(place), [first, second, third], events=heard)
    assert heard.codes == ["record-corrupt", "record-corrupt"]
    assert not theirs.has("records", first)
    assert theirs.has("records", second)
    assert not theirs.has("parts", part)


def test_a_run_whose_parts_did_not_all_come_is_completed_later(
    ours: Records, theirs: Records, place: LocalStore
) -> None:
    name = keep(ours)
    part = parts_of(ours.get(name))[0]
    push_records(ours, remote(place), [name])
    data = place.get(key_of("parts", part))
    place.delete([key_of("parts", part)])
    pull_records(theirs, remote(place), [name])
    assert not theirs.has("parts", part)
    place.put(key_of("parts", part), data)
    assert pull_records(theirs, remote(place), [name]).parts == 1
    assert theirs.has("parts", part)


def test_a_run_that_the_remote_lacks_is_passed_over_in_silence(theirs: Records, place: LocalStore) -> None:
    place.put("files/x", b"")
    heard = Heard()
    assert pull_records(theirs, remote(place), ["0" * 64, "../../etc/passwd"], events=heard).runs == 0
    assert heard == []


def test_a_record_of_a_later_version_is_left_on_the_remote_and_told(
    theirs: Records, place: LocalStore
) -> None:
    from fourfold.formats.native.canonical import canonical, digest  # noqa: PLC0415

    data = canonical({"schema": "fourfold.run/9"})
    place.put(key_of("records", digest(data)), data)
    heard = Heard()
    pull_records(theirs, remote(place), [digest(data)], events=heard)
    assert heard.codes == ["bad-run-record"]
    assert theirs.ids() == []


@pytest.mark.parametrize("kind", ["version_aware", "worktree"])
def test_remotes_that_hold_files_by_their_names_take_no_records_and_it_is_said_why(
    ours: Records, place: LocalStore, kind: str
) -> None:
    heard = Heard()
    assert push_records(ours, remote(place, **{kind: "true"}), [keep(ours)], events=heard).runs == 0
    assert heard.codes == ["records-left-out"]
    assert not os.path.exists(str(place.local_root) + "/fourfold")


def test_a_damaged_record_of_ours_is_not_sent(ours: Records, place: LocalStore) -> None:
    name = keep(ours)
    Path(ours.folder, "records", name[:2], name[2:]).write_bytes(b"{}")
    heard = Heard()
    assert push_records(ours, remote(place), [name], events=heard).runs == 0
    assert heard.codes == ["records-not-shared"]
    assert stored(place, "records") == 0


def test_targets_choose_the_runs_of_their_stages_and_those_that_wrote_them(ours: Records) -> None:
    train, other, deep = keep(ours), keep(ours, stage="evaluate"), keep(ours, stage="sub/dvc.yaml:train")
    command = keep(ours, stage="")

    def by(*targets: str) -> set[RunId]:
        return set(chosen(ours, targets))

    assert by() == {train, other, deep, command}
    assert by("train") == {train}
    assert by("dvc.yaml:evaluate") == {other}
    assert by("dvc.yaml") == {train, other}
    assert by("sub/dvc.yaml") == by("sub/dvc.yaml:train") == {deep}
    assert by("model.pkl") == {train, other, deep, command}
    assert by("nobody") == set()


def test_what_is_stated_of_a_run_goes_and_comes_with_it(
    ours: Records, theirs: Records, place: LocalStore
) -> None:
    run, other = keep(ours), keep(ours, seed=2)
    first = envelopes.keep(ours, run, b"first")
    sent = push_records(ours, remote(place), [run, other])
    assert (sent.runs, sent.statements) == (2, 1)
    came = pull_records(theirs, remote(place), [run])
    assert (came.runs, came.statements) == (1, 1)
    assert envelopes.read(theirs, run, first) == b"first"
    assert list(envelopes.everything(theirs)) == [(run, first)]


def test_a_statement_made_later_goes_alone_and_comes_by_its_name(
    ours: Records, theirs: Records, place: LocalStore
) -> None:
    run = keep(ours)
    push_records(ours, remote(place), [run])
    pull_records(theirs, remote(place), [run])
    late = envelopes.keep(ours, run, b"late")
    assert push_records(ours, remote(place), [run]).statements == 1
    assert push_records(ours, remote(place), [run]).statements == 0
    assert pull_records(theirs, remote(place), [run]).statements == 0  # nothing is asked where all is here
    blind = remote(Blind(place.local_root))
    assert (
        pull_records(theirs, blind, [run], stated=[(run, late), (run, "../x"), ("../x", late)]).statements
        == 1
    )
    assert envelopes.names(theirs, run) == [late]


def test_a_remote_is_asked_for_the_statements_of_few_runs_alone(
    ours: Records, theirs: Records, place: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [keep(ours, seed=seed) for seed in range(3)]
    said = {run: envelopes.keep(ours, run, run.encode()) for run in runs}
    push_records(ours, remote(place), runs)
    listing = Listed(place.local_root)
    assert pull_records(theirs, remote(listing), runs[:1]).statements == 1
    assert listing.prefixes == [f"fourfold/runs/{envelopes.kind_of(runs[0])}/"]
    monkeypatch.setattr(sharing, "_ASKED_APART", 1)
    assert pull_records(theirs, remote(listing), runs).statements == 2
    assert listing.prefixes[1:] == ["fourfold/runs/statements/"]
    assert dict(envelopes.everything(theirs)) == said


def test_records_that_came_are_counted_although_what_is_stated_of_them_was_refused(
    ours: Records, theirs: Records, place: LocalStore
) -> None:
    run = keep(ours)
    push_records(ours, remote(place), [run])
    heard = Heard()
    came = pull_records(theirs, remote(Closed(place.local_root)), [run], events=heard)
    assert came.runs == 1
    assert theirs.has("records", run)
    assert heard.codes == ["records-not-shared"]


def test_a_damaged_statement_is_told_and_left_there(
    ours: Records, theirs: Records, place: LocalStore
) -> None:
    run = keep(ours)
    name = envelopes.keep(ours, run, b"said")
    push_records(ours, remote(place), [run])
    place.put(key_of(envelopes.kind_of(run), name), b"sand")
    heard = Heard()
    came = pull_records(theirs, remote(place), [run], events=heard)
    assert (came.runs, came.statements) == (1, 0)
    assert heard.codes == ["record-corrupt"]
    assert "statement" in heard[0].message
    assert envelopes.names(theirs, run) == []


def test_a_remote_from_before_statements_gives_none(
    ours: Records, theirs: Records, place: LocalStore
) -> None:
    run = keep(ours)
    push_records(ours, remote(place), [run])
    assert pull_records(theirs, remote(place), [run]).statements == 0
    assert theirs.has("records", run)


def replay(records: Records, of: str, **said: Any) -> RunId:
    """A replay of a run, kept."""
    parts = Parts()
    made = make(parts, trace={"replay": observed({"of": of})}, **said)
    for document in parts.values():
        records.keep(document)
    return records.append(lambda previous: made._replace(kind="replay", previous=previous))


def state(records: Records, run: RunId, *replays: Any) -> None:
    """Keep a verdict about a run that names these replays."""
    document = {"run": run, "level": "bitwise", "holds": True, "asked": "bitwise", "replay": replays[0]}
    said = verdict.parse({**document, "replays": list(replays)})
    about = intoto.envelope(verdict.statement(said, (intoto.Resource("r", {"blake3": run}),)))
    envelopes.keep(records, run, dsse.render(about))


def test_the_replays_that_a_verdict_names_go_and_come_with_it(
    ours: Records, theirs: Records, place: LocalStore
) -> None:
    run, other = keep(ours), keep(ours, seed=2)
    first, second = replay(ours, run), replay(ours, run, seed=3)
    state(ours, run, first, second, "../x", 7, "ab" * 32)
    envelopes.keep(ours, run, b"no envelope")
    sent = push_records(ours, remote(place), [run])
    assert (sent.runs, sent.statements) == (3, 2)
    assert other not in on_remote(remote(place))
    came = pull_records(theirs, remote(place), [run])
    assert (came.runs, came.statements, came.size) == (3, 2, sent.size)
    assert theirs.ids() == sorted([run, first, second])


def test_a_statement_brings_and_sends_no_run_that_is_no_replay_of_the_one_that_it_is_about(
    ours: Records, theirs: Records, place: LocalStore
) -> None:
    run, private = keep(ours), keep(ours, started="2099-01-01T00:00:00.000000Z", command=("evil",))
    strange = replay(ours, private)
    state(ours, run, private, strange)
    assert push_records(ours, remote(place), [run]).runs == 1
    push_records(ours, remote(place), [run, private, strange])
    came = pull_records(theirs, remote(place), [run])
    assert (came.runs, came.statements) == (1, 1)
    assert theirs.ids() == [run]
    assert theirs.resolve("train") == run
