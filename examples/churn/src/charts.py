"""Charts: pictures that are the same bytes whenever the numbers are."""

from matplotlib.figure import Figure


def confusion(counts: list[list[int]], path: str) -> None:
    """Draw how often each answer was given: rows are what happened, columns what was said."""
    names = ["stayed", "left"]
    figure = Figure(figsize=(4, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts, cmap="Blues")
    axes.set_xticks([0, 1], labels=names)
    axes.set_yticks([0, 1], labels=names)
    axes.set_xlabel("said")
    axes.set_ylabel("happened")
    most = max(map(max, counts))
    for happened, row in enumerate(counts):
        for said, count in enumerate(row):
            color = "white" if count > most / 2 else "black"
            axes.text(said, happened, str(count), ha="center", va="center", color=color, fontsize=14)
    # without the name of the program, which changes with its version
    figure.savefig(path, dpi=100, metadata={"Software": None})
