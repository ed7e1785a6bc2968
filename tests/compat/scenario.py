"""The words in which scenarios are written.

A scenario is a list of steps, done by each tool in a folder of its own:

    {"data": {"a": "1"}}      make files (a `tests.fixtures.sandbox.Tree`); None removes
    "add data"                run the tool; it must succeed
    "~add missing"            run the tool; it must fail
    "?gc"                     run the tool; it may do either
    "=root"                   run the tool; it must succeed, and its standard output is compared
    "!cp a b"                 run a shell line
    "@commit message"         commit all to Git
    In("sub", "add data")     any step, in a folder below the workspace (or beside it: "../other")

The exit code of each command is compared, and its output when it was given ``--json``. Work happens in
``ws``; what lies beside it (``../remote``) is compared too. ``{here}`` stands for the absolute path above
``ws``.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple


class In(NamedTuple):
    """A step that happens in a folder other than the workspace."""

    folder: str
    step: "Step"


Step = str | Mapping[str, Any] | In

#: What each tool is asked about the folder that the other one wrote; the answers must agree.
PROBES = ("status --json", "data status --json --granular")


class Scenario(NamedTuple):
    """Steps and what is asked after them.

    Attributes:
        name: Kebab-case, unique.
        rank: The numbers of the ranked list of scenarios that it covers.
        steps: See the module's text.
        start: ``"dvc"`` (a Git repository after ``init``), ``"git"`` (a Git repository), ``"empty"``.
        probes: Read-only commands with JSON output that both tools run on the final state.
        pull_back: After the probes, the other tool must get everything back from the remote: all that
            Git ignores is deleted, then ``pull`` runs, and the workspace must be as before.
        server: ``"s3"``: the bucket ``twin`` of rclone's server is part of the stage; ``"versioned"``: of
            moto's, which keeps versions; ``""``: none.
        one_by_one: Our ``repro`` gets ``-j 1``, so that the order in which commands ran can be compared.
    """

    name: str
    rank: tuple[int, ...]
    steps: tuple[Step, ...]
    start: str = "dvc"
    probes: tuple[str, ...] = PROBES
    pull_back: bool = False
    server: str = ""
    one_by_one: bool = False


def dos2unix_md5(content: bytes) -> str:
    """The hash that DVC 2 gave to a file: MD5 with CRLF as LF in every 1 MiB chunk that looks like text."""
    digest = hashlib.md5()
    printable = bytes(range(32, 127)) + b"\n\r\t\f\b"
    for start in range(0, len(content), 1 << 20):
        chunk = content[start : start + (1 << 20)]
        head = chunk[:512]
        odd = len(head.translate(None, printable))
        text = b"\0" not in head and (not head or odd / len(head) <= 0.3)
        digest.update(chunk.replace(b"\r\n", b"\n") if text else chunk)
    return digest.hexdigest()


def md5(content: str | bytes) -> str:
    """The name of an object."""
    return hashlib.md5(content.encode() if isinstance(content, str) else content).hexdigest()


def object_path(digest: str, root: str = ".dvc/cache/files/md5") -> str:
    """Where an object lies below ``root``."""
    return f"{root}/{digest[:2]}/{digest[2:]}"
