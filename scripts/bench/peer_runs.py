"""Whole runs and input paths as people write them with PyTorch, h5py, Pillow and torchvision: `peer_runs.py KIND …`.

  photographs   JPEG files to read, n for training and a few for validation
  features      the HDF5 files of the linear probe
  fashion probe lora resnet50   train from files to a checkpoint
  first         one step of ResNet-18, batch 4, float
  jpeg          decode, random resized crop (--randaugment: RandAugment of Xie et al. 2019 too), flip, into uint8 batches; one core
"""
import argparse
import json
import os
import random
import time


def photographs(a):
    from PIL import Image
    from sklearn.datasets import load_sample_images
    rng, images = random.Random(0), [Image.fromarray(x) for x in load_sample_images().images]
    for split, n in ("train", a.count), ("val", 32):
        for i in range(n):
            w = rng.randint(440, 560)
            x, y = rng.randint(0, 640 - w), rng.randint(0, 427 - w * 3 // 4)
            im = images[i % 2].crop((x, y, x + w, y + w * 3 // 4)).resize((500, 375), Image.BICUBIC)
            if rng.random() < 0.5:
                im = im.transpose(Image.FLIP_LEFT_RIGHT)
            d = os.path.join(a.folder, split, "ab"[i % 2])
            os.makedirs(d, exist_ok=True)
            im.save(os.path.join(d, f"{i:05d}.jpg"), quality=90)


def features(a):
    import h5py
    import numpy as np
    rng = np.random.default_rng(0)
    centre = rng.normal(size=(10, 768)) * 0.3
    for name, n in ("train", a.count), ("val", 1000):
        y = rng.integers(0, 10, n)
        with h5py.File(os.path.join(a.folder, name + ".h5"), "w") as f:
            f["features"] = (centre[y] + rng.normal(size=(n, 768))).astype("f4")
            f["labels"] = y.astype("i8")


def loader(data, a, shuffle=True):
    import torch
    return torch.utils.data.DataLoader(data, batch_size=a.batch, shuffle=shuffle, num_workers=2, persistent_workers=True)


def fit(m, train, val, a, params=None, lr=0.01, adam=False):
    """The loop everyone writes. Returns the last epoch's validation accuracy."""
    import contextlib
    import torch
    torch.set_num_threads(a.threads)
    cast = torch.autocast("cpu", torch.bfloat16) if a.precision == "bf16" else contextlib.nullcontext()
    params = list(params or m.parameters())
    opt = torch.optim.AdamW(params, lr=lr, weight_decay=0.05) if adam else torch.optim.SGD(params, lr=lr, momentum=0.9, weight_decay=0.05)
    right = seen = 0
    for _ in range(a.epochs):
        m.train()
        for i, (x, y) in enumerate(train):
            if a.steps and i == a.steps:
                break
            if x.ndim == 4:
                x = x.to(memory_format=torch.channels_last)
            opt.zero_grad(set_to_none=True)
            with cast:
                loss = torch.nn.functional.cross_entropy(m(x).float(), y)
            loss.backward()
            opt.step()
        m.eval()
        right = seen = 0
        with torch.no_grad(), cast:
            for x, y in val:
                right += (m(x.to(memory_format=torch.channels_last) if x.ndim == 4 else x).argmax(1) == y).sum().item()
                seen += len(y)
    torch.save({"model": m.state_dict(), "optimizer": opt.state_dict()}, a.out)
    return right / max(seen, 1)


def net(name, a, classes):
    import timm
    import torch
    torch.manual_seed(0)
    return timm.create_model(name, pretrained=False, num_classes=classes).to(memory_format=torch.channels_last)


def fashion(a):
    import gzip
    import numpy as np
    import torch
    from PIL import Image
    from torchvision import transforms as T

    def idx(name, head):
        with gzip.open(os.path.join(a.folder, name + "-ubyte.gz")) as f:
            return np.frombuffer(f.read(), np.uint8, offset=head)

    class Set(torch.utils.data.Dataset):
        def __init__(self, kind, t, n=None):
            self.x, self.y, self.t = idx(kind + "-images-idx3", 16).reshape(-1, 28, 28)[:n], idx(kind + "-labels-idx1", 8)[:n], t

        def __len__(self):
            return len(self.y)

        def __getitem__(self, i):
            return self.t(Image.fromarray(self.x[i]).convert("RGB")), int(self.y[i])

    last = [T.ToTensor(), T.Normalize([0.286] * 3, [0.353] * 3)]
    train, val = Set("train", T.Compose([T.RandomCrop(28, 4), T.RandomHorizontalFlip()] + last), a.count), Set("t10k", T.Compose(last))
    return fit(net("resnet18", a, 10), loader(train, a), loader(val, a, False), a, lr=0.02)


def probe(a):
    import h5py
    import torch

    class Stored(torch.utils.data.Dataset):
        def __init__(self, path):
            self.path, self.f = path, None
            with h5py.File(path) as f:
                self.n = len(f["labels"])

        def __len__(self):
            return self.n

        def __getitem__(self, i):
            if self.f is None:
                self.f = h5py.File(self.path)
            return torch.from_numpy(self.f["features"][i]), int(self.f["labels"][i])

    class Held(torch.utils.data.Dataset):
        def __init__(self, path):
            with h5py.File(path) as f:
                self.x, self.y = torch.from_numpy(f["features"][:]), torch.from_numpy(f["labels"][:])

        def __len__(self):
            return len(self.y)

        def __getitem__(self, i):
            return self.x[i], self.y[i]

    kind = Held if a.memory else Stored
    train, val = (kind(os.path.join(a.folder, n + ".h5")) for n in ("train", "val"))
    return fit(torch.nn.Linear(768, 10), loader(train, a), loader(val, a, False), a, lr=0.001, adam=True)


def pictures(a):
    from torchvision import datasets, transforms as T
    last = [T.ToTensor(), T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    train = datasets.ImageFolder(os.path.join(a.folder, "train"), T.Compose([T.Resize(256), T.RandomCrop(224), T.RandomHorizontalFlip()] + last))
    val = datasets.ImageFolder(os.path.join(a.folder, "val"), T.Compose([T.Resize(256), T.CenterCrop(224)] + last))
    return loader(train, a), loader(val, a, False)


def lora(a):
    from peft import LoraConfig, get_peft_model
    m = net("vit_small_patch16_224", a, 2)
    m = get_peft_model(m, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=["attn.qkv", "attn.proj"], modules_to_save=["head"]))
    return fit(m, *pictures(a), a, params=[p for p in m.parameters() if p.requires_grad], lr=1e-3, adam=True)


def resnet50(a):
    return fit(net("resnet50", a, 2), *pictures(a), a)


def first(a):
    import timm
    import torch
    torch.set_num_threads(a.threads)
    m = timm.create_model("resnet18", pretrained=False).to(memory_format=torch.channels_last)
    opt = torch.optim.SGD(m.parameters(), lr=0.01, momentum=0.9)
    torch.nn.functional.cross_entropy(m(torch.rand(4, 3, 224, 224)), torch.arange(4)).backward()
    opt.step()
    return 0.0


def uda(im, rng):
    """Two of fifteen operations, each with chance 1/2, by Pillow."""
    from PIL import Image, ImageDraw, ImageEnhance, ImageOps
    grey, w, h = (128, 128, 128), *im.size
    for _ in range(2):
        op, m, sign = rng.randrange(15), rng.randint(1, 9), rng.choice((-1, 1))
        if rng.random() < 0.5:
            continue
        shear, shift, f = sign * 0.3 * m / 9, sign * 150 / 331 * m / 9, 1 + sign * 0.9 * m / 9
        if op == 0:
            im = ImageOps.invert(im)
        elif op == 1:
            s, x, y = round(20 * m / 9), rng.randrange(w), rng.randrange(h)
            im = im.copy()
            ImageDraw.Draw(im).rectangle((x - s // 2, y - s // 2, x + s // 2, y + s // 2), (125, 122, 113))
        elif op == 2:
            im = ImageEnhance.Sharpness(im).enhance(f)
        elif op == 3:
            im = ImageOps.autocontrast(im)
        elif op == 4:
            im = ImageOps.posterize(im, round(8 - 4 * m / 9))
        elif op == 5:
            im = im.transform(im.size, Image.AFFINE, (1, shear, 0, 0, 1, 0), Image.BICUBIC, fillcolor=grey)
        elif op == 6:
            im = im.transform(im.size, Image.AFFINE, (1, 0, shift * w, 0, 1, 0), fillcolor=grey)
        elif op == 7:
            im = im.transform(im.size, Image.AFFINE, (1, 0, 0, 0, 1, shift * h), fillcolor=grey)
        elif op == 8:
            im = im.transform(im.size, Image.AFFINE, (1, 0, 0, shear, 1, 0), Image.BICUBIC, fillcolor=grey)
        elif op == 9:
            im = im.rotate(30 * m / 9, fillcolor=grey)
        elif op == 10:
            im = ImageOps.equalize(im)
        elif op == 11:
            im = ImageEnhance.Contrast(im).enhance(f)
        elif op == 12:
            im = ImageEnhance.Color(im).enhance(f)
        elif op == 13:
            im = ImageOps.solarize(im, 256 - 256 * m / 9)
        else:
            im = ImageEnhance.Brightness(im).enhance(f)
    return im


def jpeg(a):
    import numpy as np
    import torch
    from PIL import Image
    from torchvision import transforms as T
    torch.set_num_threads(1)
    crop, rng = T.Compose([T.RandomResizedCrop(224), T.RandomHorizontalFlip()]), random.Random(0)
    files = [os.path.join(d, f) for d, _, names in os.walk(os.path.join(a.folder, "train")) for f in names]
    began, n = time.process_time(), 0
    for _ in range(a.epochs):
        for at in range(0, len(files), a.batch):
            x = []
            for f in files[at:at + a.batch]:
                im = crop(Image.open(f).convert("RGB"))
                x.append(np.asarray(uda(im, rng) if a.randaugment else im))
            n += len(torch.from_numpy(np.stack(x)))
    print(json.dumps({"value": n / (time.process_time() - began), "images": n}))


def da5(side):
    """batchgeneratorsv2's transforms with the numbers of default_nnunet_DA5."""
    import numpy as np
    from batchgeneratorsv2.transforms.intensity.brightness import BrightnessAdditiveTransform
    from batchgeneratorsv2.transforms.intensity.contrast import BGContrast, ContrastTransform
    from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
    from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
    from batchgeneratorsv2.transforms.local.brightness_gradient import BrightnessGradientAdditiveTransform
    from batchgeneratorsv2.transforms.local.local_gamma import LocalGammaTransform
    from batchgeneratorsv2.transforms.noise.blank_rectangle import BlankRectangleTransform
    from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
    from batchgeneratorsv2.transforms.noise.median_filter import MedianFilterTransform
    from batchgeneratorsv2.transforms.noise.sharpen import SharpeningTransform
    from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
    from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
    from batchgeneratorsv2.transforms.spatial.rot90 import Rot90Transform
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.spatial.transpose import TransposeAxesTransform
    from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
    from batchgeneratorsv2.transforms.utils.random import OneOfTransform, RandomTransform as R
    uniform = np.random.uniform

    def scale(shape, d):
        return np.exp(uniform(np.log(shape[d] // 6), np.log(shape[d])))

    def either(a, b):
        return lambda *_: uniform(*a) if uniform() < 0.5 else uniform(*b)

    def contrast(keep):
        return R(ContrastTransform(BGContrast((0.5, 2)), keep, False, 0.5), 0.2)

    def gamma():
        return R(GammaTransform(BGContrast((0.7, 1.5)), 1, False, 1, 1), 0.1)
    local = {"scale": scale, "loc": (-0.5, 1.5), "same_for_all_channels": False, "p_per_channel": 0.5}
    return ComposeTransforms([
        SpatialTransform((side,) * 3, 0, False, p_rotation=0.4, rotation=(-0.5, 0.5), p_scaling=0.2, scaling=(0.7, 1.43), p_synchronize_scaling_across_axes=1),
        R(Rot90Transform(1, (0, 1, 2, 3), {0, 1, 2}), 0.5), R(TransposeAxesTransform({0, 1, 2}), 0.5),
        OneOfTransform([R(MedianFilterTransform((2, 8), 0, 0.5), 0.2), R(GaussianBlurTransform((0.3, 1.5), False, True, 0.5), 0.2)]),
        R(GaussianNoiseTransform((0, 0.1), 1, True), 0.1), R(BrightnessAdditiveTransform(0, 0.5, False, 0.5), 0.1), OneOfTransform([contrast(True), contrast(False)]),
        R(SimulateLowResolutionTransform((0.25, 1), False, True, None, None, 0.5), 0.15), gamma(), gamma(), MirrorTransform((0, 1, 2)),
        R(BlankRectangleTransform([[max(1, side // 10), side // 3]] * 3, lambda t: float(t.mean()), (1, 5), False, 0.5), 0.4),
        R(BrightnessGradientAdditiveTransform(max_strength=either((-5, -1), (1, 5)), mean_centered=False, **local), 0.3),
        R(LocalGammaTransform(gamma=either((0.01, 0.8), (1.5, 4)), **local), 0.3), R(SharpeningTransform((0.1, 1), 0, 0.5), 0.2)])


def patch(a):
    """Patches of 128^3 from a volume of 144^3: seconds each, and how often each transform took part."""
    import numpy as np
    import torch
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    np.random.seed(a.seed)
    z, y, x = np.meshgrid(*[np.arange(144)] * 3, indexing="ij")
    ball = (z % 48 - 24) ** 2 + (y % 40 - 20) ** 2 + (x % 56 - 28) ** 2 < 225
    volume = torch.from_numpy((np.where(ball, 1.5, -0.5) + 0.3 * np.random.randn(144, 144, 144)).astype(np.float32)[None])
    t, took = da5(128), []
    for i in range(a.count + 1):
        image = volume.clone()
        began = time.process_time()
        out = t(image=image)["image"]
        took.append(time.process_time() - began)
        if tuple(out.shape) != (1, 128, 128, 128):
            raise SystemExit(f"a patch of {tuple(out.shape)}")
    print(json.dumps({"value": sum(took[1:]) / a.count, "median": float(np.median(took[1:])), "count": a.count}))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("kind", choices=["photographs", "features", "fashion", "probe", "lora", "resnet50", "first", "jpeg", "patch"])
    p.add_argument("--folder")
    p.add_argument("--out", default="/dev/null")
    p.add_argument("--precision", default="no")
    p.add_argument("--memory", action="store_true")
    p.add_argument("--randaugment", action="store_true")
    for name, value in ("batch", 32), ("count", None), ("epochs", 1), ("steps", 0), ("threads", 2), ("seed", 1):
        p.add_argument("--" + name, type=int, default=value)
    a = p.parse_args()
    got = globals()[a.kind](a)
    if isinstance(got, float):
        print(json.dumps({"accuracy": got}))


if __name__ == "__main__":
    main()
