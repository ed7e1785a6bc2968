"""The text of ``.dvc/config``: ConfigObj's flavour of INI, read and written in linear time.

A file is sections (``[core]``, ``['remote "name"']``) of options (``name = value``). A value is text or
a list (``a, b``); it may be quoted, or triple-quoted over several lines; ``#`` starts a comment. This is
the grammar of the ``configobj`` package, which the tests hold as the oracle; only what ConfigObj accepts
by accident (quotes that do not balance, nested sections) is refused here. ``%(name)s`` is plain text:
no interpolation. What the sections mean is `fourfold.formats.dvc.config`; nothing here touches a file.
"""

import re
from typing import NamedTuple

from fourfold.base.errors import ConfigError

Value = str | list[str]

#: More than any configuration needs, little enough to read in an instant.
MAX_SIZE = 1 << 20

_QUOTES = ('"', "'")
_TRIPLE = ("'''", '"""')  # in the order in which ConfigObj tries them
_EQUALS = re.compile(r"\s*=")
_RUN = re.compile(r"[\s\]]+")
_SPACES = " \r\n\v\t'\""


class ConfigSyntaxError(ConfigError):
    """A configuration file cannot be parsed; the message names the file and the line."""

    code = "config-syntax"


class UnquotableValueError(ConfigError):
    """A value holds quotes or line feeds that the format cannot write; it is not shown, it may be secret."""

    code = "config-unquotable"


class Entry(NamedTuple):
    """One option, or with ``option`` None one section header, with the comments that belong to it."""

    section: str
    option: str | None
    value: Value
    above: tuple[str, ...]
    inline: str


class Text(NamedTuple):
    """A parsed file: entries in order, and the comments at its two ends."""

    entries: tuple[Entry, ...]
    head: tuple[str, ...]
    tail: tuple[str, ...]


def parse_text(data: bytes, source: str) -> Text:
    """Read a configuration file.

    Raises:
        ConfigSyntaxError: it is not UTF-8, too large, or not of the grammar.
    """
    return _Reader(_lines(data, source), source).read()


