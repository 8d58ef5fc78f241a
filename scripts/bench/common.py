"""What the kinds of work share: running programs, clocks, memory of a process and all it started."""
import json
import os
import resource
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PEER = os.path.join(HERE, "peer.py")
RUNS = os.path.join(HERE, "peer_runs.py")
UMAP = os.path.join(HERE, "peer_umap.py")
FASHION = "/usr/share/datasets/fashion-mnist"


class Failed(Exception):
    pass


def _said(p, argv):
    if p.returncode:
        last = (p.stderr or "").strip().splitlines()[-1:] or ["no message"]
        raise Failed(f"{' '.join(argv[:4])} … ended in {p.returncode}: {last[0]}")


def run(argv, timeout=1200, **more):
    """The JSON lines of a program's standard output."""
    try:
        p = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, **more)
    except FileNotFoundError:
        raise Failed(f"'{argv[0]}' is not there: make all bench-programs")
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(argv[:4])} …: no end after {timeout} s")
    _said(p, argv)
    return [json.loads(x) for x in p.stdout.splitlines() if x.startswith("{")]


def _tree(root):
    """The process and everything below it."""
    below = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as f:
                    below.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(name))
            except OSError:
                pass
    out = [root]
    for p in out:
        out += below.get(p, [])
    return out


def _pss(pids):
    total = 0
    for p in pids:
        try:
            with open(f"/proc/{p}/smaps_rollup") as f:
                total += next(int(x.split()[1]) for x in f if x.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return total / 1024


def timed(argv, timeout=1200, memory=False, shell=False, **more):
    """Seconds by the clock, processor seconds, peak MB (shared pages counted once) of a command and all it starts; its output."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    try:
        p = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **({"executable": "/bin/bash", "shell": True} if shell else {}), **more)
    except FileNotFoundError:
        raise Failed(f"'{argv[0]}' is not there: make all bench-programs")
    peak, over = [0.0], threading.Event()

    def watch():
        while not over.wait(0.05):
            peak[0] = max(peak[0], _pss(_tree(p.pid)))
    t = threading.Thread(target=watch)
    if memory:
        t.start()
    try:
        p.stdout_text, p.stderr = p.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, 15)
        p.communicate()
        raise Failed(f"{argv if shell else ' '.join(argv[:4])} …: no end after {timeout} s")
    finally:
        over.set()
        if memory:
            t.join()
    took = time.perf_counter() - began
    _said(p, [argv] if shell else argv)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": took, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "peak": peak[0], "stdout": p.stdout_text, "stderr": p.stderr}


def photographs(python, folder, n):
    """JPEG photographs of 500 x 375, made from scikit-learn's two: folder/{train,val}/{a,b}/*.jpg."""
    run([python, RUNS, "photographs", "--folder", folder, "--count", str(n)])
    return folder
