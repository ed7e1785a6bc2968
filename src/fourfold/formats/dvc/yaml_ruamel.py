"""The slow and complete way: ruamel.yaml itself, with caps, behind `yamlio`.

Importing this module imports ruamel (tens of milliseconds), which is why `yamlio` does so late.
"""

import io
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, SequenceNode

from fourfold.formats.dvc.yamlio import BadYamlError, Document, merge_into


def load(text: str, source: str) -> Any:
    """Read one document to plain values."""
    return _parse(text, source, "safe")


def _parse(text: str, source: str, typ: str) -> Any:
    try:
        return YAML(typ=typ, pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context or "not YAML").strip()
        line = None if mark is None else mark.line + 1
        column = None if mark is None else mark.column + 1
        raise BadYamlError(source, problem, line=line, column=column) from None
    except YAMLError as error:
        raise BadYamlError(source, str(error).splitlines()[0]) from None
    except RecursionError:
        raise BadYamlError(source, "nested too deep") from None


def dump(value: Any) -> bytes:
    """Write a document."""
    yaml = YAML()
    yaml.default_flow_style = False
    stream = io.BytesIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def update(text: str, new: Mapping[str, Any], source: str) -> bytes:
    """Read ``text`` with its layout, make it say ``new``, write it."""

    def change(document: Document) -> Mapping[Any, Any]:
        merge_into(document, new)
        return document

    return edit(text, change, source)


def edit(text: str, change: Callable[[Document], Mapping[Any, Any]], source: str) -> bytes:
    """Read ``text`` with its layout, pass it through ``change``, write it."""
    document = _parse(text, source, "rt")
    if not document:
        document = {}
    if not isinstance(document, MutableMapping):
        raise BadYamlError(source, "not a mapping at the top")
    return dump(change(document))


def locate(text: str, path: Sequence[str | int], *, at_key: bool = False) -> tuple[int | None, int | None]:
    """Line and column (from 1) of the value or key at ``path``; of its nearest parent if it is missing."""
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, RecursionError):
        return None, None
    if node is None:
        return None, None
    mark = node.start_mark
    for depth, part in enumerate(path):
        found = None
        if isinstance(node, MappingNode):
            found = next(((key, value) for key, value in node.value if str(key.value) == str(part)), None)
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = (node.value[part], node.value[part])
        if found is None:
            break
        key, node = found
        mark = key.start_mark if at_key and depth == len(path) - 1 else node.start_mark
    return mark.line + 1, mark.column + 1
