#!/usr/bin/env python3
"""Golden values of fine-tuning methods: timm models in float64, weights from the formula; LoRA and its kin by the Python library peft, visual
prompts by their formula, the rest by what trains.

    finetuning.py [NAME…]    writes tests/golden/models/NAME.gold, or all of them

For each case the logits in evaluation, then loss, logits and gradient of everything that trains, and those tensors after three steps of
AdamW. Dropout 0, batch 2, ten classes, labels 3 and 7. Gradients are whole up to the case's limit of elements, norms beyond. The list of the
trained tensors is that of the entries grad:*.
"""
import os, sys, warnings
warnings.filterwarnings("ignore")
import torch, timm, peft, formula

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "models")

def published(name):
    for a, b in (("base_model.model.", ""), (".base_layer.", "."), (".lora_magnitude_vector.default.weight", ".lora_magnitude_vector"), (".default.", "."),
                 (".default", "")):
        name = name.replace(a, b)
    return name

def base(arch):
    torch.manual_seed(0)
    return timm.create_model(arch, num_classes=10, **({"img_size": 32} if "vit" in arch else {}))

def head_of(model, arch):
    return model.fc if "resnet" in arch else model.head.fc if "convnext" in arch else model.head

def library(config):
    def make(arch):
        model = base(arch)
        head = head_of(model, arch)
        wrapped = peft.get_peft_model(model, config)
        for p in head.parameters():  # the original trains the head under every method
            p.requires_grad_(True)
        return wrapped
    return make

def lora(**fields):
    return library(peft.LoraConfig(lora_dropout=0.0, **fields))

def chosen(rule):
    def make(arch):
        model = base(arch)
        for k, p in model.named_parameters():
            p.requires_grad_(k.startswith("head.") or rule(k))
        return model
    return make

class Prompt(torch.nn.Module):
    def __init__(self, n, width):
        super().__init__()
        self.tokens = torch.nn.Parameter(torch.zeros(1, n, width))

def prompts(n, front, deep, project=None):
    """Tokens behind the `front` class tokens; a new set in each block of `deep` (0 is in it), in the place of the old one."""
    def make(arch):
        model = base(arch)
        for p in model.parameters():
            p.requires_grad_(False)
        for p in model.head.parameters():
            p.requires_grad_(True)
        if project:
            model.prompt_proj = torch.nn.Linear(project, model.embed_dim)
        for i in deep:
            model.blocks[i].prompt = Prompt(n, project or model.embed_dim)

        def before(i):
            def hook(block, args):
                x = args[0]
                t = block.prompt.tokens
                t = model.prompt_proj(t) if project else t
                skip = front + (n if i else 0)
                return (torch.cat([x[:, :front], t.expand(x.shape[0], -1, -1), x[:, skip:]], 1),) + args[1:]
            return hook
        for i in deep:
            model.blocks[i].register_forward_pre_hook(before(i))
        model.blocks[-1].register_forward_hook(lambda b, a, y: torch.cat([y[:, :front], y[:, front + n:]], 1))
        return model
    return make

class Factor(torch.nn.Module):
    """y scale + shift behind a module, as parameters of it with these names."""
    def __init__(self, module, width, scale, shift=None):
        super().__init__()
        for name in filter(None, (scale, shift)):
            module.register_parameter(name, torch.nn.Parameter(torch.zeros(width)))
        module.register_forward_hook(lambda m, a, y: y * getattr(m, scale) + (getattr(m, shift) if shift else 0))

def factors(rule, ends, scale, shift=None):
    def make(arch):
        model = base(arch)
        for k, p in model.named_parameters():
            p.requires_grad_(k.startswith("head.") or rule(k))
        for k, m in list(model.named_modules()):
            if k.startswith("blocks.") and k.endswith(ends):
                Factor(m, m.weight.shape[0], scale, shift)
        return model
    return make

CASES = {  # architecture, how it is made, limit of whole gradients
    "lora_default": ("test_vit", lora(r=8, lora_alpha=16, target_modules=["attn.qkv", "attn.proj", "mlp.fc2"]), 256),
    "lora_rslora": ("test_vit", lora(r=4, lora_alpha=8, use_rslora=True, bias="lora_only", target_modules=["mlp.fc1", "blocks.2.attn.qkv"]), 256),
    "lora_bias": ("test_vit", lora(r=2, lora_alpha=3, bias="all", target_modules=["attn.proj", "fc2"]), 256),
    "lora_dora": ("test_vit", lora(r=2, lora_alpha=3, use_dora=True, bias="lora_only", target_modules=["blocks.1.attn.qkv", "blocks.4.mlp.fc2", "patch_embed.proj"]), 2048),
    "lora_conv": ("test_resnet", lora(r=2, lora_alpha=3, target_modules=["conv2", "layer2.0.downsample.1"]), 2048),
    "lora_dora_conv": ("test_resnet", lora(r=2, lora_alpha=5, use_dora=True, use_rslora=True, target_modules=["layer1.0.conv1", "layer3.0.conv2"]), 2048),
    "lora_groups": ("test_convnext", lora(r=24, lora_alpha=7, target_modules=["stages.0.blocks.0.conv_dw", "stages.3.blocks.1.mlp.fc2"]), 2048),
    "loha": ("test_vit", library(peft.LoHaConfig(r=2, alpha=3, target_modules=["blocks.1.attn.proj", "mlp.fc2", "patch_embed.proj"])), 1024),
    "lokr": ("test_vit", library(peft.LoKrConfig(r=2, alpha=3, target_modules=["attn.qkv", "patch_embed.proj"])), 1024),
    "lokr_whole": ("test_vit", library(peft.LoKrConfig(r=8, alpha=3, decompose_factor=4, target_modules=["blocks.2.attn.proj", "blocks.3.mlp.fc2"])), 1024),
    "ia3": ("test_vit", library(peft.IA3Config(target_modules=["attn.qkv", "mlp.fc2"], feedforward_modules=["mlp.fc2"])), 1024),
    "ssf": ("test_vit", factors(lambda k: False, ("norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"), "ssf_scale", "ssf_shift"), 1024),
    "difffit": ("test_vit", factors(lambda k: "bias" in k, ("attn.proj", "mlp.fc2"), "difffit_gamma"), 256),
    "bitfit": ("test_vit", chosen(lambda k: "bias" in k), 256),
    "ln_tuning": ("test_vit", chosen(lambda k: "norm" in k), 256),
    "partial_finetuning": ("test_vit", chosen(lambda k: k.startswith(("blocks.4.", "blocks.5.", "norm."))), 256),
    "vpt_deep": ("test_vit", prompts(3, 1, range(6)), 2048),
    "vpt_shallow": ("test_vit2", prompts(4, 0, [0], project=5), 2048),
    "vpt_some": ("test_vit", prompts(2, 1, [0, 2, 5], project=7), 2048),
}

def one(case, arch, make, limit):
    model = make(arch)
    model.double()
    with torch.no_grad():
        for name, t in model.state_dict().items():
            t.copy_(torch.from_numpy(formula.tensor(published(name), t.shape)))
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
            out += [("grad:" + k, p.grad.norm() if p.numel() > limit else p.grad) for k, p in params.items()]
        opt.step()
    out += [("after:" + k, p.reshape(-1)[:24]) for k, p in params.items()]
    formula.write(os.path.join(ROOT, case + ".gold"), [(k, v.clone().detach()) for k, v in out])

if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        one(case, *CASES[case])