def _lines(data: bytes, source: str) -> list[str]:
    if len(data) > MAX_SIZE:
        raise ConfigSyntaxError(
            f"{source} is larger than {MAX_SIZE >> 20} MiB", hint="is it a configuration?"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigSyntaxError(f"{source}, line {line}: not UTF-8", hint="save the file as UTF-8") from None
    return text.splitlines()


class _Reader:
    def __init__(self, lines: list[str], source: str) -> None:
        self.lines = lines
        self.source = source
        self.at = 0
        self.entries: list[Entry] = []
        self.seen: set[tuple[str, str | None]] = set()

    def fail(self, what: str) -> ConfigSyntaxError:
        return ConfigSyntaxError(
            f"{self.source}, line {self.at}: {what}",
            hint="a section is [core] or ['remote \"name\"'], an option is: name = value",
        )

    def read(self) -> Text:
        head: tuple[str, ...] = ()
        comments: list[str] = []
        section = ""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            text = line.strip()
            if not text or text[0] == "#":
                comments.append(text)
                continue
            if not self.entries:
                head, comments = tuple(comments), []
            if text[0] == "[":
                section, inline = self.header(text)
                self.add(Entry(section, None, "", tuple(comments), inline))
            else:
                option, value, inline = self.option(line.lstrip())
                self.add(Entry(section, option, value, tuple(comments), inline))
            comments = []
        if not self.entries:
            return Text((), tuple(comments), ())
        return Text(tuple(self.entries), head, tuple(comments))

    def add(self, entry: Entry) -> None:
        key = (entry.section, entry.option)
        if key in self.seen:
            what = f"option '{entry.option}'" if entry.option is not None else f"section [{entry.section}]"
            raise self.fail(f"{what} appears twice")
        self.seen.add(key)
        self.entries.append(entry)

    def header(self, text: str) -> tuple[str, str]:
        body = text[1:].lstrip()
        if body[:1] == "[":
            raise self.fail("sections do not nest")
        if body[:1] in _QUOTES:
            quote, end = body[0], body.find(body[0], 1)
            while end > 0:
                closed = _close_bracket(body, end + 1)
                if closed is not None and body[1:end].strip():
                    return body[1:end], closed
                end = body.find(quote, end + 1)
        elif body:
            for run in _RUN.finditer(body, 1):
                closed = _close_bracket(body, run.start())
                if closed is not None:
                    return body[: run.start()], closed
        raise self.fail("a section header that does not end with ]")

    def option(self, line: str) -> tuple[str, Value, str]:
        if line[0] in _QUOTES:
            end = line.find(line[0], 1)
            while end > 0 and not _EQUALS.match(line, end + 1):
                end = line.find(line[0], end + 1)
            name, equals = line[1:end], line.find("=", end) if end > 0 else -1
        else:
            equals = line.find("=", 1) if line[0] != "=" else -1
            name = line[:equals].rstrip()
        if equals < 0:
            raise self.fail("neither a section nor an option")  # the line may hold a secret
        value = line[equals + 1 :].lstrip()
        if value[:3] in _TRIPLE:
            return name, *self.triple(value)
        found = _value(value)
        if found is None:
            raise self.fail(f"the value of '{name}' is not quoted as it should be")
        return name, *found

    def triple(self, value: str) -> tuple[str, str]:
        quote, rest = value[:3], value[3:]
        end = rest.find(quote)
        while end >= 0:
            comment = _comment(rest, end + 3)
            if comment is not None:
                return rest[:end], comment
            end = rest.find(quote, end + 1)
        if quote in rest:
            raise self.fail("text after a closing triple quote")
        parts = [rest]
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            end = line.find(quote)
            if end < 0:
                parts.append(line)
                continue
            while end >= 0:
                comment = _comment(line, end + 3)
                if comment is not None:
                    return "\n".join([*parts, line[:end]]), comment
                end = line.find(quote, end + 1)
            raise self.fail("text after a closing triple quote")
        raise self.fail("a triple quote that is never closed")


_TO_END = re.compile(r"\s*(#.*|\Z)", re.DOTALL)


def _comment(text: str, start: int) -> str | None:
    """The comment that fills ``text`` from ``start`` on, blanks aside; None when something else is there."""
    rest = _TO_END.match(text, start)
    return None if rest is None else rest[1]


_BRACKETS = re.compile(r"[\s\]]*")


def _close_bracket(text: str, start: int) -> str | None:
    """The comment behind a closing bracket at ``start``; None when the header does not end there."""
    run = _BRACKETS.match(text, start)
    if run is None or run.group().count("]") != 1:
        return None
    return _comment(text, run.end())


def _value(text: str) -> tuple[Value, str] | None:
    """Text or list, and the comment after it; None when quotes do not balance."""
    if text[:1] == ",":
        comment = _comment(text, 1)
        return None if comment is None else ([], comment)
    items: list[str] = []
    at = 0
    while (item := _item(text, at)) is not None:
        items.append(item[0])
        at = item[1]
    if not items:
        return _last(text, 0)
    comment = _comment(text, at)
    if comment is not None:
        return items, comment
    last = _last(text, at)
    if last is not None:
        return [*items, last[0]], last[1]
    return _last(text, 0) if text[0] in _QUOTES else None


_AFTER_ITEM = re.compile(r"\s*,\s*")
_PLAIN_ITEM = re.compile(r"[^'\",#\s][^,#]*,\s*")


def _item(text: str, at: int) -> tuple[str, int] | None:
    """A list item and its comma: the item, and where the next one starts."""
    quote = text[at : at + 1]
    if quote and quote in _QUOTES:
        end = text.find(quote, at + 1)
        while end > 0:
            comma = _AFTER_ITEM.match(text, end + 1)
            if comma is not None:
                return text[at + 1 : end], comma.end()
            end = text.find(quote, end + 1)
        return None
    plain = _PLAIN_ITEM.match(text, at)
    return None if plain is None else (plain.group().rstrip().rstrip(",").rstrip(), plain.end())


def _last(text: str, at: int) -> tuple[str, str] | None:
    """The text from ``at`` to the end or to a comment."""
    quote = text[at : at + 1]
    if quote and quote in _QUOTES:
        end = text.find(quote, at + 1)
        while end > 0:
            comment = _comment(text, end + 1)
            if comment is not None:
                return text[at + 1 : end], comment
            end = text.find(quote, end + 1)
        return None
    hash_at = text.find("#", at)
    end = len(text) if hash_at < 0 else hash_at
    body = text[at:end].rstrip()
    return None if "," in body else (body, text[hash_at:] if hash_at >= 0 else "")


# --- writing ----------------------------------------------------------------------------------------------


def render_text(text: Text) -> bytes:
    """Write a configuration as ConfigObj does with its default options; an empty one is one line feed.

    Raises:
        UnquotableValueError: a name or value has no written form.
    """
    lines = [_as_comment(line) for line in text.head]
    for entry in text.entries:
        indent = "    " if entry.option is not None and entry.section else ""
        lines += [indent + _as_comment(line) for line in entry.above]
        inline = f"  {entry.inline}" if entry.inline else ""
        if entry.option is None:
            lines.append(f"[{_quote_name(entry.section)}]{inline}")
        else:
            lines.append(f"{indent}{_quote_name(entry.option)} = {_quote(entry.value)}{inline}")
    lines += [_as_comment(line) for line in text.tail]
    body = "\n".join(lines)
    return (body if body.endswith("\n") else body + "\n").encode()


def _as_comment(line: str) -> str:
    return line if not line or line[0] == "#" else f"# {line}"


def _quote(value: Value) -> str:
    if isinstance(value, list):
        if not value:
            return ","
        joined = ", ".join(_quote_name(item) for item in value)
        return joined + "," if len(value) == 1 else joined
    if "\n" in value or ("'" in value and '"' in value):
        for triple in _TRIPLE:
            if triple not in value:
                return f"{triple}{value}{triple}"
        raise UnquotableValueError("a value holds both kinds of triple quotes", hint="leave one kind out")
    return _quote_name(value)


def _quote_name(value: str) -> str:
    """A name, a list item, or a value of one line."""
    if not value:
        return '""'
    if "\n" in value:
        raise UnquotableValueError("a name or list item holds a line feed", hint="leave it out")
    if value[0] not in _SPACES and value[-1] not in _SPACES and "," not in value and "#" not in value:
        return value
    if '"' not in value:
        return f'"{value}"'
    if "'" not in value:
        return f"'{value}'"
    raise UnquotableValueError(
        "a name or list item holds both kinds of quotes", hint="leave one kind of quotes out"
    )
