"""A tree of described values as leaves: names, digests, and where it is too much for names.

Leaves are named by the way to them, ``estimators_/3/tree_/value``; ``NAME:type`` says what holds them. A
value is looked at once however often it is referred to, so a small pickle cannot stand for a huge tree; what
would give too many leaves, or lies too deep, is one leaf of its digest. Digests do not know what is shared: a
value and its copy have the same. What the values are is known to `known`.
"""

import struct
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from blake3 import blake3

from fourfold.formats.likeness.dtypes import DTYPES, DType, width
from fourfold.formats.likeness.frames import Parts, understood
from fourfold.formats.likeness.known import Classed, Objects, Storage, qualified
from fourfold.formats.likeness.model import Leaf, LeafKind
from fourfold.formats.likeness.opcodes import Global, Made, Many, Pairs
from fourfold.formats.likeness.source import Budget, ContentTooLargeError, Named
from fourfold.formats.likeness.tensors import Tensor, contiguous, leaf, leaves_of, number

#: Leaves of one value within the whole; one with more is a leaf of its digest.
MAX_LEAVES = 50_000
#: Steps down; what lies deeper is a leaf of its digest.
MAX_DEPTH = 48
#: Values that are looked at, with what lies directly in them.
MAX_WORK = 4_000_000
#: A longer list of texts alone is one leaf.
_LONG = 256
#: Attributes of pandas that tell what was asked for before, or who shares the memory: no part of an object.
_REMEMBERED = frozenset({"_cache", "_readonly"})
#: What a value counts, whose leaves are too many, for what holds it.
_WEIGHT = 1000
#: Values with an identity: they may be referred to again.
_NODES = (Made, Many, Pairs, tuple)
_PLAIN = frozenset({bool, int, float, str, bytes, bytearray})
#: Characters of a name that one key gives.
_MAX_NAME = 120


class View(NamedTuple):
    """A value as one level: what it is, and what lies in it.

    Attributes:
        tag: What it is: ``dict``, ``tuple``, the name of a class.
        children: What lies in it: its name, what tells it from its siblings in a digest, itself.
        leaves: Of a value that has no children but leaves, by the end of their names.
        whole: It is always one leaf, by its digest.
        shape: Of that leaf.
    """

    tag: str
    children: list[tuple[str, bytes, Any]]
    leaves: list[tuple[str, Leaf]]
    whole: bool = False
    shape: tuple[int, ...] = ()


class _Seen(NamedTuple):
    """What is known of a value that was looked at.

    Attributes:
        digest: Of it, with all that lies in it.
        leaves: How many it gives; of one whose leaves are too many, `_WEIGHT`.
        whole: Whether it is one leaf.
        circular: Whether it lies in itself.
    """

    digest: bytes
    leaves: int
    whole: bool = False
    circular: bool = False


class _Frame:
    """A value that is being looked at: how far, and how far up what lies in it refers."""

    __slots__ = ("circular", "digests", "key", "leaves", "low", "next", "order", "view")

    def __init__(self, key: int, view: View, order: int) -> None:
        self.key = key
        self.view = view
        self.next = 0
        self.digests: list[bytes] = []
        self.leaves = 0
        self.order = order
        self.low = order
        self.circular = False


def leaves(value: Any, budget: Budget) -> dict[str, Leaf]:
    """The leaves of a described value.

    Raises:
        ContentTooLargeError: there are too many, or it refers to itself in too many ways.
        UnreadableContentError: something in it does not hold together.
    """
    return _Tree(budget).leaves(value)


