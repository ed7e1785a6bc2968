"""Elements of SVG and HTML as text; whatever comes from a repository is escaped here and nowhere else."""

import re
from html import escape

#: What XML 1.0 does not allow in a document, not even as a reference; halves of pairs among it.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def words(value: object) -> str:
    """A value as text of a document: escaped, also for an attribute, without what XML forbids."""
    return escape(_FORBIDDEN.sub("\ufffd", str(value)))


def tag(name: str, *children: str, **attributes: object) -> str:
    """An element around finished markup.

    An attribute that is None is left out; ``_`` stands for ``-`` in its name, and one at the end is dropped
    (``class_``). Values are escaped.
    """
    found = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(children)
    return f"<{name}{found}>{inner}</{name}>" if inner else f"<{name}{found}/>"


def _value(value: object) -> str:
    if isinstance(value, float):
        return short(value)
    return words(value)


def short(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def clipped(text: str, most: int) -> str:
    """A text that is not longer than so many characters."""
    return text if len(text) <= most else text[: most - 1] + "\u2026"
