#!/bin/sh
# Every command in README.md and in glovita(7) runs. Those of training are made short: a smaller part of the data, fewer epochs, a smaller
# network without its published weights, a group of the page's name; everything else is as it stands there. Commands of scripts/
# (which run these tests, install packages and build) are not run again: they must be there, executable, and proper shell.
. "${0%/*}/lib.sh"
PREPARE='for s in train val; do for c in cat dog; do mkdir -p MyDataset/$s/$c; for i in 1 2; do cp tests/fixtures/images/rgb444.jpg MyDataset/$s/$c/$i.jpg; done; done; done'
short='--training.epochs 1 --training.seed 1 --model.encoder.type resnet10t --model.encoder.no_pretrained --logger.backend none'
ADAPT="
s!^scripts/\\([a-z]*\\)\\(.*\\)!sh -n '$ROOT/scripts/\\1' \\&\\& test -x '$ROOT/scripts/\\1'!
1 { /^glovita_train/ { :all
    \$! { N; b all
    }
    /fashion_mnist/ s!\$! $short --data.data_fraction 0.002 --training.val_steps_per_epoch 1!
    /generic_image/ s!\$! $short --data.augmentation.image_size 32 --data.augmentation.resize_size 32!
    }
}"
run_examples "$ROOT/README.md"

tour "$ROOT/man/man7/glovita.7" >glovita.7
run_examples "$T/glovita.7"
done_testing
