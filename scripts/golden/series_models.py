#!/usr/bin/env python3
"""Golden values of the encoders of series: the networks of the papers, written here in PyTorch, float64, weights from the formula.

    series_models.py   writes tests/golden/series/*.gold

For each: features of the whole batch and logits in evaluation, in training logits, loss, the norm of every gradient, all gradients of the
small tensors, running statistics after the step, and the number of parameters. Batch 2, ten classes, labels 3 and 7, label smoothing 0.1.
Sources: Wang et al. 2017 arXiv:1611.06455; Ismail Fawaz et al. 2020 arXiv:1909.04939; Nie et al. 2023 arXiv:2211.14730.
"""
import os
import torch
from torch import nn
import torch.nn.functional as F
import formula

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "series")
WHOLE = 600  # gradients of tensors of up to so many values are stored

def conv(i, o, k, bias):
    return nn.Conv1d(i, o, k, padding="same", bias=bias)

class Pair(nn.Module):
    """A convolution and its norm, or the norm alone."""
    def __init__(self, i, o, k, bias):
        super().__init__()
        if k:
            self.conv = conv(i, o, k, bias)
        self.bn = nn.BatchNorm1d(o)
    def forward(self, x):
        return self.bn(self.conv(x) if hasattr(self, "conv") else x)

class ResBlock(nn.Module):
    def __init__(self, i, o, kernels):
        super().__init__()
        self.n = len(kernels)
        for j, k in enumerate(kernels):
            self.add_module(str(j), Pair(i if j == 0 else o, o, k, True))
        self.shortcut = Pair(i, o, 0 if i == o else 1, True)
    def forward(self, x):
        y = x
        for j in range(self.n):
            y = getattr(self, str(j))(y)
            if j + 1 < self.n:
                y = y.relu()
        return (y + self.shortcut(x)).relu()

class ResNet(nn.Module):
    def __init__(self, channels, classes, widths=(64, 128, 128), kernels=(8, 5, 3)):
        super().__init__()
        self.blocks = nn.ModuleList(ResBlock(i, o, kernels) for i, o in zip((channels,) + tuple(widths), widths))
        self.fc = nn.Linear(widths[-1], classes)
    def features(self, x):
        x = x.transpose(1, 2)
        for b in self.blocks:
            x = b(x)
        return x.mean(2)
    def forward(self, x):
        return self.fc(self.features(x))

class InceptionModule(nn.Module):
    def __init__(self, i, width, kernels, bottleneck):
        super().__init__()
        if bottleneck and i > 1:
            self.bottleneck = conv(i, width, 1, False)
        j = width if bottleneck and i > 1 else i
        self.convs = nn.ModuleList(conv(j, width, k, False) for k in kernels)
        self.pool_conv = conv(i, width, 1, False)
        self.bn = nn.BatchNorm1d(width * (len(kernels) + 1))
    def forward(self, x):
        y = self.bottleneck(x) if hasattr(self, "bottleneck") else x
        parts = [c(y) for c in self.convs] + [self.pool_conv(F.max_pool1d(x, 3, 1, 1))]
        return self.bn(torch.cat(parts, 1)).relu()

