"""What every export is made of."""

import pytest

from fourfold.evidence.export.dossier import Dossier, gather
from tests.fixtures.fitted import make_fitted, opened
from tests.fixtures.sandbox import Sandbox


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Two stages that ran, of a commit."""
    return make_fitted(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="session")
def dossier(fitted: Sandbox) -> Dossier:
    """What is known of the last run."""
    place, records = opened(fitted)
    return gather(place, records, records.resolve("fit"))
