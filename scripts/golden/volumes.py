#!/usr/bin/env python3
"""Golden values of the transforms for volumes, from batchgeneratorsv2's own, every random number given.

Writes tests/golden/augment/volumes.txt: what, shape (channels last), how many numbers were given, those numbers, the range of the result, and
values of the result at places spread over it. Volumes come from a formula both sides know. Run by hand: pip install batchgeneratorsv2 torch numpy.
"""
import os
import numpy as np
import torch
from batchgeneratorsv2.transforms.intensity.brightness import BrightnessAdditiveTransform, MultiplicativeBrightnessTransform
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
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
from batchgeneratorsv2.transforms.utils.pseudo2d import Convert2DTo3DTransform, Convert3DTo2DTransform

GOLD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests/golden/augment/volumes.txt")
SAMPLES = 24
VOLUMES = [(9, 12, 15, 1), (10, 11, 13, 2), (16, 16, 16, 1), (4, 18, 17, 3), (21, 26, 1), (24, 19, 3)]
rows = []


def formula(shape):
    """Texture, gradients, edges; channels first as float32. tests/unit/volumes.c has the same."""
    *spatial, c = shape
    z, y, x = np.meshgrid(*[np.arange(n) for n in [1] * (3 - len(spatial)) + spatial], indexing="ij")
    v = [((x * 3 + y * 2 + z * 5 + k * 40 + ((x // 3 + y // 3 + z // 2) % 2) * 60 + (x * y + z) % 23 * (1 + k)) % 256) / 16 - 5 for k in range(c)]
    return torch.from_numpy(np.stack(v).reshape((c, *spatial)).astype(np.float32))


def put(what, shape, given, y):
    y = np.moveaxis(np.asarray(y), 0, -1)
    flat = y.reshape(-1)
    rows.append([what, len(shape) - 1, *shape, len(given), *(f"{float(g):.9g}" for g in given), y.ndim - 1, *y.shape, f"{flat.max() - flat.min():.6g}"] +
                [f"{flat[i * 7919 % flat.size]:.7g}" for i in range(SAMPLES)])


def channels(shape):
    return list(range(shape[-1]))


def spatial():
    rng = np.random.default_rng(1)
    for i in range(20):
        shape = VOLUMES[i % len(VOLUMES)]
        axes = len(shape) - 1
        plane = axes == 3 and i % 4 == 3
        size = [int(max(2, round(n * f))) for n, f in zip(shape, rng.uniform(0.6, 1.3, axes))]
        angle = rng.uniform(-0.6, 0.6, 3).round(3) if i % 5 else [0.0, 0.0, 0.0]
        if i % 7 == 6:
            angle = rng.uniform(-3, 3, 3).round(3)
        scale = rng.uniform(0.6, 1.6, 3).round(3) if i % 3 else [1.0, 1.0, 1.0]
        x = formula(shape)
        d = {"image": x.clone()}
        n = 2 if plane else axes
        if plane:
            size[0] = shape[0]  # slices are channels there: none is cut
            d = Convert3DTo2DTransform()(**d)
        t = SpatialTransform(size[axes - n:], 0, False, p_rotation=1, rotation=lambda image, dim: float(angle[dim]), p_scaling=1,
                             scaling=lambda image, dim: float(scale[dim]))
        d = t(**d)
        if plane:
            d = Convert2DTo3DTransform()(**d)
        put("affine", shape, [plane, *angle, *scale, *size, *[1] * (3 - axes)], d["image"])
    for i, size in enumerate([(8, 8, 8), (16, 5, 20), (9, 12, 15), (3, 30, 14), (11, 12, 13)]):
        for shape in VOLUMES[:3]:
            t = SpatialTransform(size, 0, False)
            put("center", shape, size, t(image=formula(shape))["image"])
    put("center", VOLUMES[4], (20, 31, 1), SpatialTransform((20, 31), 0, False)(image=formula(VOLUMES[4]))["image"])


def reorders():
    for shape in VOLUMES:
        axes = len(shape) - 1
        for flips in range(1, 1 << axes):
            on = [a for a in range(axes) if flips >> a & 1]
            put("mirror", shape, [a in on for a in range(3)], MirrorTransform((0, 1, 2))._apply_to_image(formula(shape), axes=on))
        for a in range(axes):
            for b in range(a + 1, axes):
                for k in (1, 2, 3):
                    y = Rot90Transform(1)._apply_to_image(formula(shape), num_rot_per_combination=[k], axis_combinations=[[a + 1, b + 1]])
                    put("rot90", shape, [k, a, b], y)
    for order in [(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]:
        for shape in VOLUMES[:4]:
            put("transpose", shape, order, TransposeAxesTransform({0, 1, 2})._apply_to_image(formula(shape), axis_order=[0, *(o + 1 for o in order)]))


def filters():
    rng = np.random.default_rng(2)
    for shape in VOLUMES:
        axes, c = len(shape) - 1, shape[-1]
        all_of = np.ones(c, dtype=bool)
        sigmas = [rng.uniform(0.3, 1.5, 3).round(3) for _ in range(2)] if min(shape[:-1]) > 4 else [rng.uniform(0.3, 0.7, 3).round(3)]  # torch mirrors once only
        for s in sigmas:
            y = GaussianBlurTransform()._apply_to_image(formula(shape), apply_to_channel=all_of, sigmas=[[float(v) for v in s[3 - axes:]]] * c)
            put("blur", shape, s, y)
        for size in range(2, 8):
            put("median", shape, [size], MedianFilterTransform(size)._apply_to_image(formula(shape), apply_channel=all_of, filter_sizes=[size] * c))
        for s in (0.1, 0.73):
            put("sharpen", shape, [s], SharpeningTransform()._apply_to_image(formula(shape), strengths=[s] * c, clamp_intensities=[False] * c, apply_channel=all_of))
        for s in ([0.5, 0.5, 0.5], [1, 0.37, 0.81], [0.93, 0.68, 0.26]):
            y = SimulateLowResolutionTransform(1, False, False, None)._apply_to_image(formula(shape), apply_to_channel=channels(shape), scales=torch.tensor([s[3 - axes:]] * c))
            put("low", shape, s, y)


def levels():
    table = ((np.arange(1 << 16) * 37 % 4001) - 2000) / 500
    for shape in VOLUMES:
        c = shape[-1]
        idx = torch.arange(c)
        put("brightness", shape, [1.2, 0], MultiplicativeBrightnessTransform(1, False)._apply_to_image(formula(shape), apply_to_channel=idx, multipliers=torch.full((c,), 1.2)))
        put("brightness", shape, [1, -0.31], BrightnessAdditiveTransform(0, 1)._apply_to_image(formula(shape), apply_to_channel=idx, shift=torch.full((c,), -0.31)))
        for f in (0.55, 1.7):
            for keep in (False, True):
                put("contrast", shape, [f, keep], ContrastTransform(1, keep, False)._apply_to_image(formula(shape), apply_to_channel=idx, multipliers=torch.full((c,), f)))
        for g in (0.7, 1.5, 3.1):
            for invert in (False, True):
                for retain in (False, True):
                    y = GammaTransform(1, 0, False, 1, 1)._apply_to_image(formula(shape), apply_to_channel=idx, retain_stats=[retain] * c, invert_image=[invert] * c, gamma=torch.full((c,), g))
                    put("gamma", shape, [g, invert, retain], y)
        y = formula(shape)
        real = torch.Tensor.normal_
        try:  # the table runs in our order of the numbers, channels last
            torch.Tensor.normal_ = lambda t, mean=0, std=1: t.copy_(torch.from_numpy(np.moveaxis(table[:t.numel()].reshape((*t.shape[1:], t.shape[0])), -1, 0) * std + mean))
            y = GaussianNoiseTransform(0.07, 1, True)._apply_to_image(y, num_apply=c, apply_mask=None, apply_idx=idx, sigmas=0.07)
        finally:
            torch.Tensor.normal_ = real
        put("noise", shape, [0.07], y)
        axes = len(shape) - 1
        lb, ub = [n // 3 for n in shape[:axes]], [n // 3 + max(1, n // 4) for n in shape[:axes]]
        y = BlankRectangleTransform(1, lambda t: np.mean(np.asarray(t)), 1)._apply_to_image(formula(shape), apply_channel=[True] * c, rectangles=[[(lb, ub)]] * c)
        put("blank", shape, [*lb, *[0] * (3 - axes), *[u - l for l, u in zip(lb, ub)], *[1] * (3 - axes)], y)


def bumps():
    rng = np.random.default_rng(3)
    for i in range(18):
        shape = VOLUMES[i % len(VOLUMES)]
        axes = len(shape) - 1
        loc = rng.uniform(-0.5, 1.5, axes).round(3)
        scale = [round(float(np.exp(rng.uniform(np.log(max(1, n // 6)), np.log(n)))), 3) for n in shape[:-1]]
        given = [*(l * n for l, n in zip(loc, shape)), *[0] * (3 - axes), *scale, *[1] * (3 - axes)]
        kw = {"scale": lambda s, d: scale[d], "loc": lambda s, d: float(loc[d])}
        strength = [-3.3, 1.7][i % 2]
        t = BrightnessGradientAdditiveTransform(**kw, max_strength=strength, same_for_all_channels=False, mean_centered=False)
        put("gradient", shape, [*given, strength], t(image=formula(shape))["image"])
        g = [0.05, 0.6, 2.2, 3.9][i % 4]
        put("local_gamma", shape, [*given, g], LocalGammaTransform(**kw, gamma=g, same_for_all_channels=False)(image=formula(shape))["image"])


def main():
    torch.set_num_threads(1)
    for f in (spatial, reorders, filters, levels, bumps):
        f()
    with open(GOLD, "w") as f:
        for r in rows:
            f.write(" ".join(str(v) for v in r) + "\n")
    print(len(rows), "lines")


if __name__ == "__main__":
    main()
