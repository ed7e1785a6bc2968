"""All scenarios, by name; `SERVED` need a server. Pipelines and templates are played apart."""

from tests.compat.scenario import Scenario
from tests.compat.scenes_datasets import DATASETS, SERVED_DATASETS
from tests.compat.scenes_files import FILES
from tests.compat.scenes_plots import PLOTS
from tests.compat.scenes_project import PROJECT
from tests.compat.scenes_s3 import SERVED as S3
from tests.compat.scenes_sources import SOURCES
from tests.compat.scenes_stages import STAGES
from tests.compat.scenes_transfer import TRANSFER

__all__ = ["SCENARIOS", "SERVED"]

SCENARIOS: tuple[Scenario, ...] = (
    *FILES,
    *TRANSFER,
    *PROJECT,
    *SOURCES,
    *STAGES,
    *DATASETS,
    *PLOTS,
)
SERVED: tuple[Scenario, ...] = (*S3, *SERVED_DATASETS)
