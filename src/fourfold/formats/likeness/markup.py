"""XML, SVG and PDF: what they show, without how it is written down and when.

The order of attributes, comments, namespace prefixes and white space between elements do not count; nor do
identifiers that a program drew at random, where the document itself defines them: they are numbered. Pictures
within are read as pictures. Nothing is fetched, no entity is expanded. Of a PDF only the dates and the
identifier are left out: a PDF is not understood here. HTML: `pages`.
"""

import base64
import binascii
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from xml.parsers import expat

from blake3 import blake3

from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.source import Named, Source, bytes_leaf

#: Elements that are leaves of their own: down to the depth that has no more in sum, and to `_DEEPEST`.
_LEAVES, _DEEPEST = 10_000, 6
#: Deeper documents are refused.
_DEPTH = 2000
ASIDE = {"order of attributes": True, "comments": True, "white space between elements": True}
_SVG = "http://www.w3.org/2000/svg"


class Names:
    """Identifiers that a program drew at random, numbered in the order in which they are defined."""

    #: What pandas gives to tables, UUIDs, and names that end in a long hash (matplotlib).
    _DRAWN = re.compile(
        r"(?<![A-Za-z0-9])(?:(?P<table>T_[0-9a-f]{5,})|(?P<before>[A-Za-z_-]{0,40})"
        r"(?P<drawn>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{10,}))(?![A-Za-z0-9])"
    )

    def __init__(self) -> None:
        self._numbers: dict[str, str] = {}

    def define(self, name: str) -> None:
        """A page has an element of this name."""
        found = self._DRAWN.match(name)
        if found and (found["table"] or found.end() == len(name)):
            self._numbers.setdefault(found[0], f"drawn-{len(self._numbers) + 1}")

    def plain(self, text: str) -> str:
        """A text with the numbers of the names in it."""
        return self._DRAWN.sub(self._numbered, text) if self._numbers else text

    def _numbered(self, found: re.Match[str]) -> str:
        number = self._numbers.get(found[0])
        if number is None and found["drawn"]:
            inner = self._numbers.get(found["drawn"])
            number = inner and found["before"] + inner
        return number or found[0]

    def known(self, name: str) -> bool:
        """Whether this is one of them."""
        return self.plain(name) != name


_DATA = re.compile(r"data:image/(png|jpeg|svg\+xml);base64,(.*)", re.DOTALL)


def value_of(source: Source, names: Names, text: str) -> str:
    """The value of an attribute: pictures by their meaning, drawn names by their numbers."""
    found = _DATA.fullmatch(text) if text.startswith("data:image/") else None
    if found is None:
        return names.plain(text)
    try:
        data = base64.b64decode(re.sub(r"\s+|%0A", "", found[2]), validate=True)
    except (binascii.Error, ValueError):
        return text
    content = source.member("picture." + found[1].partition("+")[0], io.BytesIO(data))
    return "picture:" + summed(content.leaves)


def summed(leaves: Mapping[str, Leaf]) -> str:
    """One digest of several leaves."""
    return blake3(repr([(name, leaves[name][:4]) for name in sorted(leaves)]).encode()).hexdigest()


