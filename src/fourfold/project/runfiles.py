"""Files of the run cache: how one is written, and how the half-written ones of the dead go.

They get their bytes in the folder ``runs`` itself and then their names below it, so that one look at one
folder finds what a killed process left. Format: `fourfold.formats.dvc.runcache`.
"""

import os

from fourfold.base.errors import from_os_error
from fourfold.base.fs.atomic import sweep_claimed, write_claimed
from fourfold.base.ids import UnsafePathError


def write_run(cache_dir: str, relpath: str, data: bytes) -> str:
    """Write the file ``relpath`` (``runs/kk/<key>/<value>``) of a cache; returns its absolute path.

    Raises:
        UnsafePathError: a symbolic link leads out of the run cache.
        DeniedError, ExhaustedError: the cache cannot be written.
    """
    path, top = f"{cache_dir}/{relpath}", f"{cache_dir}/runs"
    folder = os.path.dirname(path)
    if not os.path.realpath(folder).startswith(os.path.realpath(top) + os.sep):
        raise UnsafePathError(f"'{folder}' leads out of the run cache", hint="remove that symbolic link")
    try:
        os.makedirs(folder, exist_ok=True)
        try:
            write_claimed(path, (data,), folder=top, durable=True)
        except FileNotFoundError:  # somebody swept in a moment without a lock
            write_claimed(path, (data,), folder=top, durable=True)
    except OSError as error:
        raise from_os_error(error, "writing the run cache") from error
    return path


def sweep_runs(cache_dir: str) -> int:
    """Remove what writers that died left in the run cache; returns how many files."""
    return sweep_claimed(f"{cache_dir}/runs")
