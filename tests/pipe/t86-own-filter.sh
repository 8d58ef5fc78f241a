#!/bin/bash
# a user's own filter in the middle of a printed pipeline, and a look into each of its edges
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
perl -MCompress::Zlib -e 1 2>/dev/null || skip_all 'no Perl with Compress::Zlib'
mkdir -p pics/{train,val}/{ant,bee}
for split in train:5 val:2; do
    for class in 0 1; do
        for i in $(seq "${split#*:}"); do echo "pics/${split%:*}/$([ $class = 0 ] && echo ant || echo bee)/$i.png 40 36 $class $((class * 10 + i))"; done
    done
done | perl "$ROOT/tests/pipe/pictures.pl"
words=$(echo --data.dataset generic_image_dataset --data.data_root_dir pics --data.num_classes 2 --data.split_source subdirs --data.label_source folder --model.encoder.type resnet10t --model.encoder.no_pretrained \
    --data.augmentation.image_size 32 --data.augmentation.resize_size 36 --training.epochs 2 --optimizer.lr 0.001 --optimizer.warmup_epochs 0 --dataloading.batch_size 5 --dataloading.num_workers 1 \
    --training.threads 1 --training.seed 3 --training.precision no --logger.backend none --exp_dir exp)
run=exp/generic_image_dataset
export words run

check 'the printed pipeline, as it is' 'glovita_train $words --logger.group plain --print_pipeline >plain.sh && bash plain.sh 2>err && [ -s $run/plain/0/checkpoints/last.safetensors ]'
check 'a look into every edge' '
    perl -pe "s/ \\|\\n/ | tee edge\$. |\\n/; s/ >(\\\"\\\$fifos\\/\\d+\\\") &/ | tee edge\$. >\$1 &/" plain.sh | sed "s#/plain/#/seen/#g" >seen.sh && bash seen.sh 2>err && cmp $run/plain/0/metrics.jsonl $run/seen/0/metrics.jsonl &&
    for e in edge*; do glovita-cat --check $e || exit 1; done >said && cat said && grep "20 sample records" said && grep "8 sample records" said && grep "20 tensor records" said && grep "4 batch records" said && grep "digest" said'
check 'each record can be shown' 'for e in edge*; do glovita-cat $e | head -n 3 || exit 1; done >said; grep "train/ant/[1-5].png" said && grep "x=" said'

if python msgpack msgpack_numpy; then
    cat >filter.py <<'PYEND'
import sys, msgpack, msgpack_numpy, numpy
for r in msgpack.Unpacker(sys.stdin.buffer, object_hook=msgpack_numpy.decode, max_buffer_size=0):
    if r["kind"] == "tensor":
        r["x"] = 255 - r["x"] if numpy.random.default_rng(r["index"]).random() < 0.5 else r["x"]
    elif r["kind"] == "end":
        r["digest"] = None
    sys.stdout.buffer.write(msgpack.packb(r, default=msgpack_numpy.encode))
PYEND
    export PY
    check 'a Python filter between augment and batch: it trains, on other pixels' '
        sed "s#/plain/#/own/#g" plain.sh | perl -0pe "s/(glovita-augment [^\\n]*data.augmentation.train_kwargs[^\\n]*) \\|\\n/\$1 | \\\"\\\$PY\\\" filter.py |\\n/ or die" >own.sh && bash own.sh 2>err; r=$?; cat err; [ $r = 0 ] &&
        [ "$(wc -l <$run/own/0/metrics.jsonl)" = 2 ] && ! cmp -s $run/plain/0/metrics.jsonl $run/own/0/metrics.jsonl'
    check 'one that dies ends the pipeline with an error, not with half a model' '
        sed "s#/own/#/dead/#g; s#filter.py#dies.py#" own.sh >dead.sh && sed "s/r\\[.x.\\] = .*/raise SystemExit(1)/" filter.py >dies.py && bash dead.sh 2>err; [ $? != 0 ] && [ ! -e $run/dead/0/checkpoints/last.safetensors ]'
else
    skip 'a Python filter between augment and batch' 'no Python with msgpack and msgpack_numpy'
fi
done_testing
