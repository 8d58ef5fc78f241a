#!/bin/bash
# Signals to the driver, at every stage of a run: state saved, status 75, how to go on is said, and the resumed run has the bytes of one
# that was never stopped. Needs Fashion-MNIST (package dataset-fashion-mnist).
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
data=${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
[ -d "$data" ] || skip_all "no Fashion-MNIST in '$data'"
run=exp/fashion_mnist

# 10 steps and 40 validation batches an epoch; "exec" so that $! is the driver.
train() { # train GROUP [WORDS…]
    group=$1
    shift
    exec glovita_train --data.dataset fashion_mnist --data.data_root_dir "$data" --data.data_fraction 0.005 --model.encoder.type resnet10t --model.encoder.no_pretrained \
        --optimizer.name SGD --optimizer.lr 0.02 --optimizer.warmup_epochs 0 --training.epochs 2 --dataloading.batch_size 32 --training.val_steps_per_epoch 40 \
        --training.precision no --training.seed 3 --training.threads 1 --dataloading.num_workers 1 --exp_dir exp --logger.group "$group" --logger.backend none "$@"
}
same_run() { # same_run A B: checkpoints (the state too) and metrics
    for f in checkpoints/last.safetensors checkpoints/best.safetensors checkpoints/epoch_0000.safetensors checkpoints/resume.safetensors metrics.jsonl metrics.csv val_results.json; do
        cmp "$run/$1/0/$f" "$run/$2/0/$f" || return 1
    done
}
# until_event GROUP PATTERN: the run's events have it.
until_event() {
    within 60 grep -qs "$2" "$run/$1/0/events.jsonl"
}

(train ref) >ref.out 2>&1
check 'the run that is never stopped' "[ -e $run/ref/0/checkpoints/last.safetensors ] || { cat ref.out; false; }"

# everyone DRIVER: it, and the processes it has started
everyone() { pgrep -P $1; echo $1; }

i=0
# :all is what a scheduler does: the stages get the signal too
for at in TERM:0 TERM:0.2 TERM:0.6 TERM:epoch USR1:epoch INT:0.8 USR1:0.1:all TERM:0.5:all USR1:epoch:all; do
    signal=${at%%:*} when=${at#*:} who=driver
    case $when in *:all) when=${when%:all} who=all ;; esac
    i=$((i + 1))
    for try in 1 2 3 4 5; do # a run that was faster than the signal is begun again
        rm -rf $run/s$i
        (train s$i) >s.out 2>&1 &
        driver=$!
        if [ $when = epoch ]; then # behind the first epoch's end: in the second one's training or validation
            until_event s$i '"event":"epoch"'
            [ $try = 1 ] && sleep 0.$((RANDOM % 9))
        else
            within 60 [ -e $run/s$i/0/config.json ]
            sleep $when
        fi
        if [ $who = all ]; then kill -$signal $(everyone $driver) 2>/dev/null; else kill -$signal $driver; fi
        wait $driver
        status=$?
        [ $status = 0 ] || break
    done
    (train s$i --resume) >r.out 2>&1
    resumed=$?
    echo "# $signal, $when, $who: $(sed -n 's/^resumed *at/resumed at/p' r.out)"
    check "$signal ($when, $who): status 75, how to go on, and the same bytes behind it" "
        [ $status = 75 ] && grep \"continue with: glovita_train --resume '$run/s$i/0'\" s.out && ! grep error: s.out && [ $resumed = 0 ] && same_run ref s$i || { cat s.out r.out; echo status $status $resumed; false; }"
done

(train v --training.val_steps_per_epoch 150) >v.out 2>&1 &
driver=$!
until_event v '"validation":true'
kill -TERM $driver
wait $driver
status=$?
(train v --training.val_steps_per_epoch 150 --resume) >r.out 2>&1
(train vref --training.val_steps_per_epoch 150) >v2.out 2>&1
check 'in a validation: it stops there, keeps the training of the epoch, and begins with the validation' "[ $status = 75 ] && grep 'resumed *at epoch 0, sample 300 (step 10)' r.out && same_run vref v"

(train two --training.epochs 20 --training.val_steps_per_epoch 150) >two.out 2>&1 &
driver=$!
until_event two '"validation":true'
kill -STOP $(pgrep -P $driver -f 'glovita-train ') # a trainer that does not answer
kill -TERM $driver
sleep 1
kill -TERM $driver
wait $driver
status=$?
check 'a second signal ends at once, and says that the last save is what counts' "[ $status = 75 ] && grep 'at once' two.out && ! pgrep -f '$run/two/0' || { cat two.out; false; }"

# A job's script passes on what srun has passed on already, and both are told beside the step.
(train many --training.epochs 20) >many.out 2>&1 &
driver=$!
until_event many '"validation":true'
kill -TERM $(everyone $driver) 2>/dev/null
for s in USR1 TERM USR1 TERM; do kill -$s $driver 2>/dev/null; done
wait $driver
status=$?
check 'the same wish by several ways is one: saved, not ended at once' "[ $status = 75 ] && ! grep 'at once' many.out && [ -s $run/many/0/checkpoints/resume.safetensors ] || { cat many.out; false; }"

(train off --training.no_enable_checkpointing --training.epochs 50) >off.out 2>&1 &
driver=$!
until_event off '"event":"epoch"'
kill -TERM $driver
wait $driver
status=$?
check 'without checkpoints it says that nothing was saved' "[ $status = 75 ] && grep 'nothing was saved' off.out && [ -z \"\$(ls $run/off/0/checkpoints)\" ]"

(train early) >e.out 2>&1 &
driver=$!
until [ "$(cat /proc/$driver/comm)" != bash ]; do :; done # before that it is a copy of this shell
kill -TERM $driver
wait $driver
status=$?
check 'a signal before anything was begun leaves nothing, or a run to go on with' "{ [ $status = 75 ] || [ $status = 143 ]; } && { [ ! -e $run/early/0/config.json ] || grep continue e.out; }"
# A gnuplot that never ends: the signal comes while the last pictures are drawn.
mkdir slow && printf '#!/bin/sh\necho $$ >%s/drawing\nexec sleep 600\n' "$T" >slow/gnuplot && chmod +x slow/gnuplot
(PATH=$T/slow:$PATH train drawn) >drawn.out 2>&1 &
driver=$!
within 120 [ -s drawing ]
kill -TERM $driver
wait $driver
status=$?
check 'a signal while the last pictures are drawn: status 75, and the resume draws them' "
    [ $status = 75 ] && grep 'its last pictures are not all drawn' drawn.out && [ -e $run/drawn/0/checkpoints/last.safetensors ] && [ ! -e $run/drawn/0/curves.png ] && { ! grep -v ' Z ' /proc/\$(cat drawing)/stat 2>/dev/null; } &&
    (train drawn --resume) 2>said && grep 'finished: nothing to do' said && [ -s $run/drawn/0/curves.png ] && [ -s $run/drawn/0/confusion_matrix.png ] && same_run ref drawn"
check 'and each that is missing' "rm $run/drawn/0/confusion_matrix.png && (train drawn --resume) && [ -s $run/drawn/0/confusion_matrix.png ]"
check 'no process is left' "! pgrep -f '$T/'"
done_testing
