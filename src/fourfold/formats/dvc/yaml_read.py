"""The quick reader: documents of the plain shape, to the values that ruamel.yaml gives, without it.

Reads block mappings and lists; scalars that are plain, quoted or block scalars, over one line or several;
comments; flow collections of one line. It never guesses: at anything else (anchors, tags, dates, odd numbers,
tabs, several documents, duplicate keys, every error) it answers None, and the caller takes ruamel, which
reads or explains it. A test holds the two equal.
"""

import re
from typing import Any, NamedTuple

from fourfold.formats.dvc.yaml_faults import SlowWayError
from fourfold.formats.dvc.yaml_scalars import DIGEST, EASY, STARTS, WORDS, is_odd, is_text

_MAX_DEPTH = 64
_MAX_KEY = 120


class Read(NamedTuple):
    """What was read.

    Attributes:
        value: The document; None when it is empty.
        bare: Whether the text has nothing but the values and their order: no comment, no blank line, no flow
            collection with content, no scalar written other than the writer would. It can be written anew.
    """

    value: Any
    bare: bool


#: Document markers, directives, and lines of only spaces.
_BEYOND = re.compile(r"^(?:---|\.\.\.|%| +$)", re.MULTILINE)
#: A plain key, and what follows it on its line.
_ENTRY = re.compile(r"([^ #,\[\]{}&*!|>'\"%@`?:-][^:#]*|-[^ :#][^:#]*):(?: +(.*))?")
#: The entry that machines write most, and what its next line may not start with to be surely another entry.
_EASY_TEXT = r"[A-Za-z_/][A-Za-z0-9_/.=+-]*"
_COUNT = "0|[1-9][0-9]{0,17}"
_COMMON = re.compile(f"([A-Za-z_][A-Za-z0-9_./@-]*):(?: ({_EASY_TEXT}|{DIGEST}|{_COUNT}))?")
#: A whole entry of a lock file's ``deps`` or ``outs``, to its last line: most of a large lock is these.
_ITEM = (
    rf"(?m)^( *)- path: ({_EASY_TEXT})\n\1  hash: md5\n\1  md5: ({DIGEST})\n\1  size: ({_COUNT})\n"
    rf"(?:\1  nfiles: ({_COUNT})\n)?(?:\1  isexec: (true)\n)?(?!\1 |\n)"
)
#: Shorter texts do not repay the search for whole entries.
_LONG = 4000
_UNSURE = frozenset(("", " ", "#", "-"))
_QUOTED_ENTRY = re.compile(r"""('(?:[^']|'')*'|"[^"\\]*"):(?: +(.*))?""")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
_FLOAT = r"-?(?:0|[1-9][0-9]{0,20})\.[0-9]{1,20}(?:e[-+][0-9]{1,3})?|-?[1-9][0-9]{0,20}e[-+]?[0-9]{1,3}"
_NOT_PLAIN = re.compile(r"[#,\[\]{}&*!|>'\"%@`]|[?:-](?: |$)|.*?:(?: |$)")
_BLOCK = r"([|>])(-?)"


def read(text: str) -> Read | None:
    """Read ``text`` (no carriage returns in it); None when only ruamel can tell."""
    if is_odd(text) or _BEYOND.search(text):
        return None
    reader = _Reader(text)
    try:
        value = reader.document()
    except SlowWayError:
        return None
    return Read(value, reader.bare)


def _items(text: str) -> dict[int, tuple[int, dict[str, Any]]]:
    """The entries that look like `_ITEM`, by their first line: their column, and their value.

    What looks like one may stand inside a text block: the reader takes one only where an item may begin.
    """
    found: dict[int, tuple[int, dict[str, Any]]] = {}
    line = last = 0
    for match in re.finditer(_ITEM, text):
        pad, path, md5, size, nfiles, isexec = match.groups()
        start = match.start()
        line += text.count("\n", last, start)
        last = start
        if path in WORDS:
            continue
        entry: dict[str, Any] = {"path": path, "hash": "md5", "md5": md5, "size": int(size)}
        if nfiles:
            entry["nfiles"] = int(nfiles)
        if isexec:
            entry["isexec"] = True
        found[line] = (len(pad), entry)
    return found


