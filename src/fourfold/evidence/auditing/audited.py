"""What an audit finds: values, and nothing else. Who finds what is `audit`, `ledger` and `forgery`."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

#: How much a finding says. *broken*: something is not what it says it is. *open*: nothing proves it, nothing
#: speaks against it. *note*: worth knowing, and usual.
Weight = Literal["broken", "open", "note"]
WEIGHTS: tuple[Weight, ...] = ("broken", "open", "note")
#: So many digits of an id are told.
SHORT = 12


class Finding(NamedTuple):
    """One thing that an audit found.

    Attributes:
        weight: How much it says.
        kind: What, in kebab-case; documented in docs/guides/audit.md.
        subject: What it is about: ``dvc.lock: train``, ``run 3a69fb1bc40d``, ``statement 5d0c...``.
        message: In a sentence.
        hint: One thing that helps; "" for none.
        details: Further lines.
    """

    weight: Weight
    kind: str
    subject: str
    message: str
    hint: str = ""
    details: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {**self._asdict(), "details": list(self.details)}


class Audited(NamedTuple):
    """What came of an audit.

    Attributes:
        findings: The heaviest first, then by kind and subject.
        checked: How many of what were looked at.
        head: The last run of the chain: who notes it elsewhere can ask for it later; "" without a chain.
    """

    findings: tuple[Finding, ...]
    checked: Mapping[str, int]
    head: str = ""

    def of(self, weight: Weight) -> tuple[Finding, ...]:
        """The findings of one weight."""
        return tuple(one for one in self.findings if one.weight == weight)

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "clean": not self.of("broken"),
            "checked": dict(self.checked),
            "head": self.head,
            **{weight: [one.document() for one in self.of(weight)] for weight in WEIGHTS},
        }


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """Findings in the order in which they are told, each once."""
    known = dict.fromkeys(findings)
    return tuple(
        sorted(known, key=lambda one: (WEIGHTS.index(one.weight), one.kind, one.subject, one.message))
    )
