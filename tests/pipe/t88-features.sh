#!/bin/bash
# features: of a run and of a pretrained encoder without one, all splits, both precisions; a linear head on them; linear probing
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
perl -MCompress::Zlib -e 1 2>/dev/null || skip_all 'no Perl with Compress::Zlib'
unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE TORCH_HOME XDG_CACHE_HOME HF_ENDPOINT
HF_HOME=$T/hf HF_HUB_OFFLINE=1
export HF_HOME HF_HUB_OFFLINE

mkdir -p pics/{train,val,test}/{ant,bee,cow}
for split in train:6 val:3 test:2; do
    c=0
    for name in ant bee cow; do
        for i in $(seq "${split#*:}"); do echo "pics/${split%:*}/$name/$i.png 40 36 $c $((c * 10 + i + ${split#*:} * 100))"; done
        c=$((c + 1))
    done
done | perl "$ROOT/tests/pipe/pictures.pl"
data="--data.dataset generic_image_dataset --data.data_root_dir pics --data.num_classes 3 --data.split_source subdirs --data.label_source folder
    --data.augmentation.image_size 32 --data.augmentation.resize_size 36"
short="--training.epochs 1 --optimizer.lr 0.002 --optimizer.warmup_epochs 0 --dataloading.batch_size 6 --dataloading.num_workers 1 --training.threads 1 --training.seed 3
    --training.precision no --logger.backend none --exp_dir exp"
data=$(echo $data) short=$(echo $short) run=exp/generic_image_dataset name=agg_joint_resnet10t_generic_image_dataset
pre=hf/hub/models--timm--resnet10t.c3_in1k/snapshots/0123456789abcdef0123456789abcdef01234567/model.safetensors
export data short run name pre

# The tensors of a .safetensors file, a line each: name and the hexadecimal digits of its bytes, shortened.
tensors() {
    perl -MJSON::PP -e 'local $/; open my $f, "<:raw", shift or die; my $b = <$f>; my $n = unpack "Q<", $b; my $h = decode_json(substr $b, 8, $n); delete $h->{__metadata__};
        for my $k (sort keys %$h) { my ($s, $e) = @{ $h->{$k}{data_offsets} }; print "$k ", unpack("%64C*", substr $b, 8 + $n + $s, $e - $s), " ", unpack("H*", substr $b, 8 + $n + $s, $e - $s < 32 ? $e - $s : 32), "\n" }' "$1"
}
values() { glovita-index --data.dataset precomputed_features --data.num_classes 3 --data.train_features_file "$1" --data.val_features_file "$1" --split val | glovita-decode | glovita-cat --stats | grep -v bytes; }
export -f tensors values

check 'a run to take features from' 'glovita_train $data $short --model.encoder.type resnet10t --model.encoder.no_pretrained --training.epochs 3 --logger.group g 2>err'
check 'the run says which weights it began with' 'grep "^weights  *initial ones" err'
check 'all splits of its checkpoint, under the names of the original' '
    glovita_extract_features --checkpoint_path $run/g/0/checkpoints/best.safetensors --output_dir f >out 2>err && cat out err &&
    for s in train val test; do [ -s f/${name}_${s}_size32_float16_best.h5 ] || exit 1; done && [ "$(wc -l <out)" = 3 ] && grep "weights .*best.safetensors" err && grep "^test  *shared_default_2d: image_size 32" err'
check 'one split, 32 bits, another place' 'glovita_extract_features --checkpoint_path $run/g/0/checkpoints/last.safetensors --output_dir g --split val --precision 32 --data.data_root_dir pics --data.images_dir . >out && [ "$(cat out)" = g/${name}_val_size32_float32_last.h5 ]'

