"""Found first by `site` in the Pythons of a stage: starts what observes and seeds, then steps aside.

What stands in this file runs in any Python, be it ever so old. When it is done, neither it nor its folder
is to be seen: `sys.path` is as it would be, and `sitecustomize` is the one that would have been found.
"""

import sys


def _begin():  # type: ignore[no-untyped-def]  # noqa: ANN202 - Python 2 reads this too
    import os  # noqa: PLC0415 - no name of ours stays

    here = os.path.dirname(__file__)
    try:
        if sys.version_info >= (3, 8):  # noqa: UP036 - that of the stage
            import _fourfold_hooks  # type: ignore[import-not-found]  # noqa: PLC0415 - likewise

            _fourfold_hooks.start()
    except Exception:  # noqa: BLE001, S110 - silent whatever happens
        pass
    sys.path[:] = [entry for entry in sys.path if entry != here]
    sys.path_importer_cache.pop(here, None)


_begin()  # type: ignore[no-untyped-call]
# Ours gives way: what is imported now takes the name, and where there is none, `site` hears of it as always.
del sys.modules["sitecustomize"]
import sitecustomize  # type: ignore[import-not-found]  # noqa: E402, F401
