#!/usr/bin/env python3
"""Golden values of the video encoders, and the tables of what was published for them.

    video_models.py [name …]    writes tests/golden/models/<name>.gold (or only those) and tests/golden/models/video_counts.txt
    video_models.py --tables    writes lib/nn/models/*_table.inc of the video families
    video_models.py --names NAME   prints the names and shapes of a model's tensors

The originals in float64 with weights from the formula, batch 2, ten classes, labels 3 and 7, label smoothing 0.1, dropout off: torchvision's,
and pytorchvideo's from its hub functions, whose heads get no softmax behind them and windows no larger than what there is to pool.
For each: pooled features, logits in evaluation; logits, loss, norm and projection of every gradient in training; running statistics.
"""
import os, sys, types, warnings
warnings.filterwarnings("ignore")
import torch, torchvision, formula
from torch import nn
from torchvision.models import video as tv
sys.modules.setdefault("torchvision.transforms.functional_tensor", types.ModuleType("functional_tensor"))  # gone since 0.17; models do not use it
from pytorchvideo.models import hub

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..", "tests", "golden", "models")
TABLES = os.path.join(HERE, "..", "..", "lib", "nn", "models")
MODELS = [  # name, frames, side, further arguments, whole gradients
    ("r3d_18", 4, 32, {}, ["stem.1.weight", "layer2.0.downsample.1.bias"]),
    ("mc3_18", 4, 32, {}, ["stem.1.weight", "layer2.0.downsample.1.bias"]),
    ("r2plus1d_18", 4, 32, {}, ["stem.1.weight", "layer1.0.conv1.0.1.weight"]),
    ("s3d", 16, 64, {}, ["features.0.0.1.weight", "classifier.1.bias"]),
    ("mvit_v1_b", 4, 64, {"spatial_size": (64, 64), "temporal_size": 4}, ["pos_encoding.temporal_pos", "pos_encoding.class_token"]),
    ("mvit_v2_s", 4, 64, {"spatial_size": (64, 64), "temporal_size": 4}, ["blocks.0.attn.rel_pos_t", "blocks.3.attn.rel_pos_h"]),
    ("mvit_v1_b", 6, 96, {"spatial_size": (64, 64), "temporal_size": 4}, "other"),
    ("mvit_v2_s", 6, 96, {"spatial_size": (64, 64), "temporal_size": 4}, "other"),
    ("swin3d_t", 6, 64, {}, ["patch_embed.norm.weight", "features.0.1.attn.proj.bias"]),
    ("swin3d_s", 6, 64, {}, ["patch_embed.norm.weight"]),
    ("swin3d_b", 6, 64, {}, ["patch_embed.norm.weight"]),
    ("slow_r50", 4, 32, {}, ["blocks.0.norm.weight"]),
    ("c2d_r50", 4, 32, {}, ["blocks.0.norm.weight"]),
    ("i3d_r50", 4, 32, {}, ["blocks.0.norm.weight"]),
    ("csn_r101", 8, 64, {}, ["blocks.0.norm.weight", "blocks.1.res_blocks.0.branch2.conv_b.weight"]),
    ("r2plus1d_r50", 8, 64, {}, ["blocks.0.norm.weight"]),
    ("slowfast_r50", 8, 32, {}, ["blocks.0.multipathway_fusion.norm.weight"]),
    ("slowfast_r101", 8, 32, {}, ["blocks.0.multipathway_fusion.norm.weight"]),
    ("mvit_base_16x4", 4, 64, {"spatial_size": 64, "temporal_size": 4}, ["cls_positional_encoding.pos_embed_temporal"]),
    ("mvit_base_32x3", 4, 64, {"spatial_size": 64, "temporal_size": 4}, ["cls_positional_encoding.pos_embed_temporal"]),
    ("x3d_xs", 4, 192, {}, []),
    ("x3d_s", 4, 64, {}, ["blocks.0.conv.conv_xy.weight"]),
    ("x3d_m", 4, 64, {}, ["blocks.0.conv.conv_xy.weight"]),
    ("x3d_l", 4, 64, {}, ["blocks.0.conv.conv_xy.weight"]),
]
EVAL = ("x3d_xs",)  # in evaluation alone, but with more than one window in the head; "other": too, clips of another size than positions are made for

class Shrunk(nn.Module):
    """An average pool whose window is no larger than its input."""
    def __init__(self, kernel):
        super().__init__()
        self.kernel = kernel
    def forward(self, x):
        return nn.functional.avg_pool3d(x, [min(int(k), s) for k, s in zip(self.kernel, x.shape[2:])], 1)

def filled(model):
    formula.fill(model)
    for m in model.modules():  # made from the shape of the window alone
        if hasattr(m, "define_relative_position_index"):
            m.define_relative_position_index()
    return model

