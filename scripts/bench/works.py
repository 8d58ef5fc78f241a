"""The works that compare.py runs: what, how large, and the goal.

goal: ("ratio", ">=", 1.2) ours over the best peer's; ("speed", ">=", 1.5) the peer's seconds over ours; ("value", "<=", 10) ours alone.
"""
SGD = {"optimizer": "SGD", "lr": 0.01, "weight_decay": 1e-4}
ADAMW = {"optimizer": "AdamW", "lr": 1e-4, "weight_decay": 0.05}


def train(model, batch, precision, goal, optimizer, kernels=None):
    return {"kind": "step", "model": model, "batch": batch, "precision": precision, "goal": ("ratio", ">=", goal), "unit": "img/s", "kernels": kernels, **optimizer,
            "what": f"training step of {model}, {'bf16' if precision == 'bf16' else 'fp32'}, batch {batch}, 224 px"}


AMX = 1.8  # where a processor multiplies bf16 tiles, the four bf16 trainings are to be this much faster


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


def whole(run, goal, what, batch, count, short, precisions, **more):
    return {"kind": "run", "run": run, "goal": ("speed", ">=", goal), "unit": "s", "measure": "seconds", "what": what, "batch": batch, "count": count, "short": short, "precisions": precisions, **more}


WORKS.update({
    "fashion-resnet18": whole("fashion", 1.5, "ResNet-18 on 28x28 Fashion-MNIST, batch 128, an epoch of 12,000 images, files to checkpoint", 128, 12000, 2560, ["bf16", "no"], learns=True),
    "linear-probe": whole("probe", 5, "a linear layer on 50,000 x 768 features (HDF5), batch 128, 20 epochs; peer: h5py Dataset, DataLoader with 2 workers", 128, 50000, 5000, ["no"], epochs=20, learns=True),
    "lora-vit_small": whole("lora", 1.3, "LoRA on ViT-S, batch 32, an epoch of 640 photographs, files to checkpoint", 32, 640, 96, ["bf16"]),
    "memory-resnet50-bf16": {**whole("resnet50", 0.45, "peak memory of a ResNet-50 bf16 run, batch 32, all processes together; peer: DataLoader with 2 workers", 32, 192, 96, ["bf16"]),
                             "goal": ("ratio", "<=", 0.45), "unit": "MB", "measure": "peak"},
    "first-step": {"kind": "first", "goal": ("ratio", "<=", 0.1), "unit": "s", "measure": "seconds", "precisions": ["no"], "what": "process start to the end of the first ResNet-18 step, batch 4, float; peer: to its end, which comes right behind"},
    "help": {"kind": "help", "goal": ("value", "<=", 10), "unit": "ms", "what": "glovita_train --help"},
    "jpeg-rrc": {"kind": "jpeg", "policy": "baseline", "goal": ("ratio", ">=", 2.5), "unit": "img/s", "what": "JPEG of 500 px, decoded, random resized crop, flip, 224 px uint8 in the batch; one core; peer: Pillow and torchvision"},
    "jpeg-randaugment": {"kind": "jpeg", "policy": "randaugment", "goal": ("ratio", ">=", 2.5), "unit": "img/s", "what": "the same with RandAugment; peer: the same operations in Pillow"},
    "patch-da5": {"kind": "patch", "goal": ("speed", ">=", 10), "unit": "s", "what": "a patch of 128^3 by default_nnunet_DA5 from a float volume of 144^3, one core; peer: batchgeneratorsv2 with the same numbers, one thread"},
    "two-strands": {"kind": "strands", "goal": ("ratio", ">=", 1.9), "unit": "img/s", "what": "two strands of the JPEG path by the clock; peer: one"},
    "hop": {"kind": "hop", "goal": ("ratio", ">=", 0.9), "unit": "GB/s", "what": "one hop of 150 kB records, digest included; peer: a bare pipe whose ends read every byte once"},
    "four-stages": {"kind": "stages", "goal": ("ratio", ">=", 0.95), "unit": "img/s", "what": "the JPEG path with four stages more that pass records on; peer: without them"},
    "large-2048": {"kind": "large", "command": ["step", "resnet50", "--batch", "1", "--size", "2048"], "goal": ("value", "<=", 8192), "unit": "MB", "what": "peak memory of a training step of ResNet-50 on a 2048 px image, bf16, batch 1"},
    "conv3d-256": {"kind": "large", "command": ["conv3d"], "goal": ("value", "<=", 8192), "unit": "MB", "what": "peak memory of a training step of six 3D convolutions on 256^3, bf16, batch 1"},
    "umap-10k": {"kind": "umap", "warm": False, "count": 10000, "goal": ("speed", ">=", 20), "unit": "s", "what": "features of 10,000 x 768 (HDF5) to a picture, a table and a page, process start to end; peer: umap-learn and matplotlib, first run"},
    "umap-70k": {"kind": "umap", "warm": True, "goal": ("speed", ">=", 5), "unit": "s", "what": "layout of all 70,000 x 784 images of Fashion-MNIST; peer: umap-learn, warm"},
})
