#!/usr/bin/env python3
"""A run directory as GloViTa's Python original lays it out, and the answers PyTorch gives for it.

    original_run.py DIR [--model NAME] [--size PIXELS] [--regression] [--compiled]

DIR/data holds images (generic_image_dataset, subdirs and folders, or labels.csv), DIR/exp/generic_image_dataset/GROUP/0 the run:
config.json with every field of every block, resolved_config.json, runtime_info.json, metrics.json and checkpoints/{epoch_0000,
last,best}.pt = {epoch, model, optimizer}, the model's keys under both of their names, the encoder built without classes and
pooling. DIR/expected.json: {"case": [logits]} of the validation images. --compiled: keys begin with _orig_mod."""
import argparse, json, os
import numpy as np, timm, torch, torch.nn as nn
from PIL import Image
from timm.layers import ClassifierHead

p = argparse.ArgumentParser()
p.add_argument("dir")
p.add_argument("--model", default="resnet10t")
p.add_argument("--size", type=int, default=32)
p.add_argument("--regression", action="store_true")
p.add_argument("--compiled", action="store_true")
a = p.parse_args()
torch.manual_seed(11)
CLASSES, N, GROUP = (1 if a.regression else 3), 5, "20240501_120000_timmencoder_%shead_full_finetuning_0a1b2c3d" % ("regression" if a.regression else "classification")
vit = "vit" in a.model
mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


