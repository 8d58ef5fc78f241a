#!/usr/bin/env python3
"""Golden values of nnU-Net's residual encoder and of Primus: dynamic-network-architectures in float64 with weights from the formula.

    encoders.py [name …]   writes tests/golden/models/{resenc,primus}_*.gold (or only those)

Needs dynamic-network-architectures, einops and timm below 1.0.23 (what follows gives rotary positions another argument list).

For each as in models.py: the whole last map (channels last) or all tokens and the logits in evaluation; in training logits, loss, the norm of every
gradient and its product with the formula's values, whole ones (of Primus a few), running statistics. A linear head on the mean of the features; batch 2, ten classes, labels 3 and 7, smoothing 0.1.
The *_f32 files hold the features that float32 gives, of the default encoder and of Primus S.
Rotary tables are made again in float64: the model makes them in float32, and 1e-8 could not be asked for.
"""
import os, sys, math
import numpy as np
import torch
from torch import nn
import formula
from dynamic_network_architectures.building_blocks.residual import BasicBlockD, BottleneckD
from dynamic_network_architectures.building_blocks.residual_encoders import ResidualEncoder

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "models")
CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORM = {("instance", 1): nn.InstanceNorm1d, ("instance", 2): nn.InstanceNorm2d, ("instance", 3): nn.InstanceNorm3d,
        ("batch", 1): nn.BatchNorm1d, ("batch", 2): nn.BatchNorm2d, ("batch", 3): nn.BatchNorm3d}
ACT = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "gelu": nn.GELU}

def resenc(dims, channels, features, kernels, strides, blocks, bias=True, norm="instance", act="leaky_relu", block="basic", bottleneck=None, stem=None,
           pool="conv", se=False, ratio=1 / 16):
    return ResidualEncoder(channels, len(features), features, CONV[dims], kernels, strides, blocks, bias, NORM[norm, dims],
                           {"eps": 1e-5, "affine": True}, None, None, ACT[act], {}, {"basic": BasicBlockD, "bottleneck": BottleneckD}[block],
                           bottleneck, False, False, stem, pool, 0.0, se, ratio)

RESENC = [  # name, shape, arguments
    ("resenc_3d", (8, 4, 12, 3), dict(dims=3, features=[4, 6, 6], kernels=[3, 3, 3], strides=[1, 2, 2], blocks=[1, 2, 2])),
    ("resenc_3d_bottleneck", (8, 9, 6, 1), dict(dims=3, features=[8, 12], kernels=[3, 3], strides=[1, 2], blocks=[1, 2], block="bottleneck",
                                                bottleneck=[4, 6], pool="max", act="relu", stem=5)),
    ("resenc_3d_se", (4, 8, 6, 2), dict(dims=3, features=[8, 12], kernels=[(1, 3, 3), (3, 3, 3)], strides=[(1, 1, 1), (1, 2, 2)], blocks=[1, 1],
                                        se=True, ratio=0.25, bias=False)),
    ("resenc_2d_batch", (12, 8, 3), dict(dims=2, features=[6, 8, 10], kernels=[3, 3, 5], strides=[1, 2, 2], blocks=[1, 2, 1], norm="batch", act="gelu", se=True)),
    ("resenc_2d_bottleneck", (16, 12, 3), dict(dims=2, features=[8, 12], kernels=[3, 3], strides=[1, 2], blocks=[2, 1], block="bottleneck",
                                               bottleneck=[3, 4], norm="batch", pool="avg")),
    ("resenc_1d", (40, 4), dict(dims=1, features=[6, 8, 8], kernels=[7, 5, 3], strides=[1, 2, 4], blocks=[1, 1, 2], act="relu")),
    ("resenc_1d_bottleneck", (30, 2), dict(dims=1, features=[8, 8], kernels=[5, 5], strides=[1, 3], blocks=[1, 2], block="bottleneck", bottleneck=[4, 4],
                                           norm="batch", pool="max")),
]

def x_of(shape, batch=2):
    n = batch * int(np.prod(shape))
    return torch.from_numpy(formula.uniform("x", n).reshape(batch, *shape)).movedim(-1, 1)

