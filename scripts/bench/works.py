"""The works that compare.py runs: what, how large, and the goal.

goal: ("ratio", ">=", 1.2) ours over the best peer's rate; ("ratio", "<=", 0.45) ours over the peer's amount; ("value", "<=", 10) ours alone.
"""
SGD = {"optimizer": "SGD", "lr": 0.01, "weight_decay": 1e-4}
ADAMW = {"optimizer": "AdamW", "lr": 1e-4, "weight_decay": 0.05}


def train(model, batch, precision, goal, optimizer, kernels=None):
    return {"kind": "step", "model": model, "batch": batch, "precision": precision, "goal": ("ratio", ">=", goal), "unit": "img/s", "kernels": kernels, **optimizer,
            "what": f"training step of {model}, {'bf16' if precision == 'bf16' else 'fp32'}, batch {batch}, 224 px"}


def features(model, batch):
    return {"kind": "features", "model": model, "batch": batch, "precision": "bf16", "goal": ("ratio", ">=", 1.25), "unit": "img/s", **SGD,
            "what": f"pooled features of {model}, bf16, batch {batch}, 224 px; at least the best of ONNX Runtime and OpenVINO too"}


WORKS = {
    "resnet50-bf16": train("resnet50", 32, "bf16", 1.2, SGD, 1.15),
    "resnet18-bf16": train("resnet18", 64, "bf16", 1.25, SGD),
    "vit_base-bf16": train("vit_base_patch16_224", 16, "bf16", 1.3, ADAMW, 1.15),
    "convnext_tiny-bf16": train("convnext_tiny", 16, "bf16", 1.5, ADAMW),
    "resnet50-fp32": train("resnet50", 32, "no", 1.2, SGD),
    "resnet18-fp32": train("resnet18", 64, "no", 1.2, SGD),
    "vit_base-fp32": train("vit_base_patch16_224", 16, "no", 1.2, ADAMW),
    "convnext_tiny-fp32": train("convnext_tiny", 16, "no", 1.2, ADAMW),
    "resnet50-features-bf16": features("resnet50", 32),
    "vit_base-features-bf16": features("vit_base_patch16_224", 16),
}
