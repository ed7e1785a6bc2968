"""Train: a forest of decision trees. Usage: train.py TABLE MODEL."""

import pickle
import sys
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML
from sklearn.ensemble import RandomForestClassifier

PARAMS = YAML(typ="safe").load(Path("params.yaml"))["train"]


def main(table: str, model: str) -> None:
    rows = np.loadtxt(table, delimiter=",", skiprows=1)
    forest = RandomForestClassifier(
        n_estimators=PARAMS["trees"], max_depth=PARAMS["depth"], random_state=PARAMS["seed"]
    )
    forest.fit(rows[:, :-1], rows[:, -1])
    with open(model, "wb") as file:
        pickle.dump(forest, file, protocol=5)
    print(f"{PARAMS['trees']} trees, {PARAMS['depth']} levels deep")


main(*sys.argv[1:])