class Regression(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.net = nn.Sequential(nn.Dropout(0.0), nn.Linear(d, 1))


class Classification(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.fc = ClassifierHead(d, CLASSES, pool_type="", drop_rate=0.0)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = timm.create_model(a.model, pretrained=False, in_chans=3, num_classes=0, global_pool="", **({"img_size": a.size} if vit else {}))


class Composed(nn.Module): # one encoder and one head, each registered twice
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.model = self.encoder.model
        d = self.model.num_features
        self.cls_head = Regression(d) if a.regression else Classification(d)
        self.head = self.cls_head

    def forward(self, x):
        f = self.model.forward_features(x)
        f = f[:, 0] if f.ndim == 3 else f.mean((-2, -1))
        return self.cls_head.net(f) if a.regression else self.cls_head.fc.fc(f)


net = Composed()
for name, q in net.named_parameters():
    with torch.no_grad():
        q.add_(0.1 * torch.randn_like(q))
rng = np.random.default_rng(2)
rows, first = [], None
for split in ("train", "val"):
    for i in range(N):
        d = os.path.join(a.dir, "data", "images", split, "" if a.regression else "class_%d" % (i % CLASSES))
        os.makedirs(d, exist_ok=True)
        px = rng.integers(0, 256, (a.size, a.size, 3), dtype=np.uint8)
        Image.fromarray(px).save(os.path.join(d, "%03d.png" % i))
        rows.append((os.path.relpath(os.path.join(d, "%03d.png" % i), os.path.join(a.dir, "data")), px, i % CLASSES))
if a.regression:
    with open(os.path.join(a.dir, "data", "labels.csv"), "w") as f:
        f.write("path,label\n" + "".join("%s,%g\n" % (r[0], 0.5 * i) for i, r in enumerate(rows)))


def images(of):
    return (torch.from_numpy(np.stack([r[1] for r in of])).permute(0, 3, 1, 2).float() / 255 - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)


# One step, so that statistics, counters and the optimizer's state are those of a training.
opt = torch.optim.AdamW([q for q in net.parameters() if q.requires_grad], lr=1e-3, weight_decay=0.05)
net.train()
out = net(images(rows[:N]))
(out.square().mean() if a.regression else nn.functional.cross_entropy(out, torch.tensor([r[2] for r in rows[:N]]))).backward()
opt.step()
net.eval()
with torch.no_grad():
    expected = net(images(rows[N:])).double()

encoder = {"encoder_type": "timm", "type": a.model, "pretrained": False, "input_channels": 3, "model_kwargs": {"img_size": a.size} if vit else {}}
head = {"head_type": "regression", "dropout": 0.0, "out_dim": 1} if a.regression else {"head_type": "classification", "dropout": 0.0}
config = {
    "data": {"data_root_dir": os.path.join(os.path.abspath(a.dir), "data"), "data_fraction": None, "fold": None, "stratified": True,
             "augmentation": {"train_policy": "default_2d_2", "test_policy": "shared_default_2d", "image_size": a.size, "resize_size": a.size, "crop_size": None,
                              "cutout_size": None, "patch_size": None, "mean": None, "std": None, "train_kwargs": {}, "test_kwargs": {}},
             "dataset_kwargs": {}, "dataset": "generic_image_dataset", "num_classes": CLASSES, "task": "Regression" if a.regression else "Classification",
             "subtask": "regression" if a.regression else "multiclass", "images_dir": "images", "split_source": "subdirs",
             "label_source": "csv" if a.regression else "folder", "split_file": "splits.json", "labels_file": "labels.csv" if a.regression else "labels.json",
             "path_column": "path", "label_column": "label", "train_split_name": "train", "val_split_name": "val", "test_split_name": "test",
             "allowed_exts": [".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"], "class_names": None, "strict": True},
    "model": {"encoder": encoder, "head": head, "feature_aggregation_method": "cls_token"},
    "peft": {"method": "full_finetuning"},
    "task": {"metrics": ["mse", "mae"] if a.regression else ["acc", "f1"], "metric_computation_mode": "epochwise", "result_plot": None, "label_smoothing": 0.0, "mixup": False, "mixup_alpha": 0.2},
    "training": {"epochs": 1, "precision": "bf16", "gradient_accumulation_steps": 1, "gradient_clip_val": None, "seed": None, "compile": a.compiled, "enable_checkpointing": True,
                 "best_checkpoint_metric": None, "cluster_progress_bar": False, "cv_folds": 1, "num_sanity_val_steps": 0, "ddp_find_unused_parameters": False,
                 "train_steps_per_epoch": None, "val_steps_per_epoch": None},
    "dataloading": {"batch_size": 4, "eval_batch_size": None, "num_workers": 1, "pin_memory": True, "persistent_workers": True, "prefetch_factor": 2, "timeout": 0.0,
                    "drop_last_train": False, "drop_last_eval": False, "shuffle_train": True, "shuffle_eval": False, "use_worker_init_fn": True},
    "optimizer": {"name": "AdamW", "lr": 1e-3, "weight_decay": 0.05, "nesterov": False, "muon_momentum": 0.95, "muon_ns_coefficients": [3.4445, -4.775, 2.0315], "muon_eps": 1e-07,
                  "muon_ns_steps": 5, "muon_adjust_lr_fn": None, "layer_wise_lr_decay": None, "undecay_norm": False, "scheduler": "CosineAnneal", "warmup_epochs": 10},
    "logger": {"backend": "wandb", "entity": None, "project": None, "tags": None, "group": None, "name": None, "offline": False},
    "add_log": {"comment": "made by a script"}, "exp_dir": "experiments",
}
run = os.path.join(a.dir, "exp", "generic_image_dataset", GROUP, "0")
os.makedirs(os.path.join(run, "checkpoints"), exist_ok=True)
state = {("_orig_mod." if a.compiled else "") + k: v for k, v in net.state_dict().items()}
for name in ("epoch_0000", "last", "best"):
    torch.save({"epoch": 0, "model": state, "optimizer": opt.state_dict()}, os.path.join(run, "checkpoints", name + ".pt"))


def put(path, value):
    with open(path, "w") as f:
        json.dump(value, f, indent=2)


resolved = {"encoder_preprocessing": {"patch_size": [16, 16]} if vit else {}, "augmentation": config["data"]["augmentation"], "data": config["data"], "model": config["model"],
            "peft": config["peft"], "optimizer": config["optimizer"], "training": config["training"], "task": config["task"], "logger": {"backend": "wandb", "group": GROUP}, "add_log": config["add_log"]}
put(os.path.join(run, "config.json"), config)
put(os.path.join(run, "resolved_config.json"), resolved)
put(os.path.join(run, "runtime_info.json"), {"argv": ["glovita_train"], "cwd": "/", "python": "3.11", "platform": "Linux", "packages": {"torch": torch.__version__, "timm": timm.__version__}, "resolved": resolved})
put(os.path.join(run, "metrics.json"), {"train": [{"train_loss": 1.0, "epoch": 0}], "val": [{"val_loss": 1.0, "epoch": 0}]})
put(os.path.join(a.dir, "expected.json"), {r[0]: expected[i].tolist() for i, r in enumerate(rows[N:])})
print(run)