def whole(name, encoder, features, shape, wanted):
    """features(x): what the encoder gives, channels last and flat in between, [N,L,C]."""
    formula.fill(encoder)
    x, y = x_of(shape), torch.tensor([3, 7])
    encoder.eval()
    with torch.no_grad():
        c = features(x).shape[-1]
    head = nn.Linear(c, 10).double()
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(formula.tensor("head.weight", (10, c))))
        head.bias.copy_(torch.from_numpy(formula.tensor("head.bias", (10,))))
        f = features(x)
        out = [("features", f), ("eval_logits", head(f.mean(1)))]
    encoder.train()
    logits = head(features(x).mean(1))
    loss = nn.functional.cross_entropy(logits, y, label_smoothing=0.1)
    loss.backward()
    out += [("train_logits", logits), ("loss", loss)]
    params = dict(encoder.named_parameters(), **{"head." + k: v for k, v in head.named_parameters()})
    params = {k: p for k, p in params.items() if p.grad is not None}
    out += [("norm:" + k, np.array([p.grad.norm(), (p.grad.reshape(-1) * torch.from_numpy(formula.uniform(k, p.numel()))).sum()])) for k, p in params.items()]
    out += [("grad:" + k, params[k].grad) for k in wanted or [k for k, p in params.items() if p.grad.norm() > 1e-12]]  # a bias before a norm has none in theory
    out += [("buffer:" + k, b) for k, b in encoder.named_buffers() if k.endswith(("running_mean", "running_var"))]
    formula.write(os.path.join(ROOT, name + ".gold"), out)

def spatial(encoder):
    return lambda x: encoder(x).flatten(2).transpose(1, 2)

def default():
    """The preset of nnU-Net's ResEnc L in float32, one channel."""
    e = formula.fill(resenc(3, 1, [32, 64, 128, 256, 320, 320], [3] * 6, [1, 2, 2, 2, 2, 2], [1, 3, 4, 6, 6, 6])).float().eval()
    print("default:", sum(p.numel() for p in e.parameters()), "parameters,", len(e.state_dict()), "keys")
    with torch.no_grad():
        formula.write(os.path.join(ROOT, "resenc_default_f32.gold"), [("features", spatial(e)(x_of((64, 64, 64, 1), 1).float()))])

def primus(variant, shape):
    from dynamic_network_architectures.architectures.primus import PrimusX
    m = PrimusX(1, 1, variant, (8, 8, 8), shape, init_values=0.1, scale_attn_inner=True)
    del m.up_projection  # the decoder
    return m

def tokens(m):
    return lambda x: m.eva(m.down_projection(x).flatten(2).transpose(1, 2))[0]

def rotary_in_double(m, shape):
    grid, width = [s // 8 for s in shape], m.eva.rope.pos_embed.shape[1] // 2
    bands = 10000.0 ** (-np.arange(width // 6) / (width // 6))
    angle = np.concatenate([a.reshape(-1, 1) * bands for a in np.meshgrid(*[np.arange(n) for n in grid], indexing="ij")], 1).repeat(2, 1)
    table = torch.from_numpy(np.concatenate([np.sin(angle), np.cos(angle)], 1))
    assert (table - m.eva.rope.pos_embed.double()).abs().max() < 1e-5
    m.eva.rope.pos_embed = table

def primus_s():
    shape = (16, 24, 16)
    m = primus("S", shape)
    formula.fill(m).float().eval()
    with torch.no_grad():
        formula.write(os.path.join(ROOT, "primus_s_f32.gold"), [("features", tokens(m)(x_of(shape + (1,), 1).float()))])
    rotary_in_double(m, shape)
    m.double()
    whole("primus_s", m, tokens(m), shape + (1,), ["head.bias", "eva.pos_embed", "eva.blocks.0.attn.q_proj.bias", "eva.blocks.7.gamma_2", "eva.blocks.11.mlp.norm.weight"])

def positions():
    """A position embedding on other grids, as nnU-Net resizes it."""
    x = torch.from_numpy(formula.uniform("x", 64 * 5)).float()
    out = []
    for old, new in (((4, 4, 4), (2, 3, 2)), ((4, 2, 8), (5, 4, 6))):
        v = x.reshape(1, *old, 5).permute(0, 4, 1, 2, 3)
        out.append(("%dx%dx%d" % new, nn.functional.interpolate(v, size=new, mode="trilinear", align_corners=False).permute(0, 2, 3, 4, 1)))
    formula.write(os.path.join(ROOT, "pos_embed_3d.gold"), out)

def counts():
    for v in "SBML":
        m = primus(v, (16, 16, 16))
        print("primus %s: %d parameters without pos_embed" % (v, sum(p.numel() for n, p in m.named_parameters() if n != "eva.pos_embed")))

if __name__ == "__main__":
    torch.manual_seed(0)
    want = lambda n: not sys.argv[1:] or n in sys.argv[1:]
    for name, shape, kw in RESENC:
        if want(name):
            e = resenc(channels=shape[-1], **kw)
            whole(name, e, spatial(e), shape, None)
    if want("resenc_default"):
        default()
    if want("primus_s"):
        primus_s()
    if want("positions"):
        positions()
    if want("counts"):
        counts()
