#!/usr/bin/env python3
"""Ours against what people use now, in turns in one run on this machine.

  scripts/bench/compare.py --list
  scripts/bench/compare.py --work resnet50-bf16 [--rounds 3] [--steps 4] [--compile]

One JSON line for a work: ours and peer (medians over the rounds), ratio (median of the rounds' ratios) with its spread, the goal, the share of
the roof measured in the same run, the processor. Each side is a process of its own in every round, ours first in odd rounds. Before a
ratio counts, both must have computed the same thing. Status 0 where the goal is met, 1 where it is missed or the work cannot
run (then "error" says why), 2 for a wrong command line.

By hand; needs PyTorch and timm (--python names the interpreter that has them) and `make all bench-programs`. Several works: --work A --work B.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from works import WORKS  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
PEER = os.path.join(HERE, "peer.py")


class Failed(Exception):
    pass


def processor():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
            if line.startswith("flags"):
                flags = line.split()
                return f"{name}, {os.cpu_count()} cores, " + " ".join(x for x in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if x in flags)
    return "unknown"


def run(argv, timeout=1200, **more):
    """The JSON lines of a program's standard output."""
    try:
        p = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, **more)
    except FileNotFoundError:
        raise Failed(f"'{argv[0]}' is not there: make all bench-programs")
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(argv)}: no end after {timeout} s")
    if p.returncode:
        last = p.stderr.strip().splitlines()[-1:] or ["no message"]
        raise Failed(f"{' '.join(argv[:4])} … ended in {p.returncode}: {last[0]}")
    return [json.loads(x) for x in p.stdout.splitlines() if x.startswith("{")]


def close(a, b, tolerance):
    return len(a) == len(b) and all(abs(x - y) <= tolerance * max(abs(x), abs(y), 1e-3) for x, y in zip(a, b))


def spread(v):
    return [round(min(v), 4), round(max(v), 4)]


class Steps:
    """A training step or a forward pass: tests/bench/step and peer.py on the same weights and images."""

    def __init__(self, w, a, folder):
        self.w, self.a = w, a
        self.features = w["kind"] == "features"
        weights, images = os.path.join(folder, w["model"] + ".safetensors"), os.path.join(folder, "input.safetensors")
        size = ["--batch", str(w["batch"]), "--size", "224"]
        run([a.python, PEER, "weights", w["model"], "--file", weights] + size)
        run([a.python, PEER, "input", "-", "--file", images] + size)
        self.common = [w["model"], *size, "--threads", str(a.threads), "--precision", w["precision"], "--steps", str(a.steps), "--weights", weights, "--input", images,
                       "--optimizer", w["optimizer"], "--lr", str(w["lr"]), "--weight_decay", str(w["weight_decay"])]
        self.common += ["--infer", "--features"] if self.features else []
        self.peers = {"torch eager": ["step"]}
        if a.compile:
            self.peers["torch compile"] = ["step", "--compile"]
        if self.features:
            for name, kind in ("ONNX Runtime", "ort"), ("OpenVINO", "openvino"):
                self.peers[name] = [kind]
        self.skipped = {} if a.compile else {"torch compile": "not run (--compile)"}
        self.rates = {}

    def ours(self):
        lines = {x["name"].rsplit("/", 1)[1]: x for x in run([os.path.join(self.a.build, "tests/bench/step")] + self.common)}
        rate, kernels = lines["rate"], lines["kernels"]
        return {"value": rate["value"], "roof_share": rate["roof_share"], "kernels": kernels["step_over_kernels"], "peak": lines["peak"]["value"],
                "same": lines["losses"]["losses"] if not self.features else lines["features"]["values"], "roof_gmadds": rate["roof_gmadds"],
                "copy_gbs": rate["copy_gbs"], "ideal_ms": lines["ideal"]["value"]}

    def peer(self):
        """The best of the peers that run here."""
        best = None
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
            v["name"] = name
            if name == "torch eager":
                eager = v
            if not self.features or name.startswith("torch"):
                best = v if best is None or v["value"] > best["value"] else best
        best["same"] = eager["same"]
        return best

    def check(self, ours, peer):
        bf16 = self.w["precision"] == "bf16"
        first, rest = (0.02, 0.06) if bf16 else (2e-4, 0.02)
        if self.features:
            scale = max(abs(v) for v in peer["same"])
            if not all(abs(x - y) <= 0.06 * scale for x, y in zip(ours["same"], peer["same"])):
                raise Failed(f"different features: {ours['same']} and {peer['same']}")
        elif not close(ours["same"][:1], peer["same"][:1], first) or not close(ours["same"], peer["same"], rest):
            raise Failed(f"different losses: {ours['same']} and {peer['same']}")

    def more(self, rounds):
        last = rounds[-1]
        out = {"same_ours": last[0]["same"], "same_peer": last[1]["same"], "peak_mb_ours": round(max(r[0]["peak"] for r in rounds), 1),
               "peak_mb_peer": round(max(r[1]["peak"] for r in rounds), 1), "roof_gmadds": last[0]["roof_gmadds"], "copy_gbs": last[0]["copy_gbs"],
               "ideal_ms": last[0]["ideal_ms"], "step_over_kernels": round(statistics.median(r[0]["kernels"] for r in rounds), 4),
               "peers": {**{k: round(statistics.median(v), 3) for k, v in self.rates.items()}, **self.skipped}}
        also = []
        if self.w.get("kernels"):
            also.append({"what": "step over the sum of its kernels", "value": out["step_over_kernels"], "goal": f"<= {self.w['kernels']}", "met": out["step_over_kernels"] <= self.w["kernels"]})
        others = [statistics.median(v) for k, v in self.rates.items() if not k.startswith("torch")]
        if others:
            v = statistics.median(r[0]["value"] for r in rounds) / max(others)
            also.append({"what": "over the best of ONNX Runtime and OpenVINO", "value": round(v, 4), "goal": ">= 1", "met": v >= 1})
        return out, also


