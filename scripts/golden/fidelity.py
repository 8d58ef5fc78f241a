#!/usr/bin/env python3
"""Training through the public commands against PyTorch and timm: logits, every gradient, weights after five steps.

    fidelity.py BIN [--light] [--only NAME] [--keep DIR]

Weights are random and come as a .safetensors file, images as a folder of PNGs. In double everything must agree to 1e-8
(|a-b|/|b| for each tensor). In float the logits must agree to 1e-4, and gradients and steps may be at most three times as
far from the float64 answer as PyTorch's own float run (the worse of contiguous and channels_last), floor 1e-5. --light: one
small model, for the test suite. Exit status 1 when something is further away."""
import argparse, json, os, shutil, subprocess, sys, tempfile
import numpy as np, torch, timm
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file

LIMIT64, LOGITS32, FACTOR, FLOOR = 1e-8, 1e-4, 3.0, 1e-5


class Case:
    """One training: model, data and the options of both sides."""

    def __init__(self, name, model, size=64, classes=5, n=8, batch=8, epochs=5, opt="AdamW", **k):
        self.name, self.model, self.size, self.classes, self.n, self.batch, self.epochs, self.opt = name, model, size, classes, n, batch, epochs, opt
        self.native = k.pop("native", size)          # size the weights file was made for
        self.lr = k.pop("lr", 0.01 if opt == "SGD" else 1e-3)
        self.wd = k.pop("wd", 0.05)
        self.head = k.pop("head", classes)           # classes of the file's classifier; 0: none
        self.accumulate, self.clip, self.smoothing = k.pop("accumulate", 1), k.pop("clip", None), k.pop("smoothing", 0.0)
        self.mixup, self.regression, self.nesterov = k.pop("mixup", False), k.pop("regression", False), k.pop("nesterov", False)
        self.undecay, self.layer_decay = k.pop("undecay", False), k.pop("layer_decay", None)
        self.mean, self.std = k.pop("mean", None), k.pop("std", None)
        self.channels, self.seed, self.seeds = k.pop("channels", 3), k.pop("seed", 0), k.pop("seeds", 0)
        self.weights_dtype = k.pop("weights_dtype", torch.float32)
        assert not k, k

    def timm(self, size, classes):
        kw = {"img_size": size} if self.model.startswith(("vit", "test_vit")) else {}
        return timm.create_model(self.model, num_classes=classes, in_chans=self.channels, **kw)


def randomise(model, seed):
    """Every tensor away from its special values (ones, zeros, 1e-5), so that each has a gradient worth comparing."""
    g = torch.Generator().manual_seed(seed)
    out = {}
    for k, v in model.state_dict().items():
        r = torch.randn(v.shape, generator=g) if v.is_floating_point() else None
        if r is None:
            out[k] = torch.tensor(3)
        elif k.endswith("running_var"):
            out[k] = 0.5 + torch.rand(v.shape, generator=g)
        elif v.ndim >= 2 and "token" not in k and "pos_embed" not in k:
            out[k] = r / (v[0].numel() ** 0.5)
        elif k.endswith(".weight") and v.ndim == 1:
            out[k] = 1 + 0.2 * r
        elif k.endswith("gamma"):
            out[k] = 0.3 + 0.1 * r
        else:
            out[k] = 0.2 * r
    return out


def make_data(c, root):
    """train/ and val/ with the same number of images; class folders, or labels.csv for numbers."""
    rng = np.random.default_rng(c.seed + 1)
    rows = []
    for split in ("train", "val"):
        for i in range(c.n):
            sub = "class_%d" % (i % c.classes) if not c.regression else ""
            os.makedirs(os.path.join(root, "images", split, sub), exist_ok=True)
            coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            img = Image.fromarray(coarse).resize((c.size, c.size), Image.BICUBIC)
            px = np.clip(np.asarray(img).astype(int) + rng.integers(-20, 21, (c.size, c.size, 3)), 0, 255).astype(np.uint8)
            path = os.path.join("images", split, sub, "%03d.png" % i)
            Image.fromarray(px).save(os.path.join(root, path))
            rows.append((path, float(np.float32(rng.normal()))))
    if c.regression:
        with open(os.path.join(root, "labels.csv"), "w") as f:
            f.write("path,label\n" + "".join("%s,%.9g\n" % r for r in rows))
    return dict(rows)


