"""Which stages of a moment were verified, for a report: as ``fourfold.lock`` says, which Git keeps.

Whether the statement that it names is here, and who signed it, is not asked: ``ff audit verify`` does that.
"""

import posixpath
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fourfold.formats.native.lockfile import LOCK_NAME, LockDocument
from fourfold.pipeline.report.undeclared import lock_at
from fourfold.pipeline.report.value import Verified
from fourfold.project.outs import Owner

if TYPE_CHECKING:
    from fourfold.pipeline.moments import Moment


def verified_of(moment: "Moment", owners: Iterable[Owner]) -> tuple[Verified, ...]:
    """The stages whose runs were verified.

    Args:
        moment: When.
        owners: The stages of that moment, in the order in which to tell of them.
    """
    documents: dict[str, LockDocument | None] = {}
    found = []
    for owner in owners:
        path = posixpath.join(posixpath.dirname(owner.relpath), LOCK_NAME)
        if path not in documents:
            documents[path] = lock_at(moment, path)
        document = documents[path]
        entry = document.stages.get(owner.name or "") if document is not None else None
        if entry is not None and entry.verdict is not None:
            found.append(Verified(owner.addressing, entry.verdict.level, entry.verdict.statement))
    return tuple(found)
