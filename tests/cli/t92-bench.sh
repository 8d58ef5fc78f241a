#!/bin/sh
# bench: the comparison's list of works and its refusals. The works themselves are run by hand.
. "${0%/*}/lib.sh"
command -v python3 >/dev/null || skip_all 'no Python'
compare="python3 $ROOT/scripts/bench/compare.py"

check 'every work has a line with its goal' '
    $compare --list >works && [ "$(wc -l <works)" = 26 ] && ! grep -v "^[a-z0-9_-]*  *[<>]= [0-9.]*\(x\| [a-zA-Z]*\)  *[a-zA-Z]" works'
check 'those of the table are there' '
    for w in resnet50-bf16 resnet18-bf16 vit_base-bf16 convnext_tiny-bf16 resnet50-fp32 resnet18-fp32 vit_base-fp32 convnext_tiny-fp32 resnet50-features-bf16 vit_base-features-bf16 fashion-resnet18 linear-probe \
        lora-vit_small memory-resnet50-bf16 first-step help jpeg-rrc jpeg-randaugment patch-da5 two-strands hop four-stages large-2048 conv3d-256 umap-10k umap-70k; do grep "^$w " works || exit 1; done'
check 'an unknown work is named, with status 2' 'exits 2 $compare --work resnet51 2>err && grep "unknown work .resnet51." err'
check 'a work that cannot run says why on its line, with status 1' '
    exits 1 $compare --work hop --build nowhere >line && grep "\"work\": \"hop\".*\"met\": false.*\"error\": .*nowhere/tests/bench/stream.*make all bench-programs" line'
check 'one without a peer has a line of its own' '
    $compare --work help --bin "${GLOVITA_BIN:-$ROOT/bin}" --rounds 1 >line; [ $? -le 1 ] && grep "\"work\": \"help\", \"ours\": [0-9.]*, \"peer\": null, \"ratio\": null, \"goal\": \"<= 10 ms\", \"roof_share\": null, \"cpu\": " line'
done_testing
