#!/bin/bash
# Trackers beside a run: a delivery that is killed goes on, how the run stands is told, nothing is left when the driver dies, and what was
# missed is delivered later, each line once. Needs Fashion-MNIST (package dataset-fashion-mnist).
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
data=${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
[ -d "$data" ] || skip_all "no Fashion-MNIST in '$data'"
runs=exp/fashion_mnist

train() { # train GROUP [WORDS…]: 8 epochs of 10 steps
    group=$1
    shift
    exec glovita_train --data.dataset fashion_mnist --data.data_root_dir "$data" --data.data_fraction 0.005 --model.encoder.type resnet10t --model.encoder.no_pretrained \
        --optimizer.name SGD --optimizer.lr 0.02 --optimizer.warmup_epochs 0 --training.epochs 8 --dataloading.batch_size 32 --training.val_steps_per_epoch 2 \
        --training.precision no --training.seed 3 --training.threads 1 --dataloading.num_workers 1 --exp_dir exp --logger.group "$group" "$@"
}
is() { # is GROUP STATUS EXIT
    grep -q "\"status\": \"$2\"" "$runs/$1/0/log/status.json" && grep -q "\"exit\": $3$" "$runs/$1/0/log/status.json" || { cat "$runs/$1/0/log/status.json"; false; }
}
sinks_of() { pgrep -f "glovita-log --deliver exp/fashion_mnist/$1/0 "; }
epochs_told() { [ "$(cat "$runs/$1/0/events.jsonl" 2>/dev/null | grep -c '"event":"epoch"')" -ge "$2" ]; }
lines_in() { [ "$(cat "$runs/$1/0/metrics.jsonl" 2>/dev/null | wc -l)" -ge "$2" ]; }
no_sinks_of() { ! sinks_of "$1"; }
with_times() { ! grep -q '^,' "$runs/$1/0/log/metrics.csv"; }
each_once() { # each_once GROUP EPOCHS: a row for each value
    [ "$(cut -d, -f2 "$runs/$1/0/log/metrics.csv" | sed 1d | sort -n | uniq | tr '\n' ' ')" = "$(seq -s ' ' 0 $(($2 - 1))) " ] &&
        [ -z "$(cut -d, -f2,4 "$runs/$1/0/log/metrics.csv" | sort | uniq -d)" ] ||
        { cat "$runs/$1/0/log/metrics.csv"; false; }
}

(train a --logger.backend csv --logger.also jsonl) >a.out 2>&1
check 'every value is a row with its time, and where it lies is told' "
    each_once a 8 && with_times a && is a finished 0 && [ \"\$(wc -l <$runs/a/0/log/metrics.jsonl)\" = 8 ] && grep '^csv .*/log/metrics.csv' a.out && grep '^jsonl .*/log/metrics.jsonl' a.out && ! sinks_of a"
check 'later there is nothing new' "glovita-log --deliver $runs/a/0 >out && [ \"\$(grep -c '8 epochs delivered, 0 of them now' out)\" = 2 ]"

(train b --logger.backend csv) >b.out 2>&1 &
driver=$!
killed=0
for i in 1 2 3; do
    within 60 epochs_told b $i
    pkill -KILL -f "glovita-log --deliver exp/fashion_mnist/b/0 " && killed=$((killed + 1))
done
wait $driver
status=$?
check "a delivery killed in the middle ($killed times) is started anew and tells each value once; the run does not notice" "
    [ $status = 0 ] && [ $killed -gt 0 ] && each_once b 8 && with_times b && is b finished 0 && cmp $runs/a/0/metrics.jsonl $runs/b/0/metrics.jsonl && cmp $runs/a/0/checkpoints/last.safetensors $runs/b/0/checkpoints/last.safetensors"

(train c --logger.backend csv) >c.out 2>&1 &
driver=$!
within 60 epochs_told c 1
kill -TERM $driver
wait $driver
status=$?
check 'a stopped run says so, and what there is was delivered' "[ $status = 75 ] && is c stopped 75 && each_once c \$(wc -l <$runs/c/0/metrics.jsonl)"
(train c --logger.backend csv --resume) >c.out 2>&1 &
driver=$!
within 60 lines_in c 4
kill -KILL $driver
wait $driver 2>/dev/null
check 'when the driver is killed its deliveries end' 'within 5 no_sinks_of c'
(train c --logger.backend csv --resume) >c.out 2>&1
check 'each value once behind a stop, a kill and two resumes' "each_once c 8 && is c finished 0 && cmp $runs/a/0/metrics.jsonl $runs/c/0/metrics.jsonl"

(train d --logger.backend csv --logger.also jsonl) >d.out 2>&1 &
driver=$!
within 60 [ -e $runs/d/0/log/csv.json ]
until rm -rf "$runs/d/0/log/metrics.jsonl" && mkdir "$runs/d/0/log/metrics.jsonl"; do :; done 2>/dev/null # the place of one tracker cannot be written; it writes there just now
pkill -KILL -f "glovita-log --deliver exp/fashion_mnist/d/0 --sink jsonl"
wait $driver
status=$?
check 'a tracker that cannot write is warned of once; the run and the other tracker are not touched' "
    [ $status = 0 ] && each_once d 8 && [ \"\$(grep -c 'jsonl was not told everything' d.out)\" = 1 ] && grep \"glovita-log --deliver exp/fashion_mnist/d/0\" d.out || { cat d.out; false; }"
check 'and gets all of it later' "rmdir $runs/d/0/log/metrics.jsonl && glovita-log --deliver $runs/d/0 --sink jsonl && [ \"\$(wc -l <$runs/d/0/log/metrics.jsonl)\" = 8 ]"

(train e --logger.backend csv --optimizer.lr 1e30) >e.out 2>&1
status=$?
check 'a run that fails says so' "[ $status = 5 ] && is e failed 5 || { tail -n 3 e.out; false; }"
check 'a run without a tracker has no delivery' "
    (train f --logger.backend none --training.epochs 1) >f.out 2>&1 && is f finished 0 && [ \"\$(ls $runs/f/0/log)\" = status.json ]"
done_testing
