"""UMAP of feature files as people compute it with umap-learn, h5py and matplotlib: `peer_umap.py data | fit | quality …`.

  data      features.h5: --count points of 768 numbers in ten blobs on a curved sheet, or (--fashion DIR) all images of Fashion-MNIST as they are
  fit       reads features.h5, fits, draws layout.png and writes layout.npy; --warm: fits parts of it first, so that all is compiled
  quality   trustworthiness and recall (15 neighbours, of 1,000 points) of --layouts A.csv B.npy
"""
import argparse
import gzip
import json
import os
import time

import numpy as np

NEIGHBOURS = 15


def idx(path, head):
    return np.frombuffer(gzip.open(path).read()[head:], np.uint8)


def data(a):
    import h5py
    if a.fashion:
        parts = [os.path.join(a.fashion, s) for s in ("train", "t10k")]
        x = np.concatenate([idx(p + "-images-idx3-ubyte.gz", 16).reshape(-1, 784) for p in parts]).astype("f4")
        y = np.concatenate([idx(p + "-labels-idx1-ubyte.gz", 8) for p in parts])
    else:
        rng = np.random.default_rng(0)
        y = rng.integers(0, 10, a.count)
        inner = rng.normal(size=(10, 12))[y] * 2 + rng.normal(size=(a.count, 12))
        x = (np.tanh(inner @ rng.normal(size=(12, 768)) / 3) + 0.1 * rng.normal(size=(a.count, 768))).astype("f4")
    with h5py.File(os.path.join(a.folder, "features.h5"), "w") as f:
        f["features"], f["labels"] = x, y.astype("i8")


def fit(a):
    import h5py
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import umap
    with h5py.File(os.path.join(a.folder, "features.h5")) as f:
        x, y = f["features"][:].astype(np.float32), f["labels"][:]
    for n in (3000, 6000) if a.warm else ():  # both ways to neighbours
        umap.UMAP(n_neighbors=NEIGHBOURS, min_dist=0.1).fit_transform(x[:n])
    began = time.perf_counter()
    xy = umap.UMAP(n_neighbors=NEIGHBOURS, min_dist=0.1).fit_transform(x)
    took = time.perf_counter() - began
    fig, ax = plt.subplots(figsize=(7, 6))
    ax.scatter(xy[:, 0], xy[:, 1], c=y, cmap=plt.get_cmap("tab10", 10), s=6, alpha=0.6, linewidths=0)
    ax.set_title(f"umap-learn\nn={len(x):,}  classes={len(np.unique(y))}", fontsize=12)
    ax.axis("off")
    fig.savefig(os.path.join(a.folder, "layout.png"), dpi=200, bbox_inches="tight", facecolor="white")
    np.save(os.path.join(a.folder, "layout.npy"), xy)
    print(json.dumps({"value": took, "count": len(x)}))


def measure(x, xy, k=NEIGHBOURS):
    n, penalty, found = len(x), 0, 0
    some = np.random.default_rng(0).choice(n, min(1000, n), replace=False)
    squares = (x * x).sum(1)
    for at in range(0, len(some), 100):
        q = some[at:at + 100]
        far = squares[None] + squares[q][:, None] - 2 * x[q] @ x.T
        near = ((xy[q][:, None] - xy[None]) ** 2).sum(2)
        far[np.arange(len(q)), q] = near[np.arange(len(q)), q] = np.inf
        for r, mine in enumerate(np.argpartition(near, k, 1)[:, :k]):
            rank = np.array([(far[r] < far[r][j]).sum() + 1 for j in mine])
            found += (rank <= k).sum()
            penalty += np.maximum(rank - k, 0).sum()
    m = len(some)
    return {"trustworthiness": 1 - 2 * float(penalty) / (m * k * (2 * n - 3 * k - 1)), "recall": float(found) / (m * k)}


def quality(a):
    import h5py
    with h5py.File(os.path.join(a.folder, "features.h5")) as f:
        x = f["features"][:].astype(np.float32)
    for path in a.layouts:
        xy = np.load(path) if path.endswith(".npy") else np.loadtxt(path, delimiter=",", skiprows=1, usecols=(-2, -1))
        print(json.dumps({"count": len(xy), **measure(x, xy)}))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("kind", choices=["data", "fit", "quality"])
    p.add_argument("--folder", required=True)
    p.add_argument("--count", type=int, default=10000)
    p.add_argument("--fashion")
    p.add_argument("--warm", action="store_true")
    p.add_argument("--layouts", nargs="*", default=[])
    a = p.parse_args()
    globals()[a.kind](a)


if __name__ == "__main__":
    main()
