"""Container images: which one a run is in, and what a name stands for, over the registries' HTTP API."""

from fourfold.runs.image.running import fact

__all__ = ["fact"]
