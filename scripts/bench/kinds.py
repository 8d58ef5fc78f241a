"""The kinds of work: each makes its data, runs ours and the peer, and says whether both did the same.

ours() and peer() return {"value": …} (peer() None where there is none); more(rounds) returns further facts and further goals.
"""
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import time

from common import FASHION, PEER, RUNS, UMAP, Failed, photographs, run, timed


def also(what, value, sense, goal):
    return {"what": what, "value": round(value, 4), "goal": f"{sense} {goal}", "met": value >= goal if sense == ">=" else value <= goal}


class Work:
    together = False  # True: ours() runs the peer too, peer() tells of it

    def __init__(self, w, a, folder):
        self.w, self.a, self.folder = w, a, folder
        self.n = 0
        self.prepare()

    def prepare(self):
        pass

    def peer(self):
        return None

    def check(self, ours, peer):
        pass

    def more(self, rounds):
        return {}, []

    def program(self, name):
        return os.path.join(self.a.bin, name)


class Steps(Work):
    """A training step or a forward pass: tests/bench/step and peer.py on the same weights and images."""

    def prepare(self):
        w, a = self.w, self.a
        self.features = w["kind"] == "features"
        weights, images = os.path.join(self.folder, w["model"] + ".safetensors"), os.path.join(self.folder, "input.safetensors")
        size = ["--batch", str(w["batch"]), "--size", "224"]
        run([a.python, PEER, "weights", w["model"], "--file", weights] + size)
        run([a.python, PEER, "input", "-", "--file", images] + size)
        self.common = [w["model"], *size, "--threads", str(a.threads), "--precision", w["precision"], "--steps", str(a.steps or (16 if self.features else 4)), "--weights", weights, "--input", images,
                       "--optimizer", w["optimizer"], "--lr", str(w["lr"]), "--weight_decay", str(w["weight_decay"])]
        self.common += ["--infer", "--features"] if self.features else []
        self.peers = {"torch eager": ["step"]}
        if a.compile:
            self.peers["torch compile"] = ["step", "--compile"]
        if self.features:
            self.peers.update({"ONNX Runtime": ["ort"], "OpenVINO": ["openvino"]})
        self.skipped = {} if a.compile else {"torch compile": "not run (--compile)"}
        self.rates = {}

    def ours(self):
        lines = {x["name"].rsplit("/", 1)[1]: x for x in run([os.path.join(self.a.build, "tests/bench/step")] + self.common)}
        rate, kernels = lines["rate"], lines["kernels"]
        return {"value": rate["value"], "roof_share": rate["roof_share"], "kernels": kernels["step_over_kernels"], "peak": lines["peak"]["value"],
                "same": lines["losses"]["losses"] if not self.features else lines["features"]["values"], "roof_gmadds": rate["roof_gmadds"],
                "copy_gbs": rate["copy_gbs"], "ideal_ms": lines["ideal"]["value"]}

    def peer(self):
        """The best of the peers that run here; ONNX Runtime and OpenVINO have a goal of their own."""
        best = eager = None
        for name, how in list(self.peers.items()):
            try:
                v = run([self.a.python, PEER, how[0]] + self.common + how[1:])[0]
            except Failed as e:
                if name == "torch eager":
                    raise
                print(f"compare: warning: {name} is left out: {e}", file=sys.stderr)
                self.skipped[name] = str(e)[-200:]
                del self.peers[name]
                continue
            self.rates.setdefault(name, []).append(v["value"])
            v["same"] = v["losses"] if not self.features else v["values"]
            eager = eager or v
            if name.startswith("torch") and (best is None or v["value"] > best["value"]):
                best = v
        best["same"] = eager["same"]
        return best

    def check(self, ours, peer):
        first, rest = (0.02, 0.06) if self.w["precision"] == "bf16" else (2e-4, 0.02)
        a, b = ours["same"], peer["same"]
        if self.features:
            same = all(abs(x - y) <= 0.06 * max(abs(v) for v in b) for x, y in zip(a, b))
        else: # the later ones depend on the first steps, which amplify rounding
            same = all(abs(x - y) <= (rest if i else first) * max(abs(x), abs(y), 1e-3) for i, (x, y) in enumerate(zip(a, b)))
        if not same or len(a) != len(b):
            raise Failed(f"not the same thing: {a} and {b}")

    def more(self, rounds):
        last = rounds[-1]
        out = {"same_ours": last[0]["same"], "same_peer": last[1]["same"], "peak_mb_ours": round(max(r[0]["peak"] for r in rounds), 1),
               "peak_mb_peer": round(max(r[1]["peak"] for r in rounds), 1), "roof_gmadds": last[0]["roof_gmadds"], "copy_gbs": last[0]["copy_gbs"],
               "ideal_ms": last[0]["ideal_ms"], "step_over_kernels": round(statistics.median(r[0]["kernels"] for r in rounds), 4),
               "peers": {**{k: round(statistics.median(v), 3) for k, v in self.rates.items()}, **self.skipped}}
        goals = [also("step over the sum of its kernels", out["step_over_kernels"], "<=", self.w["kernels"])] if self.w.get("kernels") else []
        others = [statistics.median(v) for k, v in self.rates.items() if not k.startswith("torch")]
        if others:
            goals.append(also("over the best of ONNX Runtime and OpenVINO", statistics.median(r[0]["value"] for r in rounds) / max(others), ">=", 1))
        return out, goals


