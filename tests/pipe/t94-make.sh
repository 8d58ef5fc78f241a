#!/bin/bash
# experiments by make: three lines in an empty folder make runs, folds, scores, features, a probe, a comparison; make knows what is done, and
# other words are noticed. Interrupted at random it ends with the same files (interrupted-make.sh; GLOVITA_TEST_ALL=1 for twenty rounds).
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
have make gnuplot || skip_all 'no make or gnuplot'
. "$ROOT/tests/pipe/pets.sh" || skip_all 'no Perl with Compress::Zlib and JSON::PP'
unset MAKEFLAGS MAKELEVEL
pets 'my pets'
cd 'my pets' || exit 2
run=experiments/generic_image_dataset

check 'the folder of recipes is told, and make alone tells what can be made' '
    [ "$(glovita-run --share)" = "$(cd "$ROOT/scripts" && pwd -P)" ] && make >out 2>err && cat out && [ ! -s err ] && grep "^small (new)" out && grep "^make -j2 small.folds .* 3 folds" out && make help | cmp - out && make list | cmp - out && [ ! -e experiments ]'
check 'a run, in a folder whose name has a blank' 'make small >out 2>err && grep "^exec glovita_train .*--training.seed 1 " out | grep -e "--resume$" && [ -s $run/small/0/checkpoints/best.safetensors ] && make | grep "^small (trained)"'
check 'once' 'make small >out && grep "Nothing to be done for .small." out'
check 'three folds at once, and the score of their mean' '
    make -j3 small.folds.score >out 2>err && grep "\"inputs\": 3" out && ls -d $run/small-folds/[0-9] | wc -l | grep -x 3 && sed -n "s/.*\"threads\": //p" $run/small-folds/*/resolved_config.json | sort | uniq -c | grep "^ *3 1,\?$" && make -j3 small.folds.score | grep "Nothing to be done"'
check 'a run keeps the number of threads it began with, a new one gets what -j leaves it' '
    mv $run/small-folds/1/metrics.csv.made kept && make -n -j1 small.folds >out && mv kept $run/small-folds/1/metrics.csv.made && grep "^exec glovita_train .*--data.fold 1 " out && ! grep -e --training.threads out &&
    make -n -j64 small EXP=new | grep "^exec glovita_train --training.threads 1 --dataloading.num_workers 1 " && make -n THREADS=3 small EXP=new | grep "^exec glovita_train --training.threads 3 " && make -n small EXP=new | grep "^exec glovita_train  *--training.seed 1 "'
check 'each validated on its own part' 'sed -n "s/.*\"fold\": //p" $run/small-folds/*/config.json | sort -u | wc -l | grep -x 3'
check 'a score, features, a probe on them and its score' '
    make small.score small.probe.score >out 2>err && grep -c "\"Accuracy\"" out | grep -x 2 && [ -s $run/small/predictions_test.csv ] && [ -s $run/small/features/train.h5 ] && [ -s $run/small/features/val.h5 ] &&
    grep "\"num_classes\": 3" experiments/precomputed_features/small-probe/0/config.json'
check 'their picture, with a page' 'make small.umap >out 2>err && [ -s $run/small/features/umap.png ] && [ -s $run/small/features/umap.html ] && [ "$(wc -l <$run/small/features/umap.csv)" = 9 ]'
check 'a table and curves of both' 'make compare COMPARE="small small.folds small.probe" >out && grep "^run  *epochs  *loss  *Accuracy" out && [ $(grep -c "^generic_image_dataset/small\(-folds\)\?/[0-9]  *2 " out) = 4 ] && grep "^precomputed_features/small-probe/0  *20 " out && [ -s experiments/compare.png ]'
check 'nothing is left to be done' 'make small.folds.score small.score small.probe.score small.umap compare COMPARE="small small.folds small.probe" >out && cat out && [ $(grep -c "Nothing to be done" out) = 4 ] && ! grep exec out'

check 'words that change the run are refused by name, and it stays' '
    cp $run/small/0/metrics.csv before && exits 2 make small small_train="$(make -f - <<<"include Makefile
show: ; @echo \$(small_train)" show) --optimizer.lr 9e-3" 2>err; cat err; grep "was made by other words" err && grep "optimizer.lr. was 0.002 when the run began and is 0.009 now" err && cmp before $run/small/0/metrics.csv && make small | grep "Nothing to be done"'
check 'words that do not are taken, and nothing is made again' '
    sed "s/--training.save_every 1/--training.save_every 2/" Makefile >other && make -f other small 2>err >out && grep "is finished: nothing to do" err && make -f other small small.score >out && cat out && [ $(grep -c "Nothing to be done" out) = 2 ] && make small 2>err && grep "finished" err'
