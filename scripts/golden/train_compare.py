#!/usr/bin/env python3
"""The quick start's training here and in PyTorch with timm: accuracy over seeds, and the time of a step, as a markdown table.

    train_compare.py BIN [--data DIR] [--images 10000] [--epochs 2] [--seeds 3] [--precision no bf16] [--only ours|torch] [--time]

resnet18 (28 pixels, 10 classes) on Fashion-MNIST: AdamW, rate 2e-3 by cosine without warm-up, decay 0.05, batch 128, crop of 28
with padding 4 and mirroring, the same mean and deviation, the same images. The means may part by the larger of PyTorch's
largest minus smallest and 0.5 points. --time: training steps of both, in turns, in images a second. Exit status 1 when they part."""
import argparse, gzip, json, os, shutil, statistics, subprocess, sys, tempfile, time
import numpy as np, timm, torch
import torch.nn.functional as F

p = argparse.ArgumentParser()
p.add_argument("bin")
p.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
p.add_argument("--images", type=int, default=10000)
p.add_argument("--epochs", type=int, default=2)
p.add_argument("--seeds", type=int, default=3)
p.add_argument("--precision", nargs="+", default=["no", "bf16"])
p.add_argument("--only", choices=["ours", "torch"])
p.add_argument("--time", action="store_true")
p.add_argument("--threads", type=int, default=2)
a = p.parse_args()
torch.set_num_threads(a.threads)
MEAN, STD, BATCH, LR = 0.2860, 0.3530, 128, 2e-3