# 18, 9 and 6 samples in batches of 4: five, three and two of them
of="--checkpoint_path $run/g/0/checkpoints/best.safetensors --dataloading.eval_batch_size 4"
whole() { for s in train val test; do same w/${name}_${s}_size32_float16_best.h5 $1/${name}_${s}_size32_float16_best.h5 || return 1; done; }
export of
check 'in shards, each by itself and in any order; put together they are the bytes of the whole' '
    glovita_extract_features $of --output_dir w >w.out && for i in 2 0 1; do glovita_extract_features $of --output_dir s --shard $i/3 >s$i.out || exit 1; done && [ "$(ls s | grep -c "shard-[012]-of-3.gv$")" = 8 ] &&
    grep "^s/${name}_train_size32_float16_best.shard-2-of-3.gv$" s2.out && ! grep _test_ s0.out && glovita_extract_features $of --output_dir s --merge 3 >m.out && same <(sed s/^s/w/ m.out) w.out && whole s'
check 'as many shards as one likes: those without a batch write nothing' '
    for i in 0 1 2 3 4 5 6; do glovita_extract_features $of --output_dir t --shard $i/7 >out 2>err || exit 1; done && grep "shard *6/7 of test" err; [ "$(ls t | wc -l)" = 10 ] && glovita_extract_features $of --output_dir t --merge 7 >out && whole t'
