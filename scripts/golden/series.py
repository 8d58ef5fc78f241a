#!/usr/bin/env python3
"""Golden values for series: changes by NumPy and SciPy with the draws fixed, resampling by its formula, sound files by scipy.io.wavfile.

    series.py   writes tests/golden/series/changes.gold and tests/fixtures/series/*.{wav,npy,h5}
"""
import os, struct
import numpy as np
import h5py
from scipy.interpolate import CubicSpline
from scipy.io import wavfile
import formula

HERE = os.path.dirname(os.path.abspath(__file__))
GOLD = os.path.join(HERE, "..", "..", "tests", "golden", "series", "changes.gold")
FIX = os.path.join(HERE, "..", "..", "tests", "fixtures", "series")
T, C = 50, 3
rng = np.random.RandomState(7)
x = (np.cumsum(rng.randn(T, C), 0) / 3).astype(np.float32).astype(np.float64)
out = [("x", x)]

def curve(knots, t=T):
    """Um et al.'s GenerateRandomCurves: SciPy's default spline through knots + 2 numbers spread evenly."""
    v = 1 + 0.2 * rng.randn(knots + 2)
    return v, CubicSpline(np.linspace(0, t - 1, knots + 2), v)(np.arange(t)) if knots else np.interp(np.arange(t), [0, t - 1], v)

for knots in (0, 1, 2, 3, 4, 9):
    v, c = curve(knots)
    out += [("knots%d" % knots, v), ("curve%d" % knots, c)]

factor = 1 + 0.1 * rng.randn(C)
out += [("factor", factor), ("scaling", x * factor)]
curves = np.stack([curve(4)[1] for _ in range(C)])
out += [("curves", curves), ("magnitude_warp", x * curves.T)]

speed = np.maximum(curve(4)[1], 0.1)
place = np.cumsum(speed) * (T - 1) / np.sum(speed)
out += [("speed", speed), ("time_warp", np.stack([np.interp(np.arange(T), place, x[:, k]) for k in range(C)], 1))]

def stretch(p, n, at=None):
    at = np.linspace(0, len(p) - 1, n)
    return np.stack([np.interp(at, np.arange(len(p)), p[:, k]) for k in range(C)], 1)

out.append(("slice_7_31", stretch(x[7:38], T)))
for scale in (0.5, 2.0):
    whole = np.concatenate([x[:11], stretch(x[11:24], int(13 * scale)), x[24:]])
    out.append(("window_11_13_%g" % scale, np.stack([np.interp(np.arange(T), np.linspace(0, T - 1, len(whole)), whole[:, k]) for k in range(C)], 1)))
order = [2, 0, 3, 1]
pieces = np.array_split(np.arange(T), 4)
out.append(("permutation", x[np.concatenate([pieces[k] for k in order])]))

def resample(n, step, how):
    y = np.zeros((n, C))
    for i in range(n):
        at = min(i * step, T - 1.0)
        if how == "linear":
            y[i] = [np.interp(at, np.arange(T), x[:, k]) for k in range(C)]
        else:
            u = (at - np.arange(T)) / max(step, 1)
            w = np.where(abs(u) < 3, np.sinc(u) * np.sinc(u / 3), 0)
            y[i] = w @ x / w.sum()
    return y

for how in ("linear", "sinc"):
    for n, step in ((20, 2.5), (97, 0.5), (60, 49 / 59)):
        out.append(("%s_%d" % (how, n), resample(n, step, how)))
out.append(("zscore", (x - x.mean(0)) / x.std(0)))

os.makedirs(FIX, exist_ok=True)
sound = np.stack([np.sin(np.arange(40) * 0.3), np.cos(np.arange(40) * 0.2)], 1) * 0.9
for name, a, unit in (("s16", (sound * 32767).astype(np.int16), 32768), ("u8", (sound * 127 + 128).astype(np.uint8), 128), ("s32", (sound * 2147483000).astype(np.int32), 2147483648), ("f32", sound.astype(np.float32), 1)):
    wavfile.write(os.path.join(FIX, name + ".wav"), 8000, a)
    v = a.astype(np.float64)
    out.append(("wav_" + name, (v - 128 if name == "u8" else v) / unit))
np.save(os.path.join(FIX, "array.npy"), x[:9].astype(">f4"))
np.save(os.path.join(FIX, "table.npy"), np.stack([x[:8, :2], x[8:16, :2], x[16:24, :2]]).astype(np.float64))
out.append(("table", np.stack([x[:8, :2], x[8:16, :2], x[16:24, :2]])))
with h5py.File(os.path.join(FIX, "one.h5"), "w") as f:
    f["values"] = x[:6].astype(np.float32)
with h5py.File(os.path.join(FIX, "table.h5"), "w") as f:
    f["features"] = np.stack([x[:8, :2], x[8:16, :2]]).astype(np.float32)
    f["labels"] = np.array([0, 1])
s16 = open(os.path.join(FIX, "s16.wav"), "rb").read()
open(os.path.join(FIX, "cut.wav"), "wb").write(s16[:120])
formula.write(GOLD, out)
