"""HTML: its structure, its words, its scripts and styles.

Runs of white space are one space, as browsers show them, but in ``pre`` and ``textarea``. What does not count
is as for XML (`markup`). Parts are told from each other in one pass from front to back, so that no page takes
more time than its size allows; what is broken is told as browsers do, or as words. No script is run. Rules:
the HTML Living Standard, 13.2.5 (tokenization).
"""

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from typing import Any, Literal, NamedTuple

from blake3 import blake3

from fourfold.formats.likeness.markup import ASIDE, Names, value_of
from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.source import Source, leaf

#: Elements within which no other starts.
_RAW = frozenset({"script", "style", "textarea", "title", "xmp", "iframe", "noframes"})
#: Of these, those in which entities stand for letters.
_ESCAPED = frozenset({"textarea", "title"})
_VERBATIM = frozenset({"pre", "textarea"})

_NAME = re.compile(r"[A-Za-z][^\s/>]*+")
_ATTRIBUTE = re.compile(r"""[\s/]*+([^\s/>][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>]++))?""")
_TAG_END = re.compile(r"[\s/]*+>")


class _Token(NamedTuple):
    """A part of a page: a tag, words, or a declaration."""

    kind: Literal["start", "end", "words", "declaration"]
    text: str
    attributes: tuple[tuple[str, str], ...] = ()


def _tokens(page: str) -> Iterator[_Token]:
    at, size = 0, len(page)
    while at < size:
        mark = page.find("<", at)
        if mark < 0:
            yield _Token("words", unescape(page[at:]))
            return
        if mark > at:
            yield _Token("words", unescape(page[at:mark]))
        token, at = _marked(page, mark)
        if token is None:
            continue
        yield token
        if token.kind == "start" and token.text in _RAW:
            end = _raw_end(page, at, token.text)
            inner = page[at:end]
            yield _Token("words", unescape(inner) if token.text in _ESCAPED else inner)
            at = end


def _raw_end(page: str, at: int, name: str) -> int:
    """Where the text of such an element ends; the end of the page where it is not closed."""
    found = re.compile(f"</{name}(?=[\\s/>])", re.IGNORECASE).search(page, at)
    return found.start() if found else len(page)


def _marked(page: str, at: int) -> tuple[_Token | None, int]:
    """What starts with ``<`` here, None for a comment, and where it ends."""
    after = page[at + 1 : at + 2]
    if after in {"!", "?"}:
        comment = page.startswith("<!--", at)
        end = page.find("-->" if comment else ">", at + 2)
        if end < 0:
            return _Token("words", page[at:]), len(page)
        if comment or after == "?":
            return None, end + (3 if comment else 1)
        return _Token("declaration", " ".join(page[at + 2 : end].lower().split())), end + 1
    close = after == "/"
    name = _NAME.match(page, at + 1 + close)
    if name is None:
        return _Token("words", "<"), at + 1
    attributes: dict[str, str] = {}
    place = name.end()
    while not (end_of := _TAG_END.match(page, place)):
        found = _ATTRIBUTE.match(page, place)
        if found is None:  # the page ends within the tag
            return _Token("words", page[at:]), len(page)
        value = found[2] or ""
        value = value[1:-1] if value[:1] in {'"', "'"} and value[-1:] == value[:1] and value[1:] else value
        attributes.setdefault(found[1].lower(), unescape(value))
        place = found.end()
    kind: Literal["start", "end"] = "end" if close else "start"
    return _Token(kind, name[0].lower(), tuple(sorted(attributes.items()))), end_of.end()


class _Page:
    """What a page has, from its parts."""

    def __init__(self, source: Source, names: Names) -> None:
        self._source = source
        self._names = names
        self._verbatim = ""
        self._block = ""
        self._held: list[str] = []
        self.structure: Any = blake3()
        self.words: Any = blake3()
        self.places = 0
        self.elements = 0
        self.blocks: list[tuple[str, str]] = []

    def take(self, token: _Token) -> None:
        """The next part."""
        if token.kind == "words":
            self._held.append(token.text)
            return
        self.flush()
        if token.kind == "start":
            self.elements += 1
            values = [(key, value_of(self._source, self._names, value)) for key, value in token.attributes]
            self._feed("<", token.text, values)
            self._block = token.text if token.text in {"script", "style"} else ""
            self._verbatim = self._verbatim or (token.text if token.text in _VERBATIM else "")
        elif token.kind == "end":
            self._feed(">", token.text)
            self._block = ""
            self._verbatim = "" if self._verbatim == token.text else self._verbatim
        else:
            self._feed("!", token.text)

    def _feed(self, *told: object) -> None:
        self.structure.update(repr(told).encode("utf-8", "surrogatepass"))

    def flush(self) -> None:
        """The words since the last tag are complete."""
        text, self._held = "".join(self._held), []
        if not text:
            return
        text = self._names.plain(text)
        if self._block:
            self._source.budget.part(self._source.name)
            self.blocks.append((self._block, text.replace("\r\n", "\n").strip()))
        elif self._verbatim:
            self._feed("t")  # that words stand here
            self._say(text.replace("\r\n", "\n"))
        elif not text.isspace():
            self._feed("t", text[0].isspace(), text[-1].isspace())
            self._say(" ".join(text.split()))

    def _say(self, words: str) -> None:
        self.places += 1
        told = words.encode("utf-8", "surrogatepass")
        self.words.update(len(told).to_bytes(8, "little") + told)


def read_html(source: Source) -> Content:
    """HTML: its structure, its words, each script and style."""
    text = source.data().decode("utf-8-sig", "surrogateescape")
    names = Names()
    for token in _tokens(text):
        for key, value in token.attributes:
            if key == "id" and token.kind == "start":
                names.define(value)
    page = _Page(source, names)
    for token in _tokens(text):
        page.take(token)
    page.flush()
    leaves = {
        "structure": Leaf("value", "elements", (page.elements,), page.structure.hexdigest()),
        "text": Leaf("value", "lines", (page.places,), page.words.hexdigest()),
    }
    counts: Counter[str] = Counter()
    for kind, block in page.blocks:
        counts[kind] += 1
        lines = block.encode("utf-8", "surrogatepass")
        leaves[f"{kind}[{counts[kind]}]"] = leaf("value", "lines", lines, (block.count("\n") + 1,))
    return Content("html", leaves, "html/2", {**ASIDE, "drawn identifiers": True})
