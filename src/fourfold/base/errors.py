"""The error tree: grouped by what a handler would do about it.

A category is a direct subclass of `FourfoldError`; its handler knows what to do without knowing
the feature. A precise error is a subclass of a category, lives in the module that raises it, and
carries a stable kebab-case ``code`` that never changes meaning; `docs/reference/errors.md` lists
every one, and a test says so. The message says what failed, with the value; the hint, kept apart,
names one thing that helps. Exit codes derive from the category (see `exit_code`). This module
knows no format and no feature, and prints nothing.
"""

from collections.abc import Sequence
from typing import ClassVar


class FourfoldError(Exception):
    """An expected failure: one line for its reader, a hint, a stable code.

    Attributes:
        message: What failed, with the value; one line, no trailing period.
        hint: One command or act that helps; where none is given, the `default_hint` of its kind.
        details: Further lines, one a finding (missing objects, damaged files).
    """

    code: ClassVar[str] = "error"
    #: What the process exits with; a category fixes it (docs/reference/exit-codes.md).
    exit_code: ClassVar[int] = 255
    #: What helps against most errors of this kind; whoever raises one and knows better says so.
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint
        self.details = tuple(details)

    def __str__(self) -> str:
        return self.message


class UsageError(FourfoldError):
    """The command line is wrong: the caller changes what they typed."""

    code = "usage"
    exit_code = 254


class NotAProjectError(FourfoldError):
    """There is no project here: the caller goes elsewhere, or runs ``ff init``."""

    code = "not-a-project"
    exit_code = 253


class ConfigError(FourfoldError):
    """The configuration is wrong: the caller mends it."""

    code = "config"
    exit_code = 251
    default_hint = "see what is set, and where: ff config --list --show-origin"


class AuthError(FourfoldError):
    """A remote refused our identity: the caller brings other credentials."""

    code = "auth"
    exit_code = 251


class NotFoundError(FourfoldError):
    """What was named does not exist: the caller names something else or fetches it."""

    code = "not-found"
    default_hint = "check the name, and where you are"


class ConflictError(FourfoldError):
    """The state refuses: the caller resolves it or says ``--force``."""

    code = "conflict"


class CorruptError(FourfoldError):
    """Bytes are not what their name says: the caller heals them from a good copy."""

    code = "corrupt"
    default_hint = "heal it from any good copy: ff repair"


class UnavailableError(FourfoldError):
    """A service or a lock is not there now: the same call may succeed later."""

    code = "unavailable"
    default_hint = "run the same command again later; what was done is kept"


class DeniedError(FourfoldError):
    """The operating system or a remote forbids it: the caller changes permissions."""

    code = "denied"
    default_hint = "check the owner and the mode of that path"


class ExhaustedError(FourfoldError):
    """A resource ran out (disk, file handles, memory): the caller frees some and runs again."""

    code = "exhausted"
    default_hint = "free some, then run the same command again; nothing was lost"


class InvalidFileError(FourfoldError):
    """A file of a known format cannot be understood: the caller edits it."""

    code = "invalid-file"
    default_hint = "mend that file by hand; what changed in it, Git knows: git diff"


class UnsafeError(FourfoldError):
    """Hostile or dangerous input was refused: nothing was touched outside the project."""

    code = "unsafe"
    default_hint = "nothing was touched; look at where that name comes from before you trust it"


class UnknownOutcomeError(FourfoldError):
    """It may or may not have happened: the caller reads again before anything else."""

    code = "unknown-outcome"
    default_hint = "look before you run it again: ff status"


class UnsupportedError(FourfoldError):
    """This build, platform or remote cannot do it: the caller takes another way."""

    code = "unsupported"


#: errno names that mean "a resource ran out".
_EXHAUSTED = frozenset({"ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "ENOMEM", "EFBIG"})
#: errno names that mean "the system forbids it".
_DENIED = frozenset({"EACCES", "EPERM", "EROFS"})

_HINTS = {
    "ENOSPC": "free some space, then run the same command again; nothing was lost",
    "EDQUOT": "free some of your quota, then run the same command again; nothing was lost",
    "EMFILE": "raise the limit with: ulimit -n 4096",
    "ENFILE": "the system is out of file handles: close programs, then run again",
    "EROFS": "the file system is mounted read-only: looking works there, changing needs another place",
}


def from_os_error(error: OSError, doing: str = "") -> FourfoldError:
    """The typed error for an operating-system failure.

    Args:
        error: What the system call raised.
        doing: What was being done, as a gerund phrase: ``"writing the cache"``.
    """
    import errno  # noqa: PLC0415 - only a failing path needs the table

    name = errno.errorcode.get(error.errno or 0, "")
    where = f": {error.filename!s}" if error.filename else ""
    cause = error.strerror or str(error)
    message = f"{doing} failed: {cause}{where}" if doing else f"{cause}{where}"
    hint = _HINTS.get(name, "")
    if name in _EXHAUSTED:
        return ExhaustedError(message, hint=hint)
    if name in _DENIED:
        return DeniedError(message, hint=hint)
    if name in {"ENOENT", "ENOTDIR"}:
        return NotFoundError(message)
    return UnavailableError(message, hint="if the disk is failing, run: ff fsck --read-data")