class _Tree:
    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._views: dict[int, tuple[Any, View]] = {}
        self._seen: dict[int, _Seen] = {}
        self._open: dict[int, tuple[int, int]] = {}
        self._circle: list[tuple[int, int, _Seen]] = []
        self._told: set[int] = set()
        self._work = 0
        self._keys = 0
        self._found = Named()

    def leaves(self, value: Any) -> dict[str, Leaf]:
        total = self._survey(value).leaves
        if total > self._budget.parts:
            raise ContentTooLargeError(f"{total} values in one file")
        self._emit("", value, 0)
        return self._found.found

    def _view(self, value: Any) -> View:
        if isinstance(value, _NODES):
            held = self._views.get(id(value))
            if held is None:
                held = value, self._fresh(value)
                self._views[id(value)] = held
            return held[1]
        return self._fresh(value)

    def _fresh(self, value: Any) -> View:
        value = understood(value)
        self._look(value)
        if isinstance(value, Made):
            return self._made(value)
        if isinstance(value, Pairs):
            return View("dict", self._by_key(value.pairs), [])
        for kinds, view in _VIEWS:
            if isinstance(value, kinds):
                return view(value)
        return View("", [], [("", _scalar(value))])

    def _look(self, value: Any) -> None:
        """Count what is to be taken into a digest: small files may refer to the same bytes very often."""
        size = 0
        if isinstance(value, Tensor):
            size = value.size * width(value.dtype)
        elif isinstance(value, str | bytes | bytearray):
            size = len(value)
        elif isinstance(value, int):
            size = value.bit_length() >> 3
        elif isinstance(value, Many | tuple) and len(items := _items(value)) > _LONG:
            size = sum(len(item) for item in items if type(item) is str)
        if size:
            self._budget.look(size, "values")

    def _by_key(self, pairs: Iterable[tuple[Any, Any]]) -> list[tuple[str, bytes, Any]]:
        """What lies under keys, the last where a key comes again."""
        found: dict[bytes, tuple[str, bytes, Any]] = {}
        for key, value in pairs:
            self._look(key)
            name, mark = (
                (key, b"s" + key.encode("utf-8", "surrogatepass")) if isinstance(key, str) else self._key(key)
            )
            found[mark] = (name, mark, value)
        return list(found.values())

    def _key(self, key: Any) -> tuple[str, bytes]:
        """The name and the mark of a key that is no text."""
        self._keys += 1
        if self._keys > 16:
            raise ContentTooLargeError("keys within keys within keys")
        digest = self._survey(key).digest
        self._keys -= 1
        key = understood(key)  # bytes, as old protocols wrote them
        parts = key if isinstance(key, tuple) else (key,)
        if all(_is_short(one) for one in parts):
            return repr(key)[:_MAX_NAME], b"k" + digest
        return f"key {digest.hex()[:12]}", b"k" + digest

    def _made(self, made: Made) -> View:
        name = qualified(made.callee)
        children: list[tuple[str, bytes, Any]] = []
        if not name:
            children.append(("callee", b"callee", made.callee))
        args = made.args if isinstance(made.args, tuple) else (made.args,)
        children += [(f"({i})", b"(%d" % i, arg) for i, arg in enumerate(args)]
        for i, state in enumerate(made.states):
            found = self._attributes(understood(state), name)
            children += [(name, mark + b"#%d" % i, one) for name, mark, one in found] if i else found
        children += [(str(i), b"[%d" % i, item) for i, item in enumerate(made.items)]
        children += self._by_key(made.pairs)
        tag = f"{made.how}:{name}" if made.how == "persistent" else name or "call"
        whole = bool(args) and len(children) == len(args) and all(map(_is_plain, args))
        return View(tag, children, [], whole=whole)

    def _attributes(self, state: Any, owner: str) -> list[tuple[str, bytes, Any]]:
        """What an object was given: attributes, those of slots too, or a state that only it understands."""
        if isinstance(state, Pairs):
            found = [(name, b"." + mark, value) for name, mark, value in self._by_key(state.pairs)]
            if not owner.startswith("pandas."):
                return found
            kept = (row for row in found if row[0] not in _REMEMBERED)
            return [("" if name == "_mgr" else name, mark, value) for name, mark, value in kept]
        if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], Pairs):
            first, slots = state
            if first is None or isinstance(first, Pairs):
                both = (state[1],) if first is None else (first, slots)
                return [row for one in both for row in self._attributes(one, owner)]
        return [("state", b"state", state)]

    def _survey(self, root: Any) -> _Seen:
        """Look at a value and at all that lies in it, each once: what is known of it afterwards.

        Where values lie in themselves, whoever refers to one of them in turn refers to its place among them;
        the first of them that was met stands for them all (Tarjan's strongly connected components).
        """
        known = self._seen.get(id(root)) if isinstance(root, _NODES) else None
        if known is not None:
            return known
        if isinstance(root, _NODES) and id(root) in self._open:  # a key that holds what it is a key of
            return _Seen(b"open", 1, circular=True)
        frames = [self._opened(root)]
        while True:
            frame = frames[-1]
            if frame.next < len(frame.view.children):
                _, mark, child = frame.view.children[frame.next]
                frame.next += 1
                found = self._found_before(frame, child)
                if found is None:
                    frame.digests.append(mark)
                    frames.append(self._opened(child))
                else:
                    _add(frame, mark, found)
                continue
            done = self._closed(frame)
            frames.pop()
            if not frames:
                return done
            above = frames[-1]
            above.low = min(above.low, frame.low)
            _add(above, above.digests.pop(), done)

    def _found_before(self, frame: _Frame, child: Any) -> _Seen | None:
        if child is None or type(child) in _PLAIN:
            self._look(child)
            return _Seen(blake3(_written(child)).digest(), 1)
        known = self._seen.get(id(child)) if isinstance(child, _NODES) else None
        if known is None and id(child) in self._open:
            order, low = self._open[id(child)]
            frame.low = min(frame.low, low)
            frame.circular = True
            known = _Seen(b"at %d" % (order - frame.order), 1)
        return known

    def _opened(self, value: Any) -> _Frame:
        view = self._view(value)
        self._work += 1 + len(view.children)
        if self._work > MAX_WORK:
            raise ContentTooLargeError(f"more than {MAX_WORK} values to look at")
        order = len(self._open)  # among what is open, so that copies of what is closed do not count
        key = id(value) if isinstance(value, _NODES) else -1
        if key >= 0:
            self._open[key] = (order, order)
        return _Frame(key, view, order)

    def _closed(self, frame: _Frame) -> _Seen:
        """What is known of a value whose parts were all looked at."""
        view = frame.view
        hasher = blake3(_framed(view.tag.encode("utf-8", "surrogatepass")))
        for name, found in view.leaves:
            hasher.update(_framed(repr((name, *found[:4])).encode("utf-8", "surrogatepass")))
        for digest in sorted(frame.digests):
            hasher.update(_framed(digest))
        count = 1 if view.whole else frame.leaves + len(view.leaves) + bool(view.tag)
        large = count > MAX_LEAVES
        circle = frame.key >= 0 and frame.low < frame.order
        done = _Seen(
            hasher.digest(), _WEIGHT if large else count, view.whole or large, circle or frame.circular
        )
        if frame.key < 0:
            return done
        if circle:
            self._open[frame.key] = (frame.order, frame.low)
            self._circle.append((frame.key, frame.order, done))
            return done
        while self._circle and self._circle[-1][1] > frame.order:
            key, order, inner = self._circle.pop()
            place = blake3(done.digest + b"%d" % (order - frame.order)).digest()
            self._seen[key] = inner._replace(digest=place)
            done = done._replace(circular=True)
            self._open.pop(key, None)
        self._open.pop(frame.key, None)
        self._seen[frame.key] = done
        return done

    def _emit(self, path: str, value: Any, depth: int) -> None:
        view = self._view(value)
        for name, found in view.leaves:
            self._put(joined_name(path, name), found)
        if not view.tag and not view.children:
            return
        seen = self._survey(value)
        if (depth and seen.whole) or view.whole or depth >= MAX_DEPTH or id(value) in self._told:
            self._put(path, Leaf("value", view.tag or "parts", view.shape, seen.digest.hex()))
            return
        if seen.circular:
            self._told.add(id(value))
        keys = b"".join(sorted(_framed(mark) for _, mark, _ in view.children if mark[:1] == b"k"))
        if view.tag:
            kind = blake3(view.tag.encode("utf-8", "surrogatepass") + keys)
            self._put(f"{path}:type", Leaf("value", view.tag, (), kind.hexdigest()))
        for name, _, child in view.children:
            self._emit(joined_name(path, name[:_MAX_NAME]), child, depth + 1)

    def _put(self, name: str, found: Leaf) -> None:
        self._budget.part("values")
        self._found.put(name, found)


