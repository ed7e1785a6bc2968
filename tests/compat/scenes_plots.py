"""Scenarios of plots: which there are, their rows at every moment, the values of anchors, and their editing.

The template is the scenario's own, with every anchor: ours and DVC's built-in ones say the same in other
words.
"""

from tests.compat.scenario import In, Scenario

ANCHORS = """\
{"data": {"values": "<DVC_METRIC_DATA>"}, "title": "<DVC_METRIC_TITLE>",
 "params": ["<DVC_METRIC_ZOOM_AND_PAN>"],
 "size": ["<DVC_METRIC_PLOT_WIDTH>", "<DVC_METRIC_PLOT_HEIGHT>"], "inside": "of <DVC_METRIC_X_LABEL>!",
 "x": {"field": "<DVC_METRIC_X>", "title": "<DVC_METRIC_X_LABEL>"},
 "y": {"field": "<DVC_METRIC_Y>", "title": "<DVC_METRIC_Y_LABEL>"},
 "color": "<DVC_METRIC_COLOR>", "shape": "<DVC_METRIC_SHAPE>", "dash": "<DVC_METRIC_STROKE_DASH>",
 "row": "<DVC_METRIC_ROW>", "column": "<DVC_METRIC_COLUMN>", "tooltip": "<DVC_METRIC_TOOLTIP>",
 "by": "<DVC_METRIC_GROUP_BY>", "by_x": "<DVC_METRIC_GROUP_BY_X>", "by_y": "<DVC_METRIC_GROUP_BY_Y>",
 "pivot": "<DVC_METRIC_PIVOT_FIELD>", "unknown": "<DVC_METRIC_UNKNOWN>"}
"""

PIPELINE = """\
# plots of stages
stages:
  train:
    cmd:
    - mkdir -p evals/img
    - cp logs.in logs.csv && cp logs.in evals/more.csv && cp logs.in evals/img/a.png && cp plain.in plain.csv
    deps: [logs.in, plain.in]
    plots:
    - logs.csv:   # of the run
        x: step
        y: loss
        title: Losses
    - evals
    - plain.csv: {cache: false, header: false}
plots:
- cls.csv: {x: actual, y: predicted, x_label: truth, y_label: guess}
- ROC: {x: fpr, y: {roc.json: tpr}}
- fields: {x: step, y: {logs.csv: [loss, acc]}}
- files: {x: step, y: {logs.csv: loss, evals/more.csv: [loss]}}
- both: {x: {logs.csv: step}, y: {logs.csv: loss, sub/s.csv: a.b}}
- nested.yaml
- logs.csv
- gone.csv
- notes.txt
- sub/deep/
- sub/pic.svg
"""

SUB = """\
plots:
- deep/t.csv: {x: x}
- ROC: {x: x, y: {s.csv: "a.b"}}
"""

FILES = {
    ".dvc": {"plots": {"all.json": ANCHORS}},
    "dvc.yaml": PIPELINE,
    "logs.in": "step,loss,acc\n0,1,0.1\n1,0.5,0.3\n2,0.2,0.7\n",
    "plain.in": "1,2\n3,4\n",
    "cls.csv": "actual,predicted\ncat,dog\ncat,cat\ndog,dog\n",
    "roc.json": '{"a": {"train": [{"fpr": 0, "tpr": 0.1}, {"fpr": 1, "tpr": 1}]}, "n": 1, "l": [1, 2]}',
    "nested.yaml": "a:\n- {x: 1, y: 2}\n- {x: 2, y: 3}\nb:\n- {z: 5}\n- {z: 6}\n",
    "notes.txt": "no plot\n",
    "sub": {
        "dvc.yaml": SUB,
        "s.csv": "x,a.b\n0,4\n1,2\n2,3\n",
        "deep": {"t.csv": "x,y\n0,4\n1,2\n"},
        "pic.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    },
}

PLOTS: tuple[Scenario, ...] = (
    Scenario(
        "plots-show-and-diff",
        (45,),
        (
            FILES,
            "repro -q",
            "plots show --json -t all",
            "@commit first",
            {"logs.in": "step,loss,acc\n0,1,0.2\n1,0.4,0.4\n"},
            "repro -q",
            "@commit second",
            {"logs.in": "step,loss,acc\n0,3,0.2\n", "roc.json": "[{}"},
            "plots diff HEAD~1 HEAD --json -t all --split",
            "plots diff --json -t all --targets ROC logs cls.csv",
            "plots show --json -t ./.dvc/plots/all.json -x step -y acc --title T --x-label X --y-label Y log",
            "plots show --json -t all --no-header cls.csv sub/s.csv --split",
            "plots show --json -t all -y nofield cls.csv",
            "plots show --json nothere",
            "=plots show --show-vega -t all fields",
            "~plots show --show-vega",
            "~plots diff --json nosuch",
            "=plots templates",
            "~plots templates nosuch",
            In("sub", "plots diff HEAD --json -t all -o out --targets ROC ../logs deep s.csv"),
        ),
        probes=(
            "plots show --json -t all ROC fields files both logs plain.csv",
            "plots diff HEAD~1 --json --split -t all --targets files fields logs",
        ),
    ),
    Scenario(
        "plots-modify",
        (45,),
        (
            FILES,
            "plots modify logs.csv --unset x title -y acc --no-header --title 'a: b' -t scatter",
            "plots modify evals --x-label below",
            "plots modify plain.csv --unset header",
            In("sub", "plots modify ../evals -t all"),
            "~plots modify logs.csv --unset nope",
            "~plots modify logs.csv -t nope",
            "~plots modify gone.csv -x a",
            "~plots modify nowhere -x a",
        ),
    ),
)
