"""Golden values of the head framewise_decoder_1d: tests/golden/framewise.gold.

The decoder is written here from its description (GloViTa's FramewiseDecoder1D) in PyTorch's own modules, with formula weights in double:
logits and gradients of a mean cross-entropy with ignored frames, in training mode, for clips of 3 to 8 frames.
"""
import os
import torch, torch.nn as nn, torch.nn.functional as F, formula

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "framewise.gold")
CLASSES, WIDTH = 3, (8, 16, 32, 64)  # the r3d family's 64, 128, 256, 512, made small


def double_conv(i, o):
    return nn.Sequential(nn.Conv1d(i, o, 3, padding=1), nn.BatchNorm1d(o), nn.ReLU(), nn.Conv1d(o, o, 3, padding=1), nn.BatchNorm1d(o), nn.ReLU())


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        s, l2, l3, l4 = WIDTH
        self.dconv_up3, self.dconv_up2, self.dconv_up1 = double_conv(l4 + l3, l3), double_conv(l3 + l2, l2), double_conv(l2 + s, s)
        self.conv_last = nn.Conv1d(s, CLASSES, 1)

    def forward(self, s, l2, l3, l4, n):
        pool = lambda x, k: F.adaptive_avg_pool3d(x, (k, 1, 1)).flatten(2)
        up = lambda x, k: F.interpolate(x, size=k, mode="linear", align_corners=True)
        x = up(l4.mean((3, 4)), n // 3)
        x = self.dconv_up3(torch.cat([x, pool(l3, n // 3)], 1))
        x = self.dconv_up2(torch.cat([up(x, n // 2), pool(l2, n // 2)], 1))
        x = self.dconv_up1(torch.cat([up(x, n), pool(s, n)], 1))
        return self.conv_last(x)  # [N,classes,n]


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Decoder()


out = []
for n, times in ((3, (3, 2, 1, 1)), (6, (6, 3, 2, 1)), (8, (8, 4, 2, 1)), (16, (16, 8, 4, 2))):
    m = formula.fill(Named()).train()
    maps = []
    for name, c, t in zip(("stem", "layer2", "layer3", "layer4"), WIDTH, times):
        u = formula.uniform(name, 2 * t * 2 * 3 * c).reshape(2, t, 2, 3, c)  # channels last, as ours
        maps.append(torch.from_numpy(u).permute(0, 4, 1, 2, 3).contiguous().requires_grad_())
    y = m.head(*maps, n).transpose(1, 2).reshape(-1, CLASSES)
    labels = torch.tensor([(5 * i + i // 4) % 4 - 1 for i in range(2 * n)])  # -1: ignored
    F.cross_entropy(y, labels, ignore_index=-1).backward()
    out.append(("%d:logits" % n, y))
    out += [("%d:grad:%s" % (n, k), p.grad) for k, p in m.named_parameters() if k.endswith(("conv_last.weight", "dconv_up1.1.weight"))]
    out += [("%d:norm:%s" % (n, k), p.grad.norm()) for k, p in m.named_parameters()]
    out.append(("%d:grad:layer4" % n, maps[3].grad.permute(0, 2, 3, 4, 1)))
formula.write(OUT, out)