class _Elements:
    """Elements of an XML document as leaves, from its events."""

    def __init__(self, source: Source, names: Names, depth: int) -> None:
        self._source = source
        self._names = names
        self._limit = depth
        self._stack: list[tuple[str, Any, Counter[str]]] = []
        self._skipping = 0
        self.leaves = Named()
        self.aside: dict[str, bool] = {}
        self.root = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._skipping or tag == f"{_SVG} metadata":
            self._skipping += 1
            self.aside["metadata"] = True
            return
        values = [(key, value_of(self._source, self._names, attributes[key])) for key in sorted(attributes)]
        told = repr(("<", tag, values)).encode("utf-8", "surrogatepass")
        if len(self._stack) > self._limit:
            self._stack[-1][1].update(told)
            self._stack.append(("", self._stack[-1][1], Counter()))
            return
        if self._stack:
            above, hasher, seen = self._stack[-1]
            step = self._step(tag, attributes, seen)
            hasher.update(repr(("<>", step)).encode("utf-8", "surrogatepass"))  # where the child stands
            name = f"{above}/{step}"
        else:
            self.root = tag
            name = tag.rpartition(" ")[2]
        self._stack.append((name, blake3(told), Counter()))

    def _step(self, tag: str, attributes: dict[str, str], seen: Counter[str]) -> str:
        step = tag.rpartition(" ")[2]
        own = attributes.get("id", "")
        if own and not self._names.known(own):
            step = f"{step}#{own}"
        seen[step] += 1
        return step if own and seen[step] == 1 and "#" in step else f"{step}[{seen[step]}]"

    def end(self, _tag: str) -> None:
        if self._skipping:
            self._skipping -= 1
            return
        name, hasher, _ = self._stack.pop()
        if name:
            self._source.budget.part(self._source.name)
            self.leaves.put(name, Leaf("value", "element", (), hasher.hexdigest()))
        else:
            hasher.update(b"</>")

    def text(self, text: str) -> None:
        if not self._skipping and self._stack and not text.isspace():
            told = repr(("t", self._names.plain(text)))
            self._stack[-1][1].update(told.encode("utf-8", "surrogatepass"))

    def other(self, *what: Any) -> None:
        if not self._skipping and self._stack:
            self._stack[-1][1].update(repr(what).encode("utf-8", "surrogatepass"))


def read_xml(source: Source) -> Content:
    """XML and SVG: a leaf an element, of great documents only of those near the root.

    Raises:
        UnreadableContentError: it is no well-formed XML, or declares entities.
    """
    data = source.data()
    names, counts, depth = Names(), Counter[int](), 0

    def count(_tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        counts[depth] += 1
        depth += 1
        if depth > _DEPTH:
            raise source.damaged(f"nested deeper than {_DEPTH}")
        if "id" in attributes:
            names.define(attributes["id"])

    def leave(_tag: str) -> None:
        nonlocal depth
        depth -= 1

    _parse(source, data, {"StartElementHandler": count, "EndElementHandler": leave})
    limit, total = 0, counts[0]
    while limit < _DEEPEST and total + counts[limit + 1] <= _LEAVES:
        limit += 1
        total += counts[limit]
    found = _Elements(source, names, limit)
    _parse(
        source,
        data,
        {
            "StartElementHandler": found.start,
            "EndElementHandler": found.end,
            "CharacterDataHandler": found.text,
            "ProcessingInstructionHandler": found.other,
            "SkippedEntityHandler": found.other,
        },
    )
    kind = "svg" if found.root == f"{_SVG} svg" else "xml"
    return Content(kind, found.leaves.found, f"{kind}/2", {**ASIDE, "drawn identifiers": True, **found.aside})


def _parse(source: Source, data: bytes, handlers: Mapping[str, Any]) -> None:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    for name, handler in handlers.items():
        setattr(parser, name, handler)

    def refuse(*_what: object) -> None:
        raise source.damaged("it declares entities, which may expand without bound")

    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)  # noqa: FBT003 - that this is all, as expat has it
    except expat.ExpatError as error:
        raise source.damaged(f"not XML: {error}") from None
    except (LookupError, UnicodeError, ValueError) as error:
        raise source.damaged(f"not XML in a known encoding: {error}") from None


#: Dates of a PDF, and its identifier, in the parts of it that are no streams.
_PDF_ASIDE = re.compile(
    rb"/(?:CreationDate|ModDate)\s*\((?:[^()\\]|\\.){0,200}\)|/ID\s*\[\s*(?:<[0-9A-Fa-f\s]{0,200}>\s*){2}\]",
    re.DOTALL,
)
_STREAM = re.compile(rb"stream\r?\n")


def read_pdf(source: Source) -> Content:
    """PDF: its bytes without /CreationDate, /ModDate and /ID. One that is packed otherwise is another."""
    aside = {"dates": True, "identifier": True}
    return Content("pdf", {"": bytes_leaf(_pdf_pieces(source.data()))}, "pdf/1", aside)


def _pdf_pieces(data: bytes) -> Iterator[bytes]:
    """Streams as they are, and what lies between them without what does not count."""
    at = 0
    while found := _STREAM.search(data, at):
        yield _PDF_ASIDE.sub(b"", data[at : found.start()])
        end = data.find(b"endstream", found.end())
        at = len(data) if end < 0 else end + len(b"endstream")
        yield data[found.start() : at]
    yield _PDF_ASIDE.sub(b"", data[at:])
