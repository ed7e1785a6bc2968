"""Train: boosted trees. Usage: train.py TABLE MODEL CURVE."""

import pickle
import sys
from pathlib import Path

import features
import tables
from settings import setting
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.pipeline import make_pipeline


def main(table: str, model: str, curve: str) -> None:
    """Write the model, and how its loss fell tree by tree."""
    rows, label = tables.read(table), setting("label")
    trees = GradientBoostingClassifier(
        n_estimators=setting("train.trees"),
        max_depth=setting("train.depth"),
        learning_rate=setting("train.learning_rate"),
        random_state=setting("seed"),
    )
    whole = make_pipeline(DictVectorizer(sparse=False), trees)
    whole.fit([features.of(row, label) for row in rows], [int(row[label]) for row in rows])
    Path(model).parent.mkdir(parents=True, exist_ok=True)
    Path(model).write_bytes(pickle.dumps(whole, protocol=5))
    losses = [
        {"tree": str(number), "loss": f"{loss:.6f}"} for number, loss in enumerate(trees.train_score_, 1)
    ]
    tables.write(curve, ["tree", "loss"], losses)
    print(f"{len(losses)} trees, {len(rows)} customers, loss {losses[-1]['loss']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