def load_data(c, root, split, targets):
    """Images in the order of a sorted listing, as glovita-index gives them; labels from the folders."""
    paths = sorted(os.path.relpath(os.path.join(d, f), root) for d, _, fs in os.walk(os.path.join(root, "images", split)) for f in fs)
    x = np.stack([np.asarray(Image.open(os.path.join(root, p)).convert("RGB")) for p in paths])
    if c.regression:
        return x, np.array([[targets[p]] for p in paths], np.float32), paths
    names = sorted({p.split("/")[2] for p in paths})
    return x, np.array([names.index(p.split("/")[2]) for p in paths]), paths


def data_words(c, root):
    w = ["--data.dataset", "generic_image_dataset", "--data.data_root_dir", root, "--data.split_source", "subdirs",
         "--data.augmentation.train_policy", "shared_default_2d", "--data.augmentation.test_policy", "shared_default_2d",
         "--data.augmentation.image_size", str(c.size), "--data.augmentation.resize_size", str(c.size)]
    w += ["--data.task", "Regression", "--data.subtask", "regression", "--data.num_classes", "1", "--data.label_source", "csv", "--data.labels_file", "labels.csv"] \
        if c.regression else ["--data.num_classes", str(c.classes), "--data.label_source", "folder"]
    if c.mean:
        w += ["--data.augmentation.mean", *map(str, c.mean), "--data.augmentation.std", *map(str, c.std)]
    return w


def ours(c, bin_dir, root, weights, work, precision):
    group = c.name.replace("/", "_") + "_" + precision
    grads = os.path.join(work, group + ".safetensors")
    words = [os.path.join(bin_dir, "glovita_train"), *data_words(c, root), "--model.encoder.type", c.model, "--model.encoder.weights", weights,
             "--dataloading.batch_size", str(c.batch), "--dataloading.no_shuffle_train", "--dataloading.num_workers", "1", "--training.epochs", str(c.epochs),
             "--training.precision", precision, "--training.write_gradients", grads, "--optimizer.name", c.opt, "--optimizer.lr", repr(c.lr),
             "--optimizer.weight_decay", repr(c.wd), "--optimizer.scheduler", "None", "--optimizer.warmup_epochs", "0", "--training.seed", "7",
             "--training.gradient_accumulation_steps", str(c.accumulate), "--exp_dir", os.path.join(work, "exp"), "--logger.group", group, "--logger.backend", "none"]
    words += ["--training.gradient_clip_val", repr(c.clip)] if c.clip else []
    words += ["--task.label_smoothing", repr(c.smoothing)] if c.smoothing else []
    words += ["--task.mixup", "--task.mixup_alpha", "0.7"] if c.mixup else []
    words += ["--optimizer.nesterov"] if c.nesterov else []
    words += ["--optimizer.undecay_norm"] if c.undecay else []
    words += ["--optimizer.layer_wise_lr_decay", repr(c.layer_decay)] if c.layer_decay else []
    words += ["--model.encoder.input_channels", str(c.channels)] if c.channels != 3 else []
    r = subprocess.run(words, capture_output=True, text=True)
    if r.returncode:
        sys.exit("glovita_train ended with %d:\n%s\n%s" % (r.returncode, " ".join(words), r.stderr))
    run = os.path.join(work, "exp", "generic_image_dataset", group)
    g = load_file(grads)
    last = load_file(os.path.join(run, "0", "checkpoints", "last.safetensors"))
    infer = subprocess.run([os.path.join(bin_dir, "glovita_infer"), "--exp_dir", run, "--checkpoint", "last", "--split", "val", "--compute_precision",
                            "fp64" if precision == "fp64" else "fp32"], capture_output=True, text=True)
    if infer.returncode:
        sys.exit("glovita_infer ended with %d:\n%s" % (infer.returncode, infer.stderr))
    with open(os.path.join(run, "predictions_val.json")) as f:
        pred = json.load(f)
    return g, last, pred, r.stderr


