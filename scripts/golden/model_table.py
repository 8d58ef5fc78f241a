#!/usr/bin/env python3
"""Facts about timm's published weights, as rows of lib/nn/models/*_table.inc.

    model_table.py resnet lib/nn/models/resnet.c >lib/nn/models/resnet_table.inc
    model_table.py vision_transformer lib/nn/models/vision_transformer.c >lib/nn/models/vit_table.inc
    model_table.py aliases lib/nn/models/*.c >lib/nn/models/alias_table.inc

Prints one row for every tag of every architecture that the C file's table of variants names, the default tag first.
"""
import re, sys, warnings
warnings.filterwarnings("ignore")
import timm
from timm.models import get_pretrained_cfg
from timm.models._registry import _model_default_cfgs

NORMS = {
    ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)): "NORM_IMAGENET",
    ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)): "NORM_HALF",
    ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)): "NORM_CLIP",
    ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)): "NORM_NONE",
}

def q(s):
    return "NULL" if s is None else '"%s"' % s

def rows(arch):
    default = _model_default_cfgs[arch]
    for tag in default.tags:
        c = default.cfgs[tag]
        hub = c.hf_hub_id
        if hub == "timm/":
            hub = None
        elif not hub:
            hub = ""
        url = c.url if c.url and not c.url.endswith(".npz") else None
        norm = NORMS[(tuple(c.mean), tuple(c.std))]
        yield "ROW(%s, %s, %s, %s, %s, %d, %s, %s, %.8g, %d)" % (
            q(arch), q(tag), q(hub), q(c.hf_hub_filename), q(url), c.input_size[-1], norm, q(c.interpolation), c.crop_pct, c.num_classes)

module, source = sys.argv[1], sys.argv[2]
if module == "aliases":  # timm's older names that stand for an architecture which is here
    from timm.models import _registry
    names = {n for f in sys.argv[2:] for n in re.findall(r'^    \{ "(\w+)",', open(f).read(), re.M)}
    print("/* Made by scripts/golden/model_table.py from timm %s: older names, and what they stand for. */" % timm.__version__)
    for old, new in sorted(_registry._deprecated_models.items()):
        if new and new.split(".")[0] in names and old not in names:
            print('{ "%s", "%s" },' % (old, new))
    sys.exit()
names = re.findall(r'^    \{ "(\w+)",', open(source).read(), re.M)
known = timm.list_models(module=module)
print("/* Made by scripts/golden/model_table.py from timm %s: architecture, tag, hub repository (NULL: timm/<arch>.<tag>; \"\": none)," % timm.__version__)
print(" * file in it (NULL: the usual ones), URL, input size, normalisation, interpolation, crop, classes. Default tag first. */")
print("#define NORM_IMAGENET { 0.485, 0.456, 0.406 }, { 0.229, 0.224, 0.225 }")
print("#define NORM_HALF { 0.5, 0.5, 0.5 }, { 0.5, 0.5, 0.5 }")
print("#define NORM_CLIP { 0.48145466, 0.4578275, 0.40821073 }, { 0.26862954, 0.26130258, 0.27577711 }")
print("#define NORM_NONE { 0, 0, 0 }, { 1, 1, 1 }")
print("#define ROW(arch, tag, hub, file, url, size, norm, interpolation, crop, classes) { arch, tag, hub, file, url, size, norm, interpolation, crop, classes },")
for n in names:
    if n not in known:
        sys.exit("'%s' is not in timm's %s" % (n, module))
    for r in rows(n):
        print(r)
print("#undef NORM_IMAGENET\n#undef NORM_HALF\n#undef NORM_CLIP\n#undef NORM_NONE\n#undef ROW")
missing = [k for k in known if k not in names]
print("%d of %d architectures; left out: %s" % (len(names), len(known), " ".join(missing)), file=sys.stderr)
