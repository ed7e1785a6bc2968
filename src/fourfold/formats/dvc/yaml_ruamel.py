"""The slow and complete way: ruamel.yaml itself, with caps, behind `yamlio`.

Importing this module imports ruamel (tens of milliseconds), which is why `yamlio` does so late.
"""

import io
import re
import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from math import isfinite
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.representer import RoundTripRepresenter

from fourfold.base.errors import InvalidFileError
from fourfold.formats.dvc.yaml_faults import MAX_DEPTH, MAX_NODES, BadYamlError


class _KeptFloat(float):
    """A number that is written as it was read: ruamel's own rounds the last digit of some exponents away."""

    text: str


class _KeepingConstructor(RoundTripConstructor):
    def construct_yaml_float(self, node: Any) -> Any:
        value = super().construct_yaml_float(node)
        if node.anchor or not isfinite(value):
            return value
        kept = _KeptFloat(value)
        kept.text = node.value
        return kept


class _KeepingRepresenter(RoundTripRepresenter):
    def represent_kept_float(self, value: _KeptFloat) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:float", value.text)


_KeepingConstructor.add_constructor("tag:yaml.org,2002:float", _KeepingConstructor.construct_yaml_float)
_KeepingRepresenter.add_representer(_KeptFloat, _KeepingRepresenter.represent_kept_float)


def load(text: str, source: str) -> Any:
    """Read one document to plain values."""
    return _parse(text, source, YAML(typ="safe", pure=True))


def _keeping() -> YAML:
    """A ruamel set up as DVC sets it up to change a file."""
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.Constructor = _KeepingConstructor
    yaml.Representer = _KeepingRepresenter
    return yaml


def _parse(text: str, source: str, yaml: YAML) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if _brackets(text) > MAX_DEPTH:
                _check_depth(text, source)
            constructor, _parser = yaml.get_constructor_parser(text)
            root = constructor.composer.get_single_node()
            if root is None:
                return None
            _check_caps(root, source)
            return constructor.construct_document(root)
    except MarkedYAMLError as error:
        raise _refused(error, source) from None
    except InvalidFileError:
        raise
    except RecursionError:
        raise BadYamlError(source, f"nested deeper than {MAX_DEPTH}") from None
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise BadYamlError(
            source, f"not a printable character: {text[error.position]!r}", line=line, column=column
        ) from None
    except YAMLError as error:
        raise BadYamlError(source, str(error).splitlines()[0]) from None
    except Exception as error:  # noqa: BLE001 - on odd scalars ruamel lets through whatever its parts raise
        raise BadYamlError(source, f"cannot be read: {error}") from None


def _brackets(text: str) -> int:
    """How deep brackets nest, if none of them is quoted."""
    deepest = depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _check_depth(text: str, source: str) -> None:
    """Refuse deep nesting before the composer, whose work grows with the square of the depth, meets it."""
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise BadYamlError(source, f"nested deeper than {MAX_DEPTH}", line=event.start_mark.line + 1)
        elif isinstance(event, CollectionEndEvent):
            depth -= 1


def _refused(error: MarkedYAMLError, source: str) -> BadYamlError:
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context or "not YAML").strip().splitlines()[0]
    hint = next((hint for words, hint in _HINTS.items() if words in problem), "")
    if isinstance(error, DuplicateKeyError):
        problem = problem.split(" with value")[0]
    if mark is None:
        return BadYamlError(source, problem, hint=hint)
    if mark.buffer is not None and _CONFLICT.search(mark.buffer):
        hint = "there are merge conflict markers in the file: resolve them first"
    return BadYamlError(source, problem, line=mark.line + 1, column=mark.column + 1, hint=hint)


#: What to do about the commonest mistakes, by words of ruamel's message.
_HINTS = {
    "mapping values are not allowed": "quote a value that holds a colon and a space: 'a: b'",
    "cannot start any token": "indent with spaces; tabs and some signs cannot begin a value: quote it",
    "found duplicate key": "remove one of the two",
    "could not determine a constructor for the tag": "write the value without a tag (!!...)",
    "found undefined alias": "quote a value that begins with an asterisk",
    "but found another document": "keep one document in the file: remove what follows ---",
    "expected the node content": "close what was opened: a bracket or a quote",
    "unexpected end of stream": "close what was opened: a bracket or a quote",
}
_CONFLICT = re.compile(r"^(?:<{7} |={7}$|>{7} )", re.MULTILINE)


def _check_caps(root: Any, source: str) -> None:
    """Refuse what is too deep, contains itself, or unfolds through aliases to too many nodes."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    shared = False
    # Depth first without recursion: a node is counted when its children have been.
    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        node, leaving = stack.pop()
        children = _children(node)
        if leaving:
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in children)
            continue
        if id(node) in sizes:
            shared = True
            continue
        if id(node) in open_nodes:
            raise BadYamlError(source, "an alias that contains itself", line=node.start_mark.line + 1)
        if len(open_nodes) >= MAX_DEPTH and not isinstance(node, ScalarNode):
            raise BadYamlError(source, f"nested deeper than {MAX_DEPTH}", line=node.start_mark.line + 1)
        open_nodes.add(id(node))
        stack.append((node, True))
        stack.extend((child, False) for child in children)
    if shared and sizes[id(root)] > MAX_NODES:
        raise BadYamlError(source, f"its aliases unfold to {sizes[id(root)]} nodes, more than {MAX_NODES}")


def _children(node: Any) -> list[Any]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def dump(value: Any) -> bytes:
    """Write a document."""
    stream = io.BytesIO()
    _keeping().dump(value, stream)
    return stream.getvalue()


def edit(text: str, change: Callable[[MutableMapping[Any, Any]], Mapping[Any, Any]], source: str) -> bytes:
    """Read ``text`` with its layout, pass it through ``change``, write it."""
    document = _parse(text, source, _keeping()) or {}
    if not isinstance(document, MutableMapping):
        raise BadYamlError(source, "not a mapping at the top")
    return dump(change(document))


def locate(text: str, path: Sequence[str | int], *, at_key: bool = False) -> tuple[int | None, int | None]:
    """Line and column (from 1) of the value or key at ``path``; of its nearest parent if it is missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
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
