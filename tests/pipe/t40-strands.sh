#!/bin/sh
# a whole input pipeline on real files: one strand and four through FIFOs give the same bytes
. "${0%/*}/../cli/lib.sh"

D=/usr/share/datasets/fashion-mnist
if [ -f $D/train-images-idx3-ubyte.gz ]; then
    set_is="--data.dataset fashion_mnist --data.data_root_dir $D --data.data_fraction 0.02 --training.seed 9"
else
    mkdir f && printf '\000\000\010\003\000\000\000\003\000\000\000\002\000\000\000\002abcdefghijkl' >f/train-images-idx3-ubyte &&
        printf '\000\000\010\001\000\000\000\003\000\001\002' >f/train-labels-idx1-ubyte && cp f/train-images-idx3-ubyte f/t10k-images-idx3-ubyte && cp f/train-labels-idx1-ubyte f/t10k-labels-idx1-ubyte
    set_is="--data.dataset fashion_mnist --data.data_root_dir f --training.seed 9"
fi
strand() { glovita-index $set_is --epochs 3 "$@" | glovita-decode --training.seed 9 | glovita-augment --training.seed 9; }

check 'four strands through FIFOs and one through a pipe' '
    strand | glovita-batch --task.mixup --training.seed 9 >one.gv && mkfifo s0 s1 s2 s3 &&
    for i in 0 1 2 3; do strand --shard $i/4 >s$i & done &&
    glovita-batch --task.mixup --training.seed 9 --input s0 s1 s2 s3 >four.gv && wait && [ -s one.gv ] && cmp one.gv four.gv && glovita-cat --check one.gv'
if have timeout; then
    check 'all inputs are opened before the first is waited for: strands start together' '
        rm -f s0 s1 && mkfifo s0 s1 go && strand --shard 0/2 >0.gv && strand --shard 1/2 >1.gv || exit 1
        { exec 6>s0; timeout 20 cat go; cat 0.gv >&6; } & { exec 7>s1; echo >go; cat 1.gv >&7; } &
        timeout 40 glovita-batch --task.mixup --training.seed 9 --input s0 s1 >two.gv && wait && cmp one.gv two.gv'
else
    skip 'all inputs are opened before the first is waited for: strands start together' 'no timeout'
fi
check 'a strand that dies is named' '
    rm -f s0 s1 && mkfifo s0 s1 && (strand --shard 0/2 >s0 &) && (strand --shard 1/2 | head -c 20000 >s1 &) &&
    exits 3 glovita-batch --input s0 s1 >/dev/null 2>err && grep "s1" err'
if python numpy && [ -f $D/train-images-idx3-ubyte.gz ]; then
    check 'the images are those of the files' '
        glovita-index --data.dataset fashion_mnist --data.data_root_dir $D --split val | glovita-decode --model.encoder.input_channels 1 | glovita-batch --split eval --dataloading.eval_batch_size 10000 | tail -c +1 >v.gv &&
        "$PY" -c "
import gzip, sys
x = gzip.open(\"$D/t10k-images-idx3-ubyte.gz\").read()[16:]
y = gzip.open(\"$D/t10k-labels-idx1-ubyte.gz\").read()[8:]
import numpy
b = open(\"v.gv\", \"rb\").read()
sys.exit(not (x in b and numpy.frombuffer(y, \"u1\").astype(\"<i8\").tobytes() in b))"'
else
    skip 'the images are those of the files' 'no dataset-fashion-mnist or no NumPy'
fi
done_testing
