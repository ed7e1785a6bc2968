# ruff: noqa: S101 - a suite of tests says its promises with assert
"""What every blob store promises, as tests: subclass `BlobStoreSuite` and give it a ``store``.

Each test says one sentence of `fourfold.storage.blob.protocol`. A subclass supplies the fixture
``store`` (an empty store) and turns off what its server cannot do. Shipped, so that an adapter
outside this project can prove itself too.
"""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.storage.blob.protocol import (
    BlobNotFoundError,
    BlobStore,
    BlobTooLargeError,
    NoListingError,
    UnsafeKeyError,
)

#: Keys that climb, are absolute, or are no key.
UNSAFE_KEYS = (
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a/..",
    "./a",
    "a//b",
    "a/",
    "a/./b",
    "nul\x00",
)
#: Keys that a file system and an object store can both hold.
ODD_KEYS = (
    "with space",
    "ünïcödé/é",
    "100%",
    "100%25",
    "plus+and&amp",
    "hash#mark",
    "tilde~",
    "quote'",
    "{brace}",
    "...",
    "a..b",
    "deep/" * 12 + "end",
)
LARGE = 20 << 20


class BlobStoreSuite:
    """The promises; a subclass has a fixture ``store``.

    Attributes:
        lists: Whether the store can list.
        odd_keys: Keys to try; a subclass may leave some out, saying why.
    """

    lists = True
    odd_keys: tuple[str, ...] = ODD_KEYS

    @pytest.fixture
    def store(self) -> BlobStore:
        """An empty store."""
        raise pytest.UsageError(f"{type(self).__name__} does not supply the fixture 'store'")

    def test_what_was_put_is_got(self, store: BlobStore) -> None:
        """The first promise."""
        store.put("files/md5/ab/cdef", b"hello")
        assert store.get("files/md5/ab/cdef") == b"hello"

    def test_an_empty_object_is_an_object(self, store: BlobStore) -> None:
        """Nought bytes are not nothing."""
        store.put("empty", b"")
        found = store.head("empty")
        assert store.get("empty") == b""
        assert found is not None
        assert found.size == 0
        assert b"".join(store.open("empty")) == b""

    def test_head_tells_the_key_and_the_size(self, store: BlobStore) -> None:
        """Without the bytes."""
        store.put("a/b", b"12345")
        found = store.head("a/b")
        assert found is not None
        assert (found.key, found.size) == ("a/b", 5)

    def test_a_missing_object_is_none_for_head_and_an_error_for_get(self, store: BlobStore) -> None:
        """Also where the store holds other things."""
        store.put("there", b"x")
        assert store.head("a/missing") is None
        with pytest.raises(BlobNotFoundError):
            store.get("a/missing")
        with pytest.raises(BlobNotFoundError):
            list(store.open("a/missing"))

    def test_a_folder_is_not_an_object(self, store: BlobStore) -> None:
        """A prefix of a key names nothing."""
        store.put("folder/file", b"x")
        assert store.head("folder") is None
        with pytest.raises(BlobNotFoundError):
            store.get("folder")

    def test_get_refuses_more_than_it_was_told_to_expect(self, store: BlobStore) -> None:
        """A remote cannot fill our memory."""
        store.put("big", b"x" * 1000)
        assert len(store.get("big", max_size=1000)) == 1000
        with pytest.raises(BlobTooLargeError):
            store.get("big", max_size=999)

    def test_a_put_replaces(self, store: BlobStore) -> None:
        """Longer by shorter, too."""
        store.put("k", b"the first and longer one")
        store.put("k", b"second")
        assert store.get("k") == b"second"

    def test_a_put_twice_is_a_put_once(self, store: BlobStore) -> None:
        """Idempotent, so that whoever lost the answer may ask again."""
        store.put("k", b"same")
        store.put("k", b"same")
        assert store.get("k") == b"same"

    @pytest.mark.parametrize("size", [0, 1, 8192, LARGE])
    def test_a_file_is_stored_whole_and_streams_back(
        self, store: BlobStore, tmp_path: Path, size: int
    ) -> None:
        """Small ones and ones that go in parts."""
        block = hashlib.sha256(b"fourfold").digest()
        data = (block * (size // len(block) + 1))[:size]
        source = tmp_path / "source"
        source.write_bytes(data)
        store.put_file("from/file", str(source))
        digest = hashlib.sha256()
        for chunk in store.open("from/file"):
            digest.update(chunk)
        found = store.head("from/file")
        assert found is not None
        assert found.size == size
        assert digest.digest() == hashlib.sha256(data).digest()

    def test_a_file_that_is_not_there_leaves_nothing(self, store: BlobStore, tmp_path: Path) -> None:
        """A typed error, and no object."""
        with pytest.raises(FourfoldError):
            store.put_file("k", str(tmp_path / "absent"))
        assert store.head("k") is None

    @pytest.mark.parametrize("key", UNSAFE_KEYS)
    def test_a_key_that_could_leave_the_store_is_refused(
        self, store: BlobStore, tmp_path: Path, key: str
    ) -> None:
        """By every method, before anything happens."""
        source = tmp_path / "source"
        source.write_bytes(b"x")
        with pytest.raises(UnsafeKeyError):
            store.put(key, b"x")
        with pytest.raises(UnsafeKeyError):
            store.put_file(key, str(source))
        with pytest.raises(UnsafeKeyError):
            store.get(key)
        with pytest.raises(UnsafeKeyError):
            store.head(key)
        with pytest.raises(UnsafeKeyError):
            list(store.open(key))

    def test_odd_names_come_back_as_they_were(self, store: BlobStore) -> None:
        """What a data scientist calls a file."""
        for number, key in enumerate(self.odd_keys):
            store.put(f"odd/{key}", str(number).encode())
        for number, key in enumerate(self.odd_keys):
            assert store.get(f"odd/{key}") == str(number).encode()
        if self.lists:
            assert keys_of(store, "odd") == {f"odd/{key}" for key in self.odd_keys}

    def test_list_tells_every_object_once_with_its_size(self, store: BlobStore) -> None:
        """Whatever the number of pages."""
        if self._cannot_list(store):
            return
        items = [(f"files/md5/{number % 7:02x}/{number:030x}", b"x" * (number % 5)) for number in range(60)]
        assert all(failure is None for _key, failure in store.put_many(items))
        found = [info for page in store.list() for info in page]
        assert sorted((info.key, info.size) for info in found) == sorted(
            (key, len(data)) for key, data in items
        )

    def test_list_keeps_to_its_folder(self, store: BlobStore) -> None:
        """A folder is not a beginning of names."""
        if self._cannot_list(store):
            return
        for key in ("a/1", "a/b/2", "ab/3", "c"):
            store.put(key, b"x")
        assert keys_of(store, "a") == {"a/1", "a/b/2"}
        assert keys_of(store, "a/") == {"a/1", "a/b/2"}
        assert keys_of(store, "a/b") == {"a/b/2"}
        assert keys_of(store) == {"a/1", "a/b/2", "ab/3", "c"}

    def test_list_of_nothing_is_empty(self, store: BlobStore) -> None:
        """No page at all."""
        if self._cannot_list(store):
            return
        assert [*store.list("nowhere")] == []

    def test_list_refuses_a_prefix_that_climbs(self, store: BlobStore) -> None:
        """As keys."""
        if self._cannot_list(store):
            return
        with pytest.raises(UnsafeKeyError):
            list(store.list("../"))

    def test_delete_removes_and_does_not_mind_what_is_gone(self, store: BlobStore) -> None:
        """Idempotent."""
        for key in ("a/1", "a/2", "b"):
            store.put(key, b"x")
        store.delete(["a/1", "b", "never/was"])
        store.delete(iter(["a/1"]))
        store.delete([])
        assert [store.head(key) is None for key in ("a/1", "a/2", "b")] == [True, False, True]

    def test_delete_refuses_a_key_that_climbs(self, store: BlobStore) -> None:
        """As reads and writes do."""
        with pytest.raises(UnsafeKeyError):
            store.delete(["../../x"])

    def test_many_go_and_come_back_with_an_answer_for_each(self, store: BlobStore) -> None:
        """The bulk calls."""
        items = {f"many/{number:03}": str(number).encode() * number for number in range(120)}
        done = dict(store.put_many(iter(items.items())))
        assert done == dict.fromkeys(items)
        assert dict(store.get_many(iter(items))) == items

    def test_one_failure_among_many_is_told_beside_the_others(self, store: BlobStore) -> None:
        """It stops nothing."""
        store.put("good/1", b"1")
        store.put("good/2", b"2")
        found = dict(store.get_many(["good/1", "absent", "../climbs", "good/2"]))
        assert (found["good/1"], found["good/2"]) == (b"1", b"2")
        assert isinstance(found["absent"], BlobNotFoundError)
        assert isinstance(found["../climbs"], UnsafeKeyError)
        put = dict(store.put_many([("p/1", b"1"), ("../climbs", b"x"), ("p/2", b"2")]))
        assert (put["p/1"], put["p/2"]) == (None, None)
        assert isinstance(put["../climbs"], UnsafeKeyError)

    def test_many_are_held_to_the_size_expected(self, store: BlobStore) -> None:
        """As a single one."""
        store.put("small", b"1")
        store.put("large", b"1" * 100)
        found = dict(store.get_many(["small", "large"], max_size=10))
        assert found["small"] == b"1"
        assert isinstance(found["large"], BlobTooLargeError)

    def test_many_are_fed_lazily_and_may_be_left_early(self, store: BlobStore) -> None:
        """A caller that stops is not made to wait for the rest."""
        fed: list[str] = []

        def keys() -> Iterator[str]:
            for number in range(100_000):
                fed.append(f"lazy/{number}")
                yield fed[-1]

        arriving = store.get_many(keys())
        next(arriving)
        getattr(arriving, "close", lambda: None)()
        assert len(fed) < 5_000

    def test_an_error_of_the_feeder_comes_out(self, store: BlobStore) -> None:
        """Nothing is swallowed on the way."""

        def items() -> Iterator[tuple[str, bytes]]:
            yield "fed", b"x"
            raise KeyError("the feeder broke")

        with pytest.raises(KeyError, match="feeder"):
            list(store.put_many(items()))

    def test_threads_share_a_store(self, store: BlobStore) -> None:
        """Every method, at once."""
        failures: list[BaseException] = []

        def work(worker: int) -> None:
            try:
                for number in range(10):
                    key = f"threads/{worker}/{number}"
                    store.put(key, key.encode())
                    assert store.get(key) == key.encode()
            except BaseException as error:  # noqa: BLE001 - told to the test's own thread
                failures.append(error)

        workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in workers:
            thread.start()
        for thread in workers:
            thread.join()
        assert failures == []

    def test_its_url_is_for_people(self, store: BlobStore) -> None:
        """A name to put into a message."""
        assert store.url
        assert "\n" not in store.url

    def test_a_local_root_is_where_the_objects_are(self, store: BlobStore) -> None:
        """Or there is none."""
        store.put("a/b", b"x")
        if store.local_root is not None:
            assert Path(store.local_root, "a/b").read_bytes() == b"x"

    def _cannot_list(self, store: BlobStore) -> bool:
        """Whether the store has no listing; then it says so."""
        if not self.lists:
            with pytest.raises(NoListingError):
                next(iter(store.list()), None)
        return not self.lists


def keys_of(store: BlobStore, prefix: str = "") -> set[str]:
    """All keys below a folder."""
    return {info.key for page in store.list(prefix) for info in page}
