#!/usr/bin/env python3
"""Small bags for the tests: every layout of precomputed_features, CLAM's folders, and files with a fault each.

    bags.py              writes tests/fixtures/bags

A positive bag has one to three instances whose first number is 3 higher; which ones is in witness.csv. Instances of slide k lie at
(1000 k + i, 7 i).
"""
import csv, os
import h5py, numpy as np, torch

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "fixtures", "bags")
D = 4
rng = np.random.default_rng(5)

def bag(n, y):
    x = rng.normal(0, 0.5, (n, D)).astype("f4")
    hot = rng.choice(n, min(n, rng.integers(1, 4)), replace=False) if y else []
    x[hot, 0] += 3
    return x, sorted(int(i) for i in hot)

def h5(name, **sets):
    os.makedirs(os.path.dirname(os.path.join(ROOT, name)) or ROOT, exist_ok=True)
    with h5py.File(os.path.join(ROOT, name), "w", libver="earliest", track_order=False) as f:
        for k, v in sets.items():
            f.create_dataset(k, data=v, track_times=False)

def ragged(name, count, lengths_only=False, **change):
    n = np.array([1, 3] + [int(v) for v in rng.integers(2, 12, count - 2)])
    y = np.arange(count) % 2
    x = np.concatenate([bag(k, c)[0] for k, c in zip(n, y)])
    ptr = np.concatenate([[0], n.cumsum()])
    sets = dict(features=x, labels=y, coords=np.stack([np.arange(len(x)), 7 * np.arange(len(x))], 1))
    sets.update({"bag_lengths": n} if lengths_only else {"bag_ptr": ptr})
    sets.update(change)
    h5(name, **{k: v for k, v in sets.items() if v is not None})
    return n, x

ragged("ragged_train.h5", 24)
n, x = ragged("ragged_val.h5", 12)
h5("lengths_val.h5", features=x, labels=np.arange(12) % 2, bag_lengths=n)
h5("fixed_train.h5", features=np.stack([bag(6, k % 2)[0] for k in range(16)]), labels=np.arange(16) % 2)
h5("fixed_val.h5", features=np.stack([bag(6, k % 2)[0] for k in range(8)]), labels=np.arange(8) % 2)
h5("instances_train.h5", features=np.concatenate([bag(20, 0)[0], bag(20, 0)[0] + [3, 0, 0, 0]]).astype("f2"), labels=np.repeat([0, 1], 20))
h5("instances_val.h5", features=np.concatenate([bag(6, 0)[0], bag(6, 0)[0] + [3, 0, 0, 0]]).astype("f2"), labels=np.repeat([0, 1], 6))
# faults
h5("bad_empty.h5", features=x[:5], labels=[0, 1, 0], bag_ptr=[0, 2, 2, 5])
h5("bad_ptr.h5", features=x[:5], labels=[0, 1], bag_ptr=[0, 4, 2])
h5("bad_short_ptr.h5", features=x[:5], labels=[0, 1], bag_lengths=[3, 9])
h5("bad_none.h5", labels=[0, 1])
h5("bad_labels.h5", features=x[:5], labels=[0, 1, 0], bag_ptr=[0, 2, 5])
# CLAM's folders: h5 for even slides, pt for odd ones: a tensor at the root, as CLAM writes it
slides = []
os.makedirs(os.path.join(ROOT, "clam", "pt_files"), exist_ok=True)
witness = []
for k in range(14):
    size = 1 if k == 3 else int(rng.integers(2, 10))
    x, hot = bag(size, k % 2)
    name = "slide_%02d" % k
    coords = np.stack([1000 * k + np.arange(size), 7 * np.arange(size)], 1)
    if k % 2 or k in (4, 8):
        torch.save(torch.from_numpy(x), os.path.join(ROOT, "clam", "pt_files", name + ".pt"))
    if not k % 2 or k in (1, 5):
        h5("clam/h5_files/%s.h5" % name, features=x, coords=coords)
    slides.append((("patient_%d" % (k // 2), name, "tumor" if k % 2 else "normal")))
    witness += [(name, i) for i in hot]
with open(os.path.join(ROOT, "clam", "labels.csv"), "w", newline="") as f:
    csv.writer(f, lineterminator="\n").writerows([("case_id", "slide_id", "label")] + slides)
with open(os.path.join(ROOT, "clam", "witness.csv"), "w", newline="") as f:
    csv.writer(f, lineterminator="\n").writerows([("slide_id", "instance")] + witness)
names = [s[1] for s in slides]
os.makedirs(os.path.join(ROOT, "clam", "splits"), exist_ok=True)
for fold in range(2):
    val = names[4 * fold: 4 * fold + 4]
    rest = [n for n in names if n not in val]
    test, train = rest[-2:], rest[:-2]
    with open(os.path.join(ROOT, "clam", "splits", "splits_%d.csv" % fold), "w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(["", "train", "val", "test"])
        for i, t in enumerate(train):
            w.writerow([i, t, val[i] if i < len(val) else "", test[i] if i < len(test) else ""])
