#!/bin/bash
# the driver: each stage killed, the driver killed, a stage that stands still, a full disk, few descriptors, none of the three standard ones
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
data=${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
[ -d "$data" ] || skip_all "no Fashion-MNIST in '$data'"
words="--data.dataset fashion_mnist --data.data_root_dir $data --data.data_fraction 0.01 --model.encoder.type resnet10t --model.encoder.no_pretrained
    --optimizer.lr 0.002 --optimizer.warmup_epochs 0 --dataloading.batch_size 32 --training.val_steps_per_epoch 2 --training.precision no
    --training.seed 5 --training.threads 1 --dataloading.num_workers 1 --exp_dir exp --logger.backend none"
words=$(echo $words)
run=exp/fashion_mnist

now() { date +%s%N; }
# the driver's children are its stages: pid_of DRIVER PATTERN
pid_of() { for p in $(pgrep -P "$1"); do tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q -- "$2" && echo "$p" && return 0; done; return 1; }
# start GROUP [WORDS…]: in the background, with its first step done; sets $driver
start() {
    group=$1
    shift
    glovita_train $words --training.epochs 40 --logger.group "$group" "$@" >"$group.out" 2>&1 &
    driver=$!
    within 60 grep -qs '"stage":"train".*"progress"' "$run/$group/0/events.jsonl" && return 0
    cat "$group.out" >&2
    return 1
}
# processes of this test (they run in its folder) whose command has PATTERN
mine() { for p in $(pgrep -f -- "$1"); do [ "$(readlink "/proc/$p/cwd")" = "$T" ] && echo "$p"; done; }
# gone GROUP: within a second no process of the run is left
gone() { for _ in 1 2 3 4 5 6 7 8 9 10; do [ -z "$(mine "fashion_mnist/$1/0")" ] && return 0; sleep 0.1; done; ps -o pid,stat,args -p "$(mine "fashion_mnist/$1/0" | paste -sd,)"; return 1; }
# nothing_half [FOLDER]
nothing_half() { [ -z "$(find "${1:-.}" -name '*.part-*' -o -type p | head -n 3 | tee half)" ] || { cat half; false; }; }

# killed SIGNAL NUMBER STAGE PATTERN
killed() {
    check "$3 killed by SIG$1: named, status $((128 + $2)), the others gone within 5 s, nothing half written" "
        start k && p=\$(pid_of \$driver '$4') && kill -$1 \$p && t=\$(now) && { wait \$driver; r=\$?; } && t=\$(((\$(now) - t) / 1000000)) &&
        tail -n 1 k.out && [ \$r = $((128 + $2)) ] && grep \"stage '$3' was killed by signal $2 \" k.out && [ \$t -lt 5000 ] && gone k && nothing_half"
    for p in $(mine '^glovita_train .*group k( |$)'); do kill -9 "$p" 2>/dev/null; done # one that a claim could not end
    rm -rf $run/k
}
killed KILL 9 val/augment 'glovita-augment .*--split test'
killed SEGV 11 val/decode 'glovita-decode .*--split test'
killed BUS 7 val/batch 'glovita-batch .*--split eval'
killed SEGV 11 train/index 'glovita-index .*--split train'
killed KILL 9 train/decode 'glovita-decode .*--split train'
killed QUIT 3 train/augment 'glovita-augment .*--split train'
killed ABRT 6 train/batch 'glovita-batch .*--split train'
killed KILL 9 train 'glovita-train '
killed SEGV 11 train 'glovita-train '
killed PIPE 13 train 'glovita-train ' # nobody of ours closed a pipe on it
check 'what asks a run to stop is for the driver: the other stages ignore it' "
    start k && for p in \$(pgrep -P \$driver); do tr '\\0' ' ' <\"/proc/\$p/cmdline\" | grep -q 'glovita-train ' || kill -TERM \$p && kill -INT \$p && kill -USR1 \$p && kill -HUP \$p; done
    n=\$(wc -l <$run/k/0/metrics.jsonl) && within 60 [ \$(wc -l <$run/k/0/metrics.jsonl) -gt \$n ]; kill -TERM \$driver; wait \$driver; r=\$?; tail -n 2 k.out; [ \$r = 75 ] && gone k"
rm -rf $run/k
check 'train told to end saves and says so: status 75, and the run goes on from there' "
    start k && kill -TERM \$(pid_of \$driver 'glovita-train ') && { wait \$driver; [ \$? = 75 ]; } && gone k && nothing_half && [ -s $run/k/0/checkpoints/resume.safetensors ]"
check 'the driver told to end twice within a moment ends, saved' "
    start k2 && kill -INT \$driver && kill -INT \$driver && { wait \$driver; r=\$?; [ \$r = 75 ]; } && ! grep 'at once' k2.out && gone k2"
rm -rf $run/k $run/k2

# ---- the driver killed, starting up and later ----
RANDOM=3
left=0 blocked=0 kills=${KILLS:-30} tail=
for ((i = 1; i <= kills; i++)); do
    glovita_train $words --training.epochs 40 --logger.group d$((i % 3)) --resume >d.out 2>&1 &
    driver=$!
    ms=$((RANDOM % 200))
    [ $((i % 3)) = 0 ] && ms=$((ms * 8))
    sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
    kill -9 $driver 2>/dev/null
    wait $driver 2>/dev/null
    gone d$((i % 3)) >left.out || { left=$((left + 1)); tail="$tail $(cat left.out)"; }
    grep -q 'in use' d.out && blocked=$((blocked + 1))
done
check "$kills times kill -9 of the driver: no process left after a second" "[ $left = 0 ] || { echo '$tail'; false; }"
check 'and no lock that keeps the next one out' "[ $blocked = 0 ]"
# What a kill at the wrong moment leaves, whatever the moments above were, of a process that is gone (no process has this number) and of one that nobody has waited for.
(true & exec sleep 60) &
keeper=$!
within 5 pgrep -P $keeper >/dev/null
for g in d0 d1 d2; do
    for d in . log checkpoints; do
        mkdir -p "$run/$g/0/$d" && : >"$run/$g/0/$d/status.json.part-2000000000" && : >"$run/$g/0/$d/status.json.part-$(pgrep -P $keeper)"
    done
    check "the directory of $g can be used again, and what was half written is swept away" "
        (timeout 5 glovita_train $words --training.epochs 40 --logger.group $g --resume >d.out 2>&1); r=\$?; cat d.out | tail -n 2; { [ \$r = 124 ] || [ \$r = 75 ]; } && gone $g && nothing_half $run/$g"
done
rm -rf $run/d?
kill $keeper

# ---- a stage that stands still ----
# stalled STAGE PATTERN WAITER
stalled() {
    check "$1 stopped is reported with its name and who waits for it" "
        GLOVITA_STALL=1; export GLOVITA_STALL; start s && p=\$(pid_of \$driver '$2') && kill -STOP \$p &&
        within 60 grep -q 'no stage has moved' s.out; kill -CONT \$p; kill -TERM \$driver; wait \$driver; r=\$?
        tail -n 3 s.out; [ \$r = 75 ] && grep \"no stage has moved for [0-9]* s: .*'$1' is stopped.*waiting: .*'$3' for '$1'\" s.out && gone s"
    rm -rf $run/s
}
stalled train/decode 'glovita-decode .*--split train' train/augment
stalled train 'glovita-train ' train/batch
check 'a stage that stands still does not outlive the driver' "
    start s && p=\$(pid_of \$driver 'glovita-decode .*--split train') && kill -STOP \$p && kill -9 \$driver; wait \$driver; gone s"
rm -rf $run/s

# ---- a full disk ----
mkdir disk
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=120m none disk 2>/dev/null; then
    trap 'cd /; umount "$T/disk" 2>/dev/null; chmod -R u+w "$T" 2>/dev/null; rm -rf "$T"' EXIT
    full=disk/fashion_mnist/f/0
    check 'a disk that fills up: status 4, named, nothing half written' "
        exits 4 glovita_train $words --training.epochs 3 --exp_dir disk --logger.group f 2>f.out || { cat f.out; false; }
        tail -n 1 f.out; grep \"stage 'train' ended with status 4.*No space left on device\" f.out && nothing_half"
    check 'the checkpoint before it is whole' "glovita_infer --exp_dir $full --checkpoint best --pred_output p >m.json && grep Accuracy m.json"
    check 'with room again the run goes on and ends with the bytes of one that always had room' "
        mount -o remount,size=400m disk && glovita_train --resume $full && glovita_train $words --training.epochs 3 --logger.group f &&
        for f in checkpoints/last checkpoints/best checkpoints/epoch_0000 checkpoints/epoch_0001 checkpoints/epoch_0002 checkpoints/resume; do cmp $full/\$f.safetensors $run/f/0/\$f.safetensors || exit 1; done && cmp $full/metrics.jsonl $run/f/0/metrics.jsonl"
    umount disk
else
    skip 'a disk that fills up' 'needs root and a tmpfs'
fi
rm -rf $run/f

# ---- what a poor environment lacks ----
check 'with 64 descriptors it trains' "(ulimit -n 64; glovita_train $words --training.epochs 1 --logger.group n64)"
ref=$run/n64/0/checkpoints/last.safetensors
check 'with too few it says so: status 4, nothing left running' "(ulimit -n 24; exits 4 glovita_train $words --training.epochs 1 --logger.group n24) 2>err; grep 'cannot create a pipe.*Too many open files' err && gone n24"
check 'a low soft limit is raised to what the user may have' "(ulimit -Sn 40; glovita_train $words --training.epochs 1 --dataloading.num_workers 4 --logger.group n40) && cmp $ref $run/n40/0/checkpoints/last.safetensors"
check 'stdin closed: the same bytes' "glovita_train $words --training.epochs 1 --logger.group c0 <&- && cmp $ref $run/c0/0/checkpoints/last.safetensors"
check 'stderr closed: the same bytes' "glovita_train $words --training.epochs 1 --logger.group c2 2>&- && cmp $ref $run/c2/0/checkpoints/last.safetensors"
check 'all three closed: trained, and status 4 since the answer could not be given' "(exits 4 glovita_train $words --training.epochs 1 --logger.group c3 <&- >&- 2>&-); cmp $ref $run/c3/0/checkpoints/last.safetensors"
check 'stderr full: the run does not care' "glovita_train $words --training.epochs 1 --logger.group c4 2>/dev/full && cmp $ref $run/c4/0/checkpoints/last.safetensors"
check 'no variable at all, no HOME' "env -i \"\$(command -v glovita_train)\" $words --training.epochs 1 --logger.group e && cmp $ref $run/e/0/checkpoints/last.safetensors"
check 'no process is left' "[ -z \"\$(mine 'glovita[-_]')\" ] || { mine 'glovita[-_]'; false; }"
done_testing
