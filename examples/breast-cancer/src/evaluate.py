"""Evaluate: on rows that the model has not seen. Usage: evaluate.py MODEL TABLE METRICS."""

import json
import pickle
import sys

import numpy as np
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score


def main(model: str, table: str, metrics: str) -> None:
    rows = np.loadtxt(table, delimiter=",", skiprows=1)
    with open(model, "rb") as file:
        forest = pickle.load(file)  # noqa: S301 - our own, made by the stage before
    benign = rows[:, -1]
    predicted = forest.predict(rows[:, :-1])
    found = {
        "accuracy": accuracy_score(benign, predicted),
        "malignant_found": recall_score(benign, predicted, pos_label=0),
        "area_under_curve": roc_auc_score(benign, forest.predict_proba(rows[:, :-1])[:, 1]),
    }
    with open(metrics, "w") as file:
        json.dump({name: round(float(value), 4) for name, value in found.items()}, file, indent=2)
        file.write("\n")
    print(", ".join(f"{name} {value:.4f}" for name, value in found.items()))


main(*sys.argv[1:])