COMMON = "--no_progress --logger.backend none --logger.group {group} --optimizer.warmup_epochs 0 --training.seed 1 --exp_dir {exp}"


class Run(Work):
    """A whole run by the clock, from files to a checkpoint: glovita_train and a PyTorch program."""

    def prepare(self):
        a, what = self.a, self.w["run"]
        count = self.w["short"] if a.short else self.w["count"]
        self.data, epochs = self.folder, str(1 if a.short else self.w.get("epochs", 1))
        peer = ["--batch", str(self.w["batch"]), "--epochs", epochs, "--threads", str(a.threads)]
        ours = f"--training.epochs {epochs} --dataloading.batch_size {self.w['batch']} --dataloading.num_workers 2 --training.threads {a.threads} "
        if what == "fashion":
            self.data = FASHION
            if not os.path.isdir(FASHION):
                raise Failed(f"no Fashion-MNIST in '{FASHION}' (package dataset-fashion-mnist)")
            ours += f"--data.dataset fashion_mnist --data.data_root_dir {FASHION} --data.data_fraction {count / 60000} --model.encoder.type resnet18 --model.encoder.no_pretrained --optimizer.name SGD --optimizer.lr 0.02"
            peer += ["--count", str(count)]
        elif what == "probe":
            run([a.python, RUNS, "features", "--folder", self.folder, "--count", str(count)])
            ours += f"--data.dataset precomputed_features --data.num_classes 10 --data.train_features_file {self.folder}/train.h5 --data.val_features_file {self.folder}/val.h5 --optimizer.name AdamW --optimizer.lr 0.001"
        else:
            photographs(a.python, self.folder, count)
            ours += f"--data.dataset generic_image_dataset --data.data_root_dir {self.folder} --data.num_classes 2 --data.split_source subdirs --data.label_source folder --model.encoder.no_pretrained "
            ours += "--data.augmentation.train_kwargs vflip 0 rotate 0 --data.augmentation.image_size 224 --data.augmentation.resize_size 256 "
            if what == "lora":
                ours += "--model.encoder.type vit_small_patch16_224 --peft.method lora --peft.lora_dropout 0 --peft.lora_target_modules attn.qkv attn.proj --optimizer.name AdamW --optimizer.lr 0.001"
            else:
                ours += "--model.encoder.type resnet50 --optimizer.name SGD --optimizer.lr 0.01"
        self.words, self.peer_words = shlex.split(ours), [what, "--folder", self.data] + peer
        self.variants = {"torch " + p: ["--precision", p] for p in self.w["precisions"]}
        if what == "probe":
            self.variants = {"h5py and DataLoader": [], "from memory": ["--memory"]}
        self.all = {}

    def ours(self):
        self.n += 1
        more = shlex.split(COMMON.format(group=f"r{self.n}", exp=os.path.join(self.folder, "exp")))
        t = timed([self.program("glovita_train")] + self.words + ["--training.precision", self.w["precisions"][0]] + more, memory=self.w["measure"] == "peak")
        acc = re.findall(r"val_Accuracy ([0-9.]+)", t["stderr"] + t["stdout"])
        return {"value": t[self.w["measure"]], "seconds": t["seconds"], "accuracy": float(acc[-1]) if acc else None}

    def peer(self):
        best = None
        for name, words in self.variants.items():
            t = timed([self.a.python, RUNS] + self.peer_words + words + ["--out", os.path.join(self.folder, "peer.pt")], memory=self.w["measure"] == "peak")
            acc = re.findall(r'"accuracy": ([0-9.]+)', t["stdout"])
            v = {"value": t[self.w["measure"]], "accuracy": float(acc[-1])}
            self.all.setdefault(name, []).append(v["value"])
            if name != "from memory" and (best is None or v["value"] < best["value"]):
                best = v
        return best

    def check(self, ours, peer):
        if ours["accuracy"] is None or (self.w.get("learns") and not self.a.short and abs(ours["accuracy"] - peer["accuracy"]) > 0.1):
            raise Failed(f"not the same thing: validation accuracies {ours['accuracy']} and {peer['accuracy']}")

    def more(self, rounds):
        return {"accuracy_ours": rounds[-1][0]["accuracy"], "accuracy_peer": rounds[-1][1]["accuracy"], "short": self.a.short,
                "peers": {k: round(statistics.median(v), 3) for k, v in self.all.items()}}, []


