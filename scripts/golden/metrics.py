"""Golden values of the metrics from torchmetrics: tests/golden/metrics.json. Run by hand: python scripts/golden/metrics.py
Cases: random, ties, absent classes, one class alone, two classes, many classes, labels that never come; multilabel and regression."""
import json
import warnings
import numpy as np
import torch
import torchmetrics as tm

warnings.filterwarnings("ignore")
rng = np.random.default_rng(7)
cases = []


def clean(v):
    v = float(v)
    return None if np.isnan(v) else v


def multiclass(name, x, y):
    k = x.shape[1]
    x, y = np.asarray(x, np.float32), np.asarray(y)
    assert x.max() > 1 or x.min() < 0  # so that torchmetrics takes them for logits
    p, t = torch.tensor(x), torch.tensor(y)
    # a float32 softmax parts equal probabilities by its order of summation; rounded from double, ties stay ties
    prob = torch.softmax(p.double(), 1).float()
    kw = dict(task="multiclass", num_classes=k)
    out = {
        "Accuracy": tm.Accuracy(average="micro", **kw)(p, t),
        "Balanced_Accuracy": tm.Accuracy(average="macro", **kw)(p, t),
        "F1": tm.F1Score(average="macro", **kw)(p, t),
        "Precision": tm.Precision(average="macro", **kw)(p, t),
        "Recall": tm.Recall(average="macro", **kw)(p, t),
        "AUROC": tm.AUROC(average="macro", thresholds=None, **kw)(prob, t),
        "AP": tm.AveragePrecision(average="macro", thresholds=None, **kw)(prob, t),
    }
    if k > 5:
        out["Accuracy_top5"] = tm.Accuracy(average="micro", top_k=5, **kw)(p, t)
    for i, v in enumerate(tm.F1Score(average="none", **kw)(p, t)):
        out["F1_class_%d" % i] = v
    cm = tm.ConfusionMatrix(**kw)(p, t)
    cases.append({"name": name, "task": "multiclass", "classes": k, "x": np.round(x.ravel().astype(float), 3).tolist(), "y": y.ravel().tolist(),
                  "values": {a: clean(v) for a, v in out.items()}, "confusion": cm.ravel().tolist()})


def multilabel(name, x, y):
    k = x.shape[1]
    x, y = np.asarray(x, np.float32), np.asarray(y)
    p, t = torch.tensor(x), torch.tensor(y)
    kw = dict(task="multilabel", num_labels=k)
    s = (torch.sigmoid(p) > 0.5).long()
    tp, tn = ((s == 1) & (t == 1)).sum(0).double(), ((s == 0) & (t == 0)).sum(0).double()
    pos, neg = (t == 1).sum(0).double(), (t == 0).sum(0).double()
    out = {
        "Accuracy": tm.Accuracy(average="micro", **kw)(p, t),
        "Balanced_Accuracy": ((tp / (pos + 1e-8) + tn / (neg + 1e-8)) / 2).mean(),  # GloViTa's own
        "F1": tm.F1Score(average="macro", **kw)(p, t),
        "Precision": tm.Precision(average="macro", **kw)(p, t),
        "Recall": tm.Recall(average="macro", **kw)(p, t),
        "AUROC": tm.AUROC(average="macro", thresholds=None, **kw)(p, t),
        "AP": tm.AveragePrecision(average="macro", thresholds=None, **kw)(p, t),
    }
    for i, v in enumerate(tm.F1Score(average="none", **kw)(p, t)):
        out["F1_class_%d" % i] = v
    cases.append({"name": name, "task": "multilabel", "classes": k, "x": np.round(x.ravel().astype(float), 3).tolist(), "y": y.ravel().tolist(), "values": {a: clean(v) for a, v in out.items()}})


def regression(name, x, y):
    x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
    p, t = torch.tensor(x), torch.tensor(y)
    cases.append({"name": name, "task": "regression", "classes": x.shape[1], "x": np.round(x.ravel().astype(float), 3).tolist(), "y": np.round(y.ravel().astype(float), 3).tolist(),
                  "values": {"MSE": clean(tm.MeanSquaredError()(p.flatten(), t.flatten())), "MAE": clean(tm.MeanAbsoluteError()(p.flatten(), t.flatten()))}})


def logits(n, k, step=None):
    x = rng.normal(0, 2, (n, k))
    x = np.round(x / step) * step if step else np.round(x, 3)
    x[0, 0] = 3.5  # outside [0, 1]
    return x


multiclass("random", logits(60, 5), rng.integers(0, 5, 60))
multiclass("ties", logits(80, 4, 2.0), rng.integers(0, 4, 80))
multiclass("constant", np.full((20, 3), 2.0), rng.integers(0, 3, 20))
multiclass("absent but answered", logits(40, 5), rng.integers(0, 3, 40))
x = logits(40, 6)
x[:, 4:] -= 50
multiclass("absent and not answered", x, rng.integers(0, 4, 40))
multiclass("only class 0", logits(15, 3), np.zeros(15, int))
multiclass("only class 2", logits(15, 4), np.full(15, 2))
multiclass("one row", logits(1, 3), np.array([1]))
multiclass("two classes", logits(50, 2), rng.integers(0, 2, 50))
y = rng.integers(0, 12, 90)
x = logits(90, 12)
x[np.arange(90), y] += 2.5
multiclass("twelve classes", x, y)
x = logits(30, 3)
y = rng.integers(0, 3, 30)
x[np.arange(30), y] += 100
multiclass("all right", x, y)
multilabel("random", logits(60, 5), rng.integers(0, 2, (60, 5)))
multilabel("ties", logits(50, 3, 2.0), rng.integers(0, 2, (50, 3)))
y = rng.integers(0, 2, (40, 4))
y[:, 1] = 0
y[:, 2] = 1
multilabel("a label never, a label always", logits(40, 4), y)
multilabel("no positives", logits(20, 3), np.zeros((20, 3), int))
regression("one output", rng.normal(0, 3, (50, 1)).round(3), rng.normal(0, 3, (50, 1)).round(3))
regression("three outputs", rng.normal(5, 3, (30, 3)).round(3), rng.normal(5, 3, (30, 3)).round(3))

with open("tests/golden/metrics.json", "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
