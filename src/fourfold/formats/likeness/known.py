"""What the descriptions of a pickle stand for, where it is known: arrays, tensors, sets, old ways to write.

Arrays and scalars of NumPy, tensors of PyTorch, sets, bytes, ordered dictionaries and the old ways to write
an object become what they are; any other object stays its class with what it was given. Nothing here reads a
file, or imports what a pickle names; `trees` makes leaves of it.
Facts: ``__reduce__`` of the classes of NumPy and PyTorch, ``copyreg``.
"""

import _compat_pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from fourfold.formats.likeness.dtypes import DTYPES, DType, Field, fields_in, numpy_dtype
from fourfold.formats.likeness.opcodes import Global, Made, Many, Pairs
from fourfold.formats.likeness.source import UnreadableContentError
from fourfold.formats.likeness.tensors import Buffer, Tensor, checked, contiguous

#: What is left out of the meaning of everything pickled.
ASIDE: Mapping[str, Any] = {
    "protocol": True,
    "memo and sharing": True,
    "order of keys": True,
    "devices": True,
}
#: Fields of one structured type, those within fields too.
_MAX_FIELDS = 4096


class Storage(NamedTuple):
    """The bytes of one or many tensors of PyTorch.

    Attributes:
        dtype: Of its elements; None where the tensors say.
        data: Its bytes.
    """

    dtype: DType | None
    data: Buffer


class Objects(NamedTuple):
    """An array of objects, flat, in C order."""

    shape: tuple[int, ...]
    items: list[Any]


class Classed(NamedTuple):
    """A value that is of a class of its own: an array of a subclass, a parameter of a module."""

    name: str
    value: Any


def qualified(named: Any) -> str:
    """The full name of a `Global` as Python and NumPy have it today; empty for anything else."""
    if not isinstance(named, Global):
        return ""
    old = (named.module, named.name)
    module, name = _compat_pickle.NAME_MAPPING.get(old, old)
    module = _compat_pickle.IMPORT_MAPPING.get(module, module)
    if module == "numpy.core" or module.startswith("numpy.core."):
        module = "numpy._core" + module[len("numpy.core") :]
    return f"{module}.{name}"


def resolved(node: Any) -> Any:
    """What a description stands for, where it is understood; else the same.

    Raises:
        UnreadableContentError: it is of a known kind, and does not hold together.
    """
    if not isinstance(node, Made):
        return node
    if node.payload is not None:
        return resolved(node.payload)
    if node.how == "new":
        name, args = "copyreg.__newobj__", (node.callee, *_tuple(node.args))
    else:
        name, args = qualified(node.callee), _tuple(node.args)
    known = _KNOWN.get(name)
    if known is None or (name not in _STATEFUL and (node.states or node.pairs)):
        return node
    try:
        return known(node, args)
    except RecursionError:
        raise UnreadableContentError(f"{name} of {name} of {name}, too deep") from None
    except (AttributeError, IndexError, TypeError, ValueError, KeyError, OverflowError) as error:
        raise UnreadableContentError(f"{name} with what it cannot take: {str(error)[:100]}") from None


def _tuple(args: Any) -> tuple[Any, ...]:
    return args if isinstance(args, tuple) else (args,)


def bytes_of_text(value: Any) -> Buffer:
    """Bytes, also where an old protocol wrote them as text of the same numbers.

    Raises:
        TypeError: it is something else.
    """
    value = resolved(value)
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, bytes | bytearray | memoryview):
        return value
    raise TypeError("not bytes")


def _encoded(node: Made, args: tuple[Any, ...]) -> Any:
    text, encoding = args
    if encoding in {"latin1", "latin-1"}:
        node.payload = text.encode("latin-1")  # many arrays may be made of the same bytes
        return node.payload
    return node


def _bytes(node: Made, args: tuple[Any, ...]) -> Any:
    if not args:
        return b""
    value = resolved(args[0]) if len(args) <= 2 else None
    return bytes(bytes_of_text(value)) if isinstance(value, str | bytes | bytearray) else node


def _bytearray(node: Made, args: tuple[Any, ...]) -> Any:
    plain = _bytes(node, args)
    return bytearray(plain) if isinstance(plain, bytes) else node


def _set(kind: str) -> Callable[[Made, tuple[Any, ...]], Any]:
    def known(node: Made, args: tuple[Any, ...]) -> Any:
        inner = resolved(args[0]) if args else Many("list", [])
        items = list(inner) if isinstance(inner, tuple) else inner.items if isinstance(inner, Many) else None
        return node if items is None else Many(kind, items + node.items)

    return known


