"""The source files as the rules see them: path, module name, text, syntax tree. Runs none of it."""

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "fourfold"


class Source(NamedTuple):
    """One source file.

    Attributes:
        path: Relative to the repository, for messages.
        module: Its dotted name.
    """

    path: str
    module: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The first part of its name below the package: ``cli``; empty for the package itself."""
        return self.module.partition(".")[2].partition(".")[0]


@cache
def sources() -> tuple[Source, ...]:
    """Every module of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        found.append(Source(str(path.relative_to(ROOT)), module, text, ast.parse(text)))
    return tuple(found)


def dotted(node: ast.AST) -> str:
    """``os.environ`` for that attribute access; empty when it does not begin with a name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""
