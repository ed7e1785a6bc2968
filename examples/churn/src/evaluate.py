"""Evaluate: with customers that the model has not seen. Usage: evaluate.py MODEL TABLE."""

import json
import pickle
import sys
from pathlib import Path

import charts
import features
import tables
from settings import setting
from sklearn import metrics

REPORTS = Path("reports")
METRICS = Path("metrics.json")


def main(model: str, table: str) -> None:
    """Write the metrics, the predictions, the two curves and the picture."""
    rows = tables.read(table)
    label, threshold = setting("label"), setting("evaluate.threshold")
    trees = pickle.loads(Path(model).read_bytes())  # noqa: S301 - our own, made by the stage before
    actual = [int(row[label]) for row in rows]
    probability = [float(both[1]) for both in trees.predict_proba([features.of(row, label) for row in rows])]
    predicted = [int(value >= threshold) for value in probability]

    found = {
        "auc": metrics.roc_auc_score(actual, probability),
        "average_precision": metrics.average_precision_score(actual, probability),
        "accuracy": metrics.accuracy_score(actual, predicted),
        "precision": metrics.precision_score(actual, predicted, zero_division=0),
        "recall": metrics.recall_score(actual, predicted),
    }
    METRICS.write_text(
        json.dumps({name: round(float(value), 4) for name, value in found.items()}, indent=2) + "\n"
    )
    print(", ".join(f"{name} {value:.4f}" for name, value in found.items()))

    REPORTS.mkdir(exist_ok=True)
    write_predictions(rows, actual, probability, predicted)
    write_curves(actual, probability)
    counts = metrics.confusion_matrix(actual, predicted, labels=[0, 1])
    charts.confusion([[int(count) for count in row] for row in counts], str(REPORTS / "confusion.png"))


def write_predictions(
    rows: list[tables.Row], actual: list[int], probability: list[float], predicted: list[int]
) -> None:
    """Who is held to leave, by name."""
    said = {0: "stayed", 1: "left"}
    table = [
        {
            tables.ID: row[tables.ID],
            "actual": said[happened],
            "predicted": said[guess],
            "probability": f"{value:.4f}",
        }
        for row, happened, value, guess in zip(rows, actual, probability, predicted, strict=True)
    ]
    tables.write(REPORTS / "predictions.csv", list(table[0]), table)


def write_curves(actual: list[int], probability: list[float]) -> None:
    """ROC as a table, precision and recall as JSON: plots are drawn from both."""
    false_rate, true_rate, _ = metrics.roc_curve(actual, probability)
    columns = ["false_positive_rate", "true_positive_rate"]
    points = [
        dict(zip(columns, map(digits, pair), strict=True)) for pair in zip(false_rate, true_rate, strict=True)
    ]
    tables.write(REPORTS / "roc.csv", columns, points)
    precision, recall, _ = metrics.precision_recall_curve(actual, probability)
    curve = [
        {"recall": round(float(x), 4), "precision": round(float(y), 4)}
        for x, y in zip(recall, precision, strict=True)
    ]
    (REPORTS / "precision-recall.json").write_text(json.dumps(curve) + "\n", encoding="utf-8")


def digits(value: float) -> str:
    """Four of them."""
    return f"{value:.4f}"


if __name__ == "__main__":
    main(*sys.argv[1:])
