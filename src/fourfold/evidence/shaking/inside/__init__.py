"""What a shake puts into processes of Python: `begin` as ``sitecustomize.py``, what is varied beside it.

They stand for themselves: Python 3.8 and later, the standard library alone, and nothing happens when they are
imported under their own names. Which of them is used, and when, is `fourfold.evidence.shaking.shake`.
"""
