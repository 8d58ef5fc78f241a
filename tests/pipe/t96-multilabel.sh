#!/bin/bash
# several labels a sample: lists in labels.json or columns of a table, through training, scores and predictions
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
perl -MCompress::Zlib -e 1 2>/dev/null || skip_all 'no Perl with Compress::Zlib'

# Pictures of class 0 and 1 differ (tests/pipe/pictures.pl); label "bee" says which, "any" is always there, "never" never.
mkdir -p set/images
for i in $(seq 24); do echo "set/images/$i.png 40 36 $((i % 2)) $i"; done | perl "$ROOT/tests/pipe/pictures.pl"
{
    echo '{'; for i in $(seq 24); do echo "\"$i.png\": [$((i % 2)), 1, 0]$([ $i = 24 ] || echo ,)"; done; echo '}'
} >set/labels.json
{ echo 'path,bee,any,never'; for i in $(seq 24); do echo "$i.png,$((i % 2)),1,0"; done; } >set/labels.csv
echo "{\"train\": [$(seq -s, -f '"%g.png"' 16)], \"val\": [$(seq -s, -f '"%g.png"' 17 24)]}" >set/splits.json
words=$(echo --data.dataset generic_image_dataset --data.data_root_dir set --data.subtask multilabel --data.num_classes 3 --data.augmentation.image_size 32 --data.augmentation.resize_size 36 --training.epochs 8 --optimizer.lr 0.003 --optimizer.warmup_epochs 0 \
    --dataloading.batch_size 8 --dataloading.num_workers 1 --training.threads 1 --training.seed 3 --training.precision no --logger.backend none --exp_dir exp --model.encoder.type resnet10t --model.encoder.no_pretrained --task.metrics acc f1 f1_per_class balanced_acc pr auroc ap)
run=exp/generic_image_dataset
export words run

check 'labels.json' 'glovita_train $words --logger.group json 2>err; s=$?; cat err; [ $s = 0 ] && grep "train per class: 0: 8, 1: 16, 2: 0" err && tail -n 1 $run/json/0/metrics.jsonl | grep "\"val_Accuracy\":1[,.]"'
check 'columns of a table: the same run, and labels with names' '
    glovita_train $words --logger.group csv --data.label_source csv --data.labels_file labels.csv --data.label_column bee,any,never 2>err; s=$?; cat err; [ $s = 0 ] && grep "train per class: bee 8, any 16, never 0" err &&
    cmp $run/csv/0/metrics.jsonl $run/json/0/metrics.jsonl && cmp $run/csv/0/checkpoints/last.safetensors $run/json/0/checkpoints/last.safetensors'
check 'scores and predictions' '
    glovita_infer --exp_dir $run/csv/0 --split val --pred_output p.csv --threads 1 >out && grep "\"Accuracy\": 1.0" out && head -n 1 p.csv && head -n 1 p.csv | grep "case_id,label_bee,label_any,label_never,pred_bee,pred_any,pred_never,prob_bee,prob_any,prob_never" &&
    [ "$(grep -c "\.png,[01],1,0,[01],1,0," p.csv)" = 8 ]'
check 'mixed samples' 'glovita_train $words --logger.group mixed --task.mixup --training.epochs 1'
check 'folders cannot give several labels' 'exits 2 glovita_train $words --data.label_source folder 2>err; s=$?; cat err; [ $s = 0 ] && grep "label_source folder. gives one class" err'
check 'a label that is neither 0 nor 1, a list that is too short' '
    mkdir bad && cp -r set/images set/splits.json bad && sed "s/\"3.png\": \[1, 1, 0\]/\"3.png\": [2, 1, 0]/" set/labels.json >bad/labels.json && exits 3 glovita_train $words --data.data_root_dir bad 2>err; s=$?; cat err; [ $s = 0 ] && grep "3.png. is not a list of 0 and 1" err &&
    sed "s/\"3.png\": \[1, 1, 0\]/\"3.png\": [1, 0]/" set/labels.json >bad/labels.json && { exits 2 glovita_train $words --data.data_root_dir bad 2>err; s=$?; cat err; [ $s = 0 ]; } && grep "3.png. has 2 values" err'
done_testing
