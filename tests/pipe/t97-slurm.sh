#!/bin/sh
# scripts/slurm on a SLURM of one node, which the test starts and ends: stopped by signals to the step and to the script alone, preempted
# and cancelled, runs go on to the same bytes; folds, a sweep and features in shards as arrays. The two minutes that a requeued job waits
# are in `make check-slurm-requeue`.
. "${0%/*}/../pages/lib.sh"
. "$ROOT/tests/pipe/slurm.sh"
slurm_missing && skip_all "$slurm_why"
scripts=${GLOVITA_SLURM:-$ROOT/scripts/slurm}
slurm_up >up.out 2>&1
check 'a SLURM of one node is up' "node_idle || { cat up.out; false; }"
node_idle || done_testing

net="--model.encoder.type resnet10t --model.encoder.no_pretrained --optimizer.warmup_epochs 0 --training.precision no --training.seed 1 --logger.backend none"
cifar="--data.dataset cifar10 --data.data_root_dir $FIXTURES/cifar"
words="$cifar $net --training.epochs 12 --training.keep_epochs 1"
run=experiments/cifar10
same_run() { # same_run A B: of the folder below experiments
	for f in last best resume; do cmp experiments/$1/checkpoints/$f.safetensors experiments/$2/checkpoints/$f.safetensors || return 1; done
	cmp experiments/$1/metrics.jsonl experiments/$2/metrics.jsonl
}
epochs() { [ -e experiments/$1/metrics.jsonl ] && [ "$(wc -l <experiments/$1/metrics.jsonl)" -ge $2 ]; } # epochs RUN N: that many have ended

here() { SLURM_CPUS_PER_TASK=1 "$@"; } # with the threads that a job of one core has
here glovita_train $words --logger.group ref >ref.out 2>&1 &

submit -c 1 -J one $scripts/train.sbatch $words
one=$job
check 'told as its step, a run saves and goes back to the queue' "
	within 60 epochs cifar10/one/0 1 && scancel -s USR1 $one && within 30 state $one PENDING && [ \$(field $one Restarts) = 1 ] && grep 'saved  *continue with' one-$one.log || { cat one-$one.log; false; }"
check 'threads are those of the allocation' "[ \$(nproc) = 1 ] || grep ', 1 threads' one-$one.log"
check 'told as the script alone, too' "
	release $one && n=\$(wc -l <$run/one/0/metrics.jsonl) && within 60 epochs cifar10/one/0 \$((n + 1)) && scancel -s USR1 --batch $one && within 30 state $one PENDING && [ \$(field $one Restarts) = 2 ] && [ \$(grep -c '^resumed ' one-$one.log) = 1 ] || { cat one-$one.log; false; }"
wait # for ref
check 'it ends with the bytes of a run that was never stopped' "release $one && within 60 ended $one && state $one COMPLETED && same_run cifar10/ref/0 cifar10/one/0 && [ \$(grep -c '^resumed ' one-$one.log) = 2 ] || { cat one-$one.log; false; }"

submit -c 1 --exclusive -J pre $scripts/train.sbatch $words
pre=$job
check 'preempted, it saves within the grace and goes on afterwards: the same bytes' "
	within 60 epochs cifar10/pre/0 1 && sbatch --wait -p high -c 4 -o high.log --wrap 'squeue -h -o %T -j $pre' >/dev/null && grep PENDING high.log && [ \$(field $pre Restarts) = 1 ] &&
	grep 'saved  *continue with' pre-$pre.log && release $pre && within 60 ended $pre && same_run cifar10/ref/0 cifar10/pre/0 || { cat pre-$pre.log; false; }"

submit -c 1 -J cut $scripts/train.sbatch $words
cut=$job
check 'cancelled, it saves and stays away' "within 60 epochs cifar10/cut/0 1 && scancel $cut && within 30 state $cut CANCELLED && grep 'saved  *continue with' cut-$cut.log && sleep 0.5 && state $cut CANCELLED && [ \$(field $cut Restarts) = 0 ]"
sed 's/most=100/most=0/; s/--job-name=.*/--job-name=none/' $scripts/train.sbatch >own.sbatch # a copy of one's own
submit -c 1 -J cut own.sbatch $words
own=$job
check 'the same command goes on with it; at the limit of restarts it is not queued again, and fails with 75' "
	within 60 grep -qs '^resumed ' cut-$own.log && scancel -s USR1 $own && within 30 ended $own && state $own FAILED && [ \$(field $own ExitCode) = 75:0 ]"
submit -c 1 -J cut $scripts/train.sbatch $words
check 'and goes on again, to the same bytes' "within 60 ended $job && state $job COMPLETED && same_run cifar10/ref/0 cifar10/cut/0 || { cat cut-$job.log; false; }"
submit -c 1 -J wrong $scripts/train.sbatch $words --training.epochss 3
check 'an error is an error: status 2, not queued again' "within 30 ended $job && state $job FAILED && [ \$(field $job ExitCode) = 2:0 ] && [ \$(field $job Restarts) = 0 ] && grep \"did you mean '--training.epochs'\" wrong-$job.log"

