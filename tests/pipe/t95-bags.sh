#!/bin/bash
# bags: every layout of stored features and CLAM's folders, from file to score and attention; class weights, balanced sampling; faults
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
B=$FIXTURES/bags
short="--training.epochs 2 --optimizer.lr 0.003 --optimizer.warmup_epochs 0 --dataloading.batch_size 4 --training.threads 1 --training.seed 3 --training.precision no
    --logger.backend none --exp_dir exp --model.head.size_arg tiny"
short=$(echo $short) own="--data.dataset precomputed_features --data.num_classes 2" clam="--data.dataset clam_dataset --data.data_root_dir $B/clam" head="--model.head.head_type clam"
ragged="--data.train_features_file $B/ragged_train.h5 --data.val_features_file $B/ragged_val.h5"
export B short own clam head ragged

check 'ragged bags by bag_ptr and by bag_lengths are the same bags' '
    for f in ragged lengths; do glovita-index $own --data.train_features_file $B/ragged_train.h5 --data.val_features_file $B/${f}_val.h5 --split val | glovita-decode | glovita-batch --split eval --dataloading.batch_size 5 >$f.gv || exit 1; done
    for f in ragged lengths; do glovita-cat --stats $f.gv >$f.stats; glovita-cat $f.gv | sed "s/coords=[^ ]* //" | grep "^batch" >$f.lines; done
    cat ragged.lines; grep "mask=uint8.5,11" ragged.lines && cmp ragged.lines lengths.lines && grep "^x: " ragged.stats && cmp ragged.stats lengths.stats'
check 'the record of a bag keeps the places of its instances' 'glovita-index $own $ragged --split val | glovita-decode >d.gv && glovita-cat d.gv | grep "coords" | sed -n 2p | grep -E "coords=.*3 ?[x,] ?2"'
check 'a CLAM head trains on ragged bags; bags of 1 to 11 instances; the run is the same with any number of workers' '
    glovita_train $own $ragged $short --model.head.head_type clam --model.head.instance_eval --model.head.stochastic_topk --dataloading.num_workers 1 --logger.group r1 2>err || { cat err; exit 1; }
    glovita_train $own $ragged $short --model.head.head_type clam --model.head.instance_eval --model.head.stochastic_topk --dataloading.num_workers 3 --logger.group r3 2>>err || { cat err; exit 1; }
    cmp exp/precomputed_features/r1/0/metrics.jsonl exp/precomputed_features/r3/0/metrics.jsonl && cmp exp/precomputed_features/r1/0/checkpoints/last.safetensors exp/precomputed_features/r3/0/checkpoints/last.safetensors'
check 'killed in an epoch and resumed, it ends with the same bytes' '
    glovita_train $own $ragged $short --model.head.head_type clam --model.head.instance_eval --model.head.stochastic_topk --training.save_every 1 --logger.group k >/dev/null 2>err & p=$!
    within 60 test -s exp/precomputed_features/k/0/checkpoints/resume.safetensors; kill -9 $p; wait $p
    glovita_train $own $ragged $short --model.head.head_type clam --model.head.instance_eval --model.head.stochastic_topk --training.save_every 1 --logger.group k --resume 2>err || { cat err; exit 1; }
    cmp exp/precomputed_features/k/0/metrics.jsonl exp/precomputed_features/r1/0/metrics.jsonl && cmp exp/precomputed_features/k/0/checkpoints/last.safetensors exp/precomputed_features/r1/0/checkpoints/last.safetensors'
check 'its attention: a row an instance, with its place, adding up to 1' '
    glovita_infer --exp_dir exp/precomputed_features/r1/0 --split val --attention att.csv >/dev/null 2>err || { cat err; exit 1; }
    head -n 1 att.csv && [ "$(head -n 1 att.csv)" = "id,instance,x,y,score,score_0,score_1" ] && [ $(wc -l <att.csv) = $(glovita-cat d.gv | awk "match(\$0, /x=float32.[0-9]+/) { n += substr(\$0, RSTART + 10, RLENGTH - 10) } END { print n + 1 }") ] || exit 1
    awk -F, "NR > 1 { s[\$1] += \$6; if (\$3 * 7 != \$4) exit 1 } END { for (k in s) if ((s[k] - 1) ^ 2 > 1e-10) exit 1 }" att.csv'
