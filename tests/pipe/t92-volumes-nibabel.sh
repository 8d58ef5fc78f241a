#!/bin/sh
# volumes against nibabel: random headers of both versions, every type, byte order, scaling, matrices of any turn and shear
. "${0%/*}/../cli/lib.sh"
python nibabel numpy msgpack || skip_all 'no Python with nibabel, numpy and msgpack'

cat >make.py <<'E'
import json, sys
import nibabel as nib, numpy as np
rng = np.random.default_rng(int(sys.argv[1]))
types = "u1 i1 u2 i2 u4 i4 u8 i8 f4 f8".split()
names = []
for i in range(60):
    cls = [nib.Nifti1Image, nib.Nifti2Image][i % 2]
    t = np.dtype(types[i % 10])
    shape = tuple(rng.integers(1, 9, 3)) + ((2,) if i % 3 == 0 else ())
    x = rng.normal(0, 50, shape).astype(t) if t.kind == "f" else rng.integers(np.iinfo(t).min, np.iinfo(t).max, shape, dtype=t, endpoint=True)
    m = np.eye(4)
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    m[:3, :3] = q @ np.diag(rng.uniform(0.3, 4, 3)) @ (np.eye(3) + (0.2 * np.triu(rng.normal(size=(3, 3)), 1) if i % 4 == 0 else 0))
    m[:3, 3] = rng.normal(0, 80, 3)
    hdr = cls.header_class(endianness="<>"[i // 2 % 2])
    hdr.set_data_dtype(t)
    img = cls(x, m, hdr)
    if i % 5 == 1:
        img.set_sform(None, 0)
        img.set_qform(m, 1)
    b = bytearray(img.to_bytes())
    h = cls.header_class(bytes(b[:348 if cls is nib.Nifti1Image else 540]), endianness=hdr.endianness, check=False)
    if i % 3 == 2:
        h["scl_slope"], h["scl_inter"] = rng.normal(0, 2), rng.normal(0, 100)
    b[:len(h.binaryblock)] = h.binaryblock
    name = "c%d_%03d.nii" % (x.ndim - 2, i)
    open("set/images/" + name, "wb").write(bytes(b))
    names.append(name)
for k in "12":
    mine = [n for n in names if n.startswith("c" + k)]
    json.dump({"train": mine, "val": []}, open("set/splits%s.json" % k, "w"))
json.dump({n: 0 for n in names}, open("set/labels.json", "w"))
E
cat >compare.py <<'E'
import sys
import msgpack, nibabel as nib, numpy as np
ras, n, worst = sys.argv[1] == "ras", 0, 0
def array(t):
    return np.frombuffer(t[b"data"], t[b"type"]).reshape(t[b"shape"])
for r in msgpack.Unpacker(sys.stdin.buffer, raw=False, strict_map_key=False, max_buffer_size=1 << 30):
    if r.get("kind") != "tensor":
        assert r.get("kind") in ("header", "end"), r
        continue
    r = {k: {(a.encode() if isinstance(a, str) else a): b for a, b in v.items()} if isinstance(v, dict) else v for k, v in r.items()}
    img = nib.load("set/" + "images/" + r["id"].split("/")[-1])
    if ras:
        want = nib.apply_orientation(img.get_fdata(), nib.io_orientation(img.affine))
        affine = nib.as_closest_canonical(img).affine
    else:
        want, affine = img.get_fdata(), img.affine
    want = want.reshape(want.shape[:3] + (-1,)).transpose(2, 1, 0, 3).astype(np.float32)
    x, a = array(r["x"]), array(r["affine"])
    assert x.shape == want.shape and np.array_equal(x, want), (r["id"], np.abs(x - want).max() if x.shape == want.shape else (x.shape, want.shape))
    assert np.allclose(a[:, [2, 1, 0, 3]], affine, rtol=1e-9, atol=1e-9), (r["id"], a, affine)
    assert np.allclose(array(r["spacing"]), np.sqrt((affine[:3, [2, 1, 0]] ** 2).sum(0)), rtol=1e-9), r["id"]
    n += 1
print(n)
E
mkdir -p set/images
for seed in 1; do
    check "random headers, seed $seed" "rm -f set/images/*; '$PY' make.py $seed"
    for how in as_stored ras; do
        for k in 1 2; do
            check "$how, $k channels: nibabel's values bit for bit, its matrix to 1e-9" "
                [ \$(glovita-index --data.dataset generic_3d_dataset --data.data_root_dir set --data.num_classes 1 --data.split_file splits$k.json --data.orientation $how --data.normalization none |
                    glovita-decode --model.encoder.input_channels $k | '$PY' compare.py $how) = $((k == 1 ? 40 : 20)) ]"
        done
    done
done
done_testing