class First(Run):
    """Process start to the end of the first step, everything of the driver included."""

    def prepare(self):
        photographs(self.a.python, self.folder, 4)
        self.words = shlex.split(f"--data.dataset generic_image_dataset --data.data_root_dir {self.folder} --data.num_classes 2 --data.split_source subdirs --data.label_source folder --training.epochs 1 "
                                 f"--training.val_steps_per_epoch 1 --dataloading.batch_size 4 --dataloading.num_workers 1 --model.encoder.type resnet18 --model.encoder.no_pretrained --training.no_enable_checkpointing "
                                 f"--training.threads {self.a.threads} --optimizer.name SGD")
        self.peer_words, self.variants, self.all = ["first", "--threads", str(self.a.threads)], {"torch eager": []}, {}

    def ours(self):
        """The run goes on to its end; its journal tells when the first step was done."""
        start = time.time()
        t = super().ours()
        with open(os.path.join(self.folder, "exp", "generic_image_dataset", f"r{self.n}", "0", "events.jsonl")) as f:
            done = [json.loads(line)["ts"] for line in f if '"stage":"train"' in line and '"step":1' in line and '"validation":false' in line]
        if not done:
            raise Failed("the journal of the run tells no first step")
        return {"value": done[0] - start, "whole_run": t["seconds"], "accuracy": 0.0}

    def peer(self):
        t = timed([self.a.python, RUNS] + self.peer_words)
        self.all.setdefault("torch eager", []).append(t["seconds"])
        return {"value": t["seconds"], "accuracy": 0.0}


class Help(Work):
    def ours(self):
        took = []
        for _ in range(21):
            t = time.perf_counter()
            subprocess.run([self.program("glovita_train"), "--help"], stdout=subprocess.DEVNULL, check=True)
            took.append(1e3 * (time.perf_counter() - t))
        return {"value": statistics.median(took)}


IMAGES = "--data.dataset generic_image_dataset --data.data_root_dir {d} --data.num_classes 2 --data.split_source subdirs --data.label_source folder"


