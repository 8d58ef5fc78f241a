#!/bin/bash
# --tune: kernels are measured once for a machine; runs use what was measured, keep it in plan.json, and resume by that alone
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
perl -MCompress::Zlib -e 1 2>/dev/null || skip_all 'no Perl with Compress::Zlib'

mkdir -p pics/{train,val}/{ant,bee}
for split in train:7 val:3; do
    for class in 0 1; do
        name=$([ $class = 0 ] && echo ant || echo bee)
        for i in $(seq "${split#*:}"); do echo "pics/${split%:*}/$name/$i.png 40 36 $class $((class * 10 + i + ${split#*:} * 100))"; done
    done
done | perl "$ROOT/tests/pipe/pictures.pl"
data=$(echo --data.dataset generic_image_dataset --data.data_root_dir pics --data.num_classes 2 --data.split_source subdirs --data.label_source folder --data.augmentation.image_size 64 --data.augmentation.resize_size 70)
words=$(echo $data --training.epochs 3 --optimizer.lr 0.002 --optimizer.warmup_epochs 0 --dataloading.batch_size 6 --dataloading.num_workers 1 --training.threads 1 --training.seed 3 --training.precision no --logger.backend none --exp_dir exp --model.encoder.type test_vit --model.encoder.no_pretrained)
run=exp/generic_image_dataset last=0/checkpoints/last.safetensors
unset GLOVITA_KERNELS
XDG_CACHE_HOME=$T/cache
export words run last XDG_CACHE_HOME

check 'nothing is measured, and no file made, unless asked for' 'glovita_train $words --logger.group plain && [ ! -e cache ] && ! grep measured $run/plain/0/plan.json'
check '--tune measures, and keeps the table' '
    glovita_train $words --logger.group tuned --tune 2>err; s=$?; cat err; [ $s = 0 ] && grep "^tune  " err && set -- cache/glovita/kernels-*.txt && [ $# = 1 ] && head -n 1 "$1" | grep "^glovita-kernels 1, oneDNN" &&
    grep "^matmul .*	" "$1" && [ -z "$(ls cache/glovita | grep -v "^kernels-[0-9a-f]*.txt$")" ]'
check 'plan.json holds all of it, JSON as before, those of the short last batch and of the validation too' '
    perl -MJSON::PP -e "local \$/; my \$p = decode_json(<>); print \"\$_\n\" for @{ \$p->{measured} }" $run/tuned/0/plan.json >kept && cmp kept cache/glovita/kernels-*.txt && grep "float32:6x" kept && grep "float32:2x" kept'

# Every product of one weight matrix by the kernel that the rules would not take: the choice, whatever was the faster one here.
cp cache/glovita/kernels-*.txt measured.txt
sed -i 's/^\(matmul [^	]*\)	.*/\1	b as it lies/' cache/glovita/kernels-*.txt
check 'the next run takes what the table says' 'glovita_train $words --logger.group forced && grep "blocks.0.attn.qkv\",\"op\":\"matmul\",\"kernel\":\"b as it lies\"" $run/forced/0/plan.json && ! grep "blocks.0.attn.qkv\",\"op\":\"matmul\",\"kernel\":\"b as it lies\"" $run/plain/0/plan.json'
check 'one that is stopped and goes on keeps its own, whatever the table says now' '
    glovita_train $words --logger.group cut --training.save_every 1 >cut.out 2>&1 & p=$!
    within 60 [ -e $run/cut/0/checkpoints/resume.safetensors ]; pkill -9 -P $p glovita-train; kill -9 $p; wait $p
    rm -r cache; within 20 eval "glovita_train $words --logger.group cut --training.save_every 1 --resume >again.out 2>&1 || ! grep \"in use\" again.out"; cat again.out
    [ -e $run/cut/$last ] && cmp $run/cut/$last $run/forced/$last && [ "$(sed "1,/measured/d" $run/cut/0/plan.json)" = "$(sed "1,/measured/d" $run/forced/0/plan.json)" ] && grep "^\"matmul .*b as it lies" $run/cut/0/plan.json'
check 'a table of another machine is told and left' '
    mkdir -p cache/glovita; sed "1s/oneDNN/twoDNN/" measured.txt >other.txt && GLOVITA_KERNELS=other.txt glovita_train $words --logger.group other 2>err; s=$?; cat err; [ $s = 0 ] && grep "other.txt. are of another machine" err && cmp $run/other/$last $run/plain/$last'
check 'so is one that is no table' '
    echo nonsense >bad.txt; GLOVITA_KERNELS=bad.txt glovita_train $words --logger.group bad 2>err; s=$?; cat err; [ $s = 0 ] && grep "bad.txt. are left out" err && cmp $run/bad/$last $run/plain/$last'
check 'an empty GLOVITA_KERNELS means none' 'cp measured.txt cache/glovita/x; GLOVITA_KERNELS= glovita_train $words --logger.group none --tune && [ "$(ls cache/glovita)" = x ]'
check 'scores take --tune as well' 'GLOVITA_KERNELS=infer.txt glovita_infer --exp_dir $run/plain/0 --split val --tune --threads 1 2>err >out; s=$?; cat err; [ $s = 0 ] && grep "float32!:" infer.txt'
check 'a place that cannot be written ends the run, and says so' '
    echo x >file; GLOVITA_KERNELS=file/in/it exits 4 glovita_train $words --logger.group nowhere --tune 2>err; s=$?; cat err; [ $s = 0 ] && grep "file/in" err'
done_testing
