"""Intake: objects get their names together and durable, or not at all; the dead leave no litter."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fourfold.base.errors import ExhaustedError
from fourfold.base.ids import Oid
from fourfold.content.hashing import digest_bytes
from fourfold.content.intake import Intake
from fourfold.content.leases import live_leases
from fourfold.content.objects import ObjectStore
from fourfold.content.proofs import ProofBook
from tests.content.bench import Bench, md5


def add(intake: Intake, data: bytes) -> Oid:
    name, proof = digest_bytes(data)
    intake.add_bytes(Oid(name.hex()), data, proof)
    return Oid(name.hex())


def named(bench: Bench) -> set[str]:
    return {name for name in bench.objects() if not os.path.basename(name).startswith(".")}


def test_nothing_has_its_name_before_the_commit_and_everything_after_it(bench: Bench) -> None:
    with Intake(bench.store, bench.proofs) as intake:
        oids = [add(intake, b"%d" % number) for number in range(20)]
        assert not any(bench.store.has(oid) for oid in oids)
        stored = intake.commit()
        assert all(bench.store.has(oid) for oid in oids)
    assert (stored.added, stored.size, stored.present) == (20, sum(len(b"%d" % n) for n in range(20)), 0)


def test_objects_are_written_for_nobody_whatever_the_umask(bench: Bench) -> None:
    old = os.umask(0o077)
    try:
        with Intake(bench.store, bench.proofs) as intake:
            oid = add(intake, b"x")
            intake.commit()
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(bench.store.path(oid)).st_mode) == 0o444


def test_a_batch_that_is_not_committed_leaves_no_name_and_no_litter(bench: Bench) -> None:
    with Intake(bench.store, bench.proofs) as intake:
        add(intake, b"one")
        fd, _path = intake.open_stream()
        os.close(fd)
    assert bench.objects() == set()


def test_a_full_disk_at_the_commit_names_nothing_more_and_is_a_typed_error(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    with Intake(bench.store, bench.proofs) as intake:
        add(intake, b"one")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(ExhaustedError, match="No space left"):
                intake.commit()
    assert named(bench) == set()


def test_what_is_there_and_right_is_left_alone(bench: Bench) -> None:
    oid = bench.put(b"one")
    inode = os.stat(bench.store.path(oid)).st_ino
    with Intake(bench.store, bench.proofs) as intake:
        add(intake, b"one")
        stored = intake.commit()
    assert (stored.added, stored.present, stored.healed) == (0, 1, ())
    assert os.stat(bench.store.path(oid)).st_ino == inode


@pytest.mark.parametrize("damaged", [b"", b"on", b"One", b"one more"])
def test_a_damaged_object_is_healed_by_the_right_bytes(bench: Bench, damaged: bytes) -> None:
    oid = Oid(md5(b"one"))
    bench.place(oid, damaged)
    with Intake(bench.store, bench.proofs) as intake:
        add(intake, b"one")
        assert intake.commit().healed == (oid,)
    assert bench.store.read(oid) == b"one"


def test_a_mode_that_a_killed_writer_left_open_is_mended(bench: Bench) -> None:
    """Killed between the link and the mode: the object has its name and its bytes, and may be written."""
    name, _proof = digest_bytes(b"x" * 100)
    place = Path(bench.store.path(Oid(name.hex())))
    place.parent.mkdir(parents=True)
    place.write_bytes(b"x" * 100)
    place.chmod(0o644)
    with Intake(bench.store, bench.proofs) as intake:
        oid = add(intake, b"x" * 100)
        assert intake.settled(oid)
        intake.commit()
    assert stat.S_IMODE(place.stat().st_mode) == 0o444
    assert bench.proofs.proven(oid, place.stat())


def test_an_object_that_was_damaged_after_it_was_proven_is_healed(bench: Bench) -> None:
    bench.gen({"f": "one"})
    oid = bench.save("f").oid
    bench.place(oid, b"rot")
    bench.proofs = ProofBook(bench.index, bench.store)
    assert bench.save("f").oid == oid
    assert bench.store.read(oid) == b"one"


def test_the_same_content_from_several_threads_arrives_once(bench: Bench) -> None:
    with Intake(bench.store, bench.proofs) as intake:
        threads = [
            threading.Thread(target=lambda: [add(intake, b"%d" % n) for n in range(200)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert intake.commit().added == 200
    assert all(bench.store.read(Oid(md5(b"%d" % n))) == b"%d" % n for n in range(200))


def test_a_text_of_dvc_2_with_other_line_ends_does_not_replace_the_cached_one(bench: Bench) -> None:
    oid = Oid(md5(b"a\n"))
    place = Path(bench.store.path(oid, legacy=True))
    place.parent.mkdir(parents=True)
    place.write_bytes(b"a\r\n")
    with Intake(bench.store, bench.proofs, legacy=True) as intake:
        intake.add_bytes(oid, b"a\n", digest_bytes(b"a\n")[1])
        assert intake.commit().healed == ()
    assert place.read_bytes() == b"a\r\n"


def test_a_shared_store_lets_its_group_make_objects_but_not_change_them(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.store = ObjectStore(str(tmp_path / "shared"), shared=True)
    with Intake(bench.store, bench.proofs) as intake:
        oid = add(intake, b"x")
        intake.commit()
    place = Path(bench.store.path(oid))
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in list(place.parents)[:4]]
    assert modes == [0o2775] * 4
    assert stat.S_IMODE(place.stat().st_mode) == 0o444


WRITER = """
import sys, time
from fourfold.base.ids import Oid
from fourfold.content.hashing import digest_bytes
from fourfold.content.intake import Intake
from fourfold.content.objects import ObjectStore
from fourfold.content.proofs import ProofBook
from fourfold.content.statindex import StatIndex

