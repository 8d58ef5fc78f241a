#!/usr/bin/env python3
"""Golden values of whole models: timm in float64 with weights from the formula.

    models.py [name …]   writes tests/golden/models/*.gold (or only those) and counts.txt

For each: tokens or pooled features of the first image and logits in evaluation, and in training logits, loss, the norm of every gradient, a few whole
gradients, and the running statistics after the step. Batch 2, ten classes, labels 3 and 7, label smoothing 0.1.
"""
import os, sys, warnings
warnings.filterwarnings("ignore")
import torch, timm, formula

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "models")
MODELS = [  # name, image side, model arguments, whole gradients
    ("resnet18", 64, {}, ["fc.bias", "layer1.0.bn1.weight", "layer3.0.downsample.1.bias"]),
    ("resnet50d", 64, {}, ["fc.bias", "layer1.0.bn3.weight", "conv1.0.weight"]),
    ("seresnext26t_32x4d", 64, {}, ["fc.bias", "layer1.0.se.fc1.bias"]),
    ("ecaresnet26t", 64, {}, ["fc.bias", "layer1.0.se.conv.weight"]),
    ("resnetblur18", 64, {}, ["fc.bias", "bn1.weight"]),
    ("resnetaa34d", 64, {}, ["fc.bias", "bn1.weight"]),
    ("test_resnet", 72, {}, ["fc.bias", "layer3.0.bn2.weight"]),
    ("vit_tiny_patch16_224", 48, {}, ["head.bias", "cls_token", "pos_embed", "blocks.0.attn.qkv.bias"]),
    ("test_vit2", 48, {}, ["head.bias", "reg_token", "fc_norm.weight", "blocks.3.ls1.gamma"]),
    ("vit_wee_patch16_reg1_gap_256", 48, {}, ["head.bias", "reg_token"]),
    ("vit_small_patch14_reg4_dinov2", 28, {}, ["head.bias", "reg_token", "blocks.5.ls2.gamma"]),
    ("vit_xsmall_patch16_clip_224", 48, {}, ["head.bias", "norm_pre.weight"]),
    ("vit_medium_patch16_gap_240", 48, {}, ["head.bias", "norm.weight"]),
    ("test_vit", 32, {"qk_norm": True}, ["head.bias", "blocks.2.attn.q_norm.weight"]),
    ("test_convnext", 72, {}, ["head.fc.bias", "stem.0.bias", "stages.1.blocks.0.gamma", "stages.2.blocks.3.conv_dw.weight"]),
    ("test_convnext3", 64, {}, ["head.fc.bias", "head.norm.weight", "stages.1.blocks.0.conv_dw.weight", "stages.3.downsample.0.bias"]),
    ("convnext_zepto_rms_ols", 64, {}, ["head.fc.bias", "stages.0.blocks.1.norm.weight", "stem.3.weight"]),
    ("convnext_atto_ols", 64, {}, ["head.fc.bias", "stem.0.bias"]),
    ("convnext_nano_ols", 32, {}, ["head.fc.bias", "stem.0.bias"]),
    ("convnext_atto_rms", 64, {}, ["head.fc.bias", "head.norm.weight"]),
    ("convnext_tiny_hnf", 32, {}, ["head.fc.bias", "norm_pre.weight"]),
    ("convnext_tiny", 64, {}, ["head.fc.bias", "stages.0.blocks.0.gamma", "stages.3.blocks.2.conv_dw.bias"]),
    ("convnextv2_atto", 64, {}, ["head.fc.bias", "stages.0.blocks.0.mlp.grn.weight", "stages.3.blocks.1.mlp.grn.bias"]),
    ("convnextv2_tiny", 32, {}, ["head.fc.bias", "stages.2.blocks.4.mlp.grn.weight"]),
]
WHOLE = ("resnet18", "resnet50d", "vit_tiny_patch16_224", "vit_small_patch14_reg4_dinov2")  # features; of the others the first 1024

def one(name, side, args, whole):
    kw = dict(args)
    if "vit" in name:
        kw["img_size"] = side
    model = formula.fill(timm.create_model(name, num_classes=10, **kw))
    x = torch.from_numpy(formula.uniform("x", 2 * side * side * 3).reshape(2, side, side, 3)).permute(0, 3, 1, 2)
    y = torch.tensor([3, 7])
    out = []
    model.eval()
    with torch.no_grad():
        f = model.forward_features(x)
        if "convnext" in name:
            f = model.forward_head(f, pre_logits=True)[0]
        f = f[0] if f.ndim == 3 else f[0].mean((1, 2)) if f.ndim == 4 else f
        out.append(("features", f if name in WHOLE else f.reshape(-1)[:1024]))
        out.append(("eval_logits", model(x)))
    model.train()
    logits = model(x)
    loss = torch.nn.functional.cross_entropy(logits, y, label_smoothing=0.1)
    loss.backward()
    out += [("train_logits", logits), ("loss", loss)]
    params = dict(model.named_parameters())
    out += [("norm:" + k, p.grad.norm()) for k, p in params.items()]
    out += [("grad:" + k, params[k].grad) for k in whole]
    out += [("buffer:" + k, b) for k, b in model.named_buffers() if k.endswith(("running_mean", "running_var")) and b.numel() <= 64]
    formula.write(os.path.join(ROOT, name + ("_qknorm" if args else "") + ".gold"), out)

def counts():
    """Parameters of every architecture, with its 1,000 classes (built without memory)."""
    rows = []
    for module in ("resnet", "vision_transformer", "convnext"):
        for n in timm.list_models(module=module):
            with torch.device("meta"):
                m = timm.create_model(n, num_classes=1000)
            size = m.pretrained_cfg["input_size"][-1]
            if hasattr(m, "patch_embed"):
                size = m.patch_embed.img_size[0]
            rows.append("%s %d %d %d" % (n, sum(p.numel() for p in m.parameters()), len(m.state_dict()), size))
    open(os.path.join(ROOT, "counts.txt"), "w").write("\n".join(rows) + "\n")

def head():
    """The head of convnext_large_mlp alone: norm, hidden layer, GELU, classifier."""
    from timm.layers import NormMlpClassifierHead
    m = torch.nn.Module()
    m.head = NormMlpClassifierHead(1536, 10, hidden_size=1536, norm_layer="layernorm2d", act_layer="gelu")
    formula.fill(m)
    x = torch.from_numpy(formula.uniform("x", 2 * 1536).reshape(2, 1536, 1, 1))
    y = m.head(x)
    torch.nn.functional.cross_entropy(y, torch.tensor([3, 7]), label_smoothing=0.1).backward()
    formula.write(os.path.join(ROOT, "convnext_head.gold"), [("logits", y)] + [("norm:" + k, p.grad.norm()) for k, p in m.named_parameters()])

if __name__ == "__main__":
    torch.manual_seed(0)
    os.makedirs(ROOT, exist_ok=True)
    for row in MODELS:
        if not sys.argv[1:] or row[0] in sys.argv[1:]:
            one(*row)
    head()
    counts()
