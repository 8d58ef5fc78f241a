#!/usr/bin/env python3
"""Golden values of layers that no small whole model has, of weight adaptation, of mixed losses and of initialisation.

    layers.py            writes tests/golden/layers.gold
"""
import os, warnings
warnings.filterwarnings("ignore")
import numpy as np, torch, timm, formula
from functools import partial
from timm.layers import Attention, GluMlp, Mlp, LayerNorm, SqueezeExcite, resample_abs_pos_embed, quick_gelu
from timm.layers.activations import QuickGELU, GELUTanh
from timm.models._manipulate import adapt_input_conv
from timm.models.vision_transformer import _convert_dinov2

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "layers.gold")
out = []

class Named(torch.nn.Module):
    """Puts a layer below the path `layer`, as the C test does."""
    def __init__(self, m):
        super().__init__()
        self.layer = m
    def forward(self, x):
        return self.layer(x)

def layer(key, m):
    m = formula.fill(Named(m))
    x = torch.from_numpy(formula.uniform("x", 2 * 5 * 32).reshape(2, 5, 32)).requires_grad_()
    y = m(x)
    y.square().mean().backward()
    out.extend([(key + ":y", y)])
    out.extend((key + ":norm:" + n, p.grad.norm()) for n, p in m.named_parameters())

norm5, norm6 = partial(LayerNorm, eps=1e-5), partial(LayerNorm, eps=1e-6)
layer("attention_scale_norm", Attention(32, 4, qkv_bias=True, scale_norm=True, norm_layer=norm5))
layer("attention_no_bias", Attention(32, 2, qkv_bias=False, proj_bias=False))
layer("swiglu", GluMlp(32, 48, act_layer=torch.nn.SiLU, gate_last=False))
layer("mlp_norm", Mlp(32, 64, norm_layer=norm5))
layer("mlp_tanh", Mlp(32, 64, act_layer=GELUTanh))
layer("mlp_quick", Mlp(32, 64, act_layer=QuickGELU))

# input channels
w = torch.from_numpy(formula.uniform("w", 4 * 3 * 5 * 5).reshape(4, 3, 5, 5)).float()
for c in (1, 2, 3, 4, 7):
    out.append(("conv:%d" % c, adapt_input_conv(c, w)))
# position embeddings: smaller, larger, not square
pos = torch.from_numpy(formula.uniform("pos", (2 + 6 * 6) * 8).reshape(1, 38, 8)).float()
for h, v in ((3, 3), (9, 9), (4, 7), (6, 6)):
    out.append(("pos:%dx%d" % (h, v), resample_abs_pos_embed(pos, (h, v), (6, 6), 2)))
# DINOv2's own names
d = {"mask_token": torch.zeros(1, 8), "register_tokens": torch.from_numpy(formula.uniform("register_tokens", 16).reshape(1, 2, 8)).float(),
     "cls_token": torch.from_numpy(formula.uniform("cls_token", 8).reshape(1, 1, 8)).float(),
     "pos_embed": torch.from_numpy(formula.uniform("pos_embed", 40).reshape(1, 5, 8)).float(),
     "blocks.0.mlp.w12.bias": torch.ones(4), "blocks.0.mlp.w3.bias": torch.ones(2)}
c = _convert_dinov2(dict(d), None)
out += [("dinov2:" + k, c[k]) for k in sorted(c)]

# losses, plain and mixed
z = torch.from_numpy(formula.uniform("logits", 20).reshape(4, 5)) * 3
y = torch.tensor([1, 4, 0, 2]); t = torch.from_numpy(formula.uniform("target", 20).reshape(4, 5)); b = (t > 0).double()
perm, lam = torch.tensor([2, 0, 3, 1]), 0.75
F = torch.nn.functional
for key, f, q in (("cross_entropy", lambda a, b: F.cross_entropy(a, b, label_smoothing=0.2), y), ("bce", F.binary_cross_entropy_with_logits, b), ("mse", F.mse_loss, t.float().double())):
    for mixed in (False, True):
        a = z.clone().requires_grad_()
        loss = lam * f(a, q) + (1 - lam) * f(a, q[perm]) if mixed else f(a, q)
        loss.backward()
        out += [("loss:%s:%d" % (key, mixed), loss), ("loss:%s:%d:grad" % (key, mixed), a.grad)]
a = z[:, :1].clone().requires_grad_()
F.mse_loss(a.flatten(), t[:, 0].float().double()).backward()
out.append(("loss:mse:flat:grad", a.grad))

# what timm starts from: deviation and largest magnitude of every parameter, the mean of ten models
def start(key, make):
    sums = {}
    for seed in range(10):
        torch.manual_seed(seed)
        for n, p in make().named_parameters():
            s = sums.setdefault(n, [0, 0, 0])
            s[0] += p.detach().double().mean().item() / 10
            s[1] += p.detach().double().square().mean().item() / 10
            s[2] = max(s[2], p.abs().max().item())
    out.extend(("init:%s:%s" % (key, n), np.array([m, r ** 0.5, x])) for n, (m, r, x) in sums.items())

start("test_resnet", lambda: timm.create_model("test_resnet"))
start("seresnet18", lambda: timm.create_model("seresnet18", num_classes=10))
start("test_vit2", lambda: timm.create_model("test_vit2", img_size=48))
formula.write(OUT, out)
