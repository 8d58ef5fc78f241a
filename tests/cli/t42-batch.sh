#!/bin/sh
# batch: collation, epochs, places to resume from, error records, drop_last, mixing
. "${0%/*}/lib.sh"
python msgpack || PY=

# IDX: 10 images of 2 x 2 and their labels, by the format's own description
mkdir -p idx
printf '\000\000\010\003\000\000\000\012\000\000\000\002\000\000\000\002abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN' >idx/train-images-idx3-ubyte
printf '\000\000\010\001\000\000\000\012\000\001\002\003\004\005\006\007\010\011' >idx/train-labels-idx1-ubyte
for f in images-idx3 labels-idx1; do cp "idx/train-$f-ubyte" "idx/t10k-$f-ubyte"; done
digits="--data.dataset mnist --data.data_root_dir idx --training.seed 5"
aug="--data.dataset mnist --training.seed 5 --data.augmentation.image_size 2"
strand() { glovita-index $digits "$@" | glovita-decode | glovita-augment $aug; }
four="--dataloading.batch_size 4"
line() { glovita-cat --json | sed "s/\"x\":.*\"y\"/\"y\"/"; }

check 'batches never cross an epoch; next and ends_epoch tell where they stop' '
    strand --epochs 2 | glovita-batch $four | glovita-cat --json >out && [ $(wc -l <out) = 6 ] &&
    sed -n "s/.*\"pos\":\([0-9]*\).*\"next\":\(\[[0-9,]*\]\),\"ends_epoch\":\([a-z]*\).*/\1 \2 \3/p" out >places &&
    printf "0 [0,4] false\n4 [0,8] false\n8 [1,0] true\n0 [1,4] false\n4 [1,8] false\n8 [2,0] true\n" | cmp - places'
check 'x, y, index and id belong together' '
    strand --no_shuffle | glovita-batch $four | glovita-cat --json | tail -n 1 | grep "\"y\":\[8,9\].*\"index\":\[8,9\].*\"id\":\[\"train/00008\",\"train/00009\"\]"'
check 'the same bytes from 1 and from 4 strands' '
    strand --epochs 3 | glovita-batch $four >one.gv &&
    for i in 0 1 2 3; do strand --epochs 3 --shard $i/4 >s$i.gv || exit 1; done &&
    glovita-batch $four --input s0.gv --input s1.gv s2.gv s3.gv >many.gv && cmp one.gv many.gv'
check 'and from more strands than an epoch has samples' '
    for i in 0 1 2 3 4 5 6 7 8 9 10 11; do strand --epochs 3 --shard $i/12 >t$i.gv || exit 1; done &&
    glovita-batch $four --input t0.gv t1.gv t2.gv t3.gv t4.gv t5.gv t6.gv t7.gv t8.gv t9.gv t10.gv t11.gv >many.gv && cmp one.gv many.gv'
check 'strands in the wrong order are refused' '
    exits 3 glovita-batch $four --input s1.gv s0.gv s2.gv s3.gv >/dev/null 2>err && cat err'
check 'a run resumed at next gives the tail of the same stream' '
    strand --epochs 3 | glovita-batch $four | glovita-cat --json | tail -n 5 >a && strand --start 1:4 --epochs 2 | glovita-batch $four | glovita-cat --json >b && [ $(wc -l <a) = 5 ] && cmp a b'
check 'drop_last leaves out the short rest and marks the last full one' '
    strand --epochs 2 | glovita-batch $four --dataloading.drop_last_train >d.gv && glovita-cat --json d.gv >out && [ $(wc -l <out) = 4 ] &&
    sed -n "s/.*\"ends_epoch\":\([a-z]*\).*/\1/p" out | tr "\n" " " | grep "^false true false true" && grep -c "\"next\":\[1,0\]" out | grep 1'
check 'drop_last where batches fit the epoch' '
    strand --epochs 2 | glovita-batch --dataloading.batch_size 5 --dataloading.drop_last_train | glovita-cat --json | sed -n "s/.*\"ends_epoch\":\([a-z]*\).*/\1/p" | tr "\n" " " | grep "^false true false true"'
check 'drop_last that leaves no batch is status 2' '
    strand | exits 2 glovita-batch --dataloading.batch_size 11 --dataloading.drop_last_train >/dev/null 2>err && grep "leaves no batch" err'
check 'eval takes eval_batch_size' '
    strand --split val | glovita-batch --split eval --dataloading.eval_batch_size 10 | glovita-cat --count | grep "^1"'
check 'mixing: lam and perm from the place alone, the same after a resume' '
    mix="$four --task.mixup --training.seed 5" && strand --epochs 2 | glovita-batch $mix | glovita-cat --json | tail -n 3 >a && strand --start 1:0 | glovita-batch $mix | glovita-cat --json >b && cmp a b && [ $(grep -c "\"lam\".*\"perm\":\[" b) = 3 ] &&
    strand --split val | glovita-batch --split eval --task.mixup | glovita-cat --json >out && ! grep lam out'

# a set in which one file is cut
mkdir -p set/images/a set/images/b
for i in 1 2 3 4; do cp "$FIXTURES/images/rgb.png" set/images/a/$i.png; done
head -c 300 "$FIXTURES/images/rgb.png" >set/images/b/5.png
cp "$FIXTURES/images/rgb.png" set/images/b/6.png
echo '{"train": ["a/1","a/2","b/5","a/3","a/4","b/6"], "val": ["a/1"]}' >set/splits.json
bad="--data.dataset generic_image_dataset --data.data_root_dir set --data.label_source folder --data.num_classes 2"
cuts() { glovita-index $bad --no_shuffle "$@" | glovita-decode | glovita-augment --data.augmentation.image_size 4 --split test; }
two="--dataloading.batch_size 2"
check 'a sample that fails ends a run with status 3, named with its reason' '
    cuts | exits 3 glovita-batch $two >/dev/null 2>err && grep "images/b/5.png" err && grep "on_error skip" err'