class Input(Work):
    """Programs of the input path in a shell pipeline. Rates are images per processor second of all programs, or by the clock."""
    long = 48

    def prepare(self):
        self.epochs = 2 if self.a.short else self.long
        photographs(self.a.python, self.folder, 128)
        self.images = 128 * self.epochs

    def strand(self, shard="", passes=0, policy="baseline"):
        p = {"baseline": "--data.augmentation.train_policy baseline", "randaugment": "--data.augmentation.train_policy randaugment_448 --data.augmentation.image_size 224"}[policy]
        d, b = "--data.dataset imagenet " + p, self.a.bin + "/glovita-"
        through = f" | {self.a.build}/tests/bench/pass" * passes
        return f"{b}index {IMAGES.format(d=self.folder)} --split train --epochs {self.epochs} {shard} | {b}decode {d} --data.data_root_dir {self.folder} --split train | {b}augment {d} --split train{through}"

    def pipeline(self, text):
        t = timed("set -o pipefail; " + text, shell=True)
        if f"{self.images} samples" not in t["stdout"]:
            raise Failed(f"a pipeline gave '{t['stdout'].strip()[:100]}', not {self.images} samples")
        return t

    def end(self):
        return f" | {self.a.build}/tests/bench/pass --count"

    def batch(self, inputs=""):
        return f"{self.a.bin}/glovita-batch --split train {inputs}{self.end()}"


class Jpeg(Input):
    def ours(self):
        t = self.pipeline("taskset -c 0 bash -c " + shlex.quote("set -o pipefail; " + self.strand(policy=self.w["policy"]) + " | " + self.batch()))
        return {"value": self.images / t["cpu"]}

    def peer(self):
        return run(["taskset", "-c", "0", self.a.python, RUNS, "jpeg", "--folder", self.folder, "--epochs", str(self.epochs)] + (["--randaugment"] if self.w["policy"] == "randaugment" else []))[0]


class Strands(Input):
    """Two strands, each on a core of its own, by the clock; the peer is one strand and all behind it on one core."""
    long = 144  # 18,432 images, so that what is compared is not how programs start: that has a work of its own, and a data set has more images

    def pinned(self, core, text):
        return f"taskset -c {core} bash -c " + shlex.quote("set -o pipefail; " + text)

    def ours(self):
        fifos = [os.path.join(self.folder, f"strand{i}") for i in range(2)]
        text = "rm -f {0} && mkfifo {0}; ".format(" ".join(fifos))
        text += "".join(f"{self.pinned(i, self.strand(f'--shard {i}/2'))} >{f} & " for i, f in enumerate(fifos))
        t = self.pipeline(text + self.batch(" ".join("--input " + f for f in fifos)) + "; r=$?; wait; exit $r")
        return {"value": self.images / t["seconds"], "cpu": t["cpu"]}

    def peer(self):
        t = self.pipeline(self.pinned(0, self.strand() + " | " + self.batch()))
        return {"value": self.images / t["seconds"], "cpu": t["cpu"]}

    def more(self, rounds):
        return {"processor_time_over_one_strand": round(statistics.median(r[0]["cpu"] / r[1]["cpu"] for r in rounds), 4)}, []


class Stages(Input):
    """Four more stages that pass records on; the peer is the path without them."""

    def once(self, n):
        t = self.pipeline(self.strand(passes=n) + " | " + self.batch())
        return {"value": self.images / t["seconds"], "cpu": t["cpu"]}

    def ours(self):
        return self.once(4)

    def peer(self):
        return self.once(0)

    def more(self, rounds):
        return {"by_processor_time": round(statistics.median(r[1]["cpu"] / r[0]["cpu"] for r in rounds), 4), "cpu_ms_per_image_and_stage": round(1e3 * statistics.median((r[0]["cpu"] - r[1]["cpu"]) / 4 / self.images for r in rounds), 4)}, []


class Hop(Work):
    """The program measures both, in turns."""
    together = True

    def ours(self):
        x = {x["name"].rsplit("/", 1)[1]: x for x in run([os.path.join(self.a.build, "tests/bench/stream"), "150528"])}
        self.bare = {"value": x["bare"]["value"], "cpu": x["bare"]["cpu_us"]}
        return {"value": x["records"]["value"], "cpu": x["records"]["cpu_us"]}

    def peer(self):
        return self.bare

    def more(self, rounds):
        return {"by_processor_time": round(statistics.median(r[1]["cpu"] / r[0]["cpu"] for r in rounds), 4)}, []