def shrink(model):
    for m in list(model.modules()):
        for name, c in list(m.named_children()):
            if isinstance(c, nn.AvgPool3d):
                setattr(m, name, Shrunk(c.kernel_size))
            if isinstance(c, nn.Dropout) or type(c).__name__ == "StochasticDepth":
                setattr(m, name, nn.Identity())
            if isinstance(c, nn.Softmax):
                setattr(m, name, None)
    return model

def is_tv(name):
    return hasattr(tv, name)

def create(name, classes, **kw):
    if is_tv(name):
        made = tv.mvit._mvit
        tv.mvit._mvit = lambda **k: made(**{**k, **kw})  # its functions fix the size of the clip
        try:
            return shrink(getattr(tv, name)(weights=None, num_classes=classes))
        finally:
            tv.mvit._mvit = made
    key = "head_num_classes" if name.startswith("mvit") else "model_num_class"
    return shrink(getattr(hub, name)(pretrained=False, **{key: classes}, **kw))

def feed(name, x):
    if name.startswith("slowfast"):
        return [x[:, :, ::4].clone(), x]
    return x

def classifier(model):
    """The last linear layer (or s3d's convolution)."""
    return [m for m in model.modules() if isinstance(m, nn.Linear) or (isinstance(m, nn.Conv3d) and m.kernel_size == (1, 1, 1) and m.bias is not None)][-1]

def stretch(model, frames, side):
    """torchvision's MViT for other clips: its own interpolation of relative positions, the same kind for positions of space and time."""
    p = model.pos_encoding
    t, h = frames // 2, side // 4
    if p.spatial_pos is not None:
        n, d = p.spatial_size[0], p.spatial_pos.shape[1]
        space = p.spatial_pos.reshape(1, n, n, d).permute(0, 3, 1, 2)
        p.spatial_pos = nn.Parameter(nn.functional.interpolate(space, size=(h, h), mode="bilinear").permute(0, 2, 3, 1).reshape(h * h, d))
        p.temporal_pos = nn.Parameter(nn.functional.interpolate(p.temporal_pos.T[None], size=t, mode="linear")[0].T.contiguous())
    p.temporal_size, p.spatial_size = t, (h, h)

def one(name, frames, side, kw, whole):
    model = filled(create(name, 10, **kw))
    if whole == "other":
        stretch(model, frames, side)
    x = torch.from_numpy(formula.uniform("x", 2 * frames * side * side * 3).reshape(2, frames, side, side, 3)).permute(0, 4, 1, 2, 3)
    y = torch.tensor([3, 7])
    out, seen = [], []
    hook = classifier(model).register_forward_pre_hook(lambda m, i: seen.append(i[0]))
    model.eval()
    with torch.no_grad():
        logits = model(feed(name, x))
        f = seen[0]
        if f.ndim == 5:  # channels last where a linear layer stands there, else channels first
            f = f.mean((2, 3, 4)) if isinstance(classifier(model), nn.Conv3d) else f.mean((1, 2, 3))
        out += [("features", f), ("eval_logits", logits)]
    hook.remove()
    if name not in EVAL and whole != "other":
        model.train()
        logits = model(feed(name, x))
        loss = torch.nn.functional.cross_entropy(logits, y, label_smoothing=0.1)
        loss.backward()
        out += [("train_logits", logits), ("loss", loss)]
        params = dict(model.named_parameters())
        for k, p in params.items():
            u = torch.from_numpy(formula.uniform(k, p.numel())).reshape(p.shape)
            out.append(("norm:" + k, torch.stack([p.grad.norm(), (p.grad * u).sum()])))
        out += [("grad:" + k, params[k].grad) for k in whole]
        out += [("buffer:" + k, b) for k, b in model.named_buffers() if k.endswith(("running_mean", "running_var")) and b.numel() <= 32]
    formula.write(os.path.join(ROOT, name + ("_other" if whole == "other" else "") + ".gold"), out)
    print(name, sum(a.numel() if hasattr(a, "numel") else 1 for _, a in out), flush=True)

def lines(model):
    for k, t in model.state_dict().items():
        if not k.endswith("num_batches_tracked"):
            yield "%s %s" % (k, " ".join(map(str, t.shape)))

def counts():
    """Of every model with its 400 classes: parameters, tensors, and the sum of the hashes of all lines 'name shape'."""
    rows = []
    for name, frames, side, kw, whole in MODELS:
        if whole == "other":
            continue
        with torch.device("cpu" if name.startswith("mvit_base") else "meta"):  # pytorchvideo's counts in tensors
            m = create(name, 400)  # with the published positions
        h = sum(formula.hash_name(l) for l in lines(m)) & 0xffffffffffffffff
        rows.append("%s %s %d %d %016x %d %d" % ("torchvision_video" if is_tv(name) else "pytorchvideo", name, sum(p.numel() for p in m.parameters()), len(list(lines(m))), h, frames, side))
    open(os.path.join(ROOT, "video_counts.txt"), "w").write("\n".join(rows) + "\n")