def _complex(node: Made, args: tuple[Any, ...]) -> Any:
    real, imaginary = args
    return complex(real, imaginary) if {type(real), type(imaginary)} <= {int, float} else node


def _new(node: Made, args: tuple[Any, ...]) -> Any:
    """``cls.__new__(cls, *args)``, in either way to write it."""
    callee, *rest = args
    if node.how == "new":
        return node
    return _moved(node, Made("new", callee, tuple(rest)))


def _reconstructor(node: Made, args: tuple[Any, ...]) -> Any:
    """How protocols 0 and 1 write an object: class, built-in base, value of that base."""
    callee, base, value = args
    made = _moved(node, Made("new", callee, ()))
    name, value = qualified(base), resolved(value)
    if name == "builtins.dict" and isinstance(value, Pairs):
        made.pairs = value.pairs + made.pairs
    elif name == "builtins.list" and isinstance(value, Many):
        made.items = value.items + made.items
    elif name != "builtins.object":
        made.args = (value,)
    return made


def _moved(old: Made, new: Made) -> Made:
    new.states, new.items, new.pairs, new.payload = old.states, old.items, old.pairs, old.payload
    return new


def _ordered(node: Made, args: tuple[Any, ...]) -> Any:
    """An ordered dictionary, whose pairs older writers gave to its constructor."""
    if not args:
        return node
    made = _moved(node, Made("call", node.callee, ()))
    given = resolved(args[0])
    pairs = given.pairs if isinstance(given, Pairs) else [_two(pair) for pair in given.items]
    made.pairs = pairs + made.pairs
    return made


def _two(pair: Any) -> tuple[Any, Any]:
    first, second = pair.items if isinstance(pair, Many) else pair
    return first, second


def _moment(node: Made, args: tuple[Any, ...]) -> Any:
    """A date or time, whose bytes old protocols wrote as text."""
    if not args or not isinstance(resolved(args[0]), str | bytes):
        return node
    return _moved(node, Made("call", node.callee, (bytes(bytes_of_text(args[0])), *args[1:])))


def _dtype(node: Made, args: tuple[Any, ...]) -> Any:
    dtype = _dtype_of(node, args, 0)
    return node if dtype is None else dtype


def dtype_of(node: Any, depth: int = 0) -> DType | None:
    """The type of NumPy that a description stands for; None for one that is not understood."""
    if isinstance(node, Made) and qualified(node.callee) == "numpy.dtype":
        return _dtype_of(node, _tuple(node.args), depth)
    return node if isinstance(node, DType) else None


def _dtype_of(node: Made, args: Sequence[Any], depth: int) -> DType | None:
    if depth > 16:
        raise ValueError("a type within types, too deep")
    text = args[0]
    text = bytes(text).decode("ascii") if isinstance(text, bytes) else text
    state: Sequence[Any] = node.states[-1] if node.states else (3, "<")
    if len(state) > 2 and isinstance(state[2], tuple):  # an array as an element
        return None
    order = _text(state[1])
    if len(state) > 5 and isinstance(state[3], tuple):
        return _structured(state, depth)
    if text[:1] in "Mm":
        unit, count, *_ = state[8][1] if len(state) > 8 else ("", 1)
        shown = f"{count if count != 1 else ''}{_text(unit)}"
        text += f"[{shown}]" if shown and shown != "generic" else ""
    return numpy_dtype((order if order in "<>" else "|") + text)


def _text(value: Any) -> str:
    value = resolved(value)
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def _structured(state: Sequence[Any], depth: int) -> DType | None:
    fields, total = [], 0
    offsets = {_text(key): value for key, value in state[4].pairs}
    for name in map(_text, state[3]):
        described, offset = offsets[name][:2]
        shape: tuple[int, ...] = ()
        inner: Sequence[Any] = (
            described.states[-1] if isinstance(described, Made) and described.states else ()
        )
        if len(inner) > 2 and isinstance(inner[2], tuple):  # an array as a field
            described, lengths = inner[2]
            shape = lengths if isinstance(lengths, tuple) else (lengths,)
        dtype = dtype_of(described, depth + 1)
        if dtype is None:
            return None
        total += 1 + fields_in(dtype)
        if total > _MAX_FIELDS:
            raise ValueError("too many fields")
        fields.append(Field(name, dtype, offset, shape))
    return DType(f"struct{len(fields)}", state[5], fields=tuple(fields))


def _reconstruct(node: Made, args: tuple[Any, ...]) -> Any:
    """An array as all protocols but the fifth write it; a class that adds to it stays described."""
    if len(node.states) != 1 or len(node.states[0]) != 5:
        return node
    _, shape, described, fortran, data = node.states[0]
    dtype = dtype_of(described)
    if dtype is None or (dtype.fields and isinstance(data, Many)):  # objects within fields stay described
        return node
    order = "F" if fortran else "C"
    array = _array(dtype, shape, data, order)
    subtype = qualified(args[0])
    return array if subtype == "numpy.ndarray" else Classed(subtype, array)


