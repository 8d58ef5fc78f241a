"""What ours is held against, each in a process of its own: `peer.py KIND …` prints one JSON line.

  weights MODEL FILE            timm's initial weights (seed 0) as .safetensors
  input FILE BATCH SIZE CLASSES images in -1 … 1, [N,S,S,3], and labels
  step MODEL …                  a PyTorch training step, or a forward pass (--infer, --features), channels_last
  ort|openvino MODEL …          the forward pass by ONNX Runtime, OpenVINO

Run by compare.py; needs torch, timm and safetensors.
"""
import argparse
import json
import resource
import statistics
import sys
import time


def model(name, classes, size):
    import timm
    import torch
    torch.manual_seed(0)
    extra = {} if not name.startswith("vit") else {"img_size": size}
    return timm.create_model(name, pretrained=False, num_classes=classes, **extra)


def load(a):
    from safetensors.torch import load_file
    m = model(a.model, a.classes, a.size)
    if a.weights:
        m.load_state_dict(load_file(a.weights))
    d = load_file(a.input)
    return m, d["x"].permute(0, 3, 1, 2), d["y"]  # a view: [N,3,S,S] that lies channels last


def weights(a):
    from safetensors.torch import save_file
    m = model(a.model, a.classes, a.size)
    save_file({k: v.contiguous() for k, v in m.state_dict().items()}, a.file)


def make_input(a):
    import torch
    from safetensors.torch import save_file
    g = torch.Generator().manual_seed(1)
    x = torch.rand(a.batch, a.size, a.size, 3, generator=g) * 2 - 1
    save_file({"x": x, "y": (torch.arange(a.batch) * 7) % a.classes}, a.file)


def report(a, took, **more):
    median, best = statistics.median(took), min(took)
    print(json.dumps({"value": a.batch / median, "best": a.batch / best, "median_ms": 1e3 * median, "best_ms": 1e3 * best,
                      "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, **more}))


def step(a):
    import contextlib
    import torch
    torch.set_num_threads(a.threads)
    m, x, y = load(a)
    m = m.to(memory_format=torch.channels_last)
    cast = torch.autocast("cpu", torch.bfloat16) if a.precision == "bf16" else contextlib.nullcontext()
    took, losses = [], []
    if a.infer:
        m.eval()
        if a.features:
            m.reset_classifier(0)
        f = torch.compile(m) if a.compile else m
        with torch.no_grad(), cast:
            for i in range(a.steps + 3):
                t = time.perf_counter()
                out = f(x)
                took.append(time.perf_counter() - t)
        return report(a, took[3:], values=out.float().flatten()[:8].tolist())
    m.train()
    f = torch.compile(m) if a.compile else m
    opt = torch.optim.SGD(m.parameters(), lr=a.lr, momentum=0.9, weight_decay=a.weight_decay) if a.optimizer == "SGD" else torch.optim.AdamW(
        m.parameters(), lr=a.lr, weight_decay=a.weight_decay)
    for i in range(a.steps + 2):
        t = time.perf_counter()
        opt.zero_grad(set_to_none=True)
        with cast:
            loss = torch.nn.functional.cross_entropy(f(x).float(), y)
        loss.backward()
        opt.step()
        losses.append(loss.item())
        took.append(time.perf_counter() - t)
    report(a, took[2:], losses=losses[:3])


def exported(a):
    """The model as ONNX beside the weights, made once."""
    import os
    import torch
    path = a.weights.replace(".safetensors", f"-{a.batch}.onnx")
    m, x, _ = load(a)
    if not os.path.exists(path):
        m.eval()
        m.reset_classifier(0)
        torch.onnx.export(m, (x.contiguous(),), path + ".part", input_names=["x"], output_names=["y"], dynamo=False, opset_version=17)
        os.rename(path + ".part", path)
    return path, x.contiguous().numpy()


def timed(a, f):
    took = []
    for _ in range(a.steps + 3):
        t = time.perf_counter()
        out = f()
        took.append(time.perf_counter() - t)
    report(a, took[3:], values=[float(v) for v in out.ravel()[:8]])


def ort(a):
    import onnxruntime
    path, x = exported(a)
    o = onnxruntime.SessionOptions()
    o.intra_op_num_threads = a.threads
    o.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    s = onnxruntime.InferenceSession(path, o, providers=["CPUExecutionProvider"])
    timed(a, lambda: s.run(None, {"x": x})[0])


def openvino(a):
    import openvino as ov
    path, x = exported(a)
    core = ov.Core()
    c = core.compile_model(path, "CPU", {"INFERENCE_NUM_THREADS": a.threads, "INFERENCE_PRECISION_HINT": "bf16" if a.precision == "bf16" else "f32",
                                         "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1})
    r = c.create_infer_request()
    timed(a, lambda: r.infer({0: x})[0])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("kind", choices=["weights", "input", "step", "ort", "openvino"])
    p.add_argument("model")
    p.add_argument("--file")
    p.add_argument("--weights")
    p.add_argument("--input")
    p.add_argument("--precision", default="no", choices=["no", "bf16"])
    p.add_argument("--optimizer", default="SGD")
    for name, value in ("batch", 16), ("size", 224), ("classes", 1000), ("threads", 2), ("steps", 5):
        p.add_argument("--" + name, type=int, default=value)
    for name, value in ("lr", 0.01), ("weight_decay", 0.0):
        p.add_argument("--" + name, type=float, default=value)
    for name in "infer", "features", "compile":
        p.add_argument("--" + name, action="store_true")
    a = p.parse_args()
    {"weights": weights, "input": make_input, "step": step, "ort": ort, "openvino": openvino}[a.kind](a)


if __name__ == "__main__":
    sys.exit(main())