store = ObjectStore(sys.argv[1])
intake = Intake(store, ProofBook(StatIndex(None), store))
for number in range(50):
    data = b"half %d" % number
    name, proof = digest_bytes(data)
    intake.add_bytes(Oid(name.hex()), data, proof)
intake.open_stream()
print("ready", flush=True)
time.sleep(60)
"""


def test_the_litter_of_a_killed_writer_is_swept_and_that_of_a_living_one_is_not(bench: Bench) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, bench.store.root], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        before = bench.objects()
        assert len(before) > 50
        with Intake(bench.store, bench.proofs) as intake:
            add(intake, b"ours")
            intake.commit()
        assert before <= bench.objects()
        assert len(live_leases(bench.store)) == 1
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    with Intake(bench.store, bench.proofs) as intake:
        add(intake, b"ours too")
        intake.commit()
    assert bench.objects() == named(bench)
    assert len(named(bench)) == 2
    assert live_leases(bench.store) == []


def test_a_hard_link_is_made_only_of_files_that_can_share_an_inode(bench: Bench) -> None:
    bench.gen({"data": {"plain": "1", "empty": "", "run": "#!/bin/sh", "twin": "1"}})
    (bench.root / "data/run").chmod(0o755)
    bench.save("data", link_types=("hardlink",))
    links = {name: (bench.root / "data" / name).stat().st_nlink for name in ("plain", "empty", "run", "twin")}
    assert sorted([links["plain"], links["twin"]]) == [1, 2]
    assert (links["empty"], links["run"]) == (1, 1)
    assert stat.S_IMODE((bench.root / "data/run").stat().st_mode) == 0o755
    for path in Path(bench.store.base()).rglob("*"):
        assert path.is_dir() or stat.S_IMODE(path.stat().st_mode) == 0o444


def test_a_hard_link_does_not_take_the_place_of_an_object_that_is_there(bench: Bench) -> None:
    oid = bench.put(b"one")
    inode = os.stat(bench.store.path(oid)).st_ino
    bench.gen({"f": "one"})
    bench.save("f", link_types=("hardlink",))
    assert os.stat(bench.store.path(oid)).st_ino == inode
