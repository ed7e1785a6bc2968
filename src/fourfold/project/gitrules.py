"""What Git ignores, asked folder by folder while a walk goes down, without starting Git.

Read are ``.gitignore`` files and ``.git/info/exclude``; the user's own excludes file is not, so that what
a project tracks does not depend on who looks. The patterns are `fourfold.formats.dvc.ignore`'s, set
right where Git differs from DVC's ``.dvcignore``: ``folder/**`` is about what is in the folder, not about
the folder. Writing ``.gitignore`` is `gitignore`.
"""

import os

from fourfold.base.errors import InvalidFileError
from fourfold.base.fs.reading import read_file
from fourfold.formats.dvc.ignore import BadIgnoreFileError, Rule, RuleSet, parse

_NAME = ".gitignore"
_READ_MAX = (1 << 20) + 1


class GitRules:
    """The rules of one Git work tree.

    Args:
        root: Absolute path of the work tree's root.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._chains: dict[str, tuple[tuple[str, RuleSet], ...]] = {}
        rules = _read(os.path.join(root, ".git", "info", "exclude"))
        self._base: tuple[tuple[str, RuleSet], ...] = ((root, rules),) if rules else ()

    def enter(self, folder: str, *, has_rules: bool | None = None) -> None:
        """Read the rules of a folder, once; ``has_rules`` says whether it has a ``.gitignore``, if known."""
        self._chain(folder, has_rules=has_rules)

    def _chain(self, folder: str, *, has_rules: bool | None = None) -> tuple[tuple[str, RuleSet], ...]:
        """Folders with rules, from the root down to ``folder``, each with its rules."""
        found = self._chains.get(folder)
        if found is None:
            inside = folder.startswith(self._root.rstrip(os.sep) + os.sep)
            above = self._chain(os.path.dirname(folder)) if inside else self._base
            rules = None if has_rules is False else _read(os.path.join(folder, _NAME))
            found = self._chains[folder] = (*above, (folder, rules)) if rules else above
        return found

    def is_ignored(self, path: str, *, is_dir: bool) -> bool:
        """Whether Git ignores a path whose folder it does not ignore."""
        for folder, rules in reversed(self._chain(os.path.dirname(path))):
            relative = path[len(folder.rstrip(os.sep)) + 1 :]
            if os.sep != "/":
                relative = relative.replace(os.sep, "/")
            decision = rules.decide(relative, is_dir=is_dir)
            if decision is not None:
                return decision
        return False

    def is_ignored_deep(self, path: str, *, is_dir: bool = False) -> bool:
        """Whether Git ignores a path, or any folder above it."""
        if not path.startswith(self._root.rstrip(os.sep) + os.sep):
            return False
        parts = path[len(self._root.rstrip(os.sep)) + 1 :].split(os.sep)
        above = self._root
        for at, part in enumerate(parts):
            above = os.path.join(above, part)
            if self.is_ignored(above, is_dir=is_dir or at + 1 < len(parts)):
                return True
        return False


def _read(path: str) -> RuleSet | None:
    """The rules of one file; None when there are none, or when Git could not read it either."""
    try:
        data = read_file(path, _READ_MAX)
    except (OSError, InvalidFileError):
        return None
    try:
        rules = parse(data, path)
    except BadIgnoreFileError:
        return None
    return RuleSet(map(_as_git, rules)) if rules else None


def _as_git(rule: Rule) -> Rule:
    return rule._replace(pattern=rule.pattern + "/*") if rule.pattern.endswith("/**") else rule