check 'a shard that is missing is named, with what makes it, and nothing is written' '
    rm t/*val*.h5 t/*val*shard-4* && exits 2 glovita_extract_features $of --output_dir t --merge 7 --split val 2>err && grep "${name}_val_size32_float16_best.shard-4-of-7.gv. is missing.*--shard 4/7" err && [ ! -e t/${name}_val_size32_float16_best.h5 ]'
check 'one that is cut, of another place or of other words is found' '
    cd s && v=${name}_train_size32_float16_best && rm $v.h5 && cp $v.shard-1-of-3.gv keep && head -c 5000 keep >$v.shard-1-of-3.gv && cd .. && exits 3 glovita_extract_features $of --output_dir s --merge 3 2>err && grep "shard-1-of-3.gv.*is cut" err &&
    cp s/$v.shard-2-of-3.gv s/$v.shard-1-of-3.gv && exits 3 glovita_extract_features $of --output_dir s --merge 3 2>err && grep "begins with sample 12, but the last one of .*shard-0-of-3.gv. is 3: a part is missing" err &&
    glovita_extract_features $of --output_dir s --shard 1/3 --split train --method avg --output_filename other.h5 >out && cp s/other.shard-1-of-3.gv s/$v.shard-1-of-3.gv && exits 3 glovita_extract_features $of --output_dir s --merge 3 2>err && grep "differ in .history.: they are no parts of one stream" err &&
    cp s/keep s/$v.shard-1-of-3.gv && [ ! -e s/$v.h5 ] && glovita_extract_features $of --output_dir s --merge 3 >out && whole s'
check 'shards are i of n' 'for v in 3/3 -1/3 1 a/b 1/2/3 0/0 ""; do exits 2 glovita_extract_features $of --output_dir no --shard "$v" 2>err || exit 1; done; grep "is i/n with i from 0 to n-1" err && exits 2 glovita_extract_features $of --shard 0/3 --merge 3 2>err && grep "one at a time" err && [ ! -e no ]'
check 'a sample that fails is listed once they are together' '
    cp -r pics bad && echo no picture >bad/val/bee/2.png && echo nor this >bad/val/bee/3.png && for i in 0 1 2; do glovita_extract_features $of --data.data_root_dir bad --on_error skip --split val --output_dir sk --shard $i/3 >out 2>err || exit 1; done
    glovita_extract_features $of --data.data_root_dir bad --on_error skip --split val --output_dir sk --merge 3 2>err && grep "2 samples failed" err && grep "^val/bee/3.png," sk/${name}_val_size32_float16_best.errors.csv'
check 'stopped by a signal it ends with 75, nothing half written' '
    glovita_extract_features --data.dataset command --data.command "touch asked; sleep 1" --data.num_classes 3 --model.encoder.type resnet10t --model.encoder.no_pretrained --output_dir z 2>err &
    within 20 [ -e asked ]; kill -USR1 $!; wait $!; r=$?; cat err; sleep 1; [ $r = 75 ] && grep "give the same command again" err && [ ! -e z ]'

mkdir -p "${pre%/*}" hf/hub/models--timm--resnet10t.c3_in1k/refs && cp $run/g/0/checkpoints/last.safetensors "$pre" && printf %s 0123456789abcdef0123456789abcdef01234567 >hf/hub/models--timm--resnet10t.c3_in1k/refs/main
check 'of a pretrained encoder, without a run' '
    glovita_extract_features $data --model.encoder.type resnet10t --output_dir h --precision 32 >out 2>err && cat err && [ "$(wc -l <out)" = 3 ] && grep "weights .*tensors of .*hf/hub" err && [ -s h/${name}_train_size32_float32.h5 ]'
check 'the same as of the run it came from' 'glovita_extract_features --checkpoint_path $run/g/0/checkpoints/last.safetensors --output_dir i --split val --precision 32 --data.augmentation.test_kwargs interpolation bicubic >out && values h/${name}_val_size32_float32.h5 >a && values i/${name}_val_size32_float32_last.h5 >b && grep "mean" a && same a b'
if python h5py numpy; then
    check 'h5py reads them: ids, class names, labels, configuration' '"$PY" - <<PYEND
import h5py, json, numpy
a, b = h5py.File("f/${name}_train_size32_float16_best.h5"), h5py.File("h/${name}_train_size32_float32.h5")
for f, kind in (a, "f2"), (b, "f4"):
    assert f["features"].shape == (18, 512) and f["features"].dtype == numpy.dtype(kind) and numpy.isfinite(f["features"][:]).all()
    assert f["labels"].dtype == numpy.int64 and f["labels"][:].tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert [x.decode() for x in f["class_names"][:]] == ["ant", "bee", "cow"] and f["ids"][7] == b"train/bee/2.png"
    assert json.loads(f.attrs["model"])["encoder"]["type"] == "resnet10t" and f.attrs["split"] == "train" and "pics" not in str(dict(f.attrs))
PYEND'
else
    skip 'h5py reads them' 'no Python with h5py'
fi

stored="--data.dataset precomputed_features --data.num_classes 3 --data.train_features_file h/${name}_train_size32_float32.h5 --data.val_features_file h/${name}_val_size32_float32.h5"
export stored
check 'a linear head is trained on them' 'glovita_train $stored $short --training.epochs 30 --optimizer.lr 0.02 --logger.group head >out 2>err && grep "val_Accuracy 1.0000" out && grep "model .*precomputed, 1539 parameters" err'
check 'and infer scores it, with class names and ids' 'glovita_infer --exp_dir exp/precomputed_features/head >m.json 2>err && grep "\"Accuracy\": 1.0" m.json && grep "^val/cow/3.png,2,2," exp/precomputed_features/head/predictions_test.csv && head -n 1 exp/precomputed_features/head/predictions_test.csv | grep prob_cow'
check 'on other features' 'glovita_infer --exp_dir exp/precomputed_features/head --data.test_features_file h/${name}_test_size32_float32.h5 --pred_output other.csv >m.json && grep "\"cases\": 6" m.json && grep "^test/ant/2.png,0," other.csv'
check 'a file of features that is missing is refused by name' 'exits 2 glovita_train $stored $short --data.val_features_file mk.h5 2>err && grep "mk.h5" err'

check 'linear probing trains the head alone' '
    glovita_train $data $short --training.epochs 4 --model.encoder.type resnet10t --peft.method linear_probing --optimizer.lr 0.01 --logger.group probe 2>err && grep "model .*1539 trained" err && cat err &&
    tensors "$pre" | grep -v "^fc\.\|running_\|num_batches" >a && tensors $run/probe/0/checkpoints/last.safetensors | grep -v "^fc\.\|running_\|num_batches" >b && [ -s a ] && same a b &&
    ! tensors "$pre" | grep "^fc.weight" | cmp -s - <(tensors $run/probe/0/checkpoints/last.safetensors | grep "^fc.weight")'
check 'and computes no gradient below it' '! grep "conv_dgrad\|conv_wgrad\|batchnorm_grad" $run/probe/0/plan.json && [ "$(grep -c "\"op\":\"matmul_wgrad\"" $run/probe/0/plan.json)" = 1 ] && grep "conv_wgrad" $run/g/0/plan.json >/dev/null'
done_testing
