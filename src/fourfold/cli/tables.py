"""Tables as text: aligned columns, or Markdown, in the layouts that DVC prints."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: How many digits of a metric are shown where nothing is said.
PRECISION = 5


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool = False) -> Iterator[str]:
    """The lines of a table; without rows there is none, but in Markdown."""
    if markdown:
        yield from _markdown(headers, rows)
        return
    if not rows:
        return
    widths = [max(len(cell) for cell in column) + 2 for column in zip(headers, *rows, strict=True)]
    widths = [
        max(width, len(header) + 4) if at + 1 < len(headers) else width
        for at, (width, header) in enumerate(zip(widths, headers, strict=True))
    ]
    for row in (headers, *rows):
        yield "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    columns = list(zip(headers, *rows, strict=True))
    widths = [max(len(column[0]) + 2, *(len(cell) for cell in column)) for column in columns]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    yield line(headers)
    yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    yield from (line(row) for row in rows)
    yield ""


def cell(value: Any, precision: int | None = None) -> str:
    """A value as a cell: ``-`` for none, numbers rounded to so many digits after the point."""
    return "-" if value is None else str(_rounded(value, precision))


def _rounded(value: Any, precision: int | None) -> Any:
    if isinstance(value, float) and precision:
        return round(value, precision)
    if isinstance(value, Mapping):
        return {key: _rounded(item, precision) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item, precision) for item in value]
    return value


def differences(
    files: Mapping[str, Mapping[str, Mapping[str, Any]]],
    *,
    title: str,
    names: tuple[str, str],
    path: bool = True,
    change: bool = True,
    markdown: bool = False,
    precision: int | None = None,
) -> Iterator[str]:
    """The table of differences between two moments.

    Args:
        files: By path, then by key: ``old``, ``new``, ``diff``.
        title: What a key is called.
        names: Of the two moments.
        path: Show the files.
        change: Show by how much numbers differ.
        markdown: In Markdown.
        precision: Digits after the point.
    """
    headers = [*(["Path"] if path else []), title, *names, *(["Change"] if change else [])]
    rows = [
        [
            *([file] if path else []),
            key,
            cell(found.get("old"), precision),
            cell(found.get("new"), precision),
            *([cell(found.get("diff"), precision)] if change else []),
        ]
        for file, changes in files.items()
        for key, found in sorted(changes.items())
    ]
    yield from table(headers, rows, markdown=markdown)
