#!/bin/sh
# contributing: each diff of tests/contributing is one new file and one line of a list, CONTRIBUTING.md shows it, and with all of them
# applied to a copy of the tree it builds, its lists are complete, and a run uses what they add. Compiles only what changed
# against the objects of build/gcc.
. "${0%/*}/../cli/lib.sh"

check 'CONTRIBUTING.md shows the diffs as they are' "'$ROOT/scripts/dev/contributing-diffs' >shown.md && diff shown.md '$ROOT/CONTRIBUTING.md' &&
    [ \$(grep -c '^<!-- tests/contributing/.*diff -->' shown.md) = \$(ls '$ROOT/tests/contributing' | wc -l) ]"
for d in "$ROOT"/tests/contributing/*.diff; do
    check "${d##*/}: one new file and one line of a list" "
        [ \$(grep -c '^--- /dev/null' '$d') = 1 ] && [ \$(grep -c '^+++ ' '$d') = 2 ] && grep -q '^+++ b/.*\.def' '$d' && ! grep -q '^-[^-]' '$d' &&
        awk '/^\+\+\+/ { def = /\.def/ } def && /^\+[^+]/ { n++ } END { exit n != 1 }' '$d'"
done

B=$ROOT/build/gcc
have patch || { skip 'the tree with all of them builds' 'patch is not installed'; done_testing; }
[ -f "$B/libglovita.a" ] || { skip 'the tree with all of them builds' 'there is no build by gcc'; done_testing; }
cc=$(sed -n '1s/ -Ilib .*//p' "$B/flags")
werror=$(grep -o -- '-Werror' "$B/flags" | head -n 1)
mkdir tree
(cd "$ROOT" && cp -a Makefile lib formats stages tests man scripts "$T/tree" && mkdir "$T/tree/build" && cp -a build/gcc "$T/tree/build" && cp -a bin "$T/tree")
cd tree || exit 2

# A policy that names the transform, so that a run draws from it.
check 'they apply' 'for d in tests/contributing/*.diff; do patch -p1 -s -F3 <$d || exit 1; done
    sed -i "s/{ \"hflip\", \"p=\$hflip\" }, { \"vflip\"/{ \"solarize\", \"p=1\" }, &/" lib/data/eurosat.c && grep -q "solarize.*hflip" lib/data/eurosat.c'
check 'the tree with all of them builds without a warning' "MAKEFLAGS= make -s -j2 CC='$cc' WERROR='$werror' bin/glovita-run bin/glovita_train bin/glovita-index bin/glovita-decode bin/glovita-augment bin/glovita-batch bin/glovita-train bin/glovita-eval bin/glovita-log >made 2>&1; r=\$?; cat made; ! grep warning made && [ \$r = 0 ]"
check 'the lists are complete' 'sh tests/lint/lists.sh >lists; cat lists; ! grep "^not ok.*\.def" lists'
check 'the arrows hold' 'sh tests/lint/arrows.sh >arrows; cat arrows; ! grep "^not ok" arrows'
PATH=$T/tree/bin:$PATH

check 'metric, head, optimizer and data set are in the help' '
    glovita_train --help >help && grep "task.metrics.*,kappa" help && grep "model.head:mlp-head-config" help && grep "optimizer.name.*,Lion" help && grep "data:eurosat-config" help'
check 'the head has its own option' 'glovita_train model.head:mlp-head-config --help | grep "model.head.hidden INT"'
check 'they are in --describe, and so in the pages' '
    ! GLOVITA_BIN=$PWD/bin scripts/dev/page-options --check man/man1/glovita_train.1 && GLOVITA_BIN=$PWD/bin scripts/dev/page-options man/man1/glovita_train.1 && grep "model.head.hidden" man/man1/glovita_train.1'
mkdir sat
for c in AnnualCrop Forest HerbaceousVegetation Highway Industrial Pasture PermanentCrop Residential River SeaLake; do
    mkdir sat/$c
    for i in 1 2 5; do cp tests/fixtures/images/rgb444.jpg sat/$c/${c}_$i.jpg; done
done
printf 'P6\n# a comment\n2 1\n255\nabcdef' >sat/River/River_3.jpg # what a file is, its first bytes say
check 'the format is decoded, whatever the name of the file' '
    glovita-index --data.dataset eurosat --data.data_root_dir sat --no_shuffle | glovita-decode | glovita-cat --json | grep "River_3" | grep "97,98,99" | grep "100,101,102"'
check 'its policies are those of the data set, and the transform is drawn' '
    glovita-index --data.dataset eurosat --data.data_root_dir sat --no_shuffle | glovita-decode >tensors.gv &&
    glovita-augment --data.dataset eurosat --split train --training.seed 1 <tensors.gv | glovita-cat --stats >with && glovita-augment --data.dataset eurosat --split test <tensors.gv | glovita-cat --stats >without && ! cmp with without &&
    exits 2 glovita-augment --data.dataset cifar10 --split train --data.augmentation.train_policy satellite <tensors.gv >/dev/null 2>err && grep "it has default, baseline" err'
rm sat/River/River_3.jpg
check 'a run trains with all of them' '
    glovita_train --data.dataset eurosat --data.data_root_dir sat --model.encoder.type tiny_cnn --model.encoder.no_pretrained --model.head.head_type mlp --model.head.hidden 7 \
        --optimizer.name Lion --optimizer.lr 1e-3 --optimizer.warmup_epochs 0 --task.metrics acc kappa --training.epochs 2 --training.seed 1 --training.precision no --logger.group a --logger.backend markdown 2>said; r=$?
    cat said; [ $r = 0 ] && grep "model  *tiny_cnn, 2911 parameters" said && grep "Lion" said && head -n 1 experiments/eurosat/a/0/metrics.csv | grep val_Kappa && [ "$(wc -l <experiments/eurosat/a/0/log/metrics.md)" = 4 ] && grep "^markdown .*/log/metrics.md" said'
done_testing