# Clips of the published pytorchvideo weights: frames, one of how many at 30 a second, short side, crop (pytorchvideo's model zoo and hub pages).
CLIPS = {
    "slow_r50": (8, 8, 256, 256), "c2d_r50": (8, 8, 256, 256), "i3d_r50": (8, 8, 256, 256), "csn_r101": (32, 2, 256, 256), "r2plus1d_r50": (16, 4, 256, 256),
    "slowfast_r50": (32, 2, 256, 256), "slowfast_r101": (32, 2, 256, 256),
    "x3d_xs": (4, 12, 182, 182), "x3d_s": (13, 6, 182, 182), "x3d_m": (16, 5, 256, 256), "x3d_l": (16, 5, 312, 312),
    "mvit_base_16x4": (16, 4, 256, 224), "mvit_base_32x3": (32, 3, 256, 224),
}
FAMILIES = {
    "video_resnet": ["r3d_18", "mc3_18", "r2plus1d_18"], "s3d": ["s3d"], "mvit": ["mvit_v1_b", "mvit_v2_s"], "swin3d": ["swin3d_t", "swin3d_s", "swin3d_b"],
    "resnet3d": ["slow_r50", "c2d_r50", "i3d_r50", "csn_r101", "r2plus1d_r50"], "slowfast": ["slowfast_r50", "slowfast_r101"],
    "x3d": ["x3d_xs", "x3d_s", "x3d_m", "x3d_l"], "mvit_base": ["mvit_base_16x4", "mvit_base_32x3"],
}
FPS = {"r3d_18": (16, 15), "mc3_18": (16, 15), "r2plus1d_18": (16, 15), "s3d": (128, 15), "mvit_v1_b": (16, 7.5), "mvit_v2_s": (16, 7.5)}  # clip_len, frame_rate of the weights' notes

def rows(name):
    if not is_tv(name):
        import importlib
        urls = {k: v for m in ("csn", "r2plus1d", "resnet", "slowfast", "vision_transformers", "x3d")
                for k, v in importlib.import_module("pytorchvideo.models.hub." + m).checkpoint_paths.items()}
        frames, rate, short, crop = CLIPS[name]
        yield 'ROW("%s", "kinetics400", "%s", %d, { 0.45, 0.45, 0.45 }, { 0.225, 0.225, 0.225 }, %.8g, %d, %.8g, 0, 0)' % (name, urls[name], crop, crop / short, frames, 30 / rate)
        return
    weights = torchvision.models.get_model_weights(name)
    for w in [weights.DEFAULT] + [w for w in weights if w is not weights.DEFAULT]:
        t = w.transforms()
        frames, fps = FPS.get(name, (32, 15))
        crop, size = t.crop_size[0], list(t.resize_size)
        both = size if len(size) == 2 else [0, 0]
        v = ["{ %s }" % ", ".join("%.8g" % x for x in s) for s in (t.mean, t.std)]
        yield 'ROW("%s", "%s", "%s", %d, %s, %s, %.8g, %d, %.8g, %d, %d)' % (name, w.name.lower(), w.url, crop, v[0], v[1], crop / size[0], frames, fps, both[0], both[1])

def tables():
    for family, names in FAMILIES.items():
        with open(os.path.join(TABLES, family + "_table.inc"), "w") as f:
            f.write("/* Made by scripts/golden/video_models.py: architecture, tag, URL, side of the crop, mean, deviation, crop over short side, frames of a clip, frames a\n"
                    " * second, and the height and width that frames are resized to where that is not by the short side. Default tag first. */\n")
            f.write('#define ROW(arch, tag, url, side, mr, mg, mb, sr, sg, sb, crop, frames, fps, h, w) '
                    '{ arch, tag, "", NULL, url, side, mr, mg, mb, sr, sg, sb, "bilinear", crop, 400, frames, fps, { h, w } },\n')
            for n in names:
                for r in rows(n):
                    f.write(r + "\n")
            f.write("#undef ROW\n")

if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(2)
    if sys.argv[1:2] == ["--tables"]:
        tables()
        sys.exit()
    if sys.argv[1:2] == ["--names"]:
        with torch.device("cpu" if sys.argv[2].startswith("mvit_base") else "meta"):
            print("\n".join(lines(create(sys.argv[2], 400))))
        sys.exit()
    counts()
    for row in MODELS:
        if not sys.argv[1:] or row[0] in sys.argv[1:]:
            one(*row)
