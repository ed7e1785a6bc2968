"""Jupyter notebooks: the source of their cells, and what the cells gave.

How often a cell ran, identifiers, times, the kernel and everything else in metadata do not count. Pictures,
pages and values that a cell gave are read as the files that they are; of an error its name and words count,
not the trace with its colours. Format: nbformat 4; older ones are compared as JSON.
"""

import base64
import binascii
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from fourfold.formats.likeness.documents import json_of, leaves_of
from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.source import Named, Source, leaf

#: What lies in an output as base64, or as text, and how a file of it is called.
_PACKED = {"image/png": "png", "image/jpeg": "jpg", "application/pdf": "pdf", "image/gif": "gif"}
_WRITTEN = {"image/svg+xml": "svg", "text/html": "html", "text/csv": "csv", "text/markdown": "md"}
#: Live views of a page, which hold nothing but drawn identifiers.
_VIEWS = frozenset({"application/vnd.jupyter.widget-view+json"})
#: Where an object lay in memory, as Python shows it.
_ADDRESS = re.compile(r"\bat 0x[0-9A-Fa-f]{4,16}\b")
_ASIDE = {
    "execution counts": True,
    "identifiers": True,
    "metadata": True,
    "traces of errors": True,
    "addresses of objects": True,
}


def read_notebook(source: Source) -> Content:
    """A notebook: a leaf a cell and a leaf a part of an output.

    Raises:
        UnreadableContentError: it is no notebook.
    """
    book = json_of(source)
    if not isinstance(book, dict):
        raise source.damaged("no notebook: it is no object")
    if not isinstance(book.get("cells"), list):
        if "worksheets" not in book:
            raise source.damaged("no notebook: it has no cells")
        return Content("notebook", leaves_of(book, source), "notebook-as-json/1", {"order of keys": True})
    leaves = Named()
    for number, cell in enumerate(book["cells"]):
        for name, found in _cell(source, cell):
            source.budget.part(source.name)
            leaves.put(f"cells[{number}].{name}", found)
    return Content("notebook", leaves.found, "notebook/1", _ASIDE)


def _cell(source: Source, cell: Any) -> Iterator[tuple[str, Leaf]]:
    if not isinstance(cell, dict):
        raise source.damaged("no notebook: a cell is no object")
    yield str(cell.get("cell_type")), _lines(source, cell.get("source", ""))
    attached = cell.get("attachments")
    for name, data in attached.items() if isinstance(attached, dict) else ():
        yield from _bundle(source, data, f"attachments.{name}")
    outputs = cell.get("outputs", [])
    if not isinstance(outputs, list):
        raise source.damaged("no notebook: the outputs of a cell are no list")
    for number, (kind, output) in enumerate(_merged(source, outputs)):
        name = f"outputs[{number}].{kind}"
        if isinstance(output, str):
            yield name, _lines(source, output)
        elif kind == "error":
            yield name, _lines(source, f"{output.get('ename')}: {output.get('evalue')}")
        elif kind == "data":
            yield name, leaf("value", "output", b"")
            yield from _bundle(source, output.get("data", {}), f"outputs[{number}]")
        else:
            yield name, leaf("value", "output", b"")
            for inner, found in leaves_of(output, source).items():
                yield f"{name}!{inner}", found


def _merged(source: Source, outputs: list[Any]) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Outputs with what they are; what one stream got in pieces is one text: pieces depend on time."""
    held: tuple[str, list[str]] | None = None
    for output in outputs:
        if not isinstance(output, dict):
            raise source.damaged("no notebook: an output is no object")
        kind = output.get("output_type")
        if kind == "stream":
            stream, text = str(output.get("name")), _text(source, output.get("text", ""))
            if held and held[0] == stream:
                held[1].append(text)
                continue
            if held:
                yield held[0], "".join(held[1])
            held = (stream, [text])
            continue
        if held:
            yield held[0], "".join(held[1])
            held = None
        # `execute_result` is `display_data` with a count
        yield "data" if kind in {"execute_result", "display_data"} else str(kind), output
    if held:
        yield held[0], "".join(held[1])


def _bundle(source: Source, data: Any, name: str) -> Iterator[tuple[str, Leaf]]:
    """What one output is in each of its types."""
    if not isinstance(data, dict):
        raise source.damaged(f"no notebook: {name} is no object")
    for kind, value in data.items():
        if kind in _VIEWS:
            continue
        place = f"{name}.{kind}"
        end = _PACKED.get(kind) or _WRITTEN.get(kind)
        if end is None:
            yield from _other(source, place, kind, value)
            continue
        text = _text(source, value)
        if kind in _PACKED:
            try:
                packed = base64.b64decode("".join(text.split()), validate=True)
            except (binascii.Error, ValueError):
                raise source.damaged(f"{place} is not base64") from None
        else:
            packed = text.encode("utf-8", "surrogatepass")
        content = source.member(f"{place}.{end}", io.BytesIO(packed))
        for inner, found in content.leaves.items():
            yield f"{place}!{inner}" if inner else place, found


def _other(source: Source, place: str, kind: str, value: Any) -> Iterator[tuple[str, Leaf]]:
    if kind == "application/json" or (kind.endswith("+json") and not isinstance(value, (str, list))):
        for inner, found in leaves_of(value, source).items():
            yield f"{place}!{inner}" if inner else place, found
    else:
        yield place, _lines(source, value)


def _text(source: Source, value: Any) -> str:
    """What a notebook writes as a text or as a list of its lines."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    raise source.damaged(f"no notebook: no text: {json.dumps(value)[:60]}")


def _lines(source: Source, value: Any) -> Leaf:
    text = _ADDRESS.sub("at 0x", _text(source, value)).replace("\r\n", "\n")
    return leaf("text", "str", text.encode("utf-8", "surrogatepass"), (text.count("\n") + 1,))
