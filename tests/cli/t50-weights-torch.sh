#!/bin/sh
# weights: PyTorch and safetensors read what we write
. "${0%/*}/lib.sh"

python torch safetensors || skip_all 'no Python with torch and safetensors'
prog=$(ls -t "$ROOT"/build/*/tests/unit/weights_write 2>/dev/null | head -n 1)
[ -n "$prog" ] || skip_all 'build/*/tests/unit/weights_write is not built'

check 'the files are written' '(cd "$ROOT" && "$prog" "$T" >"$T/out") && ! grep "^not ok" out'

check 'torch.load(weights_only=True) reads a checkpoint: names, types, values, shared storage, optimizer' '"$PY" - <<EOF
import torch
c = torch.load("a.pt", weights_only=True)
assert list(c) == ["epoch", "model", "optimizer"] and c["epoch"] == 41
want = torch.load("$FIXTURES/weights/types.pt", weights_only=True)
m = c["model"]
assert list(m) == list(want) + ["encoder.model.uint8"]
for k, v in want.items():
    assert m[k].dtype == v.dtype and m[k].shape == v.shape and torch.equal(m[k].view(torch.uint8) if v.ndim else m[k], v.view(torch.uint8) if v.ndim else v), k
assert m["uint8"].data_ptr() == m["encoder.model.uint8"].data_ptr()
o = c["optimizer"]
assert list(o["state"]) == [0, 300] and o["state"][300]["step"] == 12 and o["state"][0]["exp_avg"].tolist() == [[1, 2, 3], [4, 5, 6]]
g = o["param_groups"]
assert g == [{"lr": 0.1, "betas": (0.9, 0.999), "amsgrad": False, "foreach": None, "big": -5000000000, "kind": "AdamW", "params": [0, 300, 70000]}], g
EOF'

check 'mmap=True reads it too' '"$PY" -c "import torch; torch.load(\"a.pt\", weights_only=True, mmap=True)"'

check 'an optimizer of PyTorch takes the state' '"$PY" - <<EOF
import torch
c = torch.load("a.pt", weights_only=True)
o = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2, 3)) for _ in range(3)])
s = c["optimizer"]
s["param_groups"][0]["params"] = [0, 1, 2]
s["state"] = {0: s["state"][0], 1: s["state"][300]}
o.load_state_dict(s)
assert o.state[o.param_groups[0]["params"][1]]["step"] == 12
EOF'

check 'the safetensors package reads ours, with the texts' '"$PY" - <<EOF
import torch
from safetensors import safe_open
from safetensors.torch import load_file
want, got = load_file("$FIXTURES/weights/types.safetensors"), load_file("b.safetensors")
assert want.keys() == got.keys() and all(want[k].dtype == got[k].dtype and want[k].shape == got[k].shape for k in want)
with safe_open("b.safetensors", "pt") as f:
    assert f.metadata()["format"] == "pt" and f.metadata()["place"].startswith("epoch 3, \"quoted\"")
EOF'

check 'unzip finds nothing wrong with a checkpoint' '"$PY" -c "
import zipfile
z = zipfile.ZipFile(\"a.pt\")
assert z.testzip() is None and all(i.date_time[0] == 1980 for i in z.infolist())"'

done_testing