def mixing(c, bin_dir, root, work):
    """lam and perm of every training batch, read from the batch stream itself."""
    import msgpack
    group = os.path.join(work, "exp", "generic_image_dataset", c.name + "_fp64", "0", "resolved_config.json")
    run = subprocess.run("set -o pipefail; PATH=%s:$PATH; glovita-index --config %s --split train --epochs %d --no_shuffle | glovita-decode --config %s | glovita-augment --config %s --split train | glovita-batch --config %s --split train"
                         % (bin_dir, group, c.epochs, group, group, group), shell=True, executable="/bin/bash", capture_output=True)
    if run.returncode:
        sys.exit("the batch stream cannot be read: " + run.stderr.decode())
    out = []
    for rec in msgpack.Unpacker(__import__("io").BytesIO(run.stdout), raw=False, strict_map_key=False, max_buffer_size=1 << 30):
        if isinstance(rec, dict) and rec.get("kind") == "batch" and "perm" in rec:
            def t(m):
                m = {(k.decode() if isinstance(k, bytes) else k): v for k, v in m.items()}
                return np.frombuffer(m["data"], dtype=m["type"].decode() if isinstance(m["type"], bytes) else m["type"]).reshape(m["shape"])
            out.append((float(t(rec["lam"]).reshape(-1)[0]), torch.from_numpy(t(rec["perm"]).astype(np.int64))))
    return out


def groups(c, model):
    """Parameter groups as the options ask for them."""
    blocks = len(model.blocks) if hasattr(model, "blocks") else 0
    out = []
    for name, p in model.named_parameters():
        lr, wd = c.lr, c.wd
        if c.layer_decay:
            d = next((d for key, d in [("patch_embed", 1)] + [("blocks.%d." % i, i + 2) for i in range(blocks)] + [("norm", blocks + 2), ("head", blocks + 3)] if key in name), None)
            lr = c.lr if d is None else c.lr * c.layer_decay ** (blocks + 3 - d)
        elif c.undecay and any(s in name for s in ("norm", "bias", "bn")):
            wd = 0.0
        out.append({"params": [p], "lr": lr, "weight_decay": wd})
    return out


def torch_run(c, state, data, mixes, dtype, channels_last):
    torch.manual_seed(0)
    model = c.timm(c.size, c.classes)
    full = model.state_dict()
    if "pos_embed" in state and state["pos_embed"].shape != full["pos_embed"].shape:
        state = timm.models.vision_transformer.checkpoint_filter_fn(dict(state), model)
    missing = model.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys and not missing.missing_keys, missing
    model = model.to(dtype)
    if c.weights_dtype == torch.float64:
        model.load_state_dict(state)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    cfg = timm.get_pretrained_cfg(c.model)
    mean = torch.tensor(c.mean or cfg.mean, dtype=dtype).view(1, -1, 1, 1)
    std = torch.tensor(c.std or cfg.std, dtype=dtype).view(1, -1, 1, 1)

    def images(a):
        x = (torch.from_numpy(a).permute(0, 3, 1, 2).to(dtype) / 255 - mean) / std
        return x.contiguous(memory_format=torch.channels_last) if channels_last else x.contiguous()

    opt = {"SGD": lambda g: torch.optim.SGD(g, lr=c.lr, momentum=0.9, nesterov=c.nesterov), "AdamW": lambda g: torch.optim.AdamW(g, lr=c.lr),
           "Adam": lambda g: torch.optim.Adam(g, lr=c.lr)}[c.opt](groups(c, model))
    x, y, _ = data["train"]
    got, micro, steps = {}, 0, 0
    model.train()
    k = 0
    for _ in range(c.epochs):
        starts = list(range(0, len(x), c.batch))
        for b in starts:
            xb, yb = images(x[b:b + c.batch]), torch.from_numpy(y[b:b + c.batch])

            def loss_of(out, t):
                return F.mse_loss(out, t.to(dtype)) if c.regression else F.cross_entropy(out, t, label_smoothing=c.smoothing)
            if c.mixup:
                lam, perm = mixes[k]
                out = model(lam * xb + (1 - lam) * xb[perm])
                loss = lam * loss_of(out, yb) + (1 - lam) * loss_of(out, yb[perm])
            else:
                out = model(xb)
                loss = loss_of(out, yb)
            k += 1
            (loss / c.accumulate).backward()
            micro += 1
            if micro == c.accumulate or b == starts[-1]:
                if not steps:
                    got["grads"] = {n: p.grad.detach().clone().double() for n, p in model.named_parameters()}
                    got["logits"], got["loss"] = out.detach().double(), loss.detach().double()
                if c.clip:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), c.clip)
                opt.step()
                opt.zero_grad()
                micro, steps = 0, steps + 1
    got["weights"] = {n: v.detach().clone().double() for n, v in model.state_dict().items()}
    model.eval()
    with torch.no_grad():
        got["infer"] = torch.cat([model(images(data["val"][0][i:i + c.batch])) for i in range(0, len(data["val"][0]), c.batch)]).double()
    got["steps"] = steps
    return got