def _add(frame: _Frame, mark: bytes, seen: _Seen) -> None:
    frame.digests.append(_framed(mark) + seen.digest)
    frame.leaves += seen.leaves


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(8, "little") + data


def joined_name(path: str, name: str) -> str:
    """The name of a leaf within another thing; ``:type`` follows without a slash."""
    if name.startswith(":type"):
        return path + name
    return f"{path}/{name}" if path and name else path or name


def _of_tensor(value: Tensor) -> View:
    kind: LeafKind = "tensor" if value.shape or not value.dtype.code else "number"
    return View("struct" if value.dtype.fields else "", [], list(leaves_of(value, kind)))


def _of_objects(value: Objects) -> View:
    items = [(str(i), b"%d" % i, item) for i, item in enumerate(value.items)]
    return View(f"objects{list(value.shape)}", items, [])


def _items(value: "Many | tuple[Any, ...]") -> "list[Any] | tuple[Any, ...]":
    return value.items if isinstance(value, Many) else value


def _several(value: "Many | tuple[Any, ...]") -> View:
    """A list, a tuple or a set; of numbers alone it is one tensor."""
    kind, items = value.kind if isinstance(value, Many) else "tuple", list(_items(value))
    whole = "set" in kind
    if len(items) > _LONG and set(map(type, items)) == {str}:
        return View(kind, [], [("", _texts(items))])
    tensor = None if whole else _tensor(items)
    if tensor is not None:
        return View(kind, [("", b"", tensor)], [])
    children = [(str(i), b"" if whole else b"%d" % i, item) for i, item in enumerate(items)]
    return View(kind, children, [], whole=whole, shape=(len(items),) if whole else ())


