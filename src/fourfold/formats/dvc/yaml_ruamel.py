"""The slow and complete way: ruamel.yaml itself, with caps, behind `yamlio`.

Importing this module imports ruamel (tens of milliseconds), which is why `yamlio` does so late.
"""

import io
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any, TypeGuard

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, SequenceNode

from fourfold.formats.dvc.yamlio import BadYamlError


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
    old = _parse(text, source, "rt")
    if not isinstance(old, MutableMapping):
        return dump(new)
    merge_into(old, new)
    return dump(old)


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _merge_value(old: Any, new: Any) -> bool:
    """Merge containers of one kind in place; False when ``new`` has to be put in its place."""
    if isinstance(old, MutableMapping) and isinstance(new, Mapping):
        merge_into(old, new)
        return True
    if isinstance(old, MutableSequence) and _is_list(new):
        if len(old) != len(new):
            old[:] = new
        for index, item in enumerate(new):
            if not _merge_value(old[index], item) and old[index] != item:
                old[index] = item
        return True
    return False


def merge_into(old: MutableMapping[Any, Any], new: Mapping[Any, Any]) -> None:
    """Make ``old`` equal ``new``, touching no entry that is equal already."""
    for key, value in new.items():
        if key not in old or (not _merge_value(old[key], value) and old[key] != value):
            old[key] = value
    for key in [key for key in old if key not in new]:
        del old[key]


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
