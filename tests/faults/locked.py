"""What a ``dvc.lock`` says, read by patterns of its own: nothing of the product is imported here either."""

import re
from typing import NamedTuple

_STAGE = re.compile(r"^  ([^ #].*):$")
_SECTION = re.compile(r"^    ([a-z]+):")
_PATH = re.compile(r"^    - path: (.+)$")
_MD5 = re.compile(r"^      md5: ([0-9a-f]{32}(?:\.dir)?)$")


class Entry(NamedTuple):
    """One file or directory that a stage read (``deps``) or made (``outs``)."""

    stage: str
    section: str
    path: str
    md5: str


def entries(text: str) -> list[Entry]:
    """Everything that a lock file names."""
    found, stage, section, path = [], "", "", ""
    for line in text.splitlines():
        if match := _STAGE.match(line):
            stage = match[1]
        elif match := _SECTION.match(line):
            section = match[1]
        elif match := _PATH.match(line):
            path = match[1]
        elif match := _MD5.match(line):
            found.append(Entry(stage, section, path, match[1]))
    return found


def blocks(text: str) -> dict[str, str]:
    """The text of each stage by its name; what stands before them under the empty name."""
    found, name = {"": ""}, ""
    for line in text.splitlines(keepends=True):
        if match := _STAGE.match(line.rstrip("\n")):
            name = match[1]
            found[name] = ""
        found[name] += line
    return found


def is_between(now: str | None, before: str | None, after: str | None) -> bool:
    """Whether each stage's lines are whole, and either the old ones or the new ones."""
    if now is None or after is None:
        return False
    old, new = blocks(before or ""), blocks(after)
    return all(text in {old.get(name), new.get(name)} for name, text in blocks(now).items())
