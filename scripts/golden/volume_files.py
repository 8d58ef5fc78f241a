#!/usr/bin/env python3
"""Small volumes in every form that is read, and what nibabel, NumPy, Pillow, h5py and blosc2 write or read in them.

    python scripts/golden/volume_files.py        writes tests/fixtures/volumes/* and tests/golden/volume_files.txt

A line of the golden file: name, type, D H W C, CRC-32 of the values [D,H,W,C] in that type (little-endian), whether a place is known,
spacing (3), affine (12, columns d h w 1, rows x y z); then the same after as_closest_canonical with the mark " ras".
"""
import gzip
import io
import os
import warnings
import zlib

import h5py
import nibabel as nib
import numpy as np
from PIL import Image

here = os.path.join(os.path.dirname(__file__), "../..")
out = os.path.join(here, "tests/fixtures/volumes")
os.makedirs(out, exist_ok=True)
lines = []
rng = np.random.default_rng(5)
warnings.simplefilter("ignore")

# A turn of 30 and 10 degrees with uneven sides, x to the left: the nearest axes are not the array's own.
c, s, c2, s2 = np.cos(np.pi / 6), np.sin(np.pi / 6), np.cos(np.pi / 18), np.sin(np.pi / 18)
turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c2, -s2], [0, s2, c2]])
oblique = np.eye(4)
oblique[:3, :3] = turn @ np.diag([-0.75, 1.25, 3.0])
oblique[:3, 3] = [11.5, -7.25, 40]
swapped = np.array([[0, 0, -2.0, 9], [1.5, 0, 0, -4], [0, -1, 0, 5.5], [0, 0, 0, 1]])  # the array's axes are A, I, L
sheared = oblique @ np.array([[1, 0.2, 0, 0], [0, 1, 0.1, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def row(name, x, spacing, affine, mark=""):
    x = np.ascontiguousarray(x)
    numbers = [f"{v:.17g}" for v in list(spacing) + list(affine[:3].ravel())]
    lines.append(" ".join([name, x.dtype.name, *map(str, x.shape), str(zlib.crc32(x.astype(x.dtype.newbyteorder("<")).tobytes())), str(int(mark != " none")), *numbers]) + mark.replace(" none", ""))


def ours(a):
    """[x,y,z,...] to [z,y,x,c]."""
    a = a.reshape(a.shape + (1,) * (3 - a.ndim)) if a.ndim < 3 else a
    a = a.reshape(a.shape[:3] + (-1,), order="F")
    return a.transpose(2, 1, 0, 3)


def columns(m):
    return m[:, [2, 1, 0, 3]]


def read(img):
    """The values as stored, or float32 of what nibabel scales (float64 from float64)."""
    stored = img.dataobj.get_unscaled() if hasattr(img.dataobj, "get_unscaled") else np.asarray(img.dataobj)
    if stored.dtype.names:  # RGB
        return np.stack([stored[k] for k in stored.dtype.names], -1)
    stored = stored.astype(stored.dtype.newbyteorder("="))
    full = img.get_fdata()
    if np.array_equal(full, stored.astype(float)):
        return stored
    return full if stored.dtype == np.float64 else full.astype(np.float32)


def expect(name):
    path = os.path.join(out, name)
    img = nib.load(path)
    for mark in ("", " ras") if img.ndim >= 3 else ("",):
        i = nib.as_closest_canonical(img) if mark else img
        v = read(img)
        if mark:  # the same turn applied to the stored values
            o = nib.io_orientation(img.affine)
            v = nib.apply_orientation(v, o)
        v = v.transpose(2, 1, 0, 3) if v.ndim == 4 and v.dtype == np.uint8 and "rgb" in name else ours(v)
        a = columns(i.affine)
        row(name, v, np.sqrt((a[:3, :3] ** 2).sum(0)), a, mark)


def nifti(name, data, affine=oblique, cls=nib.Nifti1Image, endian="<", slope=None, inter=None, sform=2, qform=0, zooms=None, edit=None):
    hdr = cls.header_class(endianness=endian)
    hdr.set_data_dtype(data.dtype)
    img = cls(data, affine, hdr)
    img.set_sform(affine, sform)
    img.set_qform(affine, qform) if qform else img.set_qform(None, 0)
    if zooms:
        img.header.set_zooms(zooms)
    buf = img.to_bytes()
    h = cls.header_class(buf[: 348 if cls is nib.Nifti1Image else 540], endianness=endian, check=False)
    if slope is not None:
        h["scl_slope"], h["scl_inter"] = slope, inter
    if sform == 0:
        h["sform_code"] = 0
    if edit:
        edit(h)
    buf = h.binaryblock + buf[len(h.binaryblock):]
    with open(os.path.join(out, name), "wb") as f:
        f.write(gzip.compress(buf, 9, mtime=0) if name.endswith(".gz") else buf)
    expect(name)


def values(dtype, shape=(5, 4, 3)):
    if np.issubdtype(dtype, np.floating):
        return rng.normal(0, 100, shape).astype(dtype)
    i = np.iinfo(dtype)
    return rng.integers(i.min, i.max, shape, dtype=dtype, endpoint=True)


for t in "u1 i1 u2 i2 u4 i4 u8 i8 f4 f8".split():
    for e in "<>":
        nifti(f"{t}_{'le' if e == '<' else 'be'}.nii", values(np.dtype(t)), endian=e)
for t in "u1 i2 i4 f4 f8".split():
    nifti(f"scaled_{t}.nii.gz", values(np.dtype(t)), slope=0.37, inter=-12.5)
nifti("scaled_be.nii", values(np.dtype("i2")), endian=">", slope=-2.5, inter=3)
nifti("slope0.nii", values(np.dtype("i2")), slope=0, inter=7)
nifti("slope1.nii", values(np.dtype("i2")), slope=1, inter=0)
nifti("slopenan.nii", values(np.dtype("u1")), slope=np.nan, inter=np.nan)
for e in "<>":
    for t in "i2 f4 u8".split():
        nifti(f"two_{t}_{'le' if e == '<' else 'be'}.nii", values(np.dtype(t)), cls=nib.Nifti2Image, endian=e)
nifti("two_scaled.nii.gz", values(np.dtype("i2")), cls=nib.Nifti2Image, slope=0.125, inter=1)
for n, shape in enumerate([(6,), (6, 5), (6, 5, 1), (5, 4, 3, 1), (5, 4, 3, 2), (5, 4, 3, 1, 3), (3, 2, 2, 2, 3)]):
    nifti(f"dims{n}.nii", values(np.dtype("i2"), shape))
nifti("time_scaled.nii.gz", values(np.dtype("i2"), (4, 3, 2, 7)), slope=0.5, inter=0)
nifti("qform.nii", values(np.dtype("u1")), affine=oblique, sform=0, qform=1)
nifti("qform_both.nii", values(np.dtype("u1")), affine=swapped, sform=0, qform=1)
nifti("two_qform.nii", values(np.dtype("u1")), affine=oblique, cls=nib.Nifti2Image, sform=0, qform=1)
nifti("noform.nii", values(np.dtype("u1")), sform=0, zooms=(0.5, 2, 3.5))
nifti("swapped.nii", values(np.dtype("i2")), affine=swapped)
nifti("sheared.nii", values(np.dtype("i2"), (5, 4, 3, 2)), affine=sheared)
nifti("identity.nii", values(np.dtype("i2")), affine=np.eye(4))
rgb = np.zeros((5, 4, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")])
rgba = np.zeros((5, 4, 3), [("R", "u1"), ("G", "u1"), ("B", "u1"), ("A", "u1")])
for a in (rgb, rgba):
    for k in a.dtype.names:
        a[k] = rng.integers(0, 256, a.shape)
nifti("rgb.nii", rgb)
nifti("rgba.nii", rgba)

# Several gzip members, with zeros behind them.
plain = open(os.path.join(out, "i2_le.nii"), "rb").read()
with open(os.path.join(out, "members.nii.gz"), "wb") as f:
    f.write(gzip.compress(plain[:100], mtime=0) + gzip.compress(plain[100:401], mtime=0) + gzip.compress(plain[401:], mtime=0) + bytes(37))
expect("members.nii.gz")

# ---- other formats: no place, or what an attribute says ----
none = (np.ones(3), columns(np.eye(4)))


def plainly(name, x):
    row(name, x, *none, " none")


v = values(np.dtype("f4"), (3, 4, 5))
np.save(os.path.join(out, "dhw.npy"), v)
plainly("dhw.npy", v[..., None])
v = values(np.dtype("i2"), (3, 4, 5, 2)).astype(">i2")
np.save(os.path.join(out, "dhwc.npy"), v)
plainly("dhwc.npy", v.astype("<i2"))
v = values(np.dtype("i2"), (3, 4, 5, 2))
np.save(os.path.join(out, "fortran.npy"), np.asfortranarray(v))
plainly("fortran.npy", v)


def pages(name, v, description=None, **how):
    im = [Image.fromarray(p) for p in v]
    info = {270: description} if description else {}
    im[0].save(os.path.join(out, name), save_all=True, append_images=im[1:], tiffinfo=info, **how)


v = values(np.dtype("u1"), (6, 5, 7))
pages("pages.tif", v)
plainly("pages.tif", v[..., None])
v = values(np.dtype("u2"), (4, 5, 7))
pages("pages16.tif", v, compression="tiff_lzw")
plainly("pages16.tif", v[..., None])
v = values(np.dtype("u1"), (3, 5, 7, 3))
pages("colours.tif", v, compression="tiff_adobe_deflate")
plainly("colours.tif", v)
v = values(np.dtype("u1"), (6, 5, 7))
pages("imagej.tif", v, "ImageJ=1.53t\nimages=6\nchannels=2\nslices=3\nhyperstack=true\n")
plainly("imagej.tif", v.reshape(3, 2, 5, 7).transpose(0, 2, 3, 1))

with h5py.File(os.path.join(out, "one.h5"), "w", libver="earliest", track_order=False) as f:
    v = values(np.dtype("i2"), (3, 4, 5))
    d = f.create_dataset("scan", data=v, chunks=(2, 2, 5), compression=4, shuffle=True)
    d.attrs["spacing"] = [3.0, 0.5, 0.75]
    f["label"] = 1
row("one.h5", v[..., None], [3, 0.5, 0.75], columns(np.diag([0.75, 0.5, 3, 1])))
with h5py.File(os.path.join(out, "two.h5"), "w", libver="earliest") as f:
    f["a"] = values(np.dtype("u1"), (2, 3, 4))
    f["g/b"] = values(np.dtype("f4"), (2, 3, 4, 2)).astype(">f4")
    f["b"] = values(np.dtype("u1"), (2, 3, 4))
    f["flat"] = values(np.dtype("u1"), (2, 3))
    f["out"] = h5py.ExternalLink("one.h5", "scan")

try:
    import blosc2
    v = values(np.dtype("f4"), (2, 6, 7, 8))
    p = os.path.join(out, "case.b2nd")
    if os.path.exists(p):
        os.remove(p)
    blosc2.asarray(v, urlpath=p, chunks=(1, 4, 7, 8), blocks=(1, 2, 4, 8), cparams={"codec": blosc2.Codec.ZSTD, "clevel": 8, "nthreads": 1})
    plainly("case.b2nd", v.transpose(1, 2, 3, 0))
except ImportError:
    raise SystemExit("blosc2 is not here")

with open(os.path.join(here, "tests/golden/volume_files.txt"), "w") as f:
    f.write("\n".join(lines) + "\n")
print(len(lines), "lines")
