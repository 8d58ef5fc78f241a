#!/bin/sh
# precomputed_features: vectors and bags of HDF5 files (fixtures: scripts/golden/features.py)
. "${0%/*}/lib.sh"

F=$FIXTURES/features
stored() { echo "--data.dataset precomputed_features --data.num_classes 3 --data.train_features_file $1 --data.val_features_file ${2:-$1}"; }
batches() { glovita-index --no_shuffle "$@" | glovita-decode | glovita-batch --split eval --dataloading.eval_batch_size 8 | glovita-cat --json; }

check 'instances: features in float32, labels, ids and class names' '
    batches $(stored $F/instances.h5) >out && grep "\"x\":\[\[0.0,0.125,0.25,0.375\],\[1.0,1.125" out && grep "\"y\":\[0,1,2,0,1,2\]" out && grep "\"id\":\[\"a\",\"b\",\"c\"" out &&
    glovita-index $(stored $F/instances.h5) | glovita-cat --header >head && grep "\"bee\"" head && grep "\"vector\"" head'
check '16-bit numbers, the smallest and largest too, in both byte orders' '
    for f in halves halves_big; do batches $(stored $F/$f.h5) >$f && grep "\"x\":\[\[5.9604[0-9]*e-8,6.0975[0-9]*e-5,65504.0,-0.33325[0-9]*\],\[-6.1035[0-9]*e-5,0.0,1.0,-65504.0\]\]" $f || exit 1; done'
check 'fixed bags' '
    batches $(stored $F/bags.h5) >out && grep "\"x\":\[\[\[0.0,0.125,0.25,0.375\],\[1.0,1.125,1.25,1.375\]\],\[\[2.0" out && grep "\"mask\":\[\[1,1\],\[1,1\],\[1,1\]\]" out && grep "\"y\":\[2,0,1\]" out'
check 'ragged bags by bag_ptr and by bag_lengths; one without instances is named, or left out' '
    for f in ptr lengths; do
        glovita-index $(stored $F/$f.h5) --no_shuffle | glovita-decode >$f.gv && exits 3 glovita-batch <$f.gv 2>err >/dev/null && grep "row 1 of .*the bag has no instance" err &&
        glovita-batch --on_error skip <$f.gv 2>/dev/null | glovita-cat --json >$f && grep "\"mask\":\[\[1,1,1\],\[1,1,1\]\]" $f && grep "\[\[3.0,3.125" $f || exit 1
    done'
check 'targets of a regression' '
    batches --data.dataset precomputed_features --data.task Regression --data.num_classes 2 --data.train_features_file $F/targets.h5 --data.val_features_file $F/targets.h5 >out && grep "\"y\":\[\[0.5,-1.0\],\[2.0,3.0\]\]" out'
check 'rows come in any order, from strands too' '
    for i in 0 1; do glovita-index $(stored $F/instances.h5) --shard $i/2 --epochs 2 | glovita-decode >s$i.gv || exit 1; done &&
    glovita-index $(stored $F/instances.h5) --epochs 2 | glovita-decode | glovita-batch >one.gv && glovita-batch --input s0.gv s1.gv >two.gv && cmp one.gv two.gv'
check 'val may lie elsewhere; test falls back to it' '
    mkdir other && cp $F/instances.h5 other/v.h5 && batches $(stored $F/instances.h5 other/v.h5) --split val >out && [ -s out ] && ! grep error out && batches $(stored $F/instances.h5 other/v.h5) --split test >out2 && cmp out out2'
check 'splits of different width are named' 'exits 3 glovita-index $(stored $F/instances.h5 $F/bags.h5) --split all >/dev/null 2>err && grep "bags.h5. holds bags" err'
check 'a missing file is status 2' 'exits 2 glovita-index $(stored nowhere.h5) >/dev/null 2>err && grep "nowhere.h5" err'
check 'a label beyond num_classes is status 2' 'exits 2 glovita-index $(stored $F/instances.h5) --data.num_classes 2 >/dev/null 2>err && grep "the label of row 2 is 2" err'
check 'bags that end beyond the instances are status 3' 'exits 3 glovita-index $(stored $F/beyond.h5) >/dev/null 2>err && grep "begins at 7 of 6 instances" err'
check 'a link into another file is not followed' 'exits 3 glovita-index $(stored $F/link.h5) >/dev/null 2>err && grep "is a link, which is not followed" err'
check 'a cut file is status 3' 'head -c 3000 $F/instances.h5 >cut.h5 && exits 3 glovita-index $(stored cut.h5) >/dev/null 2>err && grep "cut.h5" err && ! grep -i "HDF5-DIAG" err'
done_testing
