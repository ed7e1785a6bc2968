"""``.dvcignore``: lines to rules, rules to regular expressions, and which rule decides about a path.

The syntax is gitignore's as DVC 3 understands it through its ``pathspec`` library, quirks included, for
two tools on one repository must see the same files: a pattern is matched from the root of the project, a
file in a sub-folder has its patterns rewritten to begin with that folder (`rebase`), and the last rule
that matches decides. Patterns that DVC fails on (a lone backslash at the end, ``[z-a]``) match nothing
here, and no pattern can make matching slow. Which files apply where is `fourfold.project.ignore`; no I/O.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from fourfold.base.errors import InvalidFileError

#: What DVC ignores in every project.
DEFAULTS = (".hg/", ".git/", ".git", ".dvc/")
MAX_SIZE = 1 << 20
MAX_RULES = 20_000

_DIRECTORY_END = "(?:/|$)"


class BadIgnoreFileError(InvalidFileError):
    """An ignore file is not UTF-8 text, or larger than any that people write."""

    code = "bad-ignore-file"


class Rule(NamedTuple):
    """One pattern, rewritten for the root of the project.

    Attributes:
        pattern: The pattern.
        file: The ignore file, relative to the root; empty for a rule that stands in no file.
        line: Its line there, from 1.
        text: The line as written, without blanks around; or what a rule without a file is called.
    """

    pattern: str
    file: str = ""
    line: int = 0
    text: str = ""

    def __str__(self) -> str:
        if self.file:
            return f"{self.file}:{self.line}:{self.text}"
        return self.text or f":{self.pattern}"


class Verdict(NamedTuple):
    """Whether a path is ignored, and the rule that decided; a rule may also decide that it is not."""

    ignored: bool
    rule: Rule | None


def parse(data: bytes, file: str, folder: str = "") -> list[Rule]:
    """The rules of an ignore file.

    Args:
        data: Its bytes.
        file: Its path relative to the root of the project.
        folder: The folder that it lies in, relative to the root; empty for the root.

    Raises:
        BadIgnoreFileError: it is not UTF-8, or too large.
    """
    if len(data) > MAX_SIZE:
        raise BadIgnoreFileError(f"{file} is larger than {MAX_SIZE >> 20} MiB", hint="is it the right file?")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadIgnoreFileError(f"{file}, line {line}: not UTF-8", hint="save the file as UTF-8") from None
    rules = []
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        line_text = raw.strip()
        if line_text and line_text[0] != "#":
            rules.append(Rule(rebase(line_text, folder) if folder else line_text, file, number, line_text))
    if len(rules) > MAX_RULES:
        raise BadIgnoreFileError(
            f"{file} has more than {MAX_RULES} patterns", hint="join some of them with *"
        )
    return rules


def rebase(pattern: str, folder: str) -> str:
    """A pattern of the ignore file in ``folder``, rewritten to mean the same from the root, as DVC does."""
    negated = pattern.startswith("!")
    body = pattern[1:] if negated else pattern
    if "/" in body[:-1] and not body.startswith("**/"):
        middle, body = "/", body.removeprefix("/")
    else:
        middle, body = "/**/", body.removeprefix("**/")
    body = body.removeprefix("\\")
    return f"!/{folder}{middle}{body}" if negated else f"{folder}{middle}{body}"


# --- patterns ---------------------------------------------------------------------------------------------


def translate(pattern: str) -> tuple[str, bool] | None:
    """The regular expression of a pattern, for ``re.match``, and whether it ignores (not ``!``).

    None for a pattern that matches nothing: blank, a comment, malformed.
    """
    if not pattern.endswith("\\ "):
        pattern = pattern.rstrip()
    if not pattern or pattern[0] == "#" or pattern == "/":
        return None
    ignores = pattern[0] != "!"
    segments = _segments(pattern if ignores else pattern[1:])
    if not segments:
        return None
    if segments == ["**"]:
        return ("/" if pattern[-1] == "/" else "."), ignores
    if segments == ["**", "*"]:
        return ".", ignores
    if segments == ["**", "*", "**"]:
        return "/", ignores
    expression = _expression(segments)
    return None if expression is None else (expression, ignores)


def _segments(pattern: str) -> list[str]:
    """The parts between slashes, normalized: ``**`` where any depth is meant, none twice in a row."""
    parts = pattern.split("/")
    if not parts[0]:
        del parts[0]
    elif (len(parts) == 1 or (len(parts) == 2 and not parts[1])) and parts[0] != "**":
        parts.insert(0, "**")
    if parts and not parts[-1]:
        parts[-1] = "**"
    return [part for at, part in enumerate(parts) if part != "**" or at == 0 or parts[at - 1] != "**"]


def _expression(segments: Sequence[str]) -> str | None:
    # Each stretch behind a "**" or a "*" is found at its leftmost place and then kept (an atomic group):
    # a later place could never help what follows, and trying them all is what makes matching slow. Only
    # a negated class, which here can swallow a slash, breaks that argument: with few stars all places are
    # tried, with many it swallows none.
    source = "/".join(segments)
    atomic = not re.search(r"\[[!^]", source) or source.count("*") > 4
    parts = ["^"]
    slash = False
    last = len(segments) - 1
    open_groups = 0
    for at, segment in enumerate(segments):
        if segment == "**":
            if at == last:
                parts.append("/")
                break
            if open_groups:
                parts.append(")")
                open_groups = 0
            if atomic:
                parts.append("(?>")
                open_groups = 1
            parts.append(r"(?:[^/\n]+/)*?" if at == 0 else r"(?:/[^/\n]+)*?/")
            slash = False
            continue
        if slash:
            parts.append("/")
        glob = "[^/]+" if segment == "*" else _glob(segment, atomic=atomic)
        if glob is None:
            return None
        parts.append(glob)
        if at == last:
            parts.append(_DIRECTORY_END)
        elif segments[at + 1] == "**":
            parts.append("(?=/)")
        slash = True
    return "".join(parts) + ")" * open_groups


def _glob(segment: str, *, atomic: bool) -> str | None:
    """The expression of one part of a pattern; None when it is malformed."""
    chunks: list[list[str]] = [[]]
    at, end = 0, len(segment)
    while at < end:
        character = segment[at]
        at += 1
        if character == "*":
            chunks.append([])
        elif character == "?":
            chunks[-1].append("[^/]")
        elif character == "[":
            found = _class(segment, at, stay=atomic)
            if found is None:
                return None
            chunks[-1].append(found[0])
            at = found[1]
        elif character != "\\":
            chunks[-1].append(re.escape(character))
        elif at < end:
            chunks[-1].append(re.escape(segment[at]))
            at += 1
        else:
            return None
    first, *rest = ["".join(chunk) for chunk in chunks]
    if not rest:
        return first
    *middle, tail = rest
    middle = [chunk for chunk in middle if chunk]  # "**" inside a part means "*"
    found_first = [f"(?>[^/]*?{chunk})" if atomic else f"[^/]*{chunk}" for chunk in middle]
    return "".join([first, *found_first, "[^/]*", tail])


def _class(segment: str, at: int, *, stay: bool) -> tuple[str, int] | None:
    """The bracket expression whose inside starts at ``at``, and where it ends; None if malformed.

    A negated one matches a slash too, as with DVC, unless it is to ``stay`` between slashes.
    """
    start = at
    if segment[at : at + 1] in {"!", "^"}:
        at += 1
    inner = at
    close = segment.find("]", at + 1 if segment[at : at + 1] == "]" else at)
    if close < 0:
        return None
    members = []
    while inner < close:
        low = segment[inner]
        if segment[inner + 1 : inner + 2] == "-" and inner + 2 < close:
            high = segment[inner + 2]
            if low > high:
                return None
            members.append(f"{re.escape(low)}-{re.escape(high)}")
            inner += 3
        else:
            members.append(re.escape(low))
            inner += 1
    negation = ("^/" if stay else "^") if at > start else ""
    return f"[{negation}{''.join(members)}]", close + 1


# --- sets of rules ----------------------------------------------------------------------------------------


class _Group:
    """Rules that stand together and have one effect; one expression asks them all."""

    __slots__ = ("_all", "_single", "expressions", "folders_only", "ignores", "rules")

    def __init__(self, ignores: bool, folders_only: bool) -> None:
        self.ignores = ignores
        self.folders_only = folders_only
        self.rules: list[Rule] = []
        self.expressions: list[str] = []
        self._all: re.Pattern[str] | None = None
        self._single: list[re.Pattern[str]] = []

    def add(self, rule: Rule, expression: str) -> None:
        self.rules.append(rule)
        self.expressions.append(expression)

    def matches(self, path: str) -> bool:
        if self._all is None:
            self._all = re.compile("|".join(self.expressions))
        return self._all.match(path) is not None

    def first(self, path: str) -> Rule | None:
        if not self._single:
            self._single = [re.compile(expression) for expression in self.expressions]
        for rule, expression in zip(self.rules, self._single, strict=True):
            if expression.match(path):
                return rule
        return None


class RuleSet:
    """The rules in force in a folder, weakest first."""

    __slots__ = ("_for_files", "_groups", "rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._groups: list[_Group] | None = None
        self._for_files: list[tuple[Callable[[str], object], bool]] | None = None

    def _grouped(self) -> list[_Group]:
        if self._groups is None:
            groups: list[_Group] = []
            for rule in self.rules:
                found = translate(rule.pattern)
                if found is None:
                    continue
                expression, ignores = found
                folders_only = rule.pattern.endswith("/")
                last = groups[-1] if groups else None
                if last is None or not ignores or (last.ignores, last.folders_only) != (True, folders_only):
                    last = _Group(ignores, folders_only)
                    groups.append(last)
                last.add(rule, expression)
            groups.reverse()
            self._groups = groups
        return self._groups

    def decide(self, path: str, is_dir: bool) -> bool | None:
        """What the last matching rule says about one path, its parents aside; None when none matches.

        Args:
            path: Relative to the root of the project, POSIX.
            is_dir: Whether it is a folder.
        """
        if is_dir:
            for group in self._grouped():
                if group.matches(path) or group.matches(path + "/"):
                    return group.ignores
            return None
        for matches, ignores in self._for_files or self._joined():
            if matches(path):
                return ignores
        return None

    def _joined(self) -> list[tuple[Callable[[str], object], bool]]:
        """What is asked about files, which are many: fewer and larger expressions, strongest first."""
        joined: list[tuple[list[str], bool]] = []
        for group in self._grouped():
            if not group.folders_only:
                if not (joined and joined[-1][1] and group.ignores):
                    joined.append(([], group.ignores))
                joined[-1][0].extend(group.expressions)
        self._for_files = [(re.compile("|".join(parts)).match, ignores) for parts, ignores in joined]
        return self._for_files

    def deciding(self, path: str, is_dir: bool) -> tuple[bool, Rule] | None:
        """Like `decide`, with the rule: of several neighbours that match, the first, as DVC reports it."""
        for group in self._grouped():
            if group.folders_only and not is_dir:
                continue
            rule = group.first(path) or (group.first(path + "/") if is_dir else None)
            if rule is not None:
                return group.ignores, rule
        return None

    def excludes(self, path: str, is_dir: bool) -> bool:
        """Whether a path or a folder above it is ignored."""
        end = path.find("/")
        while end >= 0:
            if self.decide(path[:end], is_dir=True):
                return True
            end = path.find("/", end + 1)
        return bool(self.decide(path, is_dir))