class InceptionTime(nn.Module):
    def __init__(self, channels, classes, depth=6, width=32, kernels=(40, 20, 10), bottleneck=True, residual=True):
        super().__init__()
        out, start = width * (len(kernels) + 1), channels
        self.residual = residual
        self.inception, self.shortcut = nn.ModuleList(), nn.ModuleList()
        for d in range(depth):
            self.inception.append(InceptionModule(channels if d == 0 else out, width, kernels, bottleneck))
            if residual and d % 3 == 2:
                self.shortcut.append(Pair(start, out, 1, False))
                start = out
        self.fc = nn.Linear(out, classes)
    def features(self, x):
        x = before = x.transpose(1, 2)
        for d, m in enumerate(self.inception):
            x = m(x)
            if self.residual and d % 3 == 2:
                before = x = (x + self.shortcut[d // 3](before)).relu()
        return x.mean(2)
    def forward(self, x):
        return self.fc(self.features(x))

class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(d, 3 * d), nn.Linear(d, d)
    def forward(self, x):
        n, l, d = x.shape
        q, k, v = (t.reshape(n, l, self.heads, -1).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, l, d))

class TBlock(nn.Module):
    def __init__(self, d, heads, hidden):
        super().__init__()
        self.attn, self.norm1, self.mlp, self.norm2 = Attention(d, heads), nn.BatchNorm1d(d), nn.Module(), nn.BatchNorm1d(d)
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(d, hidden), nn.Linear(hidden, d)
    def forward(self, x):
        norm = lambda m, x: m(x.transpose(1, 2)).transpose(1, 2)
        x = norm(self.norm1, x + self.attn(x))
        return norm(self.norm2, x + self.mlp.fc2(F.gelu(self.mlp.fc1(x))))

class PatchTransformer(nn.Module):
    def __init__(self, length, channels, classes, width=128, depth=3, heads=16, hidden=256, patch=16, stride=8, cls=False, mix=False):
        super().__init__()
        self.mix, self.stride, self.cls = mix, stride, cls
        tokens = (length - patch) // stride + 2
        self.patch_embed = nn.Conv1d(channels if mix else 1, width, patch, stride)
        if cls:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens + cls, width))
        self.blocks = nn.ModuleList(TBlock(width, heads, hidden) for _ in range(depth))
        self.head = nn.Linear(width * (1 if mix else channels), classes)
    def features(self, x):
        n, t, c = x.shape
        x = x.transpose(1, 2) if self.mix else x.transpose(1, 2).reshape(n * c, 1, t)
        x = self.patch_embed(F.pad(x, (0, self.stride), mode="replicate")).transpose(1, 2)
        if self.cls:
            x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1)
        x = x + self.pos_embed
        for b in self.blocks:
            x = b(x)
        x = x[:, 0] if self.cls else x.mean(1)
        return x.reshape(n, -1)
    def forward(self, x):
        return self.head(self.features(x))

MODELS = [  # file, length, channels, network
    ("resnet1d", 37, 3, lambda t, c: ResNet(c, 10)),
    ("resnet1d_small", 20, 1, lambda t, c: ResNet(c, 10, (6, 6), (4, 1))),
    ("inception_time", 50, 3, lambda t, c: InceptionTime(c, 10)),
    ("inception_time_small", 24, 1, lambda t, c: InceptionTime(c, 10, 4, 5, (6, 3), False)),
    ("inception_time_plain", 24, 2, lambda t, c: InceptionTime(c, 10, 3, 5, (6, 3), True, False)),
    ("patch_transformer", 40, 3, lambda t, c: PatchTransformer(t, c, 10)),
    ("patch_transformer_cls", 33, 2, lambda t, c: PatchTransformer(t, c, 10, 24, 2, 3, 40, 8, 5, True)),
    ("patch_transformer_mix", 33, 2, lambda t, c: PatchTransformer(t, c, 10, 24, 2, 3, 40, 8, 8, True, True)),
]

def one(name, length, channels, make):
    model = formula.fill(make(length, channels))
    x = torch.from_numpy(formula.uniform("x", 2 * length * channels).reshape(2, length, channels))
    model.eval()
    with torch.no_grad():
        out = [("features", model.features(x)), ("eval_logits", model(x))]
    model.train()
    logits = model(x)
    loss = F.cross_entropy(logits, torch.tensor([3, 7]), label_smoothing=0.1)
    loss.backward()
    params = dict(model.named_parameters())
    out += [("train_logits", logits), ("loss", loss), ("parameters", torch.tensor(float(sum(p.numel() for p in params.values()))))]
    out += [("norm:" + k, p.grad.norm()) for k, p in params.items()]
    out += [("grad:" + k, p.grad) for k, p in params.items() if p.numel() <= WHOLE]
    out += [("buffer:" + k, b) for k, b in model.named_buffers() if k.endswith(("running_mean", "running_var")) and b.numel() <= 128]
    formula.write(os.path.join(ROOT, name + ".gold"), out)

if __name__ == "__main__":
    os.makedirs(ROOT, exist_ok=True)
    for row in MODELS:
        one(*row)
    for n, m in (("resnet1d", ResNet(1, 2)), ("inception_time", InceptionTime(1, 2)), ("patch_transformer", PatchTransformer(128, 1, 2))):
        print(n, "with 1 channel and 2 classes:", sum(p.numel() for p in m.parameters()))
