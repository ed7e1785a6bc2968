"""Features: what the model may look at of a customer."""

import tables


def of(row: tables.Row, label: str) -> dict[str, float | str]:
    """A row as the model sees it: numbers as numbers, everything else but name and label as categories."""
    return {name: number_or_text(value) for name, value in row.items() if name not in (tables.ID, label)}


def number_or_text(value: str) -> float | str:
    """The number that a text says, or the text."""
    try:
        return float(value)
    except ValueError:
        return value
