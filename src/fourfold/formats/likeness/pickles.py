"""Reads pickles as files: what they mean, without running what they say.

Only `load_really`, which is asked for by name, runs a pickle. What opcodes build is known to `opcodes`, what
it stands for to `known`, and its leaves to `trees`.
"""

import io
import pickle

from fourfold.formats.likeness.known import ASIDE
from fourfold.formats.likeness.model import Content
from fourfold.formats.likeness.opcodes import Cursor, Machine
from fourfold.formats.likeness.source import Source, UnreadableContentError
from fourfold.formats.likeness.tensors import Buffer, bytes_of, naming
from fourfold.formats.likeness.trees import leaves


def read_pickle(source: Source) -> Content:
    """What a pickle means.

    Raises:
        UnreadableContentError: it is none.
        ContentTooLargeError: it has too many opcodes or leaves.
    """
    with naming(source):
        data = bytes_of(source)
        if source.unsafe:
            data = load_really(data)
        found = leaves(Machine(Cursor(data)).run(), budget=source.budget)
    return Content("pickle", found, "pickle/1", ASIDE)


def load_really(data: Buffer) -> bytes:
    """Load a pickle in this process, and pickle again what it became, by one protocol.

    **This runs whatever the pickle says.** It is for whoever asked for it and trusts the file.

    Raises:
        UnreadableContentError: it cannot be loaded here, or what it became cannot be pickled.
    """
    try:
        value = pickle.load(io.BytesIO(data))  # noqa: S301 - asked for by name, and refused anywhere else
        return pickle.dumps(value, protocol=4)
    except Exception as error:  # noqa: BLE001 - it runs foreign code, which may raise anything
        raise UnreadableContentError(
            f"it cannot be loaded: {type(error).__name__}: {str(error)[:120]}"
        ) from None
