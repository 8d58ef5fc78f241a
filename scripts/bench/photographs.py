#!/usr/bin/env python3
"""Photographs for the input benchmarks: parts of scikit-learn's two, scaled so that the longer side has 500 pixels.

photographs.py DIR [N]: writes DIR/images/a/000.jpg … (quality 90, 4:2:0) and DIR/splits.json; needs pillow, numpy, scikit-learn.
"""
import json
import os
import sys

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images


def main():
    where, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 64
    os.makedirs(os.path.join(where, "images", "a"), exist_ok=True)
    os.makedirs(os.path.join(where, "images", "b"), exist_ok=True)
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(a) for a in load_sample_images().images]
    names = []
    for i in range(n):
        im = pictures[i % 2]
        w, h = im.size
        shape = [4 / 3, 3 / 4, 1.5, 1][i // 2 % 4]
        ch = int(rng.uniform(0.7, 1) * min(h, w / shape))
        cw = int(ch * shape)
        x, y = rng.integers(0, w - cw + 1), rng.integers(0, h - ch + 1)
        im = im.crop((x, y, x + cw, y + ch))
        s = 500 / max(im.size)
        im = im.resize((round(im.size[0] * s), round(im.size[1] * s)), Image.LANCZOS)
        if i % 3 == 0:
            im = im.transpose(Image.FLIP_LEFT_RIGHT)
        name = "%s/%03d.jpg" % ("ab"[i % 2], i)
        im.save(os.path.join(where, "images", name), quality=90, subsampling=2)
        names.append(name)
    with open(os.path.join(where, "splits.json"), "w") as f:
        json.dump({"train": names, "val": names[:8]}, f)


if __name__ == "__main__":
    main()
