"""All scenarios, by name."""

from tests.compat.scenario import Scenario
from tests.compat.scenes_files import FILES
from tests.compat.scenes_project import PROJECT
from tests.compat.scenes_sources import SOURCES
from tests.compat.scenes_transfer import TRANSFER

SCENARIOS: tuple[Scenario, ...] = (*FILES, *TRANSFER, *PROJECT, *SOURCES)
