"""Quoted text and one-line flow collections, for the quick reader.

Each function takes the text from the opening character on, and gives the value and whether a comment followed
it on its last line. Quoted text may go on: ``more`` gives the next line, stripped.
"""

import re
from collections.abc import Callable
from typing import Any

from fourfold.formats.dvc.yaml_faults import SlowWayError

_SINGLE_BODY = re.compile("(?:[^']|'')*")
_DOUBLE_BODY = re.compile(r'(?:[^"\\]|\\.)*')
_ESCAPE = r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))"
_MEANINGS = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip


def _comment_after(text: str) -> bool:
    """Whether a comment follows; anything else is an error."""
    if not text:
        return False
    if text[0] == " " and text.lstrip(" ").startswith("#"):
        return True
    raise SlowWayError


def single(text: str, more: Callable[[], str]) -> tuple[str, bool]:
    """Read ``'text'``: lines join by a space, ``''`` is one quote."""
    piece = text[1:]
    parts: list[str] = []
    while True:
        match = _SINGLE_BODY.match(piece)
        end = match.end() if match else 0
        parts.append(piece[:end])
        if end < len(piece):
            return " ".join(parts).replace("''", "'"), _comment_after(piece[end + 1 :])
        parts[-1] = parts[-1].rstrip(" ")
        piece = more()


def double(text: str, more: Callable[[], str]) -> tuple[str, bool]:
    r"""Read ``"text"``: lines join by a space, or by nothing after a backslash."""
    piece = text[1:]
    out = ""
    while True:
        match = _DOUBLE_BODY.match(piece)
        end = match.end() if match else 0
        out += _unescaped(piece[:end])
        if end == len(piece):
            if piece.rstrip(" ") != piece:
                raise SlowWayError
            out += " "
        elif piece[end] == '"':
            return out, _comment_after(piece[end + 1 :])
        piece = more()


def _unescaped(text: str) -> str:
    return re.sub(_ESCAPE, _meaning, text) if "\\" in text else text


def _meaning(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code is None:
        meaning = _MEANINGS.get(match[4])
        if meaning is None:
            raise SlowWayError
        return meaning
    number = int(code, 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise SlowWayError
    return chr(number)


_TOKEN = r"""(?x)\ *(?:
    ([\[\]{},])
  | '((?:[^']|'')*)'
  | "([^"\\]*)"
  | ([A-Za-z0-9_./+$][^,\[\]{}:#&*!|>'"%@`?\n]*|-[A-Za-z0-9_./][^,\[\]{}:#&*!|>'"%@`?\n]*)
  )\ *(:(?=\ ))?"""


class _Flow:
    """A pass over the tokens of one flow collection."""

    def __init__(self, text: str, word: Callable[[str], Any]) -> None:
        self.text = text
        self.at = 0
        self.match = re.compile(_TOKEN).match
        self.word = word

    def token(self) -> tuple[str, Any, bool]:
        """The next token: its kind (an indicator, or ``v``), its value, whether it is a key."""
        match = self.match(self.text, self.at)
        if match is None:
            raise SlowWayError
        self.at = match.end()
        indicator, quoted, doubled, plain, colon = match.groups()
        if indicator:
            if colon:
                raise SlowWayError
            return indicator, None, False
        if quoted is not None:
            return "v", quoted.replace("''", "'"), bool(colon)
        if doubled is not None:
            return "v", doubled, bool(colon)
        return "v", self.word(plain.rstrip(" ")), bool(colon)

    def value(self, kind: str, value: Any, depth: int) -> Any:
        if depth > 16:
            raise SlowWayError
        if kind == "v":
            return value
        if kind == "[":
            return self.items(depth)
        if kind == "{":
            return self.entries(depth)
        raise SlowWayError

    def items(self, depth: int) -> list[Any]:
        found: list[Any] = []
        kind, value, is_key = self.token()
        while kind != "]":
            if is_key:
                raise SlowWayError
            found.append(self.value(kind, value, depth + 1))
            kind, _, _ = self.token()
            if kind == ",":
                kind, value, is_key = self.token()
            elif kind != "]":
                raise SlowWayError
        return found

    def entries(self, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        kind, key, is_key = self.token()
        while kind != "}":
            if not is_key or key in found:
                raise SlowWayError
            kind, value, is_key = self.token()
            if is_key:
                raise SlowWayError
            found[key] = self.value(kind, value, depth + 1)
            kind, _, _ = self.token()
            if kind == ",":
                kind, key, is_key = self.token()
            elif kind != "}":
                raise SlowWayError
        return found


def flow(text: str, word: Callable[[str], Any]) -> tuple[Any, bool]:
    """Read ``[a, b]`` or ``{a: b}``, all on one line; ``word`` gives the meaning of plain text."""
    tokens = _Flow(text, word)
    kind, _, _ = tokens.token()
    value = tokens.value(kind, None, 0)
    return value, _comment_after_flow(text[tokens.at :], text[tokens.at - 1])


def _comment_after_flow(rest: str, last: str) -> bool:
    """As `_comment_after`, where the space before the comment may be read already."""
    return _comment_after(" " + rest if rest and last == " " else rest)
