#!/usr/bin/env python3
"""Golden values of image formats and augmentation, from Pillow, OpenCV 4, albumentations and torchvision's own calls of them.

Writes tests/golden/augment/*.txt and tests/fixtures/images/*. Images come from a formula both sides know; a golden value is
the CRC-32 of the resulting bytes. Run by hand: pip install pillow numpy 'opencv-python-headless<5' tifffile albumentations pypng.
"""
import os
import zlib
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
import cv2
import png
import tifffile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
GOLD = os.path.join(ROOT, "tests/golden/augment")
FIX = os.path.join(ROOT, "tests/fixtures/images")


def formula(h, w, c):
    """Texture, gradients and edges: no value is reached by chance. tests/unit/picture.h has the same."""
    y, x, k = np.meshgrid(np.arange(h), np.arange(w), np.arange(c), indexing="ij")
    return ((x * 3 + y * 2 + k * 40 + ((x // 8 + y // 8) % 2) * 60 + (x * y) % 23 * (1 + k)) % 256).astype(np.uint8)


def crc(a):
    return zlib.crc32(np.ascontiguousarray(a).tobytes())


def pil(a):
    return Image.fromarray(a if a.shape[2] == 3 else a[:, :, 0])


def arr(im):
    a = np.asarray(im)
    return a if a.ndim == 3 else a[:, :, None]


def resizes(out):
    sizes = [(50, 60, 40, 37), (50, 60, 100, 121), (64, 64, 32, 32), (31, 77, 224, 100), (125, 94, 86, 64), (28, 28, 224, 224),
             (17, 300, 16, 33), (5, 5, 9, 9), (1, 7, 3, 3), (40, 50, 40, 20), (40, 50, 13, 50)]
    for h, w, nh, nw in sizes:
        for c in (1, 3):
            a = formula(h, w, c)
            for name, f in (("nearest", Image.NEAREST), ("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)):
                out.append(("resize", h, w, c, nh, nw, name, crc(arr(pil(a).resize((nw, nh), f)))))
            b = cv2.resize(a, (nw, nh), interpolation=cv2.INTER_LINEAR)
            out.append(("resize", h, w, c, nh, nw, "linear", crc(b)))


def rotations(out):
    for h, w, c, deg in [(32, 32, 3, 7.25), (48, 64, 3, -20.0), (33, 57, 1, 19.5), (64, 48, 3, 133.0), (224, 224, 3, 0.125)]:
        a = formula(h, w, c)
        m = cv2.getRotationMatrix2D((w / 2 - 0.5, h / 2 - 0.5), deg, 1.0)
        b = cv2.warpAffine(a, m, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        out.append(("rotate_linear", h, w, c, deg, crc(b)))
    for h, w, c, deg in [(32, 32, 3, 3.3333333333333335), (32, 32, 3, 30.0), (20, 33, 3, 26.666666666666668), (28, 28, 1, 16.666666666666668), (31, 31, 3, 180.0)]:
        fill = (128,) * 3 if c == 3 else 128
        out.append(("rotate_pillow", h, w, c, deg, crc(arr(pil(formula(h, w, c)).rotate(deg, fillcolor=fill)))))


OPS = ["invert", "cutout", "sharpness", "autocontrast", "posterize", "shear_x", "translate_x", "translate_y", "shear_y", "rotate",
       "equalize", "contrast", "color", "solarize", "brightness"]


def randaugment_op(im, op, mag, sign):
    """The operations of the original's RandAugment with their magnitude tables and a given sign."""
    fill = (128, 128, 128) if im.mode == "RGB" else 128
    t = {"shear": np.linspace(0, 0.3, 10), "translate": np.linspace(0, 150 / 331, 10), "rotate": np.linspace(0, 30, 10),
         "enhance": np.linspace(0, 0.9, 10), "posterize": np.round(np.linspace(8, 4, 10), 0).astype(int), "solarize": np.linspace(256, 0, 10)}
    t = {k: (int(v[mag]) if k == "posterize" else float(v[mag])) for k, v in t.items()}
    aff = lambda m, how: im.transform(im.size, Image.AFFINE, m, how, fillcolor=fill)
    return {
        "invert": lambda: ImageOps.invert(im), "autocontrast": lambda: ImageOps.autocontrast(im), "equalize": lambda: ImageOps.equalize(im),
        "posterize": lambda: ImageOps.posterize(im, t["posterize"]), "solarize": lambda: ImageOps.solarize(im, t["solarize"]),
        "sharpness": lambda: ImageEnhance.Sharpness(im).enhance(1 + t["enhance"] * sign),
        "contrast": lambda: ImageEnhance.Contrast(im).enhance(1 + t["enhance"] * sign),
        "color": lambda: ImageEnhance.Color(im).enhance(1 + t["enhance"] * sign),
        "brightness": lambda: ImageEnhance.Brightness(im).enhance(1 + t["enhance"] * sign),
        "shear_x": lambda: aff((1, t["shear"] * sign, 0, 0, 1, 0), Image.BICUBIC),
        "shear_y": lambda: aff((1, 0, 0, t["shear"] * sign, 1, 0), Image.BICUBIC),
        "translate_x": lambda: aff((1, 0, t["translate"] * im.size[0] * sign, 0, 1, 0), Image.NEAREST),
        "translate_y": lambda: aff((1, 0, 0, 0, 1, t["translate"] * im.size[1] * sign), Image.NEAREST),
        "rotate": lambda: im.rotate(t["rotate"], fillcolor=fill),
    }[op]()


def randaugment(out):
    for h, w, c in [(32, 32, 3), (41, 30, 3), (28, 28, 1)]:
        a = formula(h, w, c)
        a[: h // 2] = a[: h // 2] // 2 + 30  # neither channel reaches 0 and 255 everywhere, so autocontrast has work
        for i, op in enumerate(OPS):
            if op == "cutout":
                continue
            for mag in (1, 2, 5, 8, 9):
                for sign in (-1, 1):
                    out.append(("randaugment", h, w, c, i, mag, sign, crc(arr(randaugment_op(pil(a), op, mag, sign)))))


def policies(out):
    """shared_default_2d as albumentations runs it: h, w, resize_size, image_size."""
    import albumentations as A
    for h, w, resize, size in [(125, 94, 64, 56), (94, 125, 64, 56), (64, 64, 32, 28), (50, 333, 80, 71), (301, 200, 256, 224)]:
        t = A.Compose([A.SmallestMaxSize(resize), A.CenterCrop(size, size)])
        out.append((h, w, resize, size, crc(t(image=formula(h, w, 3))["image"])))


def normals(n):
    """Numbers as a normal distribution might give them, which both sides know."""
    return ((np.arange(n) * 37 % 4001) - 2000) / 500


def albumentations_units(out):
    """ColorJitter, GaussianBlur and GaussNoise of albumentations with given numbers: a digest for bytes, 24 values for floats (the
    bytes' 255th parts). OpenCV shifts hues of what is left of a row after whole vectors in another way, so those rows are of 64."""
    import albumentations as A
    rng = np.random.default_rng(4)
    jitter, blur, noise = A.ColorJitter(), A.GaussianBlur(), A.GaussNoise()

    def both(h, w, c, f, *given):
        a = formula(h, w, c)
        out.append((given[0], "u8", h, w, c, *given[1:], crc(f(a))))
        if c in (1, 3):
            v = f(a.astype(np.float32) / np.float32(255)).reshape(-1)
            out.append((given[0], "f32", h, w, c, *given[1:], *(f"{v[i * 7919 % v.size]:.9g}" for i in range(24))))

    for i in range(48):
        h, w, c = [(32, 64, 3), (17, 128, 3), (23, 57, 1), (40, 192, 3)][i % 4]
        b, k, s, t = (round(float(v), 4) for v in rng.uniform([0.8, 0.8, 0.8, -0.03], [1.2, 1.2, 1.2, 0.03]))
        if i >= 24:
            b, k, s, t = (round(float(v), 4) for v in rng.uniform([0, 0, 0, -0.5], [3, 3, 3, 0.5]))
        if i % 7 == 6:
            b, k, s, t = [(1, k, s, 0), (b, 1, 1, t), (0, k, s, t), (b, 0, s, t), (b, k, 0, t), (1, 1, 1, 0.5)][i // 7 % 6]
        order = [int(v) for v in rng.permutation(4)]
        both(h, w, c, lambda a: jitter.apply(a, b, k, s, t, order), "jitter", b, k, s, t, *order)
    for i in range(40):
        h, w, c = [(30, 40, 3), (33, 57, 1), (21, 64, 3), (16, 19, 4), (2, 40, 3), (25, 1, 1), (12, 13, 6)][i % 7]
        size = [3, 5, 3, 5, 7, 13][i % 6]
        sigma = round(float(rng.uniform(0.5, 3)), 4)
        kernel = A.augmentations.blur.functional.create_gaussian_kernel_1d(sigma, size)
        both(h, w, c, lambda a: blur.apply(a, kernel).reshape(a.shape), "blur", sigma, size)
    for i in range(16):
        h, w, c = [(30, 40, 3), (33, 57, 1), (16, 19, 4), (12, 13, 6)][i % 4]
        sigma = round(float(rng.uniform(0.01, 0.04 if i < 8 else 0.5)), 4)
        real = cv2.randn
        try:
            def randn(dst, mean, stddev):
                dst[...] = normals(dst.size).reshape(dst.shape) * float(stddev[0]) + float(mean[0])
            cv2.randn = randn
            noise.std_range = (sigma, sigma)

            def add(a):
                return noise.apply(a, **noise.get_params_dependent_on_data({}, {"image": a}))
            both(h, w, c, add, "noise", sigma)
        finally:
            cv2.randn = real


def random_resized_crops(out):
    """Where torchvision cuts, given the uniform numbers it draws, and the pixels of what it cuts (OpenCV's for "linear")."""
    import torch
    from torchvision.transforms import RandomResizedCrop, functional as F, InterpolationMode as M
    rng = np.random.default_rng(3)
    real = torch.empty, torch.randint
    how = {"bilinear": M.BILINEAR, "bicubic": M.BICUBIC, "nearest": M.NEAREST}
    bounds = [(0.08, 1, 0.75, 4 / 3), (0.7, 1, 0.8, 1.25), (0.6, 1, 0.75, 1.3333), (0.08, 0.1, 0.75, 4 / 3)]
    for i in range(120):
        h, w = [(375, 500), (500, 375), (281, 500), (64, 64), (50, 1000), (900, 40), (7, 5)][i % 7]
        b = bounds[i % 4]
        u, used = [round(float(v), 6) for v in rng.random(24)], [0]

        def uniform():
            used[0] += 1
            return u[used[0] - 1]

        class Drawn:
            def uniform_(self, lo, hi):
                v = uniform()
                return real[0](1).fill_(float(lo) + (float(hi) - float(lo)) * v)

        torch.empty = lambda *a, **k: Drawn()
        torch.randint = lambda lo, hi, size: real[0](1).fill_(int(lo + (hi - lo) * uniform()))
        try:
            y, x, ph, pw = (int(v) for v in RandomResizedCrop.get_params(Image.new("L", (w, h)), b[:2], b[2:]))
        finally:
            torch.empty, torch.randint = real
        a = formula(h, w, 3 if i % 5 else 1)
        size = [224, 32, 97][i % 3]
        name = ["bilinear", "bicubic", "linear"][i // 3 % 3]
        if name == "linear":
            b8 = cv2.resize(np.ascontiguousarray(a[y : y + ph, x : x + pw]), (size, size), interpolation=cv2.INTER_LINEAR)
        else:
            b8 = arr(F.resized_crop(pil(a), y, x, ph, pw, [size, size], how[name], antialias=True))
        out.append((h, w, a.shape[2], size, name, *b, y, x, ph, pw, crc(b8), len(u), *u))


def write(path, rows):
    with open(path, "w") as f:
        for r in rows:
            f.write(" ".join(str(v) for v in r) + "\n")


def images():
    """Files of every kind, each with shape and digest of Image.open(...).convert('RGB'); 16-bit ones of their own values."""
    rows = []
    big = formula(70, 83, 3)
    rgb, grey = Image.fromarray(big), Image.fromarray(big[:, :, 0])

    def add(name, save=None, native=None):
        path = os.path.join(FIX, name)
        if save:
            save(path)
        a = native if native is not None else np.asarray(Image.open(path).convert("RGB"))
        rows.append((name, *a.shape, a.dtype.name, crc(a)))

    add("rgb444.jpg", lambda p: rgb.save(p, quality=92, subsampling=0))
    add("rgb422.jpg", lambda p: rgb.save(p, quality=85, subsampling=1))
    add("rgb420.jpg", lambda p: rgb.save(p, quality=80, subsampling=2))
    add("progressive.jpg", lambda p: rgb.save(p, quality=80, subsampling=2, progressive=True))
    add("restart.jpg", lambda p: rgb.save(p, quality=70, subsampling=2, restart_marker_blocks=3))
    add("grey.jpg", lambda p: grey.save(p, quality=90))
    add("cmyk.jpg", lambda p: rgb.convert("CMYK").save(p, quality=90))
    tiny = Image.fromarray(formula(3, 2, 3))
    add("tiny.jpg", lambda p: tiny.save(p, quality=80, subsampling=2))
    with open(os.path.join(FIX, "rgb420.jpg"), "rb") as f:
        data = f.read()
    with open(os.path.join(FIX, "cut.jpg"), "wb") as f:
        f.write(data[:900])
    small = formula(21, 19, 4)
    c3, c1 = Image.fromarray(small[:, :, :3]), Image.fromarray(small[:, :, 0])
    add("rgb.png", lambda p: c3.save(p))
    add("rgba.png", lambda p: Image.fromarray(small).save(p))
    add("grey.png", lambda p: c1.save(p))
    add("la.png", lambda p: Image.fromarray(small[:, :, :2]).save(p))
    add("palette.png", lambda p: c3.quantize(40).save(p))
    add("interlaced.png", lambda p: png.Writer(83, 70, greyscale=False, interlace=True).write(open(p, "wb"), big.reshape(70, -1)))
    add("palette4.png", lambda p: c3.quantize(7).save(p, bits=4))
    add("bit.png", lambda p: c1.convert("1").save(p))
    wide = small[:, :, 0].astype(np.uint16) * 200 + 77
    add("grey16.png", lambda p: Image.fromarray(wide).save(p), wide[:, :, None])
    rgb16 = small[:, :, :3].astype(np.uint16) * 251 + 5
    add("rgb16.png", lambda p: cv2.imwrite(p, rgb16[:, :, ::-1]), rgb16)
    add("trns.png", lambda p: c3.save(p, transparency=(0, 0, 0)))
    add("rgb.bmp", lambda p: c3.save(p))
    add("grey.bmp", lambda p: c1.save(p))
    add("bit.bmp", lambda p: c1.convert("1").save(p))
    add("palette.bmp", lambda p: c3.quantize(40).save(p))
    add("rgba.bmp", lambda p: Image.fromarray(small).save(p))
    add("palette.gif", lambda p: c3.quantize(60).save(p))
    add("transparent.gif", lambda p: c3.quantize(60).save(p, transparency=5))
    add("animated.gif", lambda p: c3.quantize(60).save(p, save_all=True, append_images=[c3.transpose(0).quantize(60)]))

    def small_frame(p):
        c3.quantize(60).save(p, transparency=5)
        with open(p, "r+b") as f:
            f.seek(6)
            f.write(bytes([40, 0, 30, 0]))  # a screen of 40 x 30 around a frame of 19 x 21

    add("small.gif", small_frame)
    add("lossy.webp", lambda p: rgb.save(p, quality=70))
    add("lossless.webp", lambda p: c3.save(p, lossless=True))
    add("alpha.webp", lambda p: Image.fromarray(small).save(p, lossless=True, exact=True))
    f32 = small[:, :, :1].astype(np.float32) / 7 - 3
    add("rgb.tif", lambda p: c3.save(p))
    add("lzw.tif", lambda p: c3.save(p, compression="tiff_lzw"))
    add("deflate.tif", lambda p: c3.save(p, compression="tiff_adobe_deflate"))
    add("jpeg.tif", lambda p: rgb.save(p, compression="jpeg", quality=80))
    add("group4.tif", lambda p: c1.convert("1").save(p, compression="group4"))
    add("palette.tif", lambda p: c3.quantize(40).save(p))
    add("rgba.tif", lambda p: Image.fromarray(small).save(p))
    add("cmyk.tif", lambda p: c3.convert("CMYK").save(p))
    add("grey16.tif", lambda p: Image.fromarray(wide).save(p, compression="tiff_lzw"), wide[:, :, None])
    add("float.tif", lambda p: Image.fromarray(f32[:, :, 0]).save(p), f32)
    add("tiled.tif", lambda p: tifffile.imwrite(p, big, tile=(32, 16), photometric="rgb"))
    add("planar.tif", lambda p: tifffile.imwrite(p, np.moveaxis(small[:, :, :3], 2, 0), planarconfig="separate", photometric="rgb", rowsperstrip=5))
    add("tiledplanar.tif", lambda p: tifffile.imwrite(p, np.moveaxis(rgb16, 2, 0), planarconfig="separate", photometric="rgb", tile=(16, 16)), rgb16)
    add("white.tif", lambda p: tifffile.imwrite(p, small[:, :, 0], photometric="miniswhite"))
    add("big.tif", lambda p: tifffile.imwrite(p, small[:, :, :3], bigtiff=True, photometric="rgb", byteorder=">"), small[:, :, :3])
    i16 = wide.astype(np.int32).astype(np.int16)[:, :, None]
    add("int16.tif", lambda p: tifffile.imwrite(p, i16[:, :, 0], photometric="minisblack", byteorder=">"), i16)
    with open(os.path.join(FIX, "float.npy"), "wb") as f:
        np.save(f, f32.astype(">f4"))
    rows.append(("float.npy", *f32.shape, "float32", crc(f32)))
    write(os.path.join(GOLD, "images.txt"), rows)


def main():
    os.makedirs(GOLD, exist_ok=True)
    os.makedirs(FIX, exist_ok=True)
    rows = []
    resizes(rows)
    rotations(rows)
    randaugment(rows)
    write(os.path.join(GOLD, "sample.txt"), rows)
    rows = []
    random_resized_crops(rows)
    write(os.path.join(GOLD, "random_resized_crop.txt"), rows)
    rows = []
    albumentations_units(rows)
    write(os.path.join(GOLD, "albumentations.txt"), rows)
    rows = []
    policies(rows)
    write(os.path.join(GOLD, "default_2d_1.txt"), rows)
    images()


if __name__ == "__main__":
    main()
