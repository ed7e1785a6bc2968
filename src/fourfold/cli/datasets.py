"""What ``dataset add`` and ``dataset update`` share: how a data set is called, and what is told of it."""

from typing import TYPE_CHECKING, Any

from fourfold.cli.gitnote import staged_data
from fourfold.formats.dvc.datasets import lock_document
from fourfold.storage.redact import redact_url

if TYPE_CHECKING:
    from fourfold.cli.session import Session
    from fourfold.project.dataset_edit import DatasetChange
    from fourfold.project.datasets import Dataset


def place_of(dataset: "Dataset") -> str:
    """Where a data set is, and at which revision, in DVC's words: ``../repo:/data @ v1``."""
    spec = dataset.spec
    where = redact_url(spec.url)
    if spec.path:
        where = f"{where}:/{spec.path.lstrip('/')}"
    version = dataset.lock.version if dataset.lock else None
    rev = f"v{version}" if version is not None else spec.rev
    return f"{where} @ {rev}" if rev else where


def change_data(change: "DatasetChange", session: "Session") -> dict[str, Any]:
    """What was declared or found, for ``--json``."""
    lock = change.new.lock
    return {
        "dataset": lock_document(lock) if lock else None,
        "file": session.display(change.new.file),
        "changed": change.changed,
        **staged_data(session, change.staged),
    }
