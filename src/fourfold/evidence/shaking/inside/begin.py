"""The ``sitecustomize.py`` of a shake: begin what is varied, leave a sign of it, give way to the site's own.

What is varied lies beside it as ``_fourfold_varied.py``: `order` or `clock`. The sign tells whoever varies
that a process of Python was reached at all.
"""

import os
import sys

#: The name of the sign, in the folder of this file.
SIGN = "reached"

if __name__ == "sitecustomize":
    import _fourfold_varied  # type: ignore[import-not-found]

    _fourfold_varied.begin()
    _here = os.path.dirname(__file__)
    try:
        with open(os.path.join(_here, SIGN), "a", encoding="ascii"):
            pass
    except OSError:
        pass
    sys.path[:] = [_entry for _entry in sys.path if _entry != _here]
    sys.path_importer_cache.pop(_here, None)
    del sys.modules["_fourfold_varied"], sys.modules["sitecustomize"]
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
