#!/usr/bin/env python3
"""Membership strengths of umap-learn on a few points, for tests/unit/umap.c.

    python scripts/golden/umap_weights.py        writes tests/golden/umap.txt (needs umap-learn)

Lines: "points N D K", N lines of D numbers; "smooth", N lines of sigma and rho; "graph E", E lines "row column weight" of the fuzzy union.
Three of the points lie at one place, one far away.
"""
import os

import numpy as np
from umap.umap_ import fuzzy_simplicial_set, smooth_knn_dist

n, d, k = 40, 3, 8
rng = np.random.default_rng(9)
x = rng.normal(size=(n, d)).astype(np.float32)
x[20:] += np.float32(3)
x[5] = x[6] = x[7]
x[39] = 25
distance = np.sqrt(((x[:, None].astype(np.float64) - x[None]) ** 2).sum(2)).astype(np.float32)
order = np.array([[i] + [j for j in np.lexsort((np.arange(n), distance[i])) if j != i][: k - 1] for i in range(n)])
near = np.take_along_axis(distance, order, 1)
sigma, rho = smooth_knn_dist(near, float(k))
graph = fuzzy_simplicial_set(x, k, np.random.RandomState(0), "euclidean", knn_indices=order.astype(np.int32), knn_dists=near)[0].tocoo()
with open(os.path.join(os.path.dirname(__file__), "../../tests/golden/umap.txt"), "w") as f:
    print("points", n, d, k, file=f)
    for row in x:
        print(*(f"{v:.9g}" for v in row), file=f)
    print("smooth", file=f)
    for s, r in zip(sigma, rho):
        print(f"{s:.9g} {r:.9g}", file=f)
    print("graph", graph.nnz, file=f)
    for i in np.lexsort((graph.col, graph.row)):
        print(graph.row[i], graph.col[i], f"{graph.data[i]:.9g}", file=f)
