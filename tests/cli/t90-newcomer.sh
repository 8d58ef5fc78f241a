#!/bin/sh
# What somebody meets who types the programs' names in an empty folder, with mistakes: every message says what, where and why, on
# stderr, with the right status, and nothing is left in the folder.
. "${0%/*}/lib.sh"
bin=${GLOVITA_BIN:-$ROOT/bin}
stages=$(cd "$ROOT/stages" && ls *.c | sed 's/\.c$//; s/^/glovita-/')
commands='glovita_train glovita_infer glovita_extract_features glovita_plot_umap'
cifar="--data.dataset cifar10 --data.data_root_dir $FIXTURES/cifar"
small="--model.encoder.type resnet10t --model.encoder.no_pretrained --logger.backend none --optimizer.warmup_epochs 0 --training.epochs 1 --training.seed 1 --logger.group g"
mkdir empty && cd empty || exit 2

# one_error STATUS PATTERN COMMAND...: ends with the status, prints nothing on stdout, and its last line on stderr is
# "program: error: …" with the pattern in it.
one_error() {
    status=$1 pattern=$2
    shift 2
    exits "$status" timeout 20 "$@" >../out 2>../err </dev/null || { cat ../err; return 1; }
    cat ../err
    ! [ -s ../out ] && tail -n 1 ../err | grep -q "^glovita[-_a-z]*: error: .*$pattern"
}
nothing_left() { [ -z "$(ls -A)" ] || { ls -A; return 1; }; }

for p in $stages $commands; do
    check "$p --version: name and version" "$p --version | grep -x '$p (GloViTa) [0-9.]*'"
    check "$p --help: usage first, on stdout, no wider than 110 but for words" "$p --help >../out 2>../err && ! [ -s ../err ] && head -n 1 ../out | grep '^usage: $p' && ! grep ' \$' ../out"
    check "$p --describe: JSON with its name" "$p --describe | tr -d '\n' | grep -q '^{ *\"name\": \"$p\", *\"version\".*} *\$'"
    check "$p: an unknown option is status 2 and named" "one_error 2 \"unknown option '--misspelt'\" $p --misspelt"
    check "$p: --help into a full disk is status 4, said once" "exits 4 $p --help >/dev/full 2>../err && [ \$(wc -l <../err) = 1 ] && grep 'No space left' ../err"
    check "$p: a reader that leaves is no error" "$p --help | head -n 1 >/dev/null"
    [ "$p" = glovita-run ] || check "$p: a configuration file that is missing" "one_error 2 \"'none.json'\" $p --config none.json"
    [ "$p" = glovita-run ] || check "$p: a wrong level of messages names the right ones" "one_error 2 'allowed are error, warning, info, debug' $p --log loud"
done
check 'the help has the files a program takes' 'glovita-cat --help | head -n 1 | grep "FILE" && glovita-fetch --help | head -n 1 | grep "URL FILE"'
check 'an option that is far from any is sent to the help' 'one_error 2 "see --help" glovita-index --zzzzzzzz'
check 'a near one is named' "one_error 2 \"did you mean '--training.seed'\" glovita-index --trainig.seed 3"
check 'glovita-run alone shows its commands, with status 2' 'exits 2 glovita-run 2>../err >../out && grep "extract_features" ../err && ! [ -s ../out ]'
check 'a misspelt command' "one_error 2 \"did you mean 'train'\" glovita-run trian"

# Values.
check 'an option without its value' "one_error 2 \"'--split' wants a value\" glovita-index --split"
check 'a choice that is none: the choices, and the nearest' "one_error 2 \"allowed are train, val, test, all (did you mean 'test'\" glovita-index --split tset"
check 'no whole number' "one_error 2 \"'--epochs' is 'two'; a whole number\" glovita-index $cifar --epochs two"
check 'out of range' "one_error 2 'the range is 1 to' glovita_train $cifar $small --dataloading.batch_size 0"
check 'no number' "one_error 2 'a number is wanted' glovita_train $cifar $small --optimizer.lr fast"
check 'a boolean with a value' "one_error 2 'takes no value' glovita_train $cifar $small --model.encoder.pretrained maybe"
check 'a word that is no option' "one_error 2 \"unexpected argument 'stray'\" glovita_train $cifar $small stray"
check 'no data set' "one_error 2 \"'--data.dataset' is required\" glovita_train"
check 'a misspelt data set' "one_error 2 \"did you mean 'cifar10'\" glovita_train --data.dataset cifr10"
check 'a folder that is not there' "one_error 2 \"'nowhere'\" glovita_train --data.dataset cifar10 --data.data_root_dir nowhere $small"
check 'a data set that is not built' "one_error 2 'not built yet' glovita_train --data.dataset imagenet --data.data_root_dir . $small"
check 'a misspelt network' "one_error 2 \"did you mean 'resnet18'\" glovita_train $cifar --model.encoder.type resnt18"
check 'weights that were never published' "one_error 2 'there are: a1_in1k' glovita_train $cifar --model.encoder.type resnet18.a9_in1k"
check 'a misspelt policy' "one_error 2 \"did you mean 'baseline'\" glovita_train $cifar $small --data.augmentation.train_policy basline"
check 'a misspelt metric' "one_error 2 \"did you mean 'acc'\" glovita_train $cifar $small --task.metrics accc"
check 'a metric of another task' "one_error 2 \"'mse'\" glovita_train $cifar $small --task.metrics mse"
check 'a file of weights that is not there' "one_error 2 \"--model.encoder.weights.*'nope.pth'\" glovita_train $cifar $small --model.encoder.weights nope.pth"
check 'published weights that are not there, without a network' "HF_HOME=$T/hf TORCH_HOME=$T/torch HF_HUB_OFFLINE=1 one_error 2 'curl -L' glovita_train $cifar --model.encoder.type resnet18 --logger.backend none --logger.group g --training.epochs 1"
check 'a run that is not there' "one_error 2 \"'nowhere'\" glovita_train --resume nowhere && one_error 2 \"'nowhere'\" glovita_infer --exp_dir nowhere && one_error 2 'no checkpoints' glovita_infer --exp_dir ."
check 'a checkpoint that is not there' "one_error 2 \"'no.safetensors'\" glovita_extract_features --checkpoint_path no.safetensors"
check 'nothing has been written by any of these' nothing_left