check 'fixed bags, with the preset of the published CLAM and class weights; the baselines' '
    fixed="--data.train_features_file $B/fixed_train.h5 --data.val_features_file $B/fixed_val.h5"
    glovita_train $own $fixed $short --model.head.head_type clam --model.head.preset original --task.class_weights 1 3 --logger.group f 2>err || { cat err; exit 1; }
    grep -q "\"variant\": *\"sb\"" exp/precomputed_features/f/0/resolved_config.json && grep -q "\"dropout\": *0.25" exp/precomputed_features/f/0/resolved_config.json || exit 1
    glovita-cat --help >/dev/null; strings -n 8 exp/precomputed_features/f/0/checkpoints/last.safetensors | head -n 1 | grep "head.attention_net.3.attention_a.0.weight" | grep "head.instance_classifiers.1.bias" | grep -c "head.classifiers.weight" || exit 1
    for h in mil_mean mil_max; do glovita_train $own $fixed ${short% --model.head.size_arg tiny} --model.head.head_type $h --logger.group $h 2>err || { cat err; exit 1; }; done'
check 'single vectors and a linear head; a bag head refuses them, a linear head bags, before anything runs' '
    one="--data.train_features_file $B/instances_train.h5 --data.val_features_file $B/instances_val.h5"
    glovita_train $own $one ${short% --model.head.size_arg tiny} --task.class_weights auto --logger.group v 2>err || { cat err; exit 1; }
    grep "^weights  *1 1$" err || exit 1
    exits 2 glovita_train $own $one $short --model.head.head_type clam --logger.group w 2>err && grep "takes bags" err && [ ! -e exp/precomputed_features/w/0/config.json ] || exit 1
    exits 2 glovita_train $own $ragged ${short% --model.head.size_arg tiny} --logger.group w 2>err && grep "need a head for bags" err'

check 'balanced sampling: as many draws as samples, classes even, draw counts occurrences, shards and --start agree' '
    one="--data.train_features_file $B/instances_train.h5 --data.val_features_file $B/instances_val.h5 --training.seed 5 --dataloading.balanced_sampling"
    lines() { glovita-index $own $one "$@" | glovita-cat | grep "^sample" | cat; }
    lines --epochs 2 >all; [ $(wc -l <all) = 80 ] && [ $(grep -c "y=0" all) -gt 25 ] && [ $(grep -c "y=0" all) -lt 55 ] && grep -q "draw=1" all || exit 1
    lines --epochs 1 --start 1:7 >tail; tail -n 33 all | cmp - tail || exit 1
    lines --epochs 2 --shard 0/2 >s0; lines --epochs 2 --shard 1/2 >s1; paste -d "\n" s0 s1 | cmp - all || exit 1
    awk "{ for (i = 1; i <= NF; i++) { split(\$i, f, \"=\"); v[f[1]] = f[2] } k = v[\"epoch\"] \" \" v[\"index\"]; if (v[\"draw\"] != n[k]++ + 0) exit 1 }" all'
check 'class weights and balanced sampling are for classes' 'exits 2 glovita_train $own $ragged $short --data.subtask multilabel --model.head.head_type clam --task.class_weights 1 2 2>err && grep "task.class_weights.*multilabel" err'
check 'wrong weights are named' 'exits 2 glovita_train $own $ragged $short --model.head.head_type clam --task.class_weights 1 2 3 2>err && grep "3 numbers; there are 2 classes" err || exit 1
    exits 2 glovita_train $own $ragged $short --model.head.head_type clam --task.class_weights 1 -2 2>err && grep "numbers above 0" err'

