#!/usr/bin/env python3
"""Golden values of optimizers: torch.optim in float64 and float32, five steps with a changing rate, with and without clipping.

    optim.py             writes tests/golden/optim.gold
"""
import os
import numpy as np, torch, formula

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "optim.gold")
SHAPES = {"conv.weight": (3, 4, 3, 3), "bn.weight": (7,), "fc.weight": (5, 21), "fc.bias": (5,)}
CASES = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.05),
}

def run(make, dtype, clip):
    params = {n: torch.nn.Parameter(torch.from_numpy(formula.tensor(n, s)).to(dtype)) for n, s in SHAPES.items()}
    opt = make(list(params.values()))
    norms = []
    for step in range(5):
        for n, p in params.items():
            p.grad = torch.from_numpy(formula.uniform("%d.%s" % (step, n), p.numel()).reshape(p.shape)).to(dtype)
        opt.param_groups[0]["lr"] = 0.1 / (step + 1)
        norms.append(torch.nn.utils.clip_grad_norm_(list(params.values()), clip if clip else 1e30, foreach=False).item())
        opt.step()
    return params, norms, opt

out = []
for name, make in CASES.items():
    for dtype, d in ((torch.float64, "f64"), (torch.float32, "f32")):
        for clip in (0, 0.5):
            params, norms, opt = run(make, dtype, clip)
            key = "%s_%s_%g" % (name, d, clip)
            out += [("%s:%s" % (key, n), p.double()) for n, p in params.items()]
            if d == "f64":
                out.append((key + ":norms", np.array(norms)))
                if not clip:
                    st = opt.state[params["fc.weight"]]
                    out += [("%s:state:%s" % (key, k), v.double()) for k, v in st.items() if v.numel() > 1]
formula.write(OUT, out)
