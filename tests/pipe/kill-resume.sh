#!/bin/bash
# kill-resume.sh [KILLS [SEED]]: kill -9 the driver or the trainer at uniformly random moments, resume, and compare every byte with a
# run that was never killed. Prints where each resumed; TAP. Needs Fashion-MNIST (package dataset-fashion-mnist).
kills=${1:-5}
RANDOM=${2:-7}
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
data=${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
[ -d "$data" ] || skip_all "no Fashion-MNIST in '$data'"

train() { # train GROUP [WORDS…]
    group=$1
    shift
    exec glovita_train --data.dataset fashion_mnist --data.data_root_dir "$data" --data.data_fraction 0.02 --model.encoder.type resnet10t --model.encoder.no_pretrained \
        --optimizer.name SGD --optimizer.lr 0.02 --optimizer.warmup_epochs 0 --training.epochs 2 --dataloading.batch_size 16 --dataloading.eval_batch_size 64 --training.val_steps_per_epoch 4 \
        --training.precision no --training.seed 3 --training.save_every 5 --training.threads 1 --dataloading.num_workers 2 --exp_dir exp --logger.group "$group" --logger.backend none "$@"
}
now() { date +%s%N; }
same_runs() { # same_runs A B: checkpoints and metrics
    (cd "$1" && find checkpoints -type f ! -name '*.part-*' | sort; ls metrics.jsonl metrics.csv val_results.json) >a.list
    (cd "$2" && find checkpoints -type f ! -name '*.part-*' | sort; ls metrics.jsonl metrics.csv val_results.json) >b.list
    cmp a.list b.list || return 1
    while read -r f; do cmp "$1/$f" "$2/$f" || return 1; done <a.list
}

t0=$(now)
(train ref) >ref.out 2>&1 || { cat ref.out >&2; echo 'not ok 1 - the run that is never killed'; echo 1..1; exit 1; }
span=$((($(now) - t0) / 1000000))
middle=0
for ((i = 1; i <= kills; i++)); do
    (train k$i) >k.out 2>&1 &
    driver=$!
    wait_ms=$((RANDOM * 32768 + RANDOM))
    wait_ms=$((wait_ms % span))
    sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
    victim=driver
    if ((i % 2)); then kill -9 $driver 2>/dev/null; else
        victim=trainer
        pkill -9 -P $driver -f 'glovita-train ' 2>/dev/null
    fi
    wait $driver 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do pgrep -f "exp/fashion_mnist/k$i/0" >/dev/null || break; sleep 0.1; done
    pgrep -f "exp/fashion_mnist/k$i/0" >left && left="$(cat left)" || left=
    (train k$i --resume) >r.out 2>&1
    status=$?
    at=$(sed -n 's/^resumed *at \(.*\)/\1/p' r.out)
    case $at in *'sample 0 '* | '') ;; *) middle=$((middle + 1)) ;; esac
    echo "# kill $i: $victim after $wait_ms ms of $span; resumed at ${at:-the beginning, or finished}"
    check "kill $i ($victim): the resumed run has the same bytes and nothing was left running" "
        [ $status = 0 ] || { cat r.out; false; } && [ -z '$left' ] && same_runs exp/fashion_mnist/ref/0 exp/fashion_mnist/k$i/0"
    rm -rf exp/fashion_mnist/k$i
done
echo "# $middle of $kills resumed in the middle of an epoch"
done_testing