check "CLAM's folders: h5 and pt files, a table of labels, folds; the head is clam without being asked" '
    glovita_train $clam --dry_run 2>err && grep "model .*features 4" err || { cat err; exit 1; }
    glovita_train $clam $head $short --model.head.instance_eval --dataloading.balanced_sampling --logger.group c 2>err || { cat err; exit 1; }
    grep "train 8 of 8, val 4, test 2" err && grep "val per class: .*normal.*2.*tumor.*2" err && [ -f exp/clam_dataset/c/0/checkpoints/best.safetensors ] || exit 1
    glovita-index $clam --data.fold 1 --split val --no_shuffle | glovita-cat | grep "path=h5_files/slide_04.h5.*y=0" || exit 1
    glovita-index $clam --split val | glovita-cat | grep "path=pt_files/slide_03.pt.*y=1"'
check 'the same slides from h5 and from pt are the same bags' '
    for f in h5 pt; do glovita-index $clam --data.features $f --data.no_strict --data.fold 1 --split val --no_shuffle --limit 2 | glovita-decode >$f.gv && glovita-cat --stats $f.gv >$f.x && glovita-cat $f.gv | grep -o "id=.*y=[01]" >>$f.x; done
    cat h5.x; grep "slide_05" h5.x && cmp h5.x pt.x'
check 'attention of slides, where only some files tell places' '
    glovita_infer --exp_dir exp/clam_dataset/c/0 --split val --attention clam.csv --dataloading.batch_size 1 >/dev/null 2>err || { cat err; exit 1; }
    grep "^slide_01,0,1000,0,0" clam.csv && grep "^slide_03,0,,,1,1,1$" clam.csv'
check 'folds are those of the files, and an unknown one is named' '
    exits 2 glovita_train $clam $head $short --data.fold 2 --logger.group c2 2>err && grep "the folds in .* are .0. to .1." err'
cp -r "$B/clam" mine
check 'a slide without features, without a label: named, or left out and counted' '
    rm mine/pt_files/slide_13.pt; sed -i /slide_09,/d mine/labels.csv
    exits 2 glovita-index --data.dataset clam_dataset --data.data_root_dir mine >/dev/null 2>err && grep "slide .slide_09. .*has no label" err || { cat err; exit 1; }
    exits 2 glovita-index --data.dataset clam_dataset --data.data_root_dir mine --split test >/dev/null 2>err && grep "slide .slide_13. .*has no features" err || { cat err; exit 1; }
    glovita-index --data.dataset clam_dataset --data.data_root_dir mine --data.no_strict | glovita-cat --count | grep "^7 "'
check 'a slide whose file is cut stops the run by its name, or is skipped and counted' '
    head -c 300 "$B/clam/h5_files/slide_06.h5" >mine/h5_files/slide_06.h5
    my="--data.dataset clam_dataset --data.data_root_dir mine --data.no_strict"
    exits 3 glovita_train $my $head $short --logger.group m 2>err && grep "slide_06.*no readable HDF5 file" err || { cat err; exit 1; }
    glovita_train $my $head $short --on_error skip --logger.group m2 2>err || { cat err; exit 1; }
    grep "sample.* left out (on_error skip)" err'

faulty="--data.dataset precomputed_features --data.num_classes 2 --data.val_features_file $B/ragged_val.h5"
export faulty
check 'a bag without instances is one sample: it stops the run, or is skipped and counted' '
    exits 3 glovita_train $faulty --data.train_features_file $B/bad_empty.h5 $short --model.head.head_type clam --logger.group e1 2>err && grep "the bag has no instance" err || { cat err; exit 1; }
    glovita_train $faulty --data.train_features_file $B/bad_empty.h5 $short --model.head.head_type clam --on_error skip --logger.group e2 2>err || { cat err; exit 1; }
    grep "2 samples were left out (on_error skip)" err'
check 'a file without features, places that go back, lengths that are too long, labels of another number' '
    try() { exits 3 glovita_train $faulty --data.train_features_file $B/$1 $short --model.head.head_type clam --logger.group x 2>err && grep "$2" err || { cat err; exit 1; }; }
    try bad_none.h5 "has no data set .features." && try bad_ptr.h5 "bag 2 begins at 2 of 5" && try bad_short_ptr.h5 "begins at 12 of 5" && try bad_labels.h5 "has 2 samples, but labels .3,1."'
done_testing
