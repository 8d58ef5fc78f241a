#!/bin/sh
# encoders: those with options of their own, through the driver
. "${0%/*}/lib.sh"

for s in train val; do
    mkdir -p set/images/$s/a set/images/$s/b
    for i in 1 2; do cp "$FIXTURES/images/rgb.png" set/images/$s/a/$i.png; cp "$FIXTURES/images/rgb444.jpg" set/images/$s/b/$i.jpg; done
done
small="--model.encoder.encoder_type residual_encoder --model.encoder.spatial_dim 2 --model.encoder.features_per_stage 4 8 --model.encoder.kernel_sizes 3 --model.encoder.strides 1 2"
words="--data.dataset generic_image_dataset --data.data_root_dir set --data.num_classes 2 --data.split_source subdirs --data.label_source folder --data.augmentation.image_size 32
    --data.augmentation.resize_size 32 --training.epochs 1 --training.precision no --optimizer.warmup_epochs 0 --dataloading.batch_size 4 --dataloading.num_workers 0 --logger.backend none --training.seed 1 $small"
run=experiments/generic_image_dataset

check 'a residual encoder of two dimensions trains' '
    glovita_train $words --model.encoder.n_blocks_per_stage 1 --logger.group a >out 2>&1 && grep "residual_encoder, 1410 parameters" out && [ -s $run/a/0/checkpoints/last.safetensors ]'
check 'its checkpoint begins another run' '
    glovita_train $words --model.encoder.n_blocks_per_stage 1 --model.encoder.weights $run/a/0/checkpoints/last.safetensors --logger.group b >out 2>&1 && grep "tensors of .*last.safetensors" out'
check 'lists that do not fit are status 2, by name, and nothing is written' '
    exits 2 glovita_train $words --model.encoder.n_blocks_per_stage 1 1 1 --logger.group c 2>err && grep "n_blocks_per_stage. has 3 entries" err && [ ! -e $run/c ]'
check 'a file of another encoder is status 3, with the tensors that are missing' '
    exits 3 glovita_train $words --model.encoder.n_blocks_per_stage 1 2 --model.encoder.weights $run/a/0/checkpoints/last.safetensors --logger.group d 2>err && grep "stages.1.blocks.1.conv1.conv.weight" err'
done_testing
