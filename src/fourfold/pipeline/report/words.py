"""Words of a report: pieces of text with their kinds, lines, tables; how numbers and sizes are written."""

from typing import Any, NamedTuple

#: Kinds of text: ours, ours and important, from the project (never markup), and the two verdicts.
PLAIN, STRONG, CODE, BETTER, WORSE = "plain", "strong", "code", "better", "worse"
#: Longer texts of the project are cut.
_MAX_TEXT = 160


class Text(NamedTuple):
    """A piece of text and its kind."""

    text: str
    kind: str = PLAIN


Line = tuple[Text, ...]


class Paragraph(NamedTuple):
    """One line on its own."""

    line: Line


class Listing(NamedTuple):
    """Lines as a list; folded below its title when it is long."""

    lines: tuple[Line, ...]
    title: Line = ()
    folded: bool = False


class Rows(NamedTuple):
    """A table."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    title: Line = ()


def said(text: str) -> Line:
    """Words of ours, as a line."""
    return (Text(text),)


def strong(text: str) -> Text:
    """Words of ours that nobody may overlook."""
    return Text(text, STRONG)


def code(text: object, most: int = _MAX_TEXT) -> Text:
    """Text of the project: on one line, cut when it is long, without characters that control anything."""
    shown = "".join(char if char.isprintable() else " " for char in str(text))
    return Text(shown if len(shown) <= most else shown[: most - 1] + "…", CODE)


def count(number: int, noun: str) -> str:
    """``1 stage``, ``2 stages``, ``no stages``."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def number(value: Any) -> str:
    """A value; floats with six digits that matter."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def signed(value: float) -> str:
    """A change with its sign."""
    return ("+" if value > 0 else "-" if value < 0 else "") + number(abs(value))


def amount(size: int | None, *, sign: bool = False) -> str:
    """Bytes for people, in powers of 1000; ``?`` for what nobody recorded."""
    if size is None:
        return "?"
    mark = "+" if sign and size > 0 else "-" if size < 0 else ""
    left = float(abs(size))
    units = ["B", "kB", "MB", "GB", "TB"]
    while left >= 999.5 and len(units) > 1:
        left /= 1000
        units.pop(0)
    return (
        f"{mark}{left:.0f} {units[0]}" if units[0] == "B" or left >= 999.5 else f"{mark}{left:.3g} {units[0]}"
    )
