"""Tables as text: aligned columns, or Markdown, in the layouts that DVC prints."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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


def csv_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """The lines of a table of comma-separated values, full precision, nothing for none."""
    import csv  # noqa: PLC0415 - on request only
    from io import StringIO  # noqa: PLC0415 - likewise

    stream = StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows(["" if cell is None else str(cell) for cell in row] for row in rows)
    yield from stream.getvalue().removesuffix("\n").split("\n")


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
    csv: bool = False,
    precision: int | None = None,
    paint: Callable[[str, str, Any, str], str] | None = None,
) -> Iterator[str]:
    """The table of differences between two moments.

    Args:
        files: By path, then by key: ``old``, ``new``, ``diff``.
        title: What a key is called.
        names: Of the two moments.
        path: Show the files.
        change: Show by how much numbers differ.
        markdown: In Markdown.
        csv: As comma-separated values.
        precision: Digits after the point.
        paint: Colours a change, given its file, its key, the number and its text.
    """
    headers = [*(["Path"] if path else []), title, *names, *(["Change"] if change else [])]
    found = [
        (file, key, values) for file, changes in files.items() for key, values in sorted(changes.items())
    ]
    if csv:
        rows = [
            [
                *([file] if path else []),
                key,
                _rounded(values.get("old"), precision),
                _rounded(values.get("new"), precision),
                *([_rounded(values.get("diff"), precision)] if change else []),
            ]
            for file, key, values in found
        ]
        yield from csv_table(headers, rows)
        return

    def told(file: str, key: str, difference: Any) -> str:
        text = cell(difference, precision)
        if markdown or difference is None:
            return text
        text = signed(difference, precision)
        return paint(file, key, difference, text) if paint else text

    cells = [
        [
            *([file] if path else []),
            key,
            cell(values.get("old"), precision),
            cell(values.get("new"), precision),
            *([told(file, key, values.get("diff"))] if change else []),
        ]
        for file, key, values in found
    ]
    yield from table(headers, cells, markdown=markdown)


def signed(difference: Any, precision: int | None = None) -> str:
    """A change with its sign."""
    text = cell(difference, precision)
    return f"+{text}" if isinstance(difference, int | float) and difference > 0 else text
