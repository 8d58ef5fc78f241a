"""Small archives in the layout of CIFAR's: tests/fixtures/cifar/. 3 images a batch, pixel values by a formula
(image i, plane c, row y, column x of the whole set: (7 i + 50 c + 3 y + x) mod 256); labels (5 i) mod classes.
The Python batches are written instruction by instruction as Python 2's cPickle wrote the published ones; torchvision's way of
reading them (pickle, latin1) is checked here. Run by hand: python scripts/golden/cifar.py"""
import gzip, io, os, pickle, struct, sys, tarfile

out = os.path.join(os.path.dirname(__file__), "../../tests/fixtures/cifar")
os.makedirs(out, exist_ok=True)
N = 3


def pixels(i):
    return bytes((7 * i + 50 * c + 3 * y + x) % 256 for c in range(3) for y in range(32) for x in range(32))


def short(s):
    return b"U" + bytes([len(s)]) + s


def batch(first, classes, keys, title):
    """keys: labels, or fine_labels and coarse_labels"""
    n = iter(range(1, 100))
    q = lambda: b"q" + bytes([next(n)])
    data = b"".join(pixels(first + i) for i in range(N))
    p = b"\x80\x02}" + q() + b"("
    p += short(b"batch_label") + q() + short(title) + q()
    for key in keys:
        div = 5 if key == b"coarse_labels" else 1
        p += short(key) + q() + b"]" + q() + b"(" + b"".join(b"K" + bytes([5 * (first + i) % classes // div]) for i in range(N)) + b"e"
    p += short(b"data") + q() + b"cnumpy.core.multiarray\n_reconstruct\n" + q() + b"cnumpy\nndarray\n" + q() + b"K\x00\x85U\x01b\x87R" + q()
    p += b"(K\x01K" + bytes([N]) + b"M\x00\x0c\x86cnumpy\ndtype\n" + q() + b"U\x02u1K\x00K\x01\x87R" + q()
    p += b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<i", len(data)) + data + b"tb"
    p += short(b"filenames") + q() + b"]" + q() + b"(" + b"".join(short(b"x_s_%06d.png" % i) + q() for i in range(N)) + b"eu."
    d = pickle.loads(p, encoding="latin1")
    assert d["data"].shape == (N, 3072) and d["data"].tobytes() == data
    return p


def binary(first, classes, coarse):
    return b"".join((bytes([5 * (first + i) % classes // 5]) if coarse else b"") + bytes([5 * (first + i) % classes]) + pixels(first + i) for i in range(N))


def archive(name, members):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for path, b in members:
            info = tarfile.TarInfo(path)
            info.size = len(b)
            t.addfile(info, io.BytesIO(b))
    with open(os.path.join(out, name), "wb") as f:
        f.write(gzip.compress(raw.getvalue(), 9, mtime=0))


ten = ["data_batch_%d" % k for k in range(1, 6)] + ["test_batch"]
archive("cifar-10-python.tar.gz", [("cifar-10-batches-py/readme.html", b"none")] + [("cifar-10-batches-py/" + m, batch(N * k, 10, [b"labels"], m.encode())) for k, m in enumerate(ten)])
archive("cifar-10-binary.tar.gz", [("cifar-10-batches-bin/" + m + ".bin", binary(N * k, 10, False)) for k, m in enumerate(ten)])
archive("cifar-100-python.tar.gz", [("cifar-100-python/" + m, batch(N * k, 100, [b"coarse_labels", b"fine_labels"], m.encode())) for k, m in enumerate(["train", "test"])])
archive("cifar-100-binary.tar.gz", [("cifar-100-binary/" + m + ".bin", binary(N * k, 100, True)) for k, m in enumerate(["train", "test"])])
