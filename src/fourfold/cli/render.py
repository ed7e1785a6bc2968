"""How results reach the terminal: colour, safe writing, text or JSON. Decides nothing about content."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from fourfold.base.errors import from_os_error

if TYPE_CHECKING:
    from fourfold.cli.outcome import Outcome

#: Control characters that a file name could carry to a terminal; tab and line end stay.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), 127, *range(128, 160))}
_ESCAPE = "\x1b["
#: The only sequences that are let through: those of `Style`.
_COLORS = ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m")
#: So many characters are gathered before they are written.
_BATCH = 1 << 16


class Style:
    """Five colours by hand; every method returns its text unchanged when colour is off."""

    __slots__ = ("on",)

    def __init__(self, *, on: bool) -> None:
        self.on = on

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text

    def red(self, text: str) -> str:
        """Failed, deleted."""
        return self._paint("31", text)

    def green(self, text: str) -> str:
        """Done, added."""
        return self._paint("32", text)

    def yellow(self, text: str) -> str:
        """Changed, warned."""
        return self._paint("33", text)

    def cyan(self, text: str) -> str:
        """Names of things, hints."""
        return self._paint("36", text)

    def bold(self, text: str) -> str:
        """Headings."""
        return self._paint("1", text)

    def dim(self, text: str) -> str:
        """What may be overlooked."""
        return self._paint("2", text)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody looks at this stream."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def wants_color(stream: TextIO | None, setting: str, environ: Mapping[str, str]) -> bool:
    """Whether to colour: ``--color`` first, then ``NO_COLOR``, then whether it is a terminal."""
    if setting != "auto":
        return setting == "always"
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def plain(text: str) -> str:
    """``text`` without anything that a terminal would obey, for names that come from a repository."""
    return text if text.isascii() and text.isprintable() else text.translate(_CONTROL)


def _tame(text: str) -> str:
    """A line for a terminal: our own colours pass, every other control character is shown, not obeyed."""
    if text.isprintable():
        return text
    if _ESCAPE not in text:
        return text.translate(_CONTROL)
    parts = []
    for piece in text.split(_ESCAPE)[1:]:
        color = next((known for known in _COLORS if (_ESCAPE + piece).startswith(known)), "")
        rest = (_ESCAPE + piece)[len(color) :]
        parts.append(color + rest.translate(_CONTROL))
    return text[: text.index(_ESCAPE)].translate(_CONTROL) + "".join(parts)


def write(stream: TextIO | None, text: str) -> None:
    """Write text whose names may not be valid in the encoding of the stream: bytes of names survive."""
    if stream is None:
        return
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "utf-8"
        try:
            data = text.encode(encoding, "surrogateescape")
        except UnicodeEncodeError:
            data = text.encode(encoding, "backslashreplace")
        buffer = getattr(stream, "buffer", None)
        if buffer is None:
            stream.write(data.decode(encoding, "backslashreplace"))
        else:
            stream.flush()
            buffer.write(data)


def print_text(stream: TextIO | None, text: str) -> None:
    """Print on stdout, and flush, so that a full disk or a closed pipe is noticed here.

    Raises:
        BrokenPipeError: the reader went away.
        ExhaustedError, UnavailableError: the output cannot be written.
    """
    if stream is None:
        return
    try:
        write(stream, text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard(stream)
        raise from_os_error(error, "writing the output") from error


def print_outcome(outcome: "Outcome", stream: TextIO | None, *, as_json: bool, quiet: bool) -> None:
    """Print a result: one JSON document, or its lines in batches as they come.

    Raises:
        BrokenPipeError, ExhaustedError, UnavailableError: as `print_text`.
    """
    if as_json:
        print_text(stream, to_json(outcome.data, indent=2 if is_terminal(stream) else None) + "\n")
    elif not quiet or outcome.loud:
        tame = _tame if is_terminal(stream) else None
        batch: list[str] = []
        size = 0
        for line in outcome.text:
            batch.append(tame(line) if tame else line)
            size += len(line) + 1
            if size > _BATCH:
                print_text(stream, "\n".join(batch) + "\n")
                batch, size = [], 0
        if batch:
            print_text(stream, "\n".join(batch) + "\n")


def to_json(data: Any, *, indent: int | None = None) -> str:
    """One JSON document, ASCII only, in the layout that DVC prints."""
    import json  # noqa: PLC0415 - most commands print text

    return json.dumps(data, indent=indent, default=str)


def discard(stream: TextIO | None) -> None:
    """Point a broken stream at nothing, so that the interpreter does not fail on it again at exit."""
    if stream is None:
        return
    from fourfold.base.fs.platform import WRITE  # noqa: PLC0415 - almost never needed

    try:
        nothing = os.open(os.devnull, WRITE)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
    except (OSError, ValueError):
        return