class Large(Work):
    """Memory of a step on a large input, with its time beside."""

    def ours(self):
        program, *words = self.w["command"]
        lines = {x["name"].rsplit("/", 1)[1]: x for x in run([os.path.join(self.a.build, "tests/bench", program)] + words + ["--steps", "1", "--threads", str(self.a.threads)])}
        return {"value": lines["peak"]["value"], "roof_share": lines["rate"]["roof_share"], "ms": lines["rate"]["median_ms"], "losses": lines["losses"]["losses"]}

    def more(self, rounds):
        return {"step_ms": rounds[-1][0]["ms"], "losses": rounds[-1][0]["losses"]}, []


class Patch(Work):
    """Processor seconds a patch, the mean over many: the heavy transforms are rare. Each round has draws of its own."""
    count, m = 100, 0

    def ours(self):
        self.n += 1
        x = run(["taskset", "-c", "0", os.path.join(self.a.build, "tests/bench/patch"), "--count", str(4 * self.count), "--seed", str(self.n)])[-1]
        return {"value": x["value"], "median": x["median"]}

    def peer(self):
        self.m += 1
        return run(["taskset", "-c", "0", self.a.python, RUNS, "patch", "--count", str(4 if self.a.short else self.count), "--seed", str(self.m)])[0]

    def more(self, rounds):
        return {"by_median_patch": round(statistics.median(r[1]["median"] / r[0]["median"] for r in rounds), 4)}, []


class Umap(Work):
    """A feature file laid out and drawn: glovita_plot_umap and umap-learn with matplotlib. Cold: whole processes, nothing compiled; warm: the layout alone."""

    def prepare(self):
        self.warm, self.quality = self.w["warm"], []
        where = ["--fashion", FASHION] if self.warm else ["--count", str(self.w["count"])]
        if self.warm and not os.path.isdir(FASHION):
            raise Failed(f"no Fashion-MNIST in '{FASHION}' (package dataset-fashion-mnist)")
        run([self.a.python, UMAP, "data", "--folder", self.folder, *where])

    def ours(self):
        h5, png = os.path.join(self.folder, "features.h5"), os.path.join(self.folder, "ours.png")
        out = timed([self.program("glovita_plot_umap"), "--h5_path", h5, "--output_path", png, "--max_samples", "1000000", "--threads", str(self.a.threads)], env={**os.environ, "GLOVITA_LOG": "info"})
        found = re.search(r"laid out in ([0-9.]+) s", out["stderr"])
        if not found:
            raise Failed("glovita_plot_umap does not say how long the layout took")
        return {"value": float(found[1]) if self.warm else out["seconds"], "whole": out["seconds"]}

    def peer(self):
        env = {**os.environ, "OMP_NUM_THREADS": str(self.a.threads), "NUMBA_NUM_THREADS": str(self.a.threads)}
        if not self.warm: # as on a machine where it never ran
            self.n += 1
            env["NUMBA_CACHE_DIR"] = os.path.join(self.folder, f"numba{self.n}")
        out = timed([self.a.python, UMAP, "fit", "--folder", self.folder] + (["--warm"] if self.warm else []), env=env)
        fit = json.loads(out["stdout"].splitlines()[-1])
        return {"value": fit["value"] if self.warm else out["seconds"], "whole": out["seconds"], "count": fit["count"]}

    def check(self, ours, peer):
        self.quality.append(run([self.a.python, UMAP, "quality", "--folder", self.folder, "--layouts", os.path.join(self.folder, "ours.csv"), os.path.join(self.folder, "layout.npy")]))
        if [q["count"] for q in self.quality[-1]] != [peer["count"]] * 2:
            raise Failed(f"not the same points: {self.quality[-1]} and {peer['count']}")

    def more(self, rounds):
        names = "trustworthiness", "recall"
        got = {f"{n}_{side}": round(statistics.median(q[i][n] for q in self.quality), 4) for n in names for i, side in enumerate(("ours", "peer"))}
        goals = [also(f"{n} over the peer's", got[n + "_ours"] - got[n + "_peer"], ">=", -0.01) for n in names]
        return {**got, "whole_s_ours": round(statistics.median(r[0]["whole"] for r in rounds), 2)}, goals


KINDS = {"step": Steps, "features": Steps, "run": Run, "first": First, "help": Help, "jpeg": Jpeg, "strands": Strands, "stages": Stages, "hop": Hop, "large": Large, "patch": Patch, "umap": Umap}