check 'a score by other words is made again, and only that' 'make small.score SCORE="--metrics acc" >out 2>err && [ $(grep -c ^exec out) = 1 ] && grep Accuracy out && ! grep F1 out && make small.score SCORE="--metrics acc" | grep Nothing'
check 'features by other words too, and with them the probe' 'make small.probe FEATURES="--precision 32" >out 2>err && [ $(grep -c "^exec glovita_extract" out) = 2 ] && [ $(grep -c "^exec glovita_train" out) = 1 ] && ! grep "^resumed\|finished" err && [ "$(ls -A experiments/precomputed_features/small-probe)" = "$(printf "0\nmetrics_test.json\nmetrics_test.json.made\npredictions_test.csv\npredictions_test.json")" ]'
check 'a result that was removed is made again' 'rm $run/small/features/val.h5 && make small.features FEATURES="--precision 32" >out 2>err && [ $(grep -c ^exec out) = 1 ] && [ -s $run/small/features/val.h5 ]'
check 'another split has its own score' 'make small.folds.score SPLIT=val >out 2>err && [ -s $run/small-folds/metrics_val.json ] && grep "\"cases\": 24" out'
check 'clean removes what is of it' 'mkdir -p $run/other && make small.clean >out && [ "$(find experiments -mindepth 2)" = $run/other ] && make | grep "^small (new)"'

check 'a typing error in a goal' 'exits 2 make smal.score 2>err; cat err; grep "^.smal.score. is not there, and nothing makes it; .make help. tells" err'
check 'and in the words' 'exits 2 make small TRAIN="--training.epoch 3" 2>err; cat err; grep "unknown option .--training.epoch. (did you mean .--training.epochs.?)" err && [ ! -e $run/small ]'
check 'data that are not there' 'exits 2 make small small_data=data/nothing.zip 2>err; cat err; grep "data/nothing.zip. is not there, and nothing makes it" err && [ ! -e $run/small ]'
check 'data that a rule makes come first' 'printf "small_data := data/made\ninclude Makefile\ndata/made: ; touch \$@\n" >with && make -n -f with small | head -n 1 | grep "touch data/made"'
share=$(glovita-run --share)
says() { printf '%b\ninclude %s\n' "$1" "$share/recipes/glovita.mk" >bad && exits 2 make -f bad "${@:3}" 2>err >out; cat err; grep -e "$2" err; }
check 'no data set' 'says "a_train = --training.epochs 2" "a_train names no data set: give it .--data.dataset NAME." a'
check 'what make gives is not given twice' 'says "a_train = --data.dataset mnist --exp_dir x" "a_train has .--exp_dir., which make gives" a'
check 'names that make has' 'says "list_train = --data.dataset mnist" "an experiment cannot be called .list." list'
check 'a folder with a blank' 'says "EXP = my runs\na_train = --data.dataset mnist" "EXP is .my runs.: make knows no names with blanks" a'
check 'a comparison of nothing' 'says "a_train = --data.dataset mnist\nCOMPARE = b" "COMPARE names .b.: there are a, and of each .folds and .probe" compare'
check 'words with folds are these folds' '
    sed "s/^LOGGER/many_train = \$(small_train) --training.cv_folds 3\n&/" Makefile >many.mk && make -n -f many.mk many.score >out && cat out && [ $(grep -c "data.fold [0-2] .*--logger.group many " out) = 3 ] && [ $(grep -o -e "--training.cv_folds 3" out | wc -l) = 6 ] && [ ! -e $run/many ] &&
    grep "glovita_infer .*--exp_dir $run/many$" out && make -n -f many.mk many.folds | grep -c "^exec" | grep -x 3'
check 'no experiment at all' 'printf "include $share/recipes/glovita.mk\n" >none && make -f none | grep "No experiment is here"'
check 'a data set by its subcommand, and by hand' '
    printf "a_train = data:fashion-mnist-config\nb_train = --config x.json\nb_set = cifar10\nc_train = --data.dataset=mnist --data.fold 2\ninclude $share/recipes/glovita.mk\n" >sets && make -n -f sets a b c >out && cat out &&
    grep -c " --logger.group [abc] " out | grep -x 3 && grep -c "^printf .*experiments/\(fashion_mnist/a/0\|cifar10/b/0\|mnist/c/2\)/metrics.csv.made" out | grep -x 3'

cd ..
rounds=2
[ -z "${GLOVITA_TEST_ALL:-}" ] || rounds=20
bash "$ROOT/tests/pipe/interrupted-make.sh" $rounds >interrupted 2>noise
sed -n 's/^# seed/# interrupted-make.sh: seed/p' interrupted
while read -r line; do
    case $line in
    'ok '*) check "interrupted, ${line#ok * - }" : ;;
    'not ok '*) check "interrupted, ${line#not ok * - }" 'cat interrupted; false' ;;
    esac
done <interrupted
done_testing
