#!/bin/sh
# videos through whole runs: clips, predictions averaged over the clips of a test video; labels, losses, metrics and predictions of frames
. "${0%/*}/../cli/lib.sh"

mkdir -p set/videos
for f in bframes.mp4 vfr.mp4 vp9.webm vp8.webm packed.avi first.mp4; do cp "$FIXTURES/videos/$f" set/videos; done
printf '{"train": ["bframes", "vfr", "vp9", "vp8"], "val": ["packed", "first"]}' >set/splits.json
printf '{"bframes": 0, "vfr": 1, "vp9": 0, "vp8": 1, "packed": 0, "first": 1}' >set/labels.json
{
    echo path,frame,label
    for v in bframes vfr vp9 vp8 packed first; do
        for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo "$v,$i,$([ $i -lt 8 ] && echo early || echo late)"; done
    done
} >set/frames.csv
set_is="--data.dataset generic_video_dataset --data.data_root_dir set --data.num_classes 2"
sizes="--data.augmentation.image_size 32 --data.augmentation.resize_size 36"
net="--model.encoder.encoder_type pytorchvideo --model.encoder.type x3d_xs --model.encoder.no_pretrained --training.precision no --training.seed 1 --training.epochs 1
    --optimizer.warmup_epochs 0 --dataloading.batch_size 4 --dataloading.num_workers 2 --logger.backend none"

check 'a run on clips' 'glovita_train $set_is $sizes $net --data.frames_per_clip 4 --data.sampling_rate 4 --data.test_clips 2 --logger.group clips 2>err; r=$?; cat err; [ $r = 0 ] && grep "default_video: image_size 32" err'
check 'its test videos have two clips each, and one prediction' '
    glovita_infer --exp_dir experiments/generic_video_dataset/clips >out 2>err; r=$?; cat out err; [ $r = 0 ] && grep "\"cases\": 2" out &&
    [ $(grep -c "packed\|first" experiments/generic_video_dataset/clips/predictions_test.csv) = 2 ]'
check 'the mean of what its clips say' '
    glovita-index $set_is --data.frames_per_clip 4 --data.sampling_rate 4 --data.test_clips 2 --split val | glovita-decode --split test |
    glovita-augment --data.dataset generic_video_dataset $sizes --split test 2>err | glovita-batch --split eval --dataloading.batch_size 4 |
    glovita-forward --config experiments/generic_video_dataset/clips/0/resolved_config.json --checkpoint experiments/generic_video_dataset/clips/0/checkpoints/last.safetensors >p.gv 2>>err
    cat err; glovita-cat --json p.gv >p && [ $(wc -l <p) = 4 ] && cat p &&
    sed -n "s/.*\"id\":\"\([a-z]*\)[^\"]*\".*\"logits\":\[\([-0-9.e]*\),\([-0-9.e]*\)\].*/\1 \2 \3/p" p | awk "{ s[\$1] += 1 / (1 + exp(\$2 - \$3)); n[\$1]++ } END { for (v in s) print v, s[v] / n[v] }" | sort >mean && cat mean &&
    awk -F, "/packed|first/ { split(\$1, a, \".\"); print a[1], \$(NF - 1) }" experiments/generic_video_dataset/clips/predictions_test.csv | sort | paste -d" " - mean |
    awk "{ print; d = \$2 - \$4; if (d > 1e-4 || d < -1e-4 || \$1 != \$3) bad = 1 } END { exit bad || NR != 2 }"'

fw="$set_is --data.subtask framewise --data.label_source csv --data.labels_file frames.csv --data.frames_per_clip 4 --data.train_clip_sampler random --data.test_clip_sampler uniform --data.test_clips 3"
keys="--model.head.head_type framewise_decoder_1d --model.head.stem_key blocks.0 --model.head.layer2_key blocks.2 --model.head.layer3_key blocks.3 --model.head.layer4_key blocks.4"
check 'labels of frames become targets of clips, -1 where there is none' '
    glovita-index $fw --split val | glovita-decode --split test | glovita-batch --split eval | glovita-cat --json >out && cat out | cut -c1-900 &&
    grep "\"y\":\[\[0,0,0,0\],\[-1,-1,-1,-1\]" out && grep "\"frames\":\[\[0,1,2,3\],\[16,17,18,19\],\[36,37,38,39\]" out'
check 'a run on frames' '
    glovita_train $fw $sizes $net $keys --logger.group frames 2>err; r=$?; cat err; [ $r = 0 ] && grep "val per class: early 16, late 16" err'
check 'a prediction for each frame, scored where there is a label' '
    glovita_infer --exp_dir experiments/generic_video_dataset/frames >out 2>err; r=$?; cat out err; [ $r = 0 ] && grep "\"cases\": 24" out && grep "\"labelled\": 8" out &&
    grep "#000003,0," experiments/generic_video_dataset/frames/predictions_test.csv'
check 'features leave the head of the checkpoint out; a new run may begin with its encoder' '
    glovita_extract_features --checkpoint_path experiments/generic_video_dataset/frames/0/checkpoints/last.safetensors --split val --output_dir features 2>err; r=$?; cat err; [ $r = 0 ] && ls features/*.h5 &&
    glovita_train $fw $sizes $net $keys --model.encoder.weights experiments/generic_video_dataset/clips/0/checkpoints/last.safetensors --logger.group tuned 2>err; r=$?; cat err; [ $r = 0 ] && grep "the head is new" err'
check 'what does not go together is refused before anything is written' '
    exits 2 glovita_train $fw $sizes $net --model.head.head_type classification --logger.group no 2>err; cat err; grep "labels of frames need framewise_decoder_1d" err &&
    exits 2 glovita_train $fw $sizes $net --logger.group no 2>err; cat err; grep "no stage .stem" err && # the head follows from the task
    exits 2 glovita_train $fw $sizes $net $keys --task.mixup --logger.group no 2>err && grep "mixup" err &&
    exits 2 glovita_train $set_is $sizes $net $keys --logger.group no 2>err; cat err; grep "needs labels of frames" err &&
    exits 2 glovita_train $set_is $sizes $net --data.subtask framewise --logger.group no 2>err && grep "label_source csv" err && [ ! -e experiments/generic_video_dataset/no ]'
done_testing
