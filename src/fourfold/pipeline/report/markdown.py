"""A report as Markdown that GitHub and GitLab accept: folded where it is long, cut where it would be refused.

Everything from the project stands in code spans, where no platform understands markup, links or mentions.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fourfold.pipeline.report.layout import TITLE, Block, Diagram, Figure, Section
from fourfold.pipeline.report.words import CODE, PLAIN, Line, Listing, Paragraph, Rows, Text, code

#: What the platforms take, counted here in bytes, which are never fewer than characters.
COMMENT_LIMIT = 65_536
SUMMARY_LIMIT = 1 << 20
GITLAB_LIMIT = 1_000_000
#: By this, the comment that was posted before is known again.
MARKER = "<!-- fourfold report -->"
#: Tables with more rows are folded.
_MANY_ROWS = 15
_RESERVE = 200


class _Piece(NamedTuple):
    """A block whose rows can be cut."""

    head: tuple[str, ...]
    rows: tuple[str, ...]
    tail: tuple[str, ...] = ()
    what: str = "lines"
    whole: bool = False


def markdown(
    sections: Sequence[Section],
    *,
    limit: int = COMMENT_LIMIT,
    images: str | None = None,
    title: str = TITLE,
) -> str:
    """The text, at most ``limit`` bytes long.

    Args:
        sections: What to say.
        limit: In bytes of UTF-8.
        images: The folder of the images, as the text has to name it; None to leave them out.
        title: The heading, of ours; a page that is no report has no `MARKER`.
    """
    parts = [(section, [_piece(block, images) for block in section.blocks]) for section in sections]
    kept = [[len(piece.rows) for piece in pieces] for _section, pieces in parts]
    sizes = [[_size(piece, len(piece.rows)) for piece in pieces] for _section, pieces in parts]
    spare = sum(_size(_frame(section, title), 0) + 2 for section, _pieces in parts) + len(MARKER) + _RESERVE
    total = spare + sum(map(sum, sizes))
    while total > limit:
        size, at, which = max(
            (
                (sizes[at][which], at, which)
                for at, counts in enumerate(kept)
                for which, rows in enumerate(counts)
                if rows
            ),
            default=(0, 0, 0),
        )
        if not size:
            break
        piece = parts[at][1][which]
        kept[at][which] = 0 if piece.whole else kept[at][which] // 2
        total -= size
        sizes[at][which] = _size(piece, kept[at][which])
        total += sizes[at][which]
    lines = [MARKER] if title == TITLE else []
    for (section, pieces), counts in zip(parts, kept, strict=True):
        lines += _told(section, pieces, counts, title)
    return _cut(lines, limit)


def _cut(lines: Sequence[str], limit: int) -> str:
    """The last resort: whole lines from the end."""
    text = "\n".join(lines) + "\n"
    if len(text.encode()) <= limit:
        return text
    note = "\n\n*The rest was left out: it is longer than this place takes.*\n"
    left = limit - len(note.encode())
    kept: list[str] = []
    for line in lines:
        left -= len(line.encode()) + 1
        if left < 0:
            break
        kept.append(line)
    return "\n".join(kept) + note


def _size(piece: _Piece, rows: int) -> int:
    return sum(len(line.encode()) + 1 for line in _lines(piece, rows))


def _lines(piece: _Piece, rows: int) -> Iterator[str]:
    left = len(piece.rows) - rows
    if rows or not piece.rows:
        yield from piece.head
        yield from piece.rows[:rows]
        yield from piece.tail
    if left:
        yield ""
        yield f"*{left:,} of {len(piece.rows):,} {piece.what} left out: this place takes no more.*"


def _frame(section: Section, title: str) -> _Piece:
    if not section.title:
        return _Piece((f"## {title}", ""), ())
    if section.folded:
        return _Piece(("<details>", f"<summary>{section.title}</summary>", "", "", "</details>", ""), ())
    return _Piece((f"### {section.title}", ""), ())


def _told(section: Section, pieces: Sequence[_Piece], counts: Sequence[int], title: str) -> Iterator[str]:
    if not section.title:
        yield from (f"## {title}", "")
    elif section.folded:
        yield from ("<details>", f"<summary>{section.title}</summary>", "")
    else:
        yield from (f"### {section.title}", "")
    for piece, rows in zip(pieces, counts, strict=True):
        yield from _lines(piece, rows)
        yield ""
    if section.folded:
        yield from ("</details>", "")


def _piece(block: Block, images: str | None) -> _Piece:
    if isinstance(block, Paragraph):
        return _Piece((_inline(block.line),), ())
    if isinstance(block, Listing):
        return _listing(block)
    if isinstance(block, Rows):
        return _table(block)
    if isinstance(block, Diagram):
        note = (block.note, "") if block.note else ()
        return _Piece((*note, "```mermaid"), block.mermaid, ("```",), "lines of the graph", whole=True)
    return _figure(block, images)


def _listing(block: Listing) -> _Piece:
    rows = tuple(f"- {_inline(line)}" for line in block.lines)
    title = _inline(block.title)
    if block.folded:
        return _Piece(
            ("<details>", f"<summary>{_summary(block.title) or 'All'}</summary>", ""),
            rows,
            ("", "</details>"),
        )
    return _Piece((title, "") if title else (), rows)


def _table(block: Rows) -> _Piece:
    head = (_row(block.headers), "|" + " --- |" * len(block.headers))
    rows = tuple(_row(_inline(cell, in_table=True) for cell in row) for row in block.rows)
    if len(rows) <= _MANY_ROWS:
        return _Piece(head, rows, what="rows")
    opened = ("<details>", f"<summary>{len(rows):,} rows</summary>", "")
    return _Piece((*opened, *head), rows, ("", "</details>"), "rows")


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _figure(block: Figure, images: str | None) -> _Piece:
    title = _inline((code(block.title),))
    if images is None:
        return _Piece((f"- {title}",), ())
    return _Piece((title, "", f"![{_alt(block.title)}]({images}/{block.name})"), ())


def _alt(title: str) -> str:
    return "".join(char for char in title if char.isalnum() or char in " ._-")


def _inline(line: Line, *, in_table: bool = False) -> str:
    return "".join(_text(piece, in_table=in_table) for piece in line)


def _text(piece: Text, *, in_table: bool) -> str:
    if piece.kind == CODE:
        return _span(piece.text, in_table=in_table)
    if piece.kind == PLAIN or not piece.text.strip(" "):
        return piece.text
    core = piece.text.strip(" ")  # with a blank inside of them, asterisks are asterisks
    before, _, after = piece.text.partition(core)
    return f"{before}**{core}**{after}"


def _span(text: str, *, in_table: bool) -> str:
    """A code span, fenced by more backticks than stand in a row inside; a table's bars are escaped."""
    if not text.strip():
        return "` `" if text else ""
    fence = "`"
    while fence in text:
        fence += "`"
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    if in_table:
        text = text.replace("|", "\\|")
    return f"{fence}{pad}{text}{pad}{fence}"


def _summary(line: Line) -> str:
    """A line inside of HTML, where backticks mean nothing."""
    from html import escape  # noqa: PLC0415 - only folded lists have titles

    return "".join(
        f"<code>{escape(piece.text)}</code>" if piece.kind == CODE else escape(piece.text) for piece in line
    )
