"""Where a drawn history may differ from DVC 3.67.1 on purpose, and why.

The table of the fuzzer, as `tests.compat.deviations` is that of the scenarios.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.compat.snapshot import Difference
from tests.fixtures.sandbox import Ran


class Case(NamedTuple):
    """One command: DVC's answer, ours, and how many stages ours might run at once.

    Attributes:
        reordered: Whether both ran the same stages in different orders, as far as a failure let them.
        partial: Whether it names targets, or other files than the ``dvc.yaml`` at hand have stages.
    """

    argv: Sequence[str]
    theirs: Ran
    ours: Ran
    jobs: int
    reordered: bool = False
    partial: bool = False

    @property
    def failed(self) -> bool:
        """Whether it, or a stage that it ran, failed with both."""
        ignored = "(ignored)" in self.theirs.stderr and "(ignored)" in self.ours.stderr
        return ignored or bool(self.theirs.code and self.ours.code)


class Meant(NamedTuple):
    """Differences that are meant.

    Attributes:
        why: The reason, for people.
        key: A regular expression for the whole key of the difference.
        when: Whether it applies.
        level: What is left differs: DVC goes on in a copy of our folder.
    """

    why: str
    key: str
    when: Callable[[Case], bool]
    level: bool = False


#: What ours says when a stage cannot even begin.
_MISSING = re.compile(r"dependency '.*' of stage|parameters? .* (missing|not)|working directory")
#: What ours says when a command ended well and an output is not there.
_NOT_MADE = re.compile(r"output '.*' does not exist")
#: What DVC says of outputs that nothing recorded: it deletes them, or asks for ``--force`` to do it.
_UNRECORDED = re.compile(r"No file hash info found|Can't remove the following unsaved files")

MEANT: tuple[Meant, ...] = (
    Meant(
        "a dry run goes on where something is missing that a run may make; the real DVC stops with an error",
        "exit code|plan",
        lambda case: bool("--dry" in case.argv and case.theirs.code),
    ),
    Meant(
        "a pattern that matches no stage is refused; the real DVC runs everything",
        "exit code|plan|.*: (only in [AB]|content|mode|link)",
        lambda case: "code: glob-matches-nothing" in case.ours.stderr,
        level=True,
    ),
    Meant(
        "a run that did not make an output fails, also with --allow-missing; the real DVC records it without",
        "exit code|plan|.*: (only in [AB]|content)",
        lambda case: "--allow-missing" in case.argv and bool(_NOT_MADE.search(case.ours.stderr)),
        level=True,
    ),
    Meant(
        "what is refused changes nothing; the real DVC has made the outputs of a generated stage writable",
        ".*: (mode|link)",
        lambda case: case.argv[0] == "remove" and case.failed,
        level=True,
    ),
    Meant(
        "what cannot run keeps its old outputs; the real DVC deletes them before it looks",
        r"(?!dvc\.lock|\.dvc/).*: only in B",
        lambda case: case.failed and bool(_MISSING.search(case.ours.stderr)),
        level=True,
    ),
    Meant(
        "and so, where errors are ignored, what reads those outputs runs, or is what it was",
        "plan|.*: (only in [AB]|content)",
        lambda case: "--ignore-errors" in case.argv and bool(_MISSING.search(case.ours.stderr)),
        level=True,
    ),
    Meant(
        "a forced stage whose inputs are missing does not begin; the real DVC runs its command, which fails",
        "plan|.*: (only in [AB]|content)",
        lambda case: bool("-f" in case.argv and case.failed and _MISSING.search(case.ours.stderr)),
        level=True,
    ),
    Meant(
        "a stage that nothing recorded has nothing to check out; the real DVC fails, and deletes its outputs",
        "exit code|.*: only in [AB]",
        lambda case: case.argv[0] == "checkout" and bool(_UNRECORDED.search(case.theirs.stderr)),
        level=True,
    ),
    Meant(
        "what ran before a failure stays hidden from Git; the real DVC takes the lines of all of them back",
        r"(.*/)?\.gitignore: (only in B|content)",
        lambda case: case.failed,
        level=True,
    ),
    Meant(
        "a stage that failed hides nothing from Git; the real DVC hides its outputs up to the missing one",
        r"(.*/)?\.gitignore: (only in A|content)",
        lambda case: case.failed,
        level=True,
    ),
    Meant(
        "a restored output of 'cache: false' is a copy; the real DVC links it to the cache and protects it",
        r".*: (mode|link)",
        lambda case: "is cached - skipping run" in case.theirs.stdout,
        level=True,
    ),
    Meant(
        "a commit that fails has recorded the stages before the failure; the real DVC forgets them",
        r".*: (only in B|content)",
        lambda case: case.argv[0] == "commit" and case.failed,
        level=True,
    ),
    Meant(
        "what ran beside a stage that failed is recorded; the real DVC would not have begun it",
        r"plan|.*: (only in B|content|mode|link)",
        lambda case: case.jobs > 1 and case.failed,
        level=True,
    ),
    Meant(
        "of targets that need less than half of the stages, the real DVC's order is that of a set of hashes",
        r"plan|(.*/)?(dvc\.lock|\.gitignore): content",
        lambda case: case.reordered and case.partial,
        level=True,
    ),
    Meant(
        "and so, where one of them fails, others have run before it",
        r".*: (only in [AB]|content|mode|link)",
        lambda case: case.reordered and case.partial and case.failed,
        level=True,
    ),
)


def reason(difference: Difference, case: Case) -> Meant | None:
    """What explains a difference; None when nothing does."""
    for meant in MEANT:
        if re.fullmatch(meant.key, difference.key) and meant.when(case):
            return meant
    return None
