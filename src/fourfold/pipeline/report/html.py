"""A report as one HTML file that asks for nothing: no script, no font, no request; light and dark.

Everything is escaped, also what is ours. Images are data of the page; the policy in its head forbids more.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from fourfold.pipeline.report.layout import TITLE, Block, Diagram, Figure, Section
from fourfold.pipeline.report.words import BETTER, CODE, PLAIN, WORSE, Line, Listing, Paragraph, Rows, Text

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --paper: #fff; --soft: #59636e; --line: #d1d9e0;
  --panel: #f6f8fa; --good: #1a7f37; --bad: #c9252d; --mark: #9a6700 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9198a1;
  --line: #3d444d; --panel: #161b22; --good: #3fb950; --bad: #f85149; --mark: #d29922 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 0 .5rem } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem;
  border-bottom: 1px solid var(--line); padding-bottom: .25rem }
code, pre { font: .875em/1.45 ui-monospace, monospace; background: var(--panel); border-radius: .25rem }
code { padding: .1em .3em; overflow-wrap: anywhere } pre { padding: .75rem; overflow-x: auto }
td > code:only-child { display: inline-block; max-width: min(30rem, 60vw); overflow-wrap: break-word }
.wide { overflow-x: auto } table { border-collapse: collapse; margin: .5rem 0 }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top }
th { background: var(--panel); font-weight: 600 }
details { margin: .5rem 0 } summary { cursor: pointer; color: var(--soft) }
.better { color: var(--good); font-weight: 600 } .worse { color: var(--bad); font-weight: 600 }
.strong { color: var(--mark); font-weight: 600 }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1rem }
figure { margin: 0 } figcaption { color: var(--soft) }
img { max-width: 100%; background: #fff; border-radius: .25rem }
""".strip()


def page(sections: Sequence[Section], title: str = TITLE) -> str:
    """The whole file, with a heading of ours."""
    return "\n".join(_page(sections, title)) + "\n"


def _page(sections: Sequence[Section], title: str) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield '<head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(title)}</title>"
    yield f"<style>{_STYLE}</style></head>"
    yield "<body><main>"
    yield f"<h1>{escape(title)}</h1>"
    for section in sections:
        if section.title:
            yield f"<section><h2>{escape(section.title)}</h2>"
        yield from _blocks(section.blocks)
        if section.title:
            yield "</section>"
    yield "</main></body></html>"


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    """Figures that follow each other stand side by side, where there is room."""
    for drawn, group in groupby(blocks, lambda block: isinstance(block, Figure)):
        if drawn:
            yield '<div class="figures">'
        for block in group:
            yield from _block(block)
        if drawn:
            yield "</div>"


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield f"<p>{_inline(block.line)}</p>"
    elif isinstance(block, Listing):
        items = "".join(f"<li>{_inline(line)}</li>" for line in block.lines)
        title = _inline(block.title)
        if block.folded:
            yield f"<details><summary>{title or 'All'}</summary><ul>{items}</ul></details>"
        else:
            yield f"{f'<p>{title}</p>' if title else ''}<ul>{items}</ul>"
    elif isinstance(block, Rows):
        yield from _table(block)
    elif isinstance(block, Diagram):
        yield from _diagram(block)
    else:
        yield _figure(block)


def _table(block: Rows) -> Iterator[str]:
    yield '<div class="wide"><table><thead><tr>'
    yield "".join(f"<th>{escape(header)}</th>" for header in block.headers)
    yield "</tr></thead><tbody>"
    for row in block.rows:
        yield "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table></div>"


def _diagram(block: Diagram) -> Iterator[str]:
    if block.note:
        yield f"<p>{escape(block.note)}</p>"
    yield f"<pre>{escape(chr(10).join(block.tree))}</pre>"


def _figure(block: Figure) -> str:
    data = b64encode(block.data).decode("ascii")
    title = escape(block.title)
    source = f"data:{escape(block.media)};base64,{data}"
    caption = (
        "" if block.media == "image/svg+xml" else f"<figcaption>{title}</figcaption>"
    )  # drawings have theirs
    return f'<figure><img src="{source}" alt="{title}">{caption}</figure>'


def _inline(line: Line) -> str:
    return "".join(_text(piece) for piece in line)


def _text(piece: Text) -> str:
    text = escape(piece.text)
    if piece.kind == CODE:
        return f"<code>{text}</code>"
    if piece.kind == PLAIN:
        return text
    return f'<span class="{piece.kind if piece.kind in {BETTER, WORSE} else "strong"}">{text}</span>'
