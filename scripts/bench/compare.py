#!/usr/bin/env python3
"""Ours against what people use now, in turns in one run on this machine.

  scripts/bench/compare.py --list
  scripts/bench/compare.py --work resnet50-bf16 [--rounds 3] [--steps N] [--compile]

One JSON line for a work: ours and peer (medians over the rounds), ratio (median of the rounds' ratios) with its spread, the goal, the share of
the roof measured in the same run, the processor. For seconds ratio is how many times faster ours is. Each side is a process of its own in every round, ours first in odd rounds. Before a
ratio counts, both must have computed the same thing. Status 0 where the goal is met, 1 where it is missed or the work cannot
run (then "error" says why), 2 for a wrong command line.

By hand; needs PyTorch and timm (--python names the interpreter that has them) and `make all bench-programs`. Several works: --work A --work B.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from common import Failed  # noqa: E402
from kinds import KINDS  # noqa: E402
from works import AMX, WORKS  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))


def processor():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
            if line.startswith("flags"):
                flags = line.split()
                return f"{name}, {os.cpu_count()} cores, " + " ".join(x for x in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if x in flags)
    return "unknown"


def spread(v):
    return [round(min(v), 4), round(max(v), 4)]


def goal_text(w):
    where, sense, goal = w["goal"]
    return f"{sense} {goal}" + (" " + w["unit"] if where == "value" else "x")


def one(name, a, cpu):
    w = dict(WORKS[name])
    if w["kind"] == "step" and w["precision"] == "bf16" and "amx_bf16" in cpu:
        w["goal"] = ("ratio", ">=", AMX)
    if w["kind"] == "run" and "bf16" not in name and "avx512_bf16" not in cpu:
        w["precisions"] = ["no"]  # as untouched settings have it on such a processor
    where, sense, goal = w["goal"]
    line = {"work": name, "ours": None, "peer": None, "ratio": None, "goal": goal_text(w), "roof_share": None, "cpu": cpu}
    rounds = []
    try:
        with tempfile.TemporaryDirectory(prefix="compare-") as folder:
            k = KINDS[w["kind"]](w, a, folder)
            for i in range(a.rounds):
                pair = {}
                for side in ("ours", "peer") if i % 2 == 0 or k.together else ("peer", "ours"):
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
        ratios = [y / x if where == "speed" else x / y for x, y in zip(ours, peer)]
        line.update(peer=round(statistics.median(peer), 4), peer_spread=spread(peer), ratio=round(statistics.median(ratios), 4), ratio_spread=spread(ratios))
    shares = [r[0]["roof_share"] for r in rounds if r[0].get("roof_share") is not None]
    line["roof_share"] = round(statistics.median(shares), 4) if shares else None
    got = value if where == "value" else line["ratio"]
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
    p.add_argument("--steps", type=int, help="counted steps of each process (4; a forward pass 16)")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--short", action="store_true", help="less data and fewer epochs in whole runs: a look, no judgement of the goal")
    p.add_argument("--compile", action="store_true", help="torch.compile too; the better of both counts")
    p.add_argument("--python", default=sys.executable, help="an interpreter with torch and timm (this one)")
    p.add_argument("--build", default=os.path.join(ROOT, "build/gcc"), help="where the objects are")
    p.add_argument("--bin", default=os.path.join(ROOT, "bin"), help="where the programs are")
    a = p.parse_args()
    if a.list:
        for name, w in WORKS.items():
            print(f"{name:24} {goal_text(w):11} {w['what']}")
        return 0
    unknown = [n for n in a.work if n not in WORKS]
    if unknown or not a.work:
        p.error(f"unknown work '{unknown[0]}'; --list names them" if unknown else "give --list or --work NAME")
    if a.rounds < 1 or (a.steps is not None and a.steps < 1):
        p.error("--rounds and --steps count from 1")
    cpu = processor()
    return 0 if all([one(n, a, cpu) for n in a.work]) else 1


if __name__ == "__main__":
    sys.exit(main())