def _array(dtype: DType, shape: tuple[int, ...], data: Any, order: str) -> Tensor | Objects:
    data = resolved(data)
    if dtype.name != "object":
        return contiguous(dtype, shape, bytes_of_text(data), order=order)
    lengths = tuple(shape)
    if len(data.items) != contiguous(DTYPES["uint8"], lengths, bytes(len(data.items))).size:
        raise ValueError("an array of more objects than it has places")
    return Objects(lengths, data.items)  # in C order, whatever the flag says


def _from_buffer(node: Made, args: tuple[Any, ...]) -> Any:
    """An array as the fifth protocol writes it."""
    data, described, shape, order = args[:4]
    dtype, data = dtype_of(described), resolved(data)
    if dtype is None or isinstance(data, Made):
        return node
    array = contiguous(dtype, shape, bytes_of_text(data), order="F" if order == "F" else "C")
    axes = args[4] if len(args) > 4 else None
    if order == "K" and axes is not None:
        lengths = tuple(array.shape[axis] for axis in axes)
        return array._replace(shape=lengths, strides=tuple(array.strides[axis] for axis in axes))
    return array


def _scalar(node: Made, args: tuple[Any, ...]) -> Any:
    dtype = dtype_of(args[0])
    if dtype is None:
        return node
    if dtype.name == "object":
        return Classed("numpy.object_", args[1])
    return contiguous(dtype, (), bytes_of_text(args[1]))


def _torch_tensor(node: Made, args: tuple[Any, ...]) -> Any:
    """``_rebuild_tensor(storage, offset, size, stride)``, and its second and third versions."""
    storage, offset, shape, strides = args[:4]
    dtype = storage.dtype if isinstance(storage, Storage) else None
    newest = qualified(node.callee).endswith("_v3")
    if any(isinstance(more, Pairs) and more.pairs for more in args[7 if newest else 6 :]):
        return node  # to be conjugated or negated when it is looked at
    if newest:
        dtype = DTYPES.get(TORCH_DTYPES.get(qualified(args[6]).removeprefix("torch."), ""))
    if not isinstance(storage, Storage) or dtype is None:
        return node
    size = dtype.size
    tensor = Tensor(dtype, _lengths(shape), tuple(s * size for s in strides), offset * size, storage.data)
    wanted = len(args) > 4 and args[4] is True
    return Classed("torch tensor with gradient", checked(tensor)) if wanted else checked(tensor)


def _lengths(shape: Any) -> tuple[int, ...]:
    """A shape, which `torch.Size` may wrap."""
    if isinstance(shape, Made) and qualified(shape.callee) == "torch.Size":
        shape = _tuple(shape.args)[0]
    return tuple(shape)


def _torch_parameter(_: Made, args: tuple[Any, ...]) -> Any:
    inner = resolved(args[0])
    if isinstance(inner, Classed):
        inner = inner.value
    return Classed(f"torch parameter{' with gradient' if args[1] is True else ''}", inner)


#: Types of PyTorch, by its names of them and of its storages, in the words of NumPy.
TORCH_DTYPES: Final[dict[str, str]] = {
    **{name: name for name in DTYPES},
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}

#: Those that look at what their objects were given afterwards.
_STATEFUL = frozenset(
    {
        *("collections.OrderedDict", "copyreg.__newobj__", "copyreg._reconstructor"),
        *("datetime.datetime", "datetime.date", "datetime.time"),
        *("numpy.dtype", "numpy._core.multiarray._reconstruct"),
    }
)
_KNOWN: Final[dict[str, Callable[[Made, tuple[Any, ...]], Any]]] = {
    "_codecs.encode": _encoded,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytearray,
    "builtins.set": _set("set"),
    "builtins.frozenset": _set("frozenset"),
    "builtins.complex": _complex,
    "collections.OrderedDict": _ordered,
    "copyreg.__newobj__": _new,
    "copyreg._reconstructor": _reconstructor,
    "datetime.datetime": _moment,
    "datetime.date": _moment,
    "datetime.time": _moment,
    "numpy.dtype": _dtype,
    "numpy._core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy._core.numeric._frombuffer": _from_buffer,
    "torch._utils._rebuild_tensor": _torch_tensor,
    "torch._utils._rebuild_tensor_v2": _torch_tensor,
    "torch._utils._rebuild_tensor_v3": _torch_tensor,
    "torch._utils._rebuild_parameter": _torch_parameter,
}
