#!/usr/bin/env python3
"""Golden values of LoRA: the Python library peft around a timm model in float64, weights from the formula.

    lora.py            writes tests/golden/models/lora_*.gold

Three cases: the original's defaults (its target names mapped to timm's), rank-stabilised with the biases of the adapted layers, and all
biases. For each the logits in evaluation, then loss, logits and gradient of everything that trains, and those tensors after three steps of
AdamW. Dropout 0, batch 2, ten classes, labels 3 and 7. The list of the trained tensors is that of the entries grad:*.
"""
import os, warnings
warnings.filterwarnings("ignore")
import torch, timm, peft, formula

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "models")
CASES = [  # name, peft's fields
    ("default", dict(r=8, lora_alpha=16, target_modules=["attn.qkv", "attn.proj", "mlp.fc2"])),
    ("rslora", dict(r=4, lora_alpha=8, use_rslora=True, bias="lora_only", target_modules=["mlp.fc1", "blocks.2.attn.qkv"])),
    ("bias", dict(r=2, lora_alpha=3, bias="all", target_modules=["attn.proj", "fc2"])),
]

def published(name):
    for a, b in (("base_model.model.", ""), (".base_layer.", "."), (".default.", ".")):
        name = name.replace(a, b)
    return name

def one(case, fields):
    torch.manual_seed(0)
    base = timm.create_model("test_vit", num_classes=10, img_size=32)
    model = peft.get_peft_model(base, peft.LoraConfig(lora_dropout=0.0, **fields))
    model.double()
    with torch.no_grad():
        for name, t in model.state_dict().items():
            t.copy_(torch.from_numpy(formula.tensor(published(name), t.shape)))
    for p in base.head.parameters():  # the original trains the head under every method
        p.requires_grad_(True)
    x = torch.from_numpy(formula.uniform("x", 2 * 32 * 32 * 3).reshape(2, 32, 32, 3)).permute(0, 3, 1, 2)
    y = torch.tensor([3, 7])
    params = {published(k): p for k, p in model.named_parameters() if p.requires_grad}
    out = []
    model.eval()
    with torch.no_grad():
        out.append(("eval_logits", model(x)))
    model.train()
    opt = torch.optim.AdamW(params.values(), lr=0.01, weight_decay=0.05)
    for step in range(3):
        opt.zero_grad()
        logits = model(x)
        loss = torch.nn.functional.cross_entropy(logits, y)
        loss.backward()
        if step == 0:
            out += [("train_logits", logits), ("loss", loss)]
            out += [("grad:" + k, p.grad.norm() if p.numel() > 256 else p.grad) for k, p in params.items()]
        opt.step()
    out += [("after:" + k, p.reshape(-1)[:24]) for k, p in params.items()]
    formula.write(os.path.join(ROOT, "lora_%s.gold" % case), [(k, v.clone().detach()) for k, v in out])

if __name__ == "__main__":
    for case, fields in CASES:
        one(case, fields)