KINDS = {"step": Steps, "features": Steps}


def one(name, a, cpu):
    w = WORKS[name]
    where, sense, goal = w["goal"]
    line = {"work": name, "ours": None, "peer": None, "ratio": None, "goal": f"{sense} {goal}" + ("x" if where == "ratio" else " " + w["unit"]), "roof_share": None, "cpu": cpu}
    rounds = []
    try:
        with tempfile.TemporaryDirectory(prefix="compare-") as folder:
            k = KINDS[w["kind"]](w, a, folder)
            for i in range(a.rounds):
                pair = {}
                for side in ("ours", "peer") if i % 2 == 0 else ("peer", "ours"):
                    pair[side] = getattr(k, side)()
                k.check(pair["ours"], pair["peer"])
                rounds.append((pair["ours"], pair["peer"]))
            more, also = k.more(rounds)
    except Failed as e:
        line.update(met=False, error=str(e))
        print(json.dumps(line))
        return False
    ours, peer = [r[0]["value"] for r in rounds], [r[1]["value"] for r in rounds if r[1]]
    value = statistics.median(ours)
    line.update(ours=round(value, 4), unit=w["unit"], ours_spread=spread(ours))
    if peer:
        ratios = [x / y for x, y in zip(ours, peer)]
        line.update(peer=round(statistics.median(peer), 4), peer_spread=spread(peer), ratio=round(statistics.median(ratios), 4), ratio_spread=spread(ratios))
    shares = [r[0]["roof_share"] for r in rounds if r[0].get("roof_share") is not None]
    line["roof_share"] = round(statistics.median(shares), 4) if shares else None
    got = line["ratio"] if where == "ratio" else value
    line["met"] = (got >= goal if sense == ">=" else got <= goal) and all(x["met"] for x in also)
    line.update(rounds=a.rounds, load=round(os.getloadavg()[0], 2), **more)
    if also:
        line["also"] = also
    print(json.dumps(line), flush=True)
    return line["met"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--list", action="store_true", help="name the works, each with its goal")
    p.add_argument("--work", action="append", default=[], metavar="NAME")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--steps", type=int, default=4, help="counted steps of each process")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--compile", action="store_true", help="torch.compile too; the better of both counts")
    p.add_argument("--python", default=sys.executable, help="an interpreter with torch and timm (this one)")
    p.add_argument("--build", default=os.path.join(ROOT, "build/gcc"), help="where the objects are")
    p.add_argument("--bin", default=os.path.join(ROOT, "bin"), help="where the programs are")
    a = p.parse_args()
    if a.list:
        for name, w in WORKS.items():
            where, sense, goal = w["goal"]
            print(f"{name:26} {sense} {goal}{'x' if where == 'ratio' else ' ' + w['unit']:4} {w['what']}")
        return 0
    unknown = [n for n in a.work if n not in WORKS]
    if unknown or not a.work or a.rounds < 1 or a.steps < 1:
        p.error(f"unknown work '{unknown[0]}'; --list names them" if unknown else "give --list or --work NAME")
    cpu = processor()
    return 0 if all([one(n, a, cpu) for n in a.work]) else 1


if __name__ == "__main__":
    sys.exit(main())
