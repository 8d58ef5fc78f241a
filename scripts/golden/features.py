"""Small HDF5 files of features, written by h5py: tests/fixtures/features/. Value j of row i is i + j / 8, exact in fp16.
Run by hand: python scripts/golden/features.py"""
import os
import h5py
import numpy as np

out = os.path.join(os.path.dirname(__file__), "../../tests/fixtures/features")
os.makedirs(out, exist_ok=True)


def rows(n, d=4):
    return (np.arange(n)[:, None] + np.arange(d)[None] / 8)


def write(name, **sets):
    with h5py.File(os.path.join(out, name), "w", track_order=False) as f:
        for k, v in sets.items():
            if k == "features" and v.dtype == np.float16:
                f.create_dataset(k, data=v, chunks=(1, v.shape[1]), compression="gzip", compression_opts=4)
            elif k in ("ids", "class_names"):
                f.create_dataset(k, data=v, dtype=h5py.string_dtype("utf-8"))
            else:
                f.create_dataset(k, data=v)


write("instances.h5", features=rows(6).astype(np.float16), labels=np.array([0, 1, 2, 0, 1, 2]), ids=["a", "b", "c", "d", "e", "f"], class_names=["ant", "bee", "cow"])
write("bags.h5", features=rows(6).astype(np.float32).reshape(3, 2, 4), labels=np.array([2, 0, 1], dtype=np.int32))
write("ptr.h5", features=rows(6).astype(np.float32), labels=np.array([1, 0, 1]), bag_ptr=np.array([0, 3, 3, 6]))
write("lengths.h5", features=rows(6).astype(np.float32), labels=np.array([1, 0, 1]), bag_lengths=np.array([3, 0, 3], dtype=np.int32))
write("targets.h5", features=rows(2).astype(np.float64), labels=np.array([[0.5, -1], [2, 3]], dtype=np.float32))
write("beyond.h5", features=rows(6).astype(np.float32), labels=np.array([1, 0]), bag_ptr=np.array([0, 3, 7]))
with h5py.File(os.path.join(out, "link.h5"), "w") as f:
    f["features"] = h5py.ExternalLink("instances.h5", "features")
    f["labels"] = np.array([0, 1, 2, 0, 1, 2])
# The same numbers in both byte orders: 16 bits of this machine's are converted by us, others by the library.
odd = np.array([[2.0 ** -24, 1023 * 2.0 ** -24, 65504, -0.333251953125], [-(2.0 ** -14), 0, 1, -65504]])
for name, order in (("halves.h5", "<f2"), ("halves_big.h5", ">f2")):
    with h5py.File(os.path.join(out, name), "w") as f:
        f.create_dataset("features", data=odd.astype(order))
        f["labels"] = np.array([0, 1])
