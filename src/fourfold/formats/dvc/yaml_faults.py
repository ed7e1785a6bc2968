"""What every reader of YAML here refuses, and how it says so."""

from fourfold.base.errors import InvalidFileError

#: Larger documents are refused unread.
MAX_BYTES = 16 * 1024 * 1024
#: Deeper nesting is refused.
MAX_DEPTH = 64
#: A document with aliases may not unfold into more nodes than this.
MAX_NODES = 100_000


class BadYamlError(InvalidFileError):
    """A document is not YAML that we accept: wrong syntax, a duplicate key, beyond the caps.

    Attributes:
        source: The name of the document, as its reader knows it.
        line: Counted from 1; None when the fault has no place.
        column: Counted from 1; None when the fault has no place.
    """

    code = "bad-yaml"
    default_hint = "mend that line by hand; what changed in the file, Git knows: git diff"

    def __init__(
        self, source: str, problem: str, *, line: int | None = None, column: int | None = None, hint: str = ""
    ) -> None:
        where = source
        if line is not None:
            where += f":{line}" if column is None else f":{line}:{column}"
        super().__init__(f"{where}: {problem}" if where else problem, hint=hint)
        self.source = source
        self.line = line
        self.column = column


class SlowWayError(Exception):
    """Part of a document is beyond the quick reader or the quick writer: `yamlio` takes ruamel."""
