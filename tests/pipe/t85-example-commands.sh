#!/bin/bash
# the commands of the original's README, as typed: those that are built are resolved, and one is run; the others say what is missing
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE TORCH_HOME
HF_HOME=$T/hf HF_HUB_OFFLINE=1
export HF_HOME HF_HUB_OFFLINE
mkdir -p data MyDataset/images/{train,val}/{ant,bee}
tar -xzf "$FIXTURES/cifar/cifar-10-python.tar.gz" -C data
for d in MyDataset/images/*/*; do cp "$FIXTURES"/images/{rgb.png,rgb444.jpg} $d; done
echo '{"train": ["train/ant/rgb.png", "train/bee/rgb.png"], "val": ["val/ant/rgb.png"]}' >MyDataset/splits.json
echo '{"train/ant/rgb.png": 0.5, "train/bee/rgb.png": 1.5, "val/ant/rgb.png": 1}' >MyDataset/labels.json
timm="--model.encoder.encoder_type timm --model.encoder.type resnet50.a1_in1k"
first="--data.dataset cifar10 --data.data_root_dir ./data $timm --model.encoder.no_pretrained --model.head.head_type classification"
mine="--data.dataset generic_image_dataset --data.data_root_dir MyDataset"
export timm first mine

check 'dotted fields, run' 'glovita_train $first --peft.method full_finetuning --dataloading.batch_size 128 --training.epochs 1 2>err && grep "model .*resnet50.a1_in1k, 23528522 parameters" err'
check 'the group is named as in the original' 'ls experiments/cifar10 | grep -E "^[0-9]{8}_[0-9]{6}_timmencoder_classificationhead_full_finetuning_[0-9a-f]{8}$"'
check 'wandb, untouched, leaves a directory to upload' 'grep "^wandb  *.*/offline-run-" err && grep "wandb sync" err'
look() { glovita_train "$@" --dry_run 2>&1 >plan && [ ! -e experiments/generic_image_dataset ]; }
export -f look
check 'subcommands' 'look --dataloading.batch_size 128 data:cifar10-config --data.data_root_dir ./data model.encoder:timm-encoder-config --model.encoder.type resnet50.a1_in1k --model.encoder.no_pretrained model.head:classification-head-config peft:full-finetuning-config | grep "batch 128"'
check 'two epochs, and what the warm-up does to them' 'look $first --training.epochs 2 --dataloading.batch_size 128 >s; grep "warmup_epochs. is 10 and there are 2 epochs: the learning rate never rises above 3.636e-06" s'
check 'another size' 'look $first --training.epochs 50 --optimizer.lr 3e-4 --data.augmentation.image_size 224 >s; grep "^train  *randaugment: image_size 224" s && grep "^test  *default: image_size 224" s'
check 'words for the record' 'glovita_train $first --add_log.comment "scratch baseline" --add_log.dataset_alias CIFAR10_small --add_log.notes.phase warmup --print_pipeline >p.sh && grep "\"comment\": \"scratch baseline\"" p.sh && grep "\"phase\": \"warmup\"" p.sh'
check 'a data set that is not built' 'exits 2 glovita_train --data.dataset chestxray14 --data.data_root_dir /data/ChestXray14 --data.augmentation.train_policy default_2d_4 --data.augmentation.test_policy shared_default_2d 2>err && grep "chestxray14.*not built yet" err'
check 'a logger' 'glovita_train --data.dataset cifar10 --data.data_root_dir ./data $timm --model.head.head_type classification logger:mlflow-logger-config --dry_run >/dev/null'
check 'the metric that decides' 'look $first --training.best_checkpoint_metric F1 >/dev/null && exits 2 glovita_train $first --training.best_checkpoint_metric G1 2>err && grep "G1" err'
check 'own images' 'look $mine --data.num_classes 2 --data.split_source subdirs --data.label_source folder $timm --model.head.head_type classification | grep "train per class: ant 2, bee 2"'
check 'own images, regression' 'look $mine $timm --model.head.head_type classification --data.task Regression --data.subtask regression --data.num_classes 1 >s; cat s; grep "train 2 of 2, val 1" s'
check 'a crop of a few pixels is pointed out' 'look $mine --data.num_classes 2 --data.split_source subdirs --data.label_source folder $timm --data.augmentation.image_size 32 >s; grep "crop  *32 of 236 pixels" s'
check 'help of every command' 'for c in train infer extract_features plot_umap; do glovita_$c --help | grep -q -- "--" || exit 1; done'
check 'umap of a file that is not there: status 2' 'exits 2 glovita_plot_umap --h5_path x.h5 2>err && grep "x.h5.*does not exist" err'
check 'nothing was written by any of these' '[ "$(ls experiments)" = cifar10 ] && [ "$(ls experiments/cifar10 | wc -l)" = 1 ]'
done_testing