def _tensor(items: list[Any]) -> Tensor | None:
    kinds = set(map(type, items))
    if kinds == {float}:
        return contiguous(DTYPES["float64"], (len(items),), struct.pack(f"<{len(items)}d", *items))
    if kinds == {int} and all(-(1 << 63) <= item < 1 << 63 for item in items):
        return contiguous(DTYPES["int64"], (len(items),), struct.pack(f"<{len(items)}q", *items))
    return None


def _texts(items: list[str]) -> Leaf:
    """One leaf of many texts: a vocabulary, the names of columns."""
    hasher = blake3()
    for item in items:
        hasher.update(_framed(item.encode("utf-8", "surrogatepass")))
    return Leaf("column", "str", (len(items),), hasher.hexdigest())


def _written(value: Any) -> bytes:
    """A plain value as bytes that tell it from any other."""
    if isinstance(value, bytes | bytearray):
        return type(value).__name__.encode() + value
    if isinstance(value, str):
        return b"str" + value.encode("utf-8", "surrogatepass")
    if isinstance(value, int) and not isinstance(value, bool):
        return b"int%x" % value
    return f"{type(value).__name__} {value!r}".encode()


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | bytes | Global)


def _is_short(value: Any) -> bool:
    """Whether a key can be told by its value: a text, a number of not very many digits, bytes."""
    if isinstance(value, int):
        return value.bit_length() < _MAX_NAME * 3
    return value is None or isinstance(value, str | float | bytes)


def _scalar(value: Any) -> Leaf:
    """The leaf of a value that has nothing in it."""
    if isinstance(value, bool | int | float):
        return number(value)
    if isinstance(value, complex):
        return leaf(
            contiguous(DTYPES["complex128"], (), struct.pack("<2d", value.real, value.imag)), "number"
        )
    if isinstance(value, str):
        return Leaf("text", "str", (), _digest(value.encode("utf-8", "surrogatepass")))
    if isinstance(value, bytes | bytearray | memoryview):
        return Leaf("bytes", type(value).__name__, (len(value),), _digest(value))
    return Leaf("value", type(value).__name__, (), _digest(b""))


def _named(value: Global | DType | Storage) -> Leaf:
    if isinstance(value, Global):
        return Leaf("value", "name", (), _digest(qualified(value).encode("utf-8", "surrogatepass")))
    if isinstance(value, Storage):
        return Leaf("bytes", "storage", (len(value.data),), _digest(value.data))
    return Leaf("value", "dtype", (), _digest(repr(value).encode()))


def _digest(data: "bytes | bytearray | memoryview") -> str:
    return blake3(data).hexdigest()


#: What a value of these kinds looks like, tuples of a kind of their own before others.
_VIEWS: Final[tuple[tuple[type | tuple[type, ...], Callable[[Any], View]], ...]] = (
    (Tensor, _of_tensor),
    (Objects, _of_objects),
    (
        Parts,
        lambda value: View("", [(name, b"%d" % i, one) for i, (name, one) in enumerate(value.items)], []),
    ),
    (Classed, lambda value: View(value.name, [("", b"", value.value)], [])),
    ((Global, DType, Storage), lambda value: View("", [], [("", _named(value))])),
    ((Many, tuple), _several),
)
