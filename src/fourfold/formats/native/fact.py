"""Facts: what a record says, and how it is known.

Nothing in the four coordinates of a record stands without its grade, so that no reader takes what was
promised for what was seen. What is said, and where it comes from, is the business of `fourfold.runs`.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from fourfold.base.errors import InvalidFileError

#: How something is known, best first. *Attested*: another party vouches for it (a cluster's API, a launcher).
#: *Observed*: measured on the run itself. *Declared*: somebody, or a file, says so. *Absent*: not known.
Grade = Literal["attested", "observed", "declared", "absent"]
GRADES: tuple[Grade, ...] = ("attested", "observed", "declared", "absent")


class BadFactError(InvalidFileError):
    """Part of a record is no fact: it has no grade, or one that does not exist."""

    code = "bad-fact"


class Fact(NamedTuple):
    """One thing that is said.

    Attributes:
        grade: How it is known.
        value: What JSON can hold; None when absent.
        why: For what is absent, why; else where it comes from, when that is worth a word.
    """

    grade: Grade
    value: Any = None
    why: str = ""

    def document(self) -> dict[str, Any]:
        """As a record holds it."""
        found: dict[str, Any] = {"grade": self.grade}
        if self.grade != "absent":
            found["value"] = self.value
        if self.why:
            found["why"] = self.why
        return found


#: Facts of one coordinate, by name.
Section = Mapping[str, Fact]


def observed(value: Any, why: str = "") -> Fact:
    """What was measured on the run itself."""
    return Fact("observed", value, why)


def declared(value: Any, why: str = "") -> Fact:
    """What somebody, or a file, says."""
    return Fact("declared", value, why)


def attested(value: Any, why: str = "") -> Fact:
    """What another party vouches for."""
    return Fact("attested", value, why)


def absent(why: str) -> Fact:
    """What is not known, and why."""
    return Fact("absent", None, why)


def parse_fact(document: object, source: str) -> Fact:
    """Read a fact.

    Raises:
        BadFactError: it is not one.
    """
    if not isinstance(document, dict) or document.get("grade") not in GRADES:
        raise BadFactError(f"not a fact with a grade in {source}: {str(document)[:80]!r}")
    why = document.get("why", "")
    if not isinstance(why, str) or set(document) - {"grade", "value", "why"}:
        raise BadFactError(f"not a fact in {source}: {str(document)[:80]!r}")
    return Fact(document["grade"], document.get("value"), why)


def section_document(section: Section) -> dict[str, Any]:
    """A section as a record holds it."""
    return {name: fact.document() for name, fact in section.items()}


def parse_section(document: object, source: str) -> dict[str, Fact]:
    """Read a section.

    Raises:
        BadFactError: it, or something in it, is not one.
    """
    if not isinstance(document, dict):
        raise BadFactError(f"not a section of facts in {source}: {str(document)[:80]!r}")
    return {str(name): parse_fact(fact, f"{source}.{name}") for name, fact in document.items()}
