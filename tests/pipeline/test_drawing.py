"""The tree of text; what Graphviz and Mermaid read is compared with DVC's own in `test_twins`."""

from fourfold.pipeline.drawing import Picture, tree


def test_a_chain_goes_down_and_a_fork_to_the_side() -> None:
    drawn = Picture(("a", "b", "c", "d"), (("a", "b"), ("a", "c"), ("c", "d")))
    assert list(tree(drawn)) == ["a", "├── b", "└── c", "    └── d"]


def test_what_needs_two_things_stands_below_the_deeper_one() -> None:
    drawn = Picture(("split", "train", "test"), (("split", "train"), ("split", "test"), ("train", "test")))
    assert list(tree(drawn, ascii_only=True)) == ["split", "|-- train", "|   `-- test", "`-- test ..."]


def test_everything_that_needs_nothing_begins_a_tree() -> None:
    drawn = Picture(("a", "b", "c"), (("a", "c"), ("b", "c")))
    assert list(tree(drawn)) == ["a", "└── c", "b", "└── c ..."]
