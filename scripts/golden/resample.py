#!/usr/bin/env python3
"""A small volume on other grids, by scipy: tests/golden/resample.txt. Run by hand: python scripts/golden/resample.py

First line: D H W C and the values; then, a line a case: order, size (3), the values.
"""
import os

import numpy as np
from scipy import ndimage

rng = np.random.default_rng(9)
x = rng.normal(0, 1, (5, 7, 4, 2)).astype(np.float32)
out = os.path.join(os.path.dirname(__file__), "../../tests/golden/resample.txt")
with open(out, "w") as f:
    f.write(" ".join(map(str, x.shape)) + " " + " ".join(f"{v:.8g}" for v in x.ravel()) + "\n")
    for order in (0, 1, 3):
        for size in ((4, 3, 4), (5, 14, 7), (1, 7, 2), (8, 5, 4)):
            y = np.stack([ndimage.zoom(x[..., c].astype(float), np.array(size) / np.array(x.shape[:3]), order=order, mode="nearest", grid_mode=True) for c in range(2)], -1)
            assert y.shape[:3] == size
            f.write(f"{order} {size[0]} {size[1]} {size[2]} " + " ".join(f"{v:.8g}" for v in y.ravel()) + "\n")