# ---- folds: twelve pictures, drawn into three ----
mkdir -p set/images/a set/images/b
i=0
for f in rgb rgba grey palette interlaced la; do
	i=$((i + 1))
	cp "$FIXTURES/images/$f.png" set/images/a/$i.png
	cp "$FIXTURES/images/$f.png" set/images/b/$((7 - i)).png
done
echo '{"train": ["a/1","a/2","a/3","a/4","a/5","a/6","b/1","b/2","b/3","b/4","b/5","b/6"]}' >set/splits.json
folds="--data.dataset generic_image_dataset --data.data_root_dir set --data.split_source splits_json --data.label_source folder --data.num_classes 2 --data.augmentation.image_size 32
	--training.cv_folds 3 --training.epochs 8 --training.keep_epochs 1 --dataloading.batch_size 4 $net"
cv=generic_image_dataset/cv
submit -c 1 --array=0-2 -J cv $scripts/folds.sbatch $folds
array=$job
submit --dependency=afterok:$array -c 1 -J score $scripts/job.sbatch glovita_infer --exp_dir experiments/$cv --split val
score=$job
check 'folds as an array: the last one is told to stop, and it alone is queued again' "
	within 60 epochs $cv/2 1 && scancel -s USR1 ${array}_2 && within 30 state ${array}_2 PENDING && within 60 ended ${array}_0 && within 60 ended ${array}_1 &&
	[ \"\$(field ${array}_0 Restarts) \$(field ${array}_1 Restarts) \$(field ${array}_2 Restarts)\" = '0 0 1' ] && state $score PENDING || { cat cv-${array}_*.log; false; }"
check 'the score of all waits for it' "release ${array}_2 && within 60 ended $score && state $score COMPLETED && grep Accuracy score-$score.log && [ -s experiments/$cv/predictions_val.csv ] || { cat cv-${array}_2.log score-$score.log; false; }"
here glovita_train $folds --logger.group whole >whole.out 2>&1
check 'each fold has the bytes of folds that one process trained one after the other' "for k in 0 1 2; do same_run $cv/\$k generic_image_dataset/whole/\$k || exit 1; done"

# ---- a sweep ----
echo '{"optimizer": {"lr": 0.003}}' >'own lr.json'
cat >runs.txt <<-'E'
	--optimizer.lr 0.001
	--optimizer.name SGD --add_log.comment "plain 'SGD'"
	--config 'own lr.json'
E
short="$cifar $net --training.epochs 2"
submit -c 1 --array=1-4 -J sweep $scripts/sweep.sbatch runs.txt $short
sweep=$job
here glovita_train $short --optimizer.lr 0.001 --logger.group s1 >s1.out 2>&1
here glovita_train $short --optimizer.name SGD --add_log.comment "plain 'SGD'" --logger.group s2 >s2.out 2>&1
here glovita_train $short --config 'own lr.json' --logger.group s3 >s3.out 2>&1
check 'a sweep over the lines of a list, quotes and files in JSON among them' "
	for i in 1 2 3; do within 60 ended ${sweep}_\$i && state ${sweep}_\$i COMPLETED && same_run cifar10/s\$i/0 cifar10/sweep_\$i/0 || { cat sweep-${sweep}_\$i.log; exit 1; }; done; ! cmp -s $run/s1/0/metrics.jsonl $run/s3/0/metrics.jsonl && grep \"plain 'SGD'\" $run/sweep_2/0/config.json"
check 'a task beyond the list says so' "within 30 ended ${sweep}_4 && [ \$(field ${sweep}_4 ExitCode) = 2:0 ] && grep \"'runs.txt' has no words in line 4\" sweep-${sweep}_4.log"

# ---- features in shards ----
features="--checkpoint_path $run/ref/0/checkpoints/best.safetensors --method avg --dataloading.eval_batch_size 4"
submit -c 1 --array=0-2 -J shards $scripts/features.sbatch 3 $features --output_dir parts
shards=$job
submit --dependency=afterok:$shards -c 1 -J merge $scripts/job.sbatch glovita_extract_features $features --output_dir parts --merge 3
here glovita_extract_features $features --output_dir whole >whole.out 2>&1
check 'features in shards, put together by a job behind them: the bytes of those made at once' "
	within 60 ended $job && state $job COMPLETED && ls parts && for f in whole/*.h5; do cmp \$f parts/\${f#whole/} || exit 1; done || { cat shards-* merge-*; false; }"

CLUSTER=yes run_examples "$ROOT/man/man7/glovita-slurm.7"

slurm_down
check 'no process is left' "[ -z \"\$(slurm_processes)\" ] || { ps -o pid,ppid,stat,args -p \$(slurm_processes | paste -sd,); false; }"
done_testing
