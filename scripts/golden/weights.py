#!/usr/bin/env python3
"""Make tests/fixtures/weights: files of weights as PyTorch and safetensors write them. Run by hand, from the top folder.

Needs torch and safetensors. Values follow one formula, so that the C test knows them without a second file:
element i of the tensor with number k is (7 * i + 3 * k) % 11 - (0 for unsigned, else 5); truth values are that odd.
"""
import argparse
import io
import os
import zipfile
from collections import OrderedDict

import numpy as np
import torch
from safetensors.torch import save_file

OUT = "tests/fixtures/weights"
TYPES = [("uint8", 0), ("int8", 5), ("uint16", 0), ("int16", 5), ("uint32", 0), ("int32", 5), ("uint64", 0), ("int64", 5),
         ("float16", 5), ("bfloat16", 5), ("float32", 5), ("float64", 5), ("bool", 0)]


def values(shape, k, less, dtype):
    n = 1
    for d in shape:
        n *= d
    v = [(7 * i + 3 * k) % 11 - less for i in range(n)]
    if dtype == "bool":
        v = [x % 2 for x in v]
    return torch.tensor(v, dtype=torch.int64).to(getattr(torch, dtype)).reshape(shape)


def types():
    d = OrderedDict((t, values((2, 3), k, less, t)) for k, (t, less) in enumerate(TYPES))
    d["scalar"] = values((), 20, 5, "float32")
    d["empty"] = values((0, 4), 21, 5, "float32")
    return d


def views():
    base = values((4, 6), 0, 5, "float32")
    return OrderedDict(whole=base, transposed=base.t(), rows=base[1:3], columns=base[:, 2:4], again=base, wide=values((3, 1), 1, 5, "int64").expand(3, 4))


def rezip(src, dst, change=lambda name, data: data, method=zipfile.ZIP_STORED, wide=False):
    with zipfile.ZipFile(src) as a, zipfile.ZipFile(dst, "w", method) as b:
        for i in a.infolist():
            info = zipfile.ZipInfo(i.filename, (1980, 1, 1, 0, 0, 0))
            info.compress_type = method
            with b.open(info, "w", force_zip64=wide) as f:
                f.write(change(i.filename, a.read(i)))


def checkpoint(path):
    torch.manual_seed(0)
    model = torch.nn.Sequential(OrderedDict(conv=torch.nn.Conv2d(1, 2, 3), bn=torch.nn.BatchNorm2d(2), fc=torch.nn.Linear(2, 3)))
    for k, p in enumerate(model.parameters()):
        p.data = values(tuple(p.shape), k, 5, "float32")
    o = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    o.step()
    for k, p in enumerate(model.parameters()):
        p.data = values(tuple(p.shape), k, 5, "float32")
    sd = model.state_dict(prefix="module.")
    torch.save({"epoch": 7, "model": sd, "optimizer": o.state_dict(), "note": "made by torch", "loss": 0.1}, path)


def main():
    os.makedirs(OUT, exist_ok=True)
    for f in os.listdir(OUT):
        os.unlink(os.path.join(OUT, f))
    at = lambda name: os.path.join(OUT, name)
    save_file(types(), at("types.safetensors"), {"format": "pt"})
    torch.save(types(), at("types.pt"))
    torch.save({k: v for k, v in types().items() if k not in ("uint16", "uint32", "uint64")}, at("types.pth"), _use_new_zipfile_serialization=False)
    torch.save(views(), at("views.pt"))
    torch.save(views(), at("views.pth"), _use_new_zipfile_serialization=False)
    checkpoint(at("checkpoint.pt"))
    w = values((2, 2), 0, 5, "float32")
    # the layout of nnssl's checkpoints (and of nnU-Net's, with numbers of NumPy in its log)
    plan = {"architecture_plans": {"arch_class_name": "ResEncL", "arch_kwargs": None}, "pretrain_num_input_channels": 1,
            "recommended_downstream_patchsize": (160, 160, 160), "key_to_encoder": "encoder.stages", "key_to_stem": "encoder.stem",
            "keys_to_in_proj": ("encoder.stem.convs.0.conv", "encoder.stem.convs.0.all_modules.0"), "key_to_lpe": None}
    torch.save({"network_weights": {"encoder.stem.convs.0.conv.weight": w, "encoder.stem.convs.0.all_modules.0.weight": w, "decoder.w": w + 1},
                "nnssl_adaptation_plan": plan, "current_epoch": 1000, "_best_ema": np.float64(0.5), "logging": {"train_losses": [np.float32(1.5), np.float64(2)]},
                "inference_allowed_mirroring_axes": None, "trainer_name": "BaseMAETrainer"}, at("nnssl.pt"))
    torch.save({"state_dict": {"w": w}, "state_dict_ema": {"_orig_mod.module.w": w + 1}, "arch": "resnet18"}, at("ema.pt"))
    torch.save(w, at("tensor.pt"))
    torch.save({"w": torch.nn.Parameter(w)}, at("parameter.pt"))
    torch.save({"state_dict": {"w": w}, "args": argparse.Namespace(lr=0.1)}, at("namespace.pt"))
    torch.save({"w": torch.complex(w, w)}, at("complex.pt"))
    torch.save({"w": w, "size": w.shape, "device": torch.device("cpu"), "dtype": w.dtype, "set": {1}, "bytes": b"\0\xff", "none": None, "yes": True}, at("extras.pt"))

    size = {f"types/data/{i}": torch.empty((), dtype=getattr(torch, t)).element_size() for i, (t, _) in enumerate(TYPES)}
    size["types/data/13"] = 4

    def big(name, data):
        if name.endswith("byteorder"):
            return b"big"
        n = size.get(name, 1)
        return b"".join(data[i:i + n][::-1] for i in range(0, len(data), n))

    rezip(at("types.pt"), at("types_big.pt"), big)
    rezip(at("types.pt"), at("types_deflated.pt"), method=zipfile.ZIP_DEFLATED)
    rezip(at("types.pt"), at("types_zip64.pt"), wide=True)
    for f in sorted(os.listdir(OUT)):
        if f.endswith((".pt", ".pth")) and not f.startswith(("types_", "namespace")):
            torch.load(at(f), weights_only=True)
    b = torch.load(at("types_big.pt"), weights_only=True)
    for k, v in types().items():  # torch does not swap untyped storages, which the unsigned types have
        assert k in ("uint16", "uint32", "uint64") or torch.equal(b[k].to(torch.float64), v.to(torch.float64)), k
    print(sum(os.path.getsize(at(f)) for f in os.listdir(OUT)), "bytes in", OUT)


main()
