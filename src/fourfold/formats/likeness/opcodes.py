"""Reads a pickle without running it: its opcodes build descriptions, and nothing that they name is imported.

What would be called stays a `Made`: a name, arguments, states, things put into it. `known` says which of
those are understood, `trees` turns the whole into leaves, and `pickles` reads files. Protocols 0 to 5.
Format: the comments of ``pickletools`` in the standard library.
"""

import pickletools
import warnings
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from fourfold.formats.likeness.source import ContentTooLargeError, UnreadableContentError
from fourfold.formats.likeness.tensors import Buffer

#: Opcodes of one pickle, and with `pickletools` some seconds.
MAX_OPCODES = 4_000_000


class Global(NamedTuple):
    """Something that is named, and would be imported: a class, a function."""

    module: str
    name: str


class Many:
    """A list, a set or a frozen set."""

    __slots__ = ("items", "kind")

    def __init__(self, kind: str, items: list[Any]) -> None:
        self.kind: Final = kind
        self.items = items


class Pairs:
    """A dictionary: its keys and values, as often as they were set."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[Any, Any]]) -> None:
        self.pairs = pairs


class Made:
    """What something named would have made.

    Attributes:
        how: ``call``, ``new`` (of a class, without its ``__init__``), ``persistent`` (the reader finds it).
        callee: What is called; often a `Global`.
        args: With what.
        states: What was given to it afterwards (``__setstate__``).
        items: What was appended or added to it.
        pairs: What was set in it by key.
        payload: What a reader found behind it in the file.
    """

    __slots__ = ("args", "callee", "how", "items", "pairs", "payload", "states")

    def __init__(self, how: str, callee: Any, args: Any) -> None:
        self.how: Final = how
        self.callee = callee
        self.args = args
        self.states: list[Any] = []
        self.items: list[Any] = []
        self.pairs: list[tuple[Any, Any]] = []
        self.payload: Any = None


class Cursor:
    """The bytes of a pickle as `pickletools` reads them; at the end it gets fewer than it asks for."""

    def __init__(self, data: Buffer, at: int = 0) -> None:
        self.data = memoryview(data)
        self.at = at

    def tell(self) -> int:
        """Where it stands."""
        return self.at

    def read(self, size: int) -> bytes:
        """The next bytes, fewer at the end."""
        start = self.at
        self.at = min(start + max(0, size), len(self.data))
        return bytes(self.data[start : self.at])

    def readline(self) -> bytes:
        """Up to and with the next end of a line."""
        pieces, newline = [], -1
        while newline < 0:
            piece = self.read(256)
            newline = piece.find(b"\n")
            if newline >= 0:
                self.at -= len(piece) - newline - 1
                piece = piece[: newline + 1]
            pieces.append(piece)
            if not piece:
                break
        return b"".join(pieces)


_MARK: Final = object()


class Machine:
    """The stack and the memo of one pickle.

    Args:
        cursor: At the start of the pickle; behind its end afterwards.
        persistent: Gives what a persistent id stands for; a description if it is not given.
        built: Called with what a state was given to; it may read what lies behind, and move the cursor.
        opcodes: How many may be read.
    """

    def __init__(
        self,
        cursor: Cursor,
        *,
        persistent: Callable[[Any], Any] | None = None,
        built: Callable[[Made, Cursor], None] | None = None,
        opcodes: int = MAX_OPCODES,
    ) -> None:
        self._cursor = cursor
        self._persistent = persistent
        self._built = built
        self._left = opcodes
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self.opcodes = 0

    def run(self) -> Any:
        """The value of the pickle.

        Raises:
            UnreadableContentError: it is none, or ends early.
            ContentTooLargeError: it has too many opcodes.
        """
        try:
            return self._run()
        except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
            raise UnreadableContentError(f"no pickle: {_one_line(error)}") from None

    def _run(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in names that are none
            for opcode, arg, _ in pickletools.genops(self._cursor):  # type: ignore[arg-type]
                self.opcodes += 1
                if self.opcodes > self._left:
                    raise ContentTooLargeError(f"a pickle of more than {self._left} opcodes")
                name = opcode.name
                if name == "STOP":
                    return self.pop()
                self._step(name, arg)
        raise UnreadableContentError("a pickle without an end")

    def _step(self, name: str, arg: Any) -> None:
        stack = self._stack
        act = _ACTS.get(name)
        if act is not None:
            act(self, arg)
        elif name in _VALUES:
            stack.append(arg)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name not in _NOTHING:
            raise ValueError(f"opcode {name}")

    def marked(self) -> list[Any]:
        """What lies above the last mark, which goes too."""
        stack = self._stack
        at = len(stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        found = stack[at + 1 :]
        del stack[at:]
        return found

    def pop(self) -> Any:
        """What lies on top."""
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value should be")
        return value

    def push(self, value: Any) -> None:
        """Lay it on top."""
        self._stack.append(value)

    def top(self) -> Any:
        """What lies on top, which stays."""
        if self._stack[-1] is _MARK:
            raise ValueError("a mark where a value should be")
        return self._stack[-1]

    def get(self, index: int) -> None:
        """Lay on top what is remembered under a number."""
        self._stack.append(self._memo[index])

    def put(self, index: int | None) -> None:
        """Remember what lies on top, under a number or the next."""
        self._memo[len(self._memo) if index is None else index] = self.top()

    def extend(self, values: list[Any]) -> None:
        """Put these into what lies on top."""
        target = self.top()
        if not isinstance(target, Many | Made):
            raise TypeError("something is appended to what is no list")
        target.items.extend(values)

    def set(self, values: list[Any]) -> None:
        """Set these keys and values in what lies on top."""
        target = self.top()
        if not isinstance(target, Pairs | Made) or len(values) % 2:
            raise TypeError("keys are set in what is no dictionary")
        target.pairs.extend(zip(values[::2], values[1::2], strict=True))

    def build(self) -> None:
        """Give what lies on top to what lies below it as its state."""
        state = self.pop()
        target = self.top()
        if not isinstance(target, Made):
            target = Made("call", Global("builtins", "object"), (self.pop(),))
            self.push(target)
        target.states.append(state)
        if self._built is not None:
            self._built(target, self._cursor)

    def persist(self, key: Any) -> None:
        """Lay on top what a persistent id stands for."""
        self.push(Made("persistent", key, ()) if self._persistent is None else self._persistent(key))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def _popped(machine: Machine, count: int) -> tuple[Any, ...]:
    values = [machine.pop() for _ in range(count)]
    return tuple(reversed(values))


def _named(module: object, name: object) -> Global:
    if not isinstance(module, str) or not isinstance(name, str):
        raise TypeError("a name that is no text")
    return Global(module, name)


def _global(machine: Machine, arg: str) -> None:
    module, _, name = arg.partition(" ")
    machine.push(_named(module, name))


def _new(machine: Machine, count: int) -> None:
    callee, *args = _popped(machine, count)
    if count == 3 and not (isinstance(args[1], Pairs) and not args[1].pairs):
        machine.push(Made("new", callee, (args[0], args[1])))
    else:
        machine.push(Made("new", callee, args[0]))


def _instance(machine: Machine, callee: Any, args: list[Any]) -> None:
    machine.push(Made("call", callee, tuple(args)))


def _inst(machine: Machine, arg: str) -> None:
    module, _, name = arg.partition(" ")
    _instance(machine, _named(module, name), machine.marked())


def _obj(machine: Machine, _: Any) -> None:
    callee, *args = machine.marked()
    _instance(machine, callee, args)


def _dict(machine: Machine, _: Any) -> None:
    values = machine.marked()
    machine.push(Pairs([]))
    machine.set(values)


def _reduce(machine: Machine, _: Any) -> None:
    machine.push(Made("call", *_popped(machine, 2)))


def _setitem(machine: Machine, _: Any) -> None:
    machine.set(list(_popped(machine, 2)))


_ACTS: Final[dict[str, Callable[[Machine, Any], object]]] = {
    "MARK": lambda m, _: m.push(_MARK),
    "POP": lambda m, _: m._stack.pop(),  # noqa: SLF001 - the one act that may take a mark
    "POP_MARK": lambda m, _: m.marked(),
    "DUP": lambda m, _: m.push(m.top()),
    "EMPTY_LIST": lambda m, _: m.push(Many("list", [])),
    "EMPTY_DICT": lambda m, _: m.push(Pairs([])),
    "EMPTY_SET": lambda m, _: m.push(Many("set", [])),
    "LIST": lambda m, _: m.push(Many("list", m.marked())),
    "TUPLE": lambda m, _: m.push(tuple(m.marked())),
    "FROZENSET": lambda m, _: m.push(Many("frozenset", m.marked())),
    "TUPLE1": lambda m, _: m.push(_popped(m, 1)),
    "TUPLE2": lambda m, _: m.push(_popped(m, 2)),
    "TUPLE3": lambda m, _: m.push(_popped(m, 3)),
    "DICT": _dict,
    "APPEND": lambda m, _: m.extend([m.pop()]),
    "APPENDS": lambda m, _: m.extend(m.marked()),
    "ADDITEMS": lambda m, _: m.extend(m.marked()),
    "SETITEM": _setitem,
    "SETITEMS": lambda m, _: m.set(m.marked()),
    "GET": lambda m, arg: m.get(arg),
    "BINGET": lambda m, arg: m.get(arg),
    "LONG_BINGET": lambda m, arg: m.get(arg),
    "PUT": lambda m, arg: m.put(arg),
    "BINPUT": lambda m, arg: m.put(arg),
    "LONG_BINPUT": lambda m, arg: m.put(arg),
    "MEMOIZE": lambda m, _: m.put(None),
    "GLOBAL": _global,
    "STACK_GLOBAL": lambda m, _: m.push(_named(*_popped(m, 2))),
    "EXT1": lambda m, arg: m.push(Global("copyreg", f"extension {arg}")),
    "EXT2": lambda m, arg: m.push(Global("copyreg", f"extension {arg}")),
    "EXT4": lambda m, arg: m.push(Global("copyreg", f"extension {arg}")),
    "REDUCE": _reduce,
    "NEWOBJ": lambda m, _: _new(m, 2),
    "NEWOBJ_EX": lambda m, _: _new(m, 3),
    "INST": _inst,
    "OBJ": _obj,
    "BUILD": lambda m, _: m.build(),
    "PERSID": lambda m, arg: m.persist(arg),
    "BINPERSID": lambda m, _: m.persist(m.pop()),
    "NEXT_BUFFER": lambda m, _: m.push(Made("persistent", "buffer outside of the pickle", ())),
}
_VALUES = frozenset(
    {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    }
)
_CONSTANTS: Final[dict[str, Any]] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
#: What changes no value: marks of the protocol, frames, hints for the loader.
_NOTHING = frozenset({"PROTO", "FRAME", "READONLY_BUFFER"})