def far(a, b):
    d = torch.linalg.vector_norm(a.double().reshape(-1) - b.double().reshape(-1)).item()
    n = torch.linalg.vector_norm(b.double()).item()
    return d / n if n else d


# Tensors whose gradient is zero but for rounding have no relative distance: biases that a normalisation takes out again, and
# the keys' bias in softmax. They are compared with the size of the other gradients of their layer instead.
def distances(a, b):
    assert set(a) == set(b), sorted(set(a) ^ set(b))[:6]
    top = max(torch.linalg.vector_norm(v).item() / max(1, v.numel()) ** 0.5 for v in b.values())
    out = {}
    for k in b:
        n = torch.linalg.vector_norm(b[k].double()).item()
        out[k] = far(a[k], b[k]) if n > 1e-12 * top * max(1, b[k].numel()) ** 0.5 else torch.linalg.vector_norm(a[k].double() - b[k].double()).item() / (top * b[k].numel() ** 0.5)
    return out


def infer_logits(pred, paths):
    rows = dict(zip(pred["case_ids"], pred["logits"]))
    pick = {p: next(v for k, v in rows.items() if k.endswith(p) or p.endswith(k)) for p in paths}
    return torch.tensor([pick[p] for p in paths], dtype=torch.float64)


def worst(d):
    k = max(d, key=d.get)
    return d[k], k


class Claims:
    def __init__(self):
        self.bad = []

    def __call__(self, what, value, limit, where=""):
        ok = value <= limit
        print("  %-3s %-42s %.2e of %.2e %s" % ("ok" if ok else "NOT", what, value, limit, where), flush=True)
        if not ok:
            self.bad.append(what)


def prepare(c, work, seed):
    """Weights file and data of one seed: state, path of the file, data directory, data."""
    c.seed = seed
    root = os.path.join(work, "data_" + c.name)
    for d in [root] + [os.path.join(work, "exp", "generic_image_dataset", "%s_%s" % (c.name, p)) for p in ("fp64", "no")]:
        shutil.rmtree(d, ignore_errors=True)
    targets = make_data(c, root)
    data = {s: load_data(c, root, s, targets) for s in ("train", "val")}
    state = {k: v.to(c.weights_dtype) if v.is_floating_point() else v for k, v in randomise(c.timm(c.native, c.head), seed).items()}
    if c.weights_dtype == torch.float64:
        state = {k: v + 1e-9 * torch.randn(v.shape, dtype=torch.float64) if v.is_floating_point() else v for k, v in state.items()}
    path = os.path.join(work, c.name + "_in.safetensors")
    save_file({k: v.contiguous() for k, v in state.items()}, path)
    return state, path, root, data


def double(c, bin_dir, work, claim):
    state, path, root, data = prepare(c, work, c.seed)
    g, last, pred, _ = ours(c, bin_dir, root, path, work, "fp64")
    mixes = mixing(c, bin_dir, root, work) if c.mixup else None
    ref = torch_run(c, state, data, mixes, torch.float64, False)
    assert all(v.dtype == torch.float64 for v in g.values()), "gradients are not in double"
    claim("fp64 logits of the first step", far(g.pop("output.logits"), ref["logits"]), LIMIT64)
    claim("fp64 loss of the first step", far(g.pop("output.loss"), ref["loss"]), LIMIT64)
    for what, mine, key in (("gradients (%d)" % len(g), g, "grads"), ("weights after %d steps (%d)" % (ref["steps"], len(last)), last, "weights")):
        value, where = worst(distances(mine, ref[key]))
        claim("fp64 " + what, value, LIMIT64, where)
    claim("fp64 logits of glovita_infer", far(infer_logits(pred, data["val"][2]), ref["infer"]), LIMIT64)