class _Reader:
    """One pass over the lines of one document."""

    __slots__ = ("at", "bare", "body", "end", "items", "lines")

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        if not self.lines[-1]:
            self.lines.pop()
        self.end = len(self.lines)
        self.at = 0
        self.body = ""
        self.bare = True
        self.items = _items(text) if len(text) > _LONG else {}

    def document(self) -> Any:
        column = self.peek()
        if column < 0:
            return None
        value = self.node(column, -1, 1)
        if self.peek() >= 0:
            raise SlowWayError
        return value

    def peek(self) -> int:
        """Go to the next line with content; its column (its text in ``body``), -1 at the end."""
        while self.at < self.end:
            line = self.lines[self.at]
            body = line.lstrip(" ")
            if body and body[0] != "#":
                self.body = body
                return len(line) - len(body)
            self.bare = False
            self.at += 1
        return -1

    def node(self, column: int, parent: int, depth: int) -> Any:
        """The node that starts with ``body`` at ``column``, below a collection at column ``parent``."""
        if depth > _MAX_DEPTH:
            raise SlowWayError
        body = self.body
        if body[0] == "-" and (len(body) == 1 or body[1] == " "):
            return self.sequence(column, depth)
        if _ENTRY.fullmatch(body) or _QUOTED_ENTRY.fullmatch(body):
            return self.mapping(column, depth)
        if parent < 0:
            raise SlowWayError
        self.at += 1
        return self.scalar(body.rstrip(" "), parent)

    def mapping(self, column: int, depth: int) -> dict[Any, Any]:
        """The block mapping whose first entry is ``body``, at ``column``."""
        found: dict[Any, Any] = {}
        lines, end, pad = self.lines, self.end, " " * column
        while True:
            match = _COMMON.fullmatch(self.body)
            if match is None or match[1] in WORDS or match[2] in WORDS or match[1] in found:
                self.entry(found, column, depth)
            else:
                key, value = match.groups()
                at = self.at = self.at + 1
                if value is None:
                    found[key] = self.below("", column, depth)
                    next_column = self.peek()
                    if next_column == column:
                        continue
                    if next_column > column:
                        raise SlowWayError
                    return found
                # The next line, when it is an entry of this mapping too, cannot go on with this scalar.
                if (
                    at < end
                    and (line := lines[at])[:column] == pad
                    and line[column : column + 1] not in _UNSURE
                ):
                    found[key] = int(value) if value.isdigit() else value
                    self.body = line[column:]
                    continue
                found[key] = self.plain(value, column)
            next_column = self.peek()
            if next_column != column:
                if next_column > column:
                    raise SlowWayError
                return found

    def entry(self, found: dict[Any, Any], column: int, depth: int) -> None:
        """Add the entry that starts with ``body`` to a mapping at ``column``."""
        body = self.body
        match = _ENTRY.fullmatch(body)
        key = self.plain_key(match[1]) if match else None
        if match is None:
            match = _QUOTED_ENTRY.fullmatch(body)
            if match is None:
                raise SlowWayError
            key = match[1][1:-1].replace("''", "'") if body[0] == "'" else match[1][1:-1]
        if key in found:
            raise SlowWayError
        self.at += 1
        text = (match[2] or "").rstrip(" ")
        found[key] = self.scalar(text, column) if text and text[0] != "#" else self.below(text, column, depth)

    def plain_key(self, text: str) -> Any:
        if len(text) > _MAX_KEY or text[-1] == " ":
            raise SlowWayError
        if EASY.fullmatch(text) and text not in WORDS:
            return text
        key = self.word(text)
        if type(key) is not str:
            self.bare = False
        return key

    def below(self, comment: str, column: int, depth: int) -> Any:
        """The value of a key that has nothing on its own line."""
        if comment:
            self.bare = False
        next_column = self.peek()
        if next_column > column:
            return self.node(next_column, column, depth + 1)
        body = self.body
        if next_column == column and body[0] == "-" and (len(body) == 1 or body[1] == " "):
            return self.sequence(column, depth + 1)
        return None

    def sequence(self, column: int, depth: int) -> list[Any]:
        """The block list whose first item is ``body``, at ``column``."""
        if depth > _MAX_DEPTH:
            raise SlowWayError
        found: list[Any] = []
        items = self.items
        while True:
            item = items.get(self.at)
            if item is not None and item[0] == column:
                found.append(item[1])
                self.at += len(item[1])
                next_column = self.peek()
                body = self.body
                if next_column == column and body[0] == "-" and body[1:2] in {"", " "}:
                    continue
                if next_column > column:
                    raise SlowWayError
                return found
            body = self.body
            rest = body[1:].lstrip(" ")
            if not rest or rest[0] == "#":
                self.at += 1
                if rest:
                    self.bare = False
                inner = self.peek()
                found.append(self.node(inner, column, depth + 1) if inner > column else None)
            elif (rest[0] == "-" and (len(rest) == 1 or rest[1] == " ")) or (
                _ENTRY.fullmatch(rest) or _QUOTED_ENTRY.fullmatch(rest)
            ):
                self.body = rest
                found.append(self.node(column + len(body) - len(rest), column, depth + 1))
            else:
                self.at += 1
                found.append(self.scalar(rest.rstrip(" "), column))
            next_column = self.peek()
            body = self.body
            if next_column != column or body[0] != "-" or (len(body) > 1 and body[1] != " "):
                if next_column > column:
                    raise SlowWayError
                return found

    def continues(self, parent: int) -> bool:
        """Whether the next line belongs to the scalar before it."""
        if self.at >= self.end:
            return False
        line = self.lines[self.at]
        if line and (line[0] != " " or line[: parent + 1].strip(" ")):
            return False
        at = self.at
        while not line:
            at += 1
            if at >= self.end:
                return False
            line = self.lines[at]
        rest = line.lstrip(" ")
        if len(line) - len(rest) <= parent or rest[0] == "#":
            return False
        if at > self.at:
            raise SlowWayError  # text that goes on after blank lines
        return True

    def next_line(self, parent: int) -> str:
        """The text of the line that continues a quoted scalar."""
        if not self.continues(parent):
            raise SlowWayError
        self.at += 1
        return self.lines[self.at - 1].strip(" ")

    def scalar(self, text: str, parent: int) -> Any:
        """The scalar (or flow collection) that starts with ``text``, the rest of the line before the next."""
        if EASY.fullmatch(text) and text not in WORDS:
            value: Any = text
            if self.continues(parent):
                return self.plain(text, parent)
            return value
        first = text[0]
        if first in "|>":
            return self.block(text, parent)
        if first in "'\"":
            from fourfold.formats.dvc import yaml_quoted  # noqa: PLC0415 - most pointer files quote nothing

            value, comment = (yaml_quoted.single if first == "'" else yaml_quoted.double)(
                text, lambda: self.next_line(parent)
            )
            self.bare = self.bare and not comment
        elif first in "[{":
            value = self.flow(text)
        else:
            return self.plain(text, parent)
        if self.continues(parent):
            raise SlowWayError
        return value

    def flow(self, text: str) -> Any:
        from fourfold.formats.dvc import yaml_quoted  # noqa: PLC0415 - most pointer files have no flow style

        value, comment = yaml_quoted.flow(text, self.word)
        self.bare = self.bare and not value and not comment
        return value

    def plain(self, text: str, parent: int) -> Any:
        """Plain text, perhaps over several lines."""
        if _NOT_PLAIN.match(text):
            raise SlowWayError
        cut = text.find(" #")
        if cut >= 0:
            self.bare = False
            if self.continues(parent):
                raise SlowWayError
            return self.word(text[:cut].rstrip(" "))
        if not self.continues(parent):
            return self.word(text)
        parts = [text]
        while self.continues(parent):
            part = self.lines[self.at].strip(" ")
            self.at += 1
            if ": " in part or part[-1] == ":" or " #" in part:
                raise SlowWayError
            parts.append(part)
        return self.word(" ".join(parts))

    def word(self, text: str) -> Any:
        """The meaning of plain text."""
        if text in WORDS:
            if text not in {"true", "false"}:
                self.bare = False
            return WORDS[text]
        if text[0] not in STARTS:
            return text
        if _INTEGER.fullmatch(text):
            return int(text)
        if re.fullmatch(_FLOAT, text):
            number = float(text)
            if repr(number) != text:
                self.bare = False
            return number
        if is_text(text):
            return text
        raise SlowWayError

    def block(self, header: str, parent: int) -> str:
        """A literal (``|``) or folded (``>``) block scalar of even shape."""
        match = re.fullmatch(_BLOCK, header)
        if match is None or not self.continues(parent):
            raise SlowWayError
        self.bare = False
        first = self.lines[self.at]
        indent = len(first) - len(first.lstrip(" "))
        found: list[str] = []
        while self.at < self.end:
            line = self.lines[self.at]
            if line and line[:indent].strip(" "):
                break
            found.append(line[indent:])
            self.at += 1
        if self.at < self.end:
            rest = self.lines[self.at].lstrip(" ")
            if len(self.lines[self.at]) - len(rest) > parent:
                raise SlowWayError  # between the two levels: an error, or a comment that ruamel places
        else:
            raise SlowWayError  # the last line end may be missing
        while not found[-1]:
            found.pop()
        if match[1] == ">" and any(not line or line[0] == " " for line in found):
            raise SlowWayError
        return ("\n" if match[1] == "|" else " ").join(found) + ("" if match[2] else "\n")
