"""What the commands for data from elsewhere share: their options, and how listings look."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from fourfold.base.errors import NotAProjectError, UsageError
from fourfold.cli.options import at_least_one, completes
from fourfold.project.elsewhere import Surroundings
from fourfold.project.sourceconfig import RemoteSettings

if TYPE_CHECKING:
    from fourfold.cli.session import Session
    from fourfold.project.project import Project
    from fourfold.project.sourceview import Node


class BadPairError(UsageError):
    """A ``name=value`` was expected."""

    code = "bad-pair"


class _Pairs(argparse.Action):
    """``name=value`` words, gathered into a dictionary."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        del parser
        found = dict(getattr(namespace, self.dest) or {})
        for word in values or ():
            name, equals, value = word.partition("=")
            if not equals:
                raise BadPairError(f"{option_string}: '{word}' is not name=value")
            found[name] = value
        setattr(namespace, self.dest, found)


def add_pairs(parser: argparse.ArgumentParser, name: str, help_text: str) -> None:
    """Add an option that takes ``name=value`` words."""
    completes(
        parser.add_argument(name, nargs="*", action=_Pairs, metavar="<name>=<value>", help=help_text), "none"
    )


def add_rev(parser: argparse.ArgumentParser) -> None:
    """Add ``--rev``."""
    completes(
        parser.add_argument(
            "--rev", nargs="?", metavar="<commit>", help="a commit, branch or tag of the repository"
        ),
        "none",
    )


def add_remote_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which remote of the repository to use, and how."""
    parser.add_argument(
        "--config", metavar="<path>", help="a configuration file to put over the repository's own"
    )
    completes(
        parser.add_argument("--remote", metavar="<name>", help="the remote of the repository to use"), "none"
    )
    add_pairs(parser, "--remote-config", "options of that remote")


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add ``-j``."""
    parser.add_argument(
        "-j", "--jobs", type=at_least_one, metavar="<number>", help="transfers at the same time"
    )


def settings_of(args: argparse.Namespace) -> RemoteSettings:
    """What `add_remote_options` read."""
    return RemoteSettings(args.config, args.remote, args.remote_config)


def surroundings_of(session: "Session") -> Surroundings:
    """Where the command runs."""
    return Surroundings(session.environ, session.cwd, session.clock)


def natural(size: float) -> str:
    """Bytes as DVC shows them: ``139``, ``4.00k``, ``1.20M``."""
    if size < 1024:
        return f"{size:.0f}"
    for unit in ("", "k", "M", "G", "T", "P", "E", "Z"):
        if abs(size) < 999.5:
            if abs(size) < 99.95:
                return f"{size:1.2f}{unit}" if abs(size) < 9.995 else f"{size:2.1f}{unit}"
            return f"{size:3.0f}{unit}"
        size /= 1024
    return f"{size:3.1f}Y"


def as_dvc(path: str, node: "Node") -> dict[str, Any]:
    """One entry in the shape of ``dvc list --json``."""
    return {
        "isout": node.is_out,
        "isdir": node.is_dir,
        "isexec": node.isexec,
        "size": node.size,
        "md5": node.oid,
        "path": path,
    }


def rows_of(
    entries: Iterable[tuple[str, Mapping[str, Any]]], *, size: bool, show_hash: bool
) -> Iterator[list[str]]:
    """The cells of entries: the size and the hash where they are wanted, the name."""
    for name, entry in entries:
        cells = []
        if size:
            known = entry.get("size")
            cells.append("" if known is None or (known <= 0 and entry.get("isdir")) else natural(known))
        if show_hash:
            cells.append(entry.get("md5") or "-")
        yield [*cells, name]


def columns(rows: Iterable[Sequence[str]], *, right_first: bool = False) -> Iterator[str]:
    """Lines of aligned columns; the last one is not padded."""
    cells = list(rows)
    if not cells:
        return
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [
            cell.rjust(width) if right_first and at == 0 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row[:-1], widths, strict=False))
        ]
        yield "  ".join([*padded, row[-1]]).rstrip()


class Drawable(Protocol):
    """A node of a tree that can be drawn."""

    @property
    def name(self) -> str:
        """What is written at it."""
        ...

    @property
    def children(self) -> "tuple[Self, ...]":
        """What hangs below it."""
        ...


Twig = TypeVar("Twig", bound=Drawable)


def tree_rows(
    twig: Twig, depth: int = 0, prefix: str = "", *, last: bool = True
) -> Iterator[tuple[str, Twig]]:
    """Each line of a tree, drawn, with what it shows."""
    part = "" if depth == 0 else "└── " if last else "├── "
    yield prefix + part + twig.name, twig
    below = prefix if depth == 0 else prefix + ("    " if last else "│   ")
    for at, child in enumerate(twig.children, 1):
        yield from tree_rows(child, depth + 1, below, last=at == len(twig.children))


def project_around(session: "Session") -> "Project | None":
    """The project around the user; None where there is none.

    Raises:
        FourfoldError: there is one, and it cannot be opened.
    """
    try:
        session.find_root()
    except NotAProjectError:
        session.opening_error = None
        return None
    return session.project
