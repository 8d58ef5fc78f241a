#!/bin/bash
# glovita_train as a whole: workers, the printed pipeline, locks, finished runs, the four first mistakes. Needs Fashion-MNIST.
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
data=${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
[ -d "$data" ] || skip_all "no Fashion-MNIST in '$data'"
words="--data.dataset fashion_mnist --data.data_root_dir $data --data.data_fraction 0.005 --model.encoder.type resnet10t --model.encoder.no_pretrained
    --optimizer.lr 0.002 --optimizer.warmup_epochs 0 --training.epochs 1 --dataloading.batch_size 32 --training.val_steps_per_epoch 2
    --training.precision no --training.seed 5 --training.threads 1 --exp_dir exp --logger.backend none"
words=$(echo $words) # one line: it goes into commands
run=exp/fashion_mnist

check 'one worker trains' "glovita_train $words --dataloading.num_workers 1 --logger.group w1"
check 'four workers give the same bytes' "glovita_train $words --dataloading.num_workers 4 --logger.group w4 &&
    cmp $run/w1/0/checkpoints/last.safetensors $run/w4/0/checkpoints/last.safetensors && cmp $run/w1/0/metrics.jsonl $run/w4/0/metrics.jsonl"
check 'no worker of its own works too' "glovita_train $words --dataloading.num_workers 0 --logger.group w0 &&
    cmp $run/w1/0/checkpoints/last.safetensors $run/w0/0/checkpoints/last.safetensors"
check 'the printed pipeline names no driver and gives the same bytes' "glovita_train $words --dataloading.num_workers 2 --logger.group p --print_pipeline >p.sh &&
    ! grep -q 'glovita[-_]run\|glovita_train' p.sh && [ ! -e $run/p ] && bash p.sh &&
    cmp $run/w1/0/checkpoints/last.safetensors $run/p/0/checkpoints/last.safetensors && cmp $run/w1/0/metrics.jsonl $run/p/0/metrics.jsonl"
check 'the kept pipeline.sh is that text' "grep -q glovita-index $run/w4/0/pipeline.sh"
check 'config.json reproduces the run in a new group' "glovita_train --config $run/w1/0/config.json --exp_dir exp2 2>said && grep 'new group' said &&
    cmp $run/w1/0/checkpoints/last.safetensors exp2/fashion_mnist/*/0/checkpoints/last.safetensors"
check 'a finished directory is never written into: status 2' "exits 2 glovita_train $words --logger.group w1 2>err && grep 'finished' err"
check '--resume of a finished run says so and ends well' "glovita_train --resume $run/w1/0 2>err && grep 'finished' err"
check 'a dry run writes nothing' "glovita_train $words --logger.group dry --dry_run >out && [ ! -e $run/dry ] && grep -q glovita-train out"
check 'a misspelt field: status 2, the nearest name, nothing written' "exits 2 glovita_train $words --training.epoch 3 --logger.group x1 2>err && grep \"did you mean '--training.epochs'\" err && [ ! -e $run/x1 ]"
check 'a wrong type: status 2' "exits 2 glovita_train $words --training.epochs many --logger.group x2 2>err && grep 'whole number' err && [ ! -e $run/x2 ]"
check 'a missing data directory: status 2, named' "exits 2 glovita_train $words --data.data_root_dir /nowhere --logger.group x3 2>err && grep '/nowhere' err && [ ! -e $run/x3 ]"
check 'a typed value that is not built: status 2, named' "exits 2 glovita_train $words --optimizer.name Muon 2>err && grep -i 'muon' err"
check 'a live run keeps others out: status 100 and the holder' "
    glovita_train $words --training.epochs 20 --logger.group live >live.out 2>&1 & live=\$!; for i in 1 2 3 4 5 6 7 8 9 10; do [ -s $run/live/0/plan.json ] && break; sleep 0.3; done
    exits 100 glovita_train $words --training.epochs 20 --logger.group live 2>err; r=\$?; grep 'process [0-9]' err; g=\$?
    kill -TERM \$live; wait \$live
    [ \$r = 0 ] && [ \$g = 0 ] && [ -e $run/live/0/checkpoints/resume.safetensors ]"
check 'a changed field is refused on resume, by name' "exits 2 glovita_train --resume $run/live/0 --optimizer.lr 0.5 2>err && grep 'optimizer.lr' err"
check 'a run stopped by a signal goes on with a bare --resume' "exits 2 glovita_train $words --training.epochs 20 --logger.group live 2>err && grep -- --resume err"
check 'no process is left' "! pgrep -f '$T/'"
done_testing
