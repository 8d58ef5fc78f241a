"""Writes small made-up prediction and feature streams for the tests of eval and export, and what eval must say of them
(tests/golden/eval.json, computed with NumPy and torchmetrics). Run by hand from the root of the tree, with bin/ built:
python scripts/golden/predictions.py"""
import io
import json
import subprocess
import warnings
import msgpack
import msgpack_numpy
import numpy as np
import torch
import torchmetrics as tm

warnings.filterwarnings("ignore")
rng = np.random.default_rng(3)
names = ["cat", "dog", "fish, gold"]


def write(path, kind, records, **facts):
    b = io.BytesIO()
    put = lambda r: b.write(msgpack.packb(r, default=msgpack_numpy.encode))
    put({"kind": "header", "format": "glovita-stream", "version": 1, "stream": kind, **facts, "history": []})
    for r in records:
        put(r)
    put({"kind": "end", "count": len(records), "digest": None})
    subprocess.run(["bin/glovita-cat", "--raw", "--output", path], input=b.getvalue(), check=True)


def softmax(x):
    e = np.exp(x.astype(np.float64) - x.max())
    return e / e.sum()


n, k = 12, 3
y = rng.integers(0, k, n)
logits = [rng.normal(0, 2, (n, k)).astype(np.float32) for _ in range(2)]
for x in logits:
    x[np.arange(n), y] += 1
facts = dict(task="multiclass", num_classes=k, class_names=names)


def records(x, bad=None):
    out = []
    for i in range(n):
        r = {"kind": "prediction", "epoch": 0, "index": i, "id": "img/%02d.png" % i, "y": int(y[i]), "logits": x[i]}
        if i == bad:
            r = {"kind": "error", "epoch": 0, "pos": i, "index": i, "id": "img/%02d.png" % i, "stage": "decode", "reason": "JPEG ends after 900 bytes, too early"}
        out.append(r)
    return out


write("tests/fixtures/pred_a.gv", "prediction", records(logits[0]), **facts)
write("tests/fixtures/pred_b.gv", "prediction", records(logits[1])[::-1], **facts)  # another order
write("tests/fixtures/pred_bad.gv", "prediction", records(logits[0], bad=4), **facts)
views = []
for i in range(4):  # three views of each of four cases
    for v in range(3):
        views.append({"kind": "prediction", "epoch": 0, "index": i, "id": "v%d" % i, "y": int(y[i]), "logits": logits[0][3 * i + v]})
write("tests/fixtures/pred_views.gv", "prediction", views, **facts)
write("tests/fixtures/pred_nolabel.gv", "prediction", [{k2: v for k2, v in r.items() if k2 != "y"} for r in records(logits[0])], **facts)
t = rng.normal(0, 3, (8, 1)).astype(np.float32)
p = (t + rng.normal(0, 1, (8, 1))).astype(np.float32)
write("tests/fixtures/pred_reg.gv", "prediction", [{"kind": "prediction", "index": i, "id": "r%d" % i, "y": t[i], "logits": p[i]} for i in range(8)], task="regression", num_classes=1)
ml = rng.normal(0, 2, (10, 4)).astype(np.float32)
mt = rng.integers(0, 2, (10, 4)).astype(np.uint8)
write("tests/fixtures/pred_multilabel.gv", "prediction", [{"kind": "prediction", "index": i, "id": "m%d" % i, "y": mt[i], "logits": ml[i]} for i in range(10)], task="multilabel", num_classes=4)
feat = rng.normal(0, 1, (5, 6)).astype(np.float32)
fr = [{"kind": "feature", "epoch": 0, "index": i, "id": "f%d.png" % i, "y": int(y[i]), "x": feat[i]} for i in range(5)]
fr.insert(2, {"kind": "error", "epoch": 0, "index": 5, "id": "broken.png", "stage": "decode", "reason": "no such file"})
write("tests/fixtures/features.gv", "feature", fr, **facts)


def scores(prob, y):
    kw = dict(task="multiclass", num_classes=k)
    q, z = torch.tensor(prob), torch.tensor(y)
    return {"Accuracy": float(tm.Accuracy(average="micro", **kw)(q, z)), "F1": float(tm.F1Score(average="macro", **kw)(q, z)),
            "AUROC": float(tm.AUROC(average="macro", **kw)(q.float(), z))}


one = np.stack([softmax(v) for v in logits[0]])
two = (one + np.stack([softmax(v) for v in logits[1]])) / 2
seen = np.stack([np.mean([softmax(logits[0][3 * i + v]) for v in range(3)], 0) for i in range(4)])
golden = {
    "one": {"metrics": scores(one, y), "preds": one.argmax(1).tolist(), "probs": one.tolist()},
    "ensemble": {"metrics": scores(two, y), "preds": two.argmax(1).tolist(), "probs": two.tolist()},
    "views": {"metrics": scores(seen, y[:4]), "preds": seen.argmax(1).tolist(), "probs": seen.tolist()},
    "labels": y.tolist(),
    "regression": {"MSE": float(((p - t) ** 2).mean()), "MAE": float(abs(p - t).mean())},
    "multilabel": {"Accuracy": float(((ml > 0) == mt).mean())},
    "features": feat.tolist(),
}
json.dump(golden, open("tests/golden/eval.json", "w"), indent=1)
