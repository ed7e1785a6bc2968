"""Pages that show commands and what they say: read, run in a sandbox, compared, written anew.

A fenced block of the language ``console`` holds commands after ``$ `` and, below each, what it says. All
blocks of a page run one after another in one shell, in an empty folder. A line ``...`` stands for any
lines, ``...`` within a line for any text. ``python -m tests.docs.transcripts <page>`` writes what the
commands really say into the page, wherever it differs.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT, find_ff
from tests.fixtures.sandbox import environment, make_home

PAGES = (
    "README.md",
    "docs/tutorial/first-project.md",
    "docs/tutorial/why-and-proof.md",
    "docs/guides/audit.md",
    "docs/guides/churn.md",
    "docs/guides/environment-locks.md",
    "docs/guides/undeclared-inputs.md",
    "docs/guides/when-something-is-damaged.md",
)
#: Where the reader of a page is at home; the sandbox's folder is shown so.
HOME = "/home/ada"
_BLOCK = re.compile(r"(^```console\n)(.*?)(^```$)", re.DOTALL | re.MULTILINE)
_MARK = "@@ next command @@"
_PROGRESS = re.compile(r"\d+%  .*|[a-z ]+  [\d,]+ (files|objects|runs) .*")
#: What is other on another day, or with another library: moments, fractions, sizes, the width of columns.
_VARIES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|[+-]?\b0\.\d+\b|\b[\d.,]+ [kM]?B\b| {2,}")


class Shown(NamedTuple):
    """One command of a page.

    Attributes:
        command: The line after ``$ ``.
        said: The lines below it.
    """

    command: str
    said: tuple[str, ...]


def read(text: str) -> list[Shown]:
    """Every command of a page, in order."""
    found: list[Shown] = []
    for block in _BLOCK.finditer(text):
        for line in block[2].splitlines():
            if line.startswith("$ "):
                found.append(Shown(line[2:], ()))
            else:
                found[-1] = found[-1]._replace(said=(*found[-1].said, line))
    return found


def play(commands: list[str], folder: Path) -> list[list[str]]:
    """Run commands in one shell; what each said, on either stream, without progress."""
    home = make_home(folder / "home")
    env = environment(home, {"FOURFOLD": str(ROOT), "COLUMNS": "100"})
    tools = [str(Path(find_ff()).parent), str(Path(sys.executable).parent)]
    env["PATH"] = ":".join([*dict.fromkeys(tools), env["PATH"]])
    work = folder / "ada"
    work.mkdir()
    script = f"\necho '{_MARK}'\n".join(commands)
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1 </dev/null\n{script}\n"],
        cwd=work,
        env=env,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    text = done.stdout.replace(str(work), HOME)
    said = [part.strip("\n").splitlines() for part in text.split(_MARK)]
    return [[line.rstrip() for line in lines if not _PROGRESS.fullmatch(line)] for lines in said]


def agrees(shown: tuple[str, ...], said: list[str]) -> bool:
    """Whether a command said what the page shows."""
    pattern = []
    for line in shown:
        if line.strip() == "...":
            pattern.append(r"(?:.*\n)*?")
        else:
            parts = (re.escape(_VARIES.sub("~", part)) for part in line.rstrip().split("..."))
            pattern.append(".*".join(parts) + r"\n")
    text = "".join(_VARIES.sub("~", line) + "\n" for line in said)
    return re.fullmatch("".join(pattern), text) is not None


def disagreements(text: str, folder: Path) -> list[str]:
    """What of a page is not so: for each such command, what was shown and what was said."""
    shown = read(text)
    said = play([one.command for one in shown], folder)
    return [
        "\n".join([f"$ {one.command}", "the page shows:", *one.said, "it says:", *lines])
        for one, lines in zip(shown, said, strict=True)
        if not agrees(one.said, lines)
    ]


def rewritten(text: str, folder: Path) -> str:
    """The page with what its commands really say."""
    said = iter(play([one.command for one in read(text)], folder))

    def block(found: "re.Match[str]") -> str:
        lines = []
        for one in read(found[0]):
            real = next(said)
            lines += [f"$ {one.command}", *(one.said if agrees(one.said, real) else real)]
        return found[1] + "\n".join(lines) + "\n" + found[3]

    return _BLOCK.sub(block, text)


def main() -> None:
    """Rewrite the pages that are named, or all."""
    for name in sys.argv[1:] or PAGES:
        page = ROOT / name
        with tempfile.TemporaryDirectory() as folder:
            page.write_text(rewritten(page.read_text(encoding="utf-8"), Path(folder)), encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
