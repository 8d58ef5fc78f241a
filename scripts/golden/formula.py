"""Weights and inputs from a formula, the same as tests/golden/formula.h, so that golden files hold results alone.

A value is a function of the tensor's name and its index: two rounds of a 32-bit integer hash give u in [-1, 1), exactly; the
kind of tensor gives centre and scale. And the golden file: lines 'name count', an empty line, then all values as raw float64.
"""
import math
import numpy as np
import torch

def hash_name(s):
    h = 0xcbf29ce484222325
    for b in s.encode():
        h = ((h ^ b) * 0x100000001b3) & 0xffffffffffffffff
    return h

def uniform(name, n):
    h = hash_name(name)
    with np.errstate(over="ignore"):
        x = np.arange(n, dtype=np.uint32) * np.uint32(0x9e3779b9) + np.uint32((h ^ h >> 32) & 0xffffffff)
        for m in (0x85ebca6b, 0xc2b2ae35):
            x ^= x >> np.uint32(16)
            x *= np.uint32(m)
        x ^= x >> np.uint32(15)
    return x.astype(np.float64) / 2147483648.0 - 1.0

def tensor(name, shape):
    shape = tuple(shape)
    u = uniform(name, int(np.prod(shape)) if shape else 1)
    last = name.rsplit(".", 1)[-1]
    if last == "num_batches_tracked":
        v = 0 * u
    elif last == "running_var":
        v = 1 + 0.2 * u
    elif last == "gamma":
        v = 0.5 + 0.2 * u
    elif len(shape) == 1 and last == "weight":
        v = 1 + 0.2 * u
    elif len(shape) <= 1:
        v = 0.1 * u
    elif len(shape) == 3 and last in ("cls_token", "reg_token", "pos_embed"):
        v = 0.5 * u
    else:
        v = math.sqrt(3.0 / (np.prod(shape) // shape[0])) * u
    return v.reshape(shape)

def fill(module):
    """Every parameter and buffer of a module, in place, as float64."""
    module.double()
    with torch.no_grad():
        own = set(module.state_dict())
        for name, t in list(module.named_parameters()) + list(module.named_buffers()):  # a tensor of two names once, by its first
            if name in own:
                t.copy_(torch.from_numpy(tensor(name, t.shape)))
    return module

def write(path, entries):
    """entries: list of (name, array)."""
    flat = [(n, np.asarray(a.detach() if hasattr(a, "detach") else a, dtype="<f8").reshape(-1)) for n, a in entries]
    with open(path, "wb") as f:
        f.write("".join("%s %d\n" % (n, a.size) for n, a in flat).encode() + b"\n")
        for _, a in flat:
            f.write(a.tobytes())
