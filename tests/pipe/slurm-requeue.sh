#!/bin/sh
# The whole way of a job through its time limit, with the waiting: SLURM's signal before the limit, saved, requeued by its script, two
# minutes in the queue, resumed, and so on until it has ended; then the bytes. As a transcript, on a SLURM of one node of its own. It takes
# five to ten minutes (a limit is a minute at least), so it is no part of `make check`: make check-slurm-requeue.
. "${0%/*}/../cli/lib.sh"
. "$ROOT/tests/pipe/slurm.sh"
slurm_missing && skip_all "$slurm_why"
scripts=${GLOVITA_SLURM:-$ROOT/scripts/slurm}
tell() { printf '# %s  %s\n' "$(date +%T)" "$*"; }
show() { printf '# %s  $ %s\n' "$(date +%T)" "$*"; "$@" 2>&1 | sed 's/^/#           /'; }
slurm_up >up.out 2>&1 || { cat up.out; check 'a SLURM of one node is up' false; done_testing; }
words="--data.dataset cifar10 --data.data_root_dir $FIXTURES/cifar --model.encoder.type resnet10t --model.encoder.no_pretrained --optimizer.warmup_epochs 0
	--training.precision no --training.seed 1 --training.keep_epochs 1 --logger.backend none --no_progress"
here() { SLURM_CPUS_PER_TASK=1 "$@"; }

# so many epochs that it runs for about 45 seconds: SLURM's signal comes 10 to 40 seconds behind the start
from=$(date +%s%N)
here glovita_train $words --training.epochs 20 --logger.group pace >pace.out 2>&1
epochs=$((45000 * 20 / (($(date +%s%N) - from) / 1000000)))
[ $epochs -gt 60 ] || epochs=60
run=experiments/cifar10

show sinfo -o '%P %a %l %D %T'
show cat $scripts/train.sbatch
submit --time=1 --signal=USR1@20 -c 1 -J long $scripts/train.sbatch $words --training.epochs $epochs
tell "$ sbatch --time=1 --signal=USR1@20 -c 1 -J long train.sbatch ... --training.epochs $epochs"
tell "submitted batch job $job"
seen=0
while ! ended $job && [ $seen -lt 6 ]; do
	within 200 grep -qs "restart $seen\$" long-$job.log
	tell "job $job runs: $(grep "restart $seen\$" long-$job.log)"
	within 200 eval "state $job PENDING || ended $job"
	if state $job PENDING; then
		tell "told by SLURM, saved and requeued: $(wc -l <$run/long/0/metrics.jsonl) epochs are done"
		show squeue -o '%i %j %T %r %S'
		seen=$((seen + 1))
	fi
done
show scontrol show job $job
tell "the job's log, starts, stops and errors:"
grep -n 'restart\|^stopped\|^saved\|^resumed\|^srun\|^slurm\|^run  *\|^best' long-$job.log | sed 's/^/#           /'
tell 'the run that is never stopped, for comparison'
here glovita_train $words --training.epochs $epochs --logger.group ref >ref.out 2>&1
for f in checkpoints/last.safetensors checkpoints/best.safetensors checkpoints/resume.safetensors metrics.jsonl; do
	show sha256sum $run/ref/0/$f $run/long/0/$f
	check "$f: the same bytes" "cmp $run/ref/0/$f $run/long/0/$f"
done
check 'requeued by its script at least once, resumed as often, and ended well' "state $job COMPLETED && [ \$(field $job Restarts) = $seen ] && [ $seen -ge 1 ] && [ \$(grep -c '^resumed ' long-$job.log) = $seen ]"
slurm_down
check 'no process is left' '[ -z "$(slurm_processes)" ]'
done_testing
