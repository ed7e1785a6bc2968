"""Did you mean: names similar to what was typed, the only place that compares them.

Loads ``difflib`` when there is something to say; import it where the mistake is told.
"""

from collections.abc import Iterable


def similar(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that ``word`` most likely stands for, the likeliest first; empty when none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistyped word pays for it

    bare = word.lstrip("-")  # two dashes in common make nothing similar
    names = {name.lstrip("-"): name for name in known if name}
    near = get_close_matches(bare[:200], names, n=max(most, 3), cutoff=0.6)
    if near:  # two letters in the wrong order are the likelier mistake
        near.sort(key=lambda name: sorted(name) != sorted(bare))
    else:
        near = sorted(name for name in names if len(bare) > 2 and name.startswith(bare))[:1]
    return [names[name] for name in near[:most]]


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "", *, most: int = 3) -> str:
    """The hint for an unknown word; ``otherwise`` when nothing is near."""
    near = similar(word, known, most)
    return f"did you mean {' or '.join(repr(name) for name in near)}?" if near else otherwise