# One ReLU whose input lies within rounding of zero changes every gradient below it by 1e-3, in PyTorch's float runs as in ours, and
# whether there is one is chance. So distances are compared in their geometric mean over several seeds.
def single(c, bin_dir, work, claim):
    mean = {"logits": [], "grads": [], "weights": []}
    first = c.seed
    for seed in range(first, first + c.seeds):
        state, path, root, data = prepare(c, work, seed)
        ref = torch_run(c, state, data, None, torch.float64, False)
        both = [torch_run(c, state, data, None, torch.float32, cl) for cl in (False, True)]
        g, last, _, _ = ours(c, bin_dir, root, path, work, "no")
        mean["logits"].append(far(g.pop("output.logits"), ref["logits"]))
        g.pop("output.loss")
        for mine, key in ((g, "grads"), (last, "weights")):
            d, own = distances(mine, ref[key]), [distances(t[key], ref[key]) for t in both]
            mean[key].append({k: (d[k], max(o[k] for o in own)) for k in d})
    c.seed = first
    claim("fp32 logits of the first step", max(mean["logits"]), LOGITS32)
    for key in ("grads", "weights"):
        gm = {k: np.exp(np.mean([np.log(np.maximum(m[k], 1e-30)) for m in mean[key]], 0)) for k in mean[key][0]}
        k = max(gm, key=lambda k: gm[k][0] / max(FACTOR * gm[k][1], FLOOR))
        claim("fp32 %s, %d seeds, furthest tensor" % (key, c.seeds), gm[k][0], max(FACTOR * gm[k][1], FLOOR), k)


def check(c, bin_dir, work):
    print("%s: %s %d px, %d images in batches of %d, %d epochs, %s" % (c.name, c.model, c.size, c.n, c.batch, c.epochs, c.opt), flush=True)
    claim = Claims()
    double(c, bin_dir, work, claim)
    if c.seeds:
        single(c, bin_dir, work, claim)
    return claim.bad


def cases(light):
    if light:
        return [Case("light_resnet", "resnet10t", 32, 3, 6, 6, 5, "SGD"), Case("light_vit", "test_vit", 32, 4, 7, 4, 2, "AdamW", clip=0.5, seeds=1)]
    out = []
    for m, kw in (("resnet18", {}), ("resnet50d", {}), ("vit_small_patch16_224", {}), ("vit_small_patch14_reg4_dinov2", {"size": 56})):
        for opt in ("SGD", "AdamW"):
            out.append(Case("%s_%s" % (m, opt), m, opt=opt, seeds=4, **kw))
    out += [
        Case("five_batches", "resnet18", 64, 7, 38, 8, 1, "SGD", seed=3),          # five batches, the last of six
        Case("vit_resampled", "vit_small_patch16_224", 96, 3, 8, 8, 5, native=224, seed=4),
        Case("reg_resampled", "vit_small_patch14_reg4_dinov2", 70, 3, 8, 8, 5, native=98, seed=5),
        Case("accumulate", "resnet18", 64, 4, 22, 4, 2, "AdamW", accumulate=2, seed=6),
        Case("clip", "resnet18", 64, 5, opt="SGD", clip=0.3, nesterov=True, seed=7),
        Case("smoothing", "vit_small_patch16_224", 64, 6, smoothing=0.1, undecay=True, seed=8),
        Case("mixup", "resnet18", 64, 5, 12, 4, 2, mixup=True, seed=9),
        Case("regression", "resnet18", 64, 1, regression=True, seed=10),
        Case("layer_decay", "vit_small_patch16_224", 64, 5, layer_decay=0.75, seed=11),
        Case("mean_std", "resnet18", 64, 5, opt="Adam", mean=[0.1, 0.2, 0.3], std=[0.3, 0.5, 0.7], seed=12),
        Case("double_file", "resnet18", 64, 5, weights_dtype=torch.float64, seed=13),
    ]
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("bin")
    p.add_argument("--light", action="store_true")
    p.add_argument("--only")
    p.add_argument("--keep")
    a = p.parse_args()
    torch.set_num_threads(2)
    work = a.keep or tempfile.mkdtemp(prefix="fidelity.")
    os.makedirs(work, exist_ok=True)
    failed = []
    for c in cases(a.light):
        if not a.only or a.only in c.name:
            failed += ["%s: %s" % (c.name, b) for b in check(c, os.path.abspath(a.bin), work)]
    if not a.keep:
        shutil.rmtree(work)
    print("all within their limits" if not failed else "too far: " + "; ".join(failed))
    sys.exit(bool(failed))


main()