check 'on_error skip refills from the following samples and counts' '
    cuts --epochs 2 | glovita-batch $two --on_error skip >s.gv 2>err && glovita-cat --json s.gv >out && [ $(wc -l <out) = 6 ] && grep "2 samples were left out" err && [ $(grep -c "\"skipped\":1" out) = 2 ] &&
    sed -n "s/.*\"id\":\(\[[^]]*\]\).*\"next\":\(\[[0-9,]*\]\).*/\1 \2/p" out | head -n 3 | tr "\n" " " >got &&
    [ "$(cat got)" = "[\"a/1\",\"a/2\"] [0,3] [\"a/3\",\"a/4\"] [0,5] [\"b/6\"] [1,0] " ] || { cat got; false; }'
check 'a resume behind a skipped sample gives the same tail' '
    cuts --epochs 2 | glovita-batch $two --on_error skip | glovita-cat --json | tail -n 4 >a && cuts --start 0:5 --epochs 2 | glovita-batch $two --on_error skip | glovita-cat --json >b && cmp a b'
check 'drop_last with a skipped sample still ends its epoch' '
    cuts --epochs 2 | glovita-batch --dataloading.batch_size 3 --dataloading.drop_last_train --on_error skip | glovita-cat --json | sed -n "s/.*\"ends_epoch\":\([a-z]*\).*/\1/p" | tr "\n" " " | grep "^true true"'
check 'pass_errors hands them on' '
    cuts | glovita-batch $two --pass_errors | glovita-cat --json >out && [ $(grep -c "\"kind\":\"error\"" out) = 1 ] && [ $(grep -c "\"kind\":\"batch\"" out) = 3 ] && grep "\"stage\":\"decode\"" out'
check 'samples of different size are named, both of them' '
    cp "$FIXTURES/images/rgb444.jpg" set/images/a/2.png && glovita-index $bad --no_shuffle | glovita-decode | exits 3 glovita-batch $four >/dev/null 2>err && grep "samples of one batch differ: .a/1. is uint8 .* .a/2. is uint8" err'

check 'a cut input is status 3' 'head -c 900 s0.gv >c.gv && exits 3 glovita-batch --input c.gv s1.gv s2.gv s3.gv >/dev/null 2>err && cat err'
check 'an input that is not there is status 2' 'exits 2 glovita-batch --input nowhere.gv >/dev/null 2>err && grep nowhere.gv err'
check 'samples instead of tensors are status 3' 'glovita-index $digits | exits 3 glovita-batch >/dev/null 2>err && grep "sample" err'
check 'a full disk is status 4' 'strand | exits 4 glovita-batch >/dev/full 2>err'
check 'a reader that leaves ends it quietly' '(strand --epochs 10000 | glovita-batch 2>err; echo $? >status) | head -c 100 >/dev/null; [ ! -s err ] && cat status'
check 'a misspelt option is status 2' 'exits 2 glovita-batch --dataloading.batch_siz 4 </dev/null 2>err && grep "batch_size" err'

if [ "$PY" ]; then
    cat >bags.py <<'E'
import struct, sys, msgpack
def nd(t, shape, data): return {b"nd": True, b"type": t, b"kind": b"", b"shape": shape, b"data": data}
out = [{"kind": "header", "format": "glovita-stream", "version": 1, "stream": "tensor", "content": "bag", "task": "regression", "num_classes": 2}]
for i, n in enumerate([2, 0, 3]):
    out.append({"kind": "tensor", "epoch": 0, "pos": i, "index": i, "id": "b%d" % i, "y": nd("<f4", [2], struct.pack("<2f", i, -i)),
                "x": nd("<f4", [n, 2], struct.pack("<%df" % (2 * n), *range(10 * i, 10 * i + 2 * n)))})
out.append({"kind": "end", "count": 3, "digest": None})
sys.stdout.buffer.write(b"".join(msgpack.packb(r) for r in out))
E
    check 'bags are padded to the longest, with a mask' '
        "$PY" bags.py | glovita-batch | glovita-cat --json >out && grep "\"x\":\[\[\[0.0,1.0\],\[2.0,3.0\],\[0.0,0.0\]\],\[\[0.0,0.0\]" out && grep "\"mask\":\[\[1,1,0\],\[0,0,0\],\[1,1,1\]\]" out && grep "\"y\":\[\[0.0,0.0\],\[1.0,-1.0\],\[2.0,-2.0\]\]" out'
    sed 's/"content": "bag", "task": "regression", "num_classes": 2/"views": 2, "task": "multiclass", "num_classes": 9/; s/"y": nd.*/"y": i,/; s/\[2, 0, 3\]/[2, 2, 2]/' bags.py >views.py
    check 'views become rows of one sample' '
        "$PY" views.py | glovita-batch --dataloading.batch_size 4 | glovita-cat --json >out && [ $(wc -l <out) = 2 ] && head -n 1 out | grep "\"y\":\[0,0,1,1\]" && grep "\"id\":\[\"b0\",\"b0\",\"b1\",\"b1\"\]" out'
else
    skip 'bags and views' 'no Python with msgpack'
fi
done_testing
