"""``pylock.toml`` (PEP 751) as bytes: one way to write it, so that equal environments give equal files.

Values are plain dicts of the specification's keys. Reading is `pylock`.
"""

import json
from collections.abc import Mapping
from typing import Any

#: The order of keys, as the specification lists them; others follow by name.
_ORDER = (
    "lock-version",
    "environments",
    "requires-python",
    "created-by",
    "name",
    "version",
    "marker",
    "vcs",
    "directory",
    "archive",
    "index",
    "sdist",
    "wheels",
    "type",
    "url",
    "path",
    "commit-id",
    "editable",
    "hashes",
)


def render(document: Mapping[str, Any]) -> bytes:
    """The bytes of a lock.

    Args:
        document: Keys of the specification; ``packages`` are tables of their own, all below them is inline.
    """
    lines = [f"{key} = {_value(document[key])}" for key in _keys(document) if key not in {"packages", "tool"}]
    if not document.get("packages"):
        lines.append("packages = []")
    for package in document.get("packages", ()):
        lines += ["", "[[packages]]"]
        for key in _keys(package):
            lines += _wheels(package[key]) if key == "wheels" else [f"{_key(key)} = {_value(package[key])}"]
    for tool, table in document.get("tool", {}).items():
        lines += ["", f"[tool.{_key(tool)}]"]
        for key, value in table.items():
            if isinstance(value, list) and value and isinstance(value[0], Mapping):
                lines += [f"{_key(key)} = [", *(f"    {_value(item)}," for item in value), "]"]
            else:
                lines.append(f"{_key(key)} = {_value(value)}")
    return ("\n".join(lines) + "\n").encode()


def _keys(table: Mapping[str, Any]) -> list[str]:
    known = [key for key in _ORDER if key in table]
    return known + sorted(key for key in table if key not in _ORDER)


def _wheels(wheels: Any) -> list[str]:
    return ["wheels = [", *(f"    {_value(wheel)}," for wheel in wheels), "]"]


def _key(text: str) -> str:
    bare = text.isascii() and text.replace("-", "").replace("_", "").isalnum()
    return text if bare else _text(text)


def _text(text: str) -> str:
    """A basic string: JSON's escapes are TOML's but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(value[key])}" for key in _keys(value))
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    return _text(str(value))
