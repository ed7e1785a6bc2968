"""Fourfold: code, data, environment, randomness, kept together for every run.

The public Python names of the package. They are loaded on first use, so that ``import fourfold``
and ``ff --version`` cost nothing: this table is one of the four places where laziness lives.
"""

__version__ = "0.1.0"

#: Public name -> module that defines it.
_PUBLIC = {
    "open": "fourfold.api",
    "read": "fourfold.api",
    "get_url": "fourfold.api",
    "params_show": "fourfold.api",
    "metrics_show": "fourfold.api",
    "all_branches": "fourfold.api",
    "all_commits": "fourfold.api",
    "all_tags": "fourfold.api",
    "artifacts_show": "fourfold.api",
    "get_dataset": "fourfold.api",
    "find_runs": "fourfold.api",
    "get_run": "fourfold.api",
    "Run": "fourfold.runs.view",
    "seed_everything": "fourfold.runs.seeding",
    "FourfoldFileSystem": "fourfold.filesystem",
    "DVCFileSystem": "fourfold.filesystem",
    "FourfoldError": "fourfold.base.errors",
}

__all__ = [*_PUBLIC, "__version__"]  # noqa: PLE0604 - the table above holds only strings


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for (PEP 562)."""
    module = _PUBLIC.get(name)
    if module is None:
        msg = f"module 'fourfold' has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module  # noqa: PLC0415 - the lazy table of the package

    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