# Streams.
cd .. && mkdir streams && cd streams || exit 2
glovita-index $cifar >sample.gv && glovita-decode <sample.gv >tensor.gv && glovita-batch --dataloading.batch_size 5 <tensor.gv >batch.gv || exit 2
cp "$FIXTURES/pred_a.gv" prediction.gv
for s in decode:sample augment:tensor batch:tensor train:batch forward:batch eval:prediction export:prediction; do
    p=glovita-${s%:*} kind=${s#*:} options=
    case $p in
    glovita-augment) options='--split test --data.dataset cifar10' ;;
    glovita-train | glovita-forward) options='--model.encoder.type resnet10t --model.encoder.no_pretrained --optimizer.warmup_epochs 0 --training.epochs 1' ;;
    glovita-export) options='--to x.csv' ;;
    esac
    [ $p != glovita-forward ] || options=${options%% --optimizer*}
    wrong=sample
    [ $kind != sample ] || wrong=batch
    check "$p: nothing comes in: status 3" "exits 3 $p $options </dev/null >/dev/null 2>../err && grep \"^$p: error: .*empty\" ../err"
    check "$p: what comes in is no stream: status 3" "echo hello | exits 3 $p $options >/dev/null 2>../err && grep 'not a glovita stream' ../err"
    check "$p: records of another kind: status 3, both named" "exits 3 $p $options <$wrong.gv >/dev/null 2>../err && cat ../err && grep '$wrong' ../err && grep '$kind' ../err"
    check "$p: a cut stream: status 3, record and byte" "n=\$((\$(wc -c <$kind.gv) * 2 / 3)); head -c \$n $kind.gv >cut.gv; exits 3 $p $options <cut.gv >/dev/null 2>../err; r=\$?; cat ../err; [ \$r = 0 ] && grep \"is cut: it ends after record [0-9]* at byte \$n\" ../err"
    [ $p = glovita-train ] || check "$p: a file that is not there: status 2" "one_error 2 \"'missing.gv'\" $p $options --input missing.gv"
done
for s in index: decode:sample.gv augment:tensor.gv batch:tensor.gv cat:tensor.gv; do
    p=glovita-${s%:*} in=${s#*:} options=
    case $p in glovita-index) options=$cifar ;; glovita-augment) options='--split test --data.dataset cifar10' ;; esac
    check "$p: a full disk: status 4" "exits 4 $p $options <${in:-/dev/null} >/dev/full 2>../err && grep 'No space left' ../err"
    check "$p: a reader that leaves is quiet" "$p $options <${in:-/dev/null} 2>../err | head -c 1 >/dev/null; ! [ -s ../err ]"
done
check 'a printed pipeline into a full disk: status 4' "exits 4 glovita_train $cifar $small --print_pipeline >/dev/full 2>../err && grep 'No space left' ../err && ! [ -e experiments ]"

# Terminals.
if have script; then
    check 'records are not written on a terminal' "script -qec 'glovita-index $cifar' /dev/null </dev/null >../out; grep 'is a terminal' ../out && ! grep -a class_names ../out"
    check 'nor read from one' "script -qec 'glovita-cat' /dev/null </dev/null >../out; grep 'is a terminal' ../out"
    check 'no colours, and none with NO_COLOR' "NO_COLOR=1 script -qec 'glovita_train $cifar $small' /dev/null </dev/null >../out; cat ../out; grep -a 'val_Accuracy' ../out && ! grep -a \"\$(printf '\\033')\\[[0-9;]*m\" ../out"
else
    skip 'terminals' 'script(1) is not installed'
fi
done_testing
