"""Did you mean: names similar to what was typed. Loads ``difflib`` when there is something to say."""

from collections.abc import Iterable


def similar(word: str, known: Iterable[str]) -> str:
    """The known name that ``word`` most likely stands for; empty when none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistyped word pays for it

    bare = word.lstrip("-")  # two dashes in common make nothing similar
    names = {name.lstrip("-"): name for name in known}
    near = get_close_matches(bare, names, n=3, cutoff=0.6)
    if near:  # two letters in the wrong order are the likelier mistake
        return names[next((name for name in near if sorted(name) == sorted(bare)), near[0])]
    longer = sorted(name for name in names if len(bare) > 2 and name.startswith(bare))
    return names[longer[0]] if longer else ""


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The hint for an unknown word; ``otherwise`` when nothing is near."""
    name = similar(word, known)
    return f"did you mean '{name}'?" if name else otherwise