def idx(name):
    path = os.path.join(a.data, name)
    with (gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb")) as f:
        b = f.read()
    n = b[3]
    shape = [int.from_bytes(b[4 + 4 * i:8 + 4 * i], "big") for i in range(n)]
    return np.frombuffer(b, np.uint8, offset=4 + 4 * n).reshape(shape)


def rows(stage_bin):
    """The images that data_fraction picks, from the index itself."""
    out = subprocess.run([os.path.join(stage_bin, "glovita-index"), "--data.dataset", "fashion_mnist", "--data.data_root_dir", a.data, "--data.data_fraction", repr(a.images / 60000),
                          "--split", "train", "--no_shuffle"], capture_output=True, check=True).stdout
    cat = subprocess.run([os.path.join(stage_bin, "glovita-cat"), "--json"], input=out, capture_output=True, check=True).stdout.decode()
    return np.array([json.loads(line)["row"] for line in cat.splitlines() if '"row"' in line])


def ours(seed, precision, work, epochs):
    t = time.time()
    group = "%s_%d_%d" % (precision, seed, epochs)
    r = subprocess.run([os.path.join(a.bin, "glovita_train"), "--data.dataset", "fashion_mnist", "--data.data_root_dir", a.data, "--data.data_fraction", repr(a.images / 60000),
                        "--model.encoder.type", "resnet18", "--model.encoder.no_pretrained", "--training.epochs", str(epochs), "--optimizer.lr", repr(LR), "--optimizer.warmup_epochs", "0",
                        "--dataloading.batch_size", str(BATCH), "--training.seed", str(seed), "--training.precision", precision, "--training.threads", str(a.threads),
                        "--exp_dir", work, "--logger.group", group, "--logger.backend", "none", "--task.metrics", "acc"], capture_output=True, text=True)
    if r.returncode:
        sys.exit(r.stderr)
    with open(os.path.join(work, "fashion_mnist", group, "0", "metrics.jsonl")) as f:
        return 100 * json.loads(f.readlines()[-1])["val_Accuracy"], time.time() - t


class Torch:
    def __init__(self, train, val, seed, precision):
        self.g = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        (self.x, self.y), (self.vx, self.vy) = [(torch.from_numpy(x.copy()), torch.from_numpy(y.astype(np.int64))) for x, y in (train, val)]
        self.bf16 = precision == "bf16"
        self.net = timm.create_model("resnet18", num_classes=10).to(memory_format=torch.channels_last)
        self.opt = torch.optim.AdamW(self.net.parameters(), lr=LR, weight_decay=0.05)

    def images(self, x):
        x = ((x.float() / 255 - MEAN) / STD)[:, None].expand(-1, 3, -1, -1)
        return x.contiguous(memory_format=torch.channels_last)

    def augmented(self, x):
        n = len(x)
        big = F.pad(x, (4, 4, 4, 4)) # raw pixels: the border is black
        dy, dx, flip = (torch.randint(0, k, (n,), generator=self.g) for k in (9, 9, 2))
        i = torch.arange(28)
        cols = torch.where(flip[:, None] == 1, 27 - i, i) + dx[:, None]
        return big[torch.arange(n)[:, None, None], (i + dy[:, None])[:, :, None], cols[:, None, :]]

    def step(self, at):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            loss = F.cross_entropy(self.net(self.images(self.augmented(self.x[at]))), self.y[at])
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()

    def train(self):
        t = time.time()
        for e in range(a.epochs):
            for q in self.opt.param_groups:
                q["lr"] = LR * 0.5 * (1 + np.cos(np.pi * e / a.epochs))
            self.net.train()
            for at in torch.randperm(len(self.x), generator=self.g).split(BATCH):
                self.step(at)
        self.net.eval()
        right = 0
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            for at in torch.arange(len(self.vx)).split(500):
                right += (self.net(self.images(self.vx[at])).argmax(1) == self.vy[at]).sum().item()
        return 100 * right / len(self.vx), time.time() - t


def stage_seconds(batches, precision, work):
    """glovita-train alone on a stream of batches that is already there."""
    words = ["--data.dataset", "fashion_mnist", "--data.data_root_dir", a.data, "--data.data_fraction", repr(batches * BATCH / 60000), "--model.encoder.type", "resnet18",
             "--model.encoder.no_pretrained", "--training.epochs", "1", "--dataloading.batch_size", str(BATCH), "--training.precision", precision, "--training.seed", "1",
             "--training.threads", str(a.threads), "--task.metrics", "acc", "--optimizer.lr", repr(LR), "--logger.backend", "none", "--exp_dir", work, "--logger.group", "time"]
    text = subprocess.run([os.path.join(a.bin, "glovita_train"), *words, "--print_pipeline"], capture_output=True, text=True, check=True).stdout
    config = os.path.join(work, "time.json")
    with open(config, "w") as f:
        f.write(text.split("resolved_config.json", 1)[1].split("\n", 1)[1].split("\n}", 1)[0] + "\n}\n")
    stream = os.path.join(work, "batches.%d" % batches)
    env = dict(os.environ, PATH=os.path.abspath(a.bin) + ":" + os.environ["PATH"])
    if not os.path.exists(stream):
        subprocess.run("glovita-index --config %s --split train | glovita-decode --config %s | glovita-augment --config %s | glovita-batch --config %s > %s" % (config, config, config, config, stream),
                       shell=True, check=True, env=env)
    t = time.time()
    subprocess.run("glovita-train --config %s < %s" % (config, stream), shell=True, check=True, env=env, capture_output=True)
    return time.time() - t


def times(train, val, work):
    """Training steps alone, in turns, median of three: ours as the difference of 20 and 4 batches, so that the start cancels."""
    print("\n| precision | ours, images/s | PyTorch, images/s | ours / PyTorch |\n| --- | --- | --- | --- |")
    for precision in a.precision:
        us, them = [], []
        for k in range(3):
            us.append(16 * BATCH / (stage_seconds(20, precision, work) - stage_seconds(4, precision, work)))
            net = Torch(train, val, k, precision)
            net.net.train()
            for at in torch.arange(3 * BATCH).split(BATCH):
                net.step(at)
            t = time.time()
            for at in torch.randperm(len(net.x))[:16 * BATCH].split(BATCH):
                net.step(at)
            them.append(16 * BATCH / (time.time() - t))
        u, t = statistics.median(us), statistics.median(them)
        print("| %s | %.0f | %.0f | %.2f |" % (precision, u, t, u / t), flush=True)


def main():
    work, bad = tempfile.mkdtemp(prefix="compare."), False
    at = rows(a.bin)
    train = idx("train-images-idx3-ubyte")[at], idx("train-labels-idx1-ubyte")[at]
    val = idx("t10k-images-idx3-ubyte"), idx("t10k-labels-idx1-ubyte")
    print("resnet18, Fashion-MNIST, %d images, %d epochs, batch %d, AdamW %g, %d threads; accuracy on %d images" % (len(at), a.epochs, BATCH, LR, a.threads, len(val[0])))
    print("\n| precision | ours | mean | PyTorch | mean | max − min | difference | allowed |  |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for precision in a.precision if a.seeds else []:
        us, them, ut, tt = [], [], [], []
        for seed in range(1, a.seeds + 1):
            if a.only != "torch":
                v, t = ours(seed, precision, work, a.epochs)
                us.append(v), ut.append(t)
            if a.only != "ours":
                v, t = Torch(train, val, seed, precision).train()
                them.append(v), tt.append(t)
            print("seed %d %s: ours %s PyTorch %s, seconds %s %s" % (seed, precision, us[-1:], them[-1:], ut[-1:], tt[-1:]), file=sys.stderr, flush=True)
        if not us or not them:
            continue
        spread = max(them) - min(them)
        gap, allowed = abs(statistics.mean(us) - statistics.mean(them)), max(spread, 0.5)
        bad |= gap > allowed
        print("| %s | %s | %.2f | %s | %.2f | %.2f | %.2f | %.2f | %s |" % (precision, " ".join("%.2f" % v for v in us), statistics.mean(us), " ".join("%.2f" % v for v in them),
              statistics.mean(them), spread, gap, allowed, "ok" if gap <= allowed else "too far"), flush=True)
    if a.time:
        times(train, val, work)
    shutil.rmtree(work)
    sys.exit(bad)


main()
