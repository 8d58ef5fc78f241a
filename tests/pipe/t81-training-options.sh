#!/bin/bash
# The options of training and task, each by what it must change and what it must not. Needs Fashion-MNIST (package
# dataset-fashion-mnist): 300 of its images.
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
data=${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
[ -d "$data" ] || skip_all "no Fashion-MNIST in '$data'"
run=exp/fashion_mnist
by= # "exec" in a subshell: $! is the driver itself then
train() { # train GROUP [WORDS…]
    group=$1
    shift
    $by glovita_train --data.dataset fashion_mnist --data.data_root_dir "$data" --data.data_fraction 0.005 --model.encoder.type resnet10t --model.encoder.no_pretrained \
        --optimizer.name SGD --optimizer.lr 0.02 --optimizer.warmup_epochs 0 --training.epochs 2 --dataloading.batch_size 32 --training.val_steps_per_epoch 2 --training.precision no \
        --training.seed 3 --training.threads 1 --dataloading.num_workers 1 --no_progress --exp_dir exp --logger.group "$group" --logger.backend none "$@"
}
field() { sed -n "s/.*\"$2\":\([^,}]*\).*/\1/p" "$run/$1/0/metrics.jsonl" | tr '\n' ' '; } # field GROUP KEY: its values, epoch by epoch
same_model() { cmp "$run/$1/0/checkpoints/last.safetensors" "$run/$2/0/checkpoints/last.safetensors"; }
same_metrics() { cmp "$run/$1/0/metrics.jsonl" "$run/$2/0/metrics.jsonl"; }

check 'the run the others are compared with' 'train ref 2>ref.err'

check '--profile prints a step by op, against the machine, and changes no byte' '
    train prof --profile 2>err && same_model ref prof && same_metrics ref prof && cat err && grep "^profile of [0-9]* runs: .* G multiply-adds" err && grep "^roof of this run: " err &&
    grep "% *[0-9.]*  conv_wgrad .*%$" err && grep "  optimizer  *SGD" err && grep " layer4.0.conv[12] 512x" err && ! grep "^profile of" ref.err'
check '--profile of infer: the forward pass' '
    glovita_infer --exp_dir $run/ref/0 --data.data_root_dir "$data" --data.data_fraction 0.005 --no_progress --profile 2>err && grep "^profile of [0-9]* runs" err && grep "  conv  " err && ! grep "conv_wgrad" err'

check 'stepwise metrics are means over batches; the network is the same' '
    train step --task.metric_computation_mode stepwise && same_model ref step && ! same_metrics ref step && [ "$(field ref train_loss)" = "$(field step train_loss)" ] &&
    [ "$(field ref val_Accuracy)" = "$(field step val_Accuracy)" ]' # two full batches: their mean is the whole
check 'sanity steps go through the network and change nothing' '
    train sane --training.num_sanity_val_steps 2 2>err && grep "trial  *2 validation batches" err && same_model ref sane && same_metrics ref sane'
check 'the printed pipeline with sanity steps runs to its end' '
    train sanep --training.num_sanity_val_steps 2 --print_pipeline >p.sh && grep -- "--sanity" p.sh && bash p.sh && same_model ref sanep'
check 'result_plot val: a picture for each epoch, the same metrics and network' '
    train plots --task.result_plot val && same_model ref plots && same_metrics ref plots && [ -e $run/plots/0/confusion_matrix.png ] && { have gnuplot || exit 0; } &&
    [ "$(ls $run/plots/0/plots | tr "\n" " ")" = "val_confusion_matrix_absolute_epoch_0000.png val_confusion_matrix_absolute_epoch_0001.png val_confusion_matrix_epoch_0000.png val_confusion_matrix_epoch_0001.png " ]'
check 'result_plot all: of training too' '
    train plotall --task.result_plot all && same_model ref plotall && { have gnuplot || exit 0; } && [ $(ls $run/plotall/0/plots/train_confusion_matrix_epoch_000[01].png | wc -l) = 2 ]'
check 'without result_plot only the last picture is drawn' '[ ! -e $run/ref/0/plots ] && { ! have gnuplot || [ -e $run/ref/0/confusion_matrix.png ]; }'

check 'train_steps_per_epoch counts optimizer steps' '
    train four --training.train_steps_per_epoch 4 && [ "$(field four step)" = "4 8 " ] &&
    train two --training.train_steps_per_epoch 2 --training.gradient_accumulation_steps 2 && [ "$(field two step)" = "2 4 " ]'
check 'where samples may be skipped the trainer counts, to the same bytes' '
    train fours --training.train_steps_per_epoch 4 --on_error skip && same_model four fours && same_metrics four fours'
check 'more steps than an epoch has are all of it' 'train many --training.train_steps_per_epoch 100 && same_model ref many'
check 'gradient accumulation: 10 batches in groups of 4 are 3 steps, the last of 2 batches' '
    train acc --training.gradient_accumulation_steps 4 && [ "$(field acc step)" = "3 6 " ]'
check 'accumulation survives a kill: the resumed bytes are the same' '
    (by=exec; train acck --training.gradient_accumulation_steps 4 --training.save_every 1) >k.out 2>&1 &
    within 60 [ -e $run/acck/0/checkpoints/resume.safetensors ]; kill -9 $!; wait $!
    train acck --training.gradient_accumulation_steps 4 --training.save_every 1 --resume || { cat k.out; false; } && same_model acc acck && same_metrics acc acck'
check 'stepwise metrics and pictures of training survive a kill in the middle of an epoch' '
    more="--task.metric_computation_mode stepwise --task.result_plot all --training.save_every 1"
    train mid $more
    (by=exec; train midk $more) >k.out 2>&1 &
    within 60 [ -e $run/midk/0/checkpoints/resume.safetensors ]; kill -9 $!; wait $!
    train midk $more --resume || { cat k.out; false; } && same_metrics mid midk && cmp $run/mid/0/checkpoints/resume.safetensors $run/midk/0/checkpoints/resume.safetensors'
check 'drop_last_train leaves the short batch out: 9 steps' 'train drop --dataloading.drop_last_train && [ "$(field drop step)" = "9 18 " ]'
check 'drop_last_train that would leave nothing is refused before anything is written' '
    exits 2 train dropall --dataloading.drop_last_train --dataloading.batch_size 301 2>err && grep "leaves no batch" err && [ ! -e $run/dropall ]'
check 'clipping changes the steps, a bound out of reach does not' '
    train clip --training.gradient_clip_val 0.1 && ! same_model ref clip && train clipfar --training.gradient_clip_val 1e9 && same_model ref clipfar'
check 'label smoothing belongs to training' 'train smooth --task.label_smoothing 0.1 && ! same_model ref smooth'
check 'mixup trains; its training metrics are against the original labels' 'train mix --task.mixup && ! same_model ref mix && field mix train_Accuracy | grep "^0"'

for s in "None 0 0.02 0.02 0.02 0.02 " "Step 0 0.02 0.002 0.0002 2e-05 " "MultiStep 0 0.02 0.02 0.002 0.0002 " "CosineAnneal 0 0.02 0.0170711 0.01 0.00292893 " "CosineAnneal 2 0.00666667 0.0133333 0.02 0.01 "; do
    set -- $s
    check "scheduler $1, warm-up $2: the rate of each epoch" "
        train s$1$2 --optimizer.scheduler $1 --optimizer.warmup_epochs $2 --training.epochs 4 --training.train_steps_per_epoch 1 &&
        got=\$(for v in \$(field s$1$2 lr); do printf '%g ' \$v; done) && echo \"\$got\" && [ \"\$got\" = '$3 $4 $5 $6 ' ]"
done
check 'undecay_norm and layer_wise_lr_decay change a vision transformer' '
    vit="--model.encoder.type vit_tiny_patch16_224 --data.augmentation.image_size 32 --training.epochs 1 --training.train_steps_per_epoch 2 --optimizer.name AdamW --optimizer.weight_decay 0.5" &&
    train vit $vit && train vitu $vit --optimizer.undecay_norm && ! same_model vit vitu && train vitl $vit --optimizer.layer_wise_lr_decay 0.5 && ! same_model vit vitl'
check 'layer_wise_lr_decay without blocks is refused before anything is written' '
    exits 2 train lwd --optimizer.layer_wise_lr_decay 0.5 2>err && grep "layer_wise_lr_decay" err && [ ! -e $run/lwd ]'

check 'keep_epochs bounds the checkpoints of epochs' '
    train keep --training.keep_epochs 1 --training.epochs 3 && [ "$(cd $run/keep/0/checkpoints && echo *)" = "best.safetensors epoch_0002.safetensors last.safetensors resume.safetensors" ]'
check 'no_enable_checkpointing: metrics and no checkpoint' '
    train off --training.no_enable_checkpointing >out && grep "checkpoints  none" out && same_metrics ref off && [ -z "$(ls $run/off/0/checkpoints)" ]'
check 'save_every in seconds changes no byte' 'train secs --training.save_every 0.2s && same_model ref secs && same_metrics ref secs'
check 'a wrong save_every is status 2' 'exits 2 train bad --training.save_every often 2>err && grep "save_every" err && [ ! -e $run/bad ]'
check 'patience ends a run early, as finished; the printed pipeline too' '
    train patient --training.patience 1 --training.epochs 9 --optimizer.lr 1e-9 2>err && grep "stopped early" err && [ $(wc -l <$run/patient/0/metrics.jsonl) -lt 9 ] &&
    glovita_train --resume $run/patient/0 2>err && grep finished err && train pp --training.patience 1 --training.epochs 9 --optimizer.lr 1e-9 --print_pipeline >p.sh && bash p.sh && same_metrics patient pp'

for m in F1 val_F1 f1 val_f1; do
    check "best_checkpoint_metric $m" "train best$m --training.epochs 1 --training.train_steps_per_epoch 1 --training.best_checkpoint_metric $m >out && grep 'best  *val_F1' out"
done
check 'best by the loss is the lowest' '
    train low --training.epochs 4 --training.best_checkpoint_metric loss >out &&
    [ "$(field low val_loss | tr " " "\n" | grep . | cat -n | sort -k2,2g | head -n 1 | cut -f 1 | tr -d " ")" = "$(sed -n "s/^best .* in epoch //p" out)" ]'
for m in nonsense mse F1_class_3; do
    check "best_checkpoint_metric $m is refused before anything is written, with what there is" "exits 2 train no --training.best_checkpoint_metric $m 2>err && grep \"'$m'.*val_Accuracy\" err && [ ! -e $run/no ]"
done
check 'a metric of one class can decide' 'train per --training.epochs 1 --task.metrics f1_per_class --training.best_checkpoint_metric f1_class_3 >out && grep "best  *val_F1_class_3" out'

check 'a loss that is not finite three times in a row: status 5, the first batch and its samples are named, nothing is best' '
    exits 5 train nan --optimizer.lr 1e30 2>err && grep "3 batches in a row, first in batch [0-9]* of epoch 1 (samples .train/[^)]* more)" err && [ ! -e $run/nan/0/checkpoints/best.safetensors ]'
if python h5py numpy; then
    "$PY" - <<'P'
import h5py, numpy as np
rng = np.random.default_rng(0)
def write(path, n, bad):
    y = np.arange(n) % 2
    x = rng.normal(size=(n, 8)) + y[:, None]
    x[bad] = np.inf
    with h5py.File(path, "w") as f:
        f["features"], f["labels"] = x.astype("f4"), y
write("two.h5", 64, [5, 40])
write("many.h5", 64, range(20, 50))
write("val.h5", 32, [])
P
    stored() { # stored FILE GROUP [WORDS…]
        glovita_train --data.dataset precomputed_features --data.train_features_file $1 --data.val_features_file val.h5 --data.num_classes 2 --optimizer.name SGD --optimizer.lr 0.1 --optimizer.warmup_epochs 0 \
            --training.epochs 2 --dataloading.batch_size 8 --dataloading.no_shuffle_train --training.precision no --training.seed 3 --training.threads 1 --dataloading.num_workers 1 --exp_dir exp --logger.backend none --logger.group "$2"
    }
    check 'a batch with a loss that is not finite is left out, named, and the run goes on: 6 of 8 steps an epoch' '
        stored two.h5 two 2>err && [ $(grep -c "is not finite: it is left out" err) = 4 ] && grep "batch 6 in epoch 2 .*(samples .*)" err &&
        run=exp/precomputed_features && [ "$(field two step)" = "6 12 " ] && ! grep null $run/two/0/metrics.jsonl'
    check 'three of them in a row end it with status 5, naming the first' 'exits 5 stored many.h5 many 2>err && grep "3 batches in a row, first in batch 3 of epoch 1 (samples" err'
else
    skip 'a batch with a loss that is not finite is left out' 'no Python with h5py'
fi

# folds
mkdir -p set/images/a set/images/b
i=0
for f in rgb rgba grey palette interlaced la; do
    i=$((i + 1))
    cp "$FIXTURES/images/$f.png" set/images/a/$i.png
    cp "$FIXTURES/images/$f.png" set/images/b/$((7 - i)).png
done
folds() { # folds GROUP [WORDS…]
    group=${1:+--logger.group $1}
    shift
    $by glovita_train --data.dataset generic_image_dataset --data.data_root_dir set --data.split_source splits_json --data.label_source folder --data.num_classes 2 --model.encoder.type resnet10t --model.encoder.no_pretrained \
        --data.augmentation.image_size 32 --training.cv_folds 3 --training.epochs 1 --dataloading.batch_size 4 --training.precision no --training.seed 3 --training.threads 1 --dataloading.num_workers 1 --exp_dir exp --logger.backend none $group "$@"
}
echo '{"train": ["a/1","a/2","a/3","a/4","a/5","a/6","b/1","b/2","b/3","b/4","b/5","b/6"]}' >set/splits.json
check 'cv_folds 3: three runs of one group' 'folds cv && [ "$(cd exp/generic_image_dataset/cv && echo *)" = "0 1 2" ] && [ -e exp/generic_image_dataset/cv/2/checkpoints/best.safetensors ]'
check 'each fold validates another part' 'cd exp/generic_image_dataset/cv && ! cmp 0/checkpoints/last.safetensors 1/checkpoints/last.safetensors && cmp 0/splits.json 1/splits.json'
check 'a signal in the second fold ends all with status 75; a bare --resume goes on with that group and does the third' '
    (by=exec; folds cv2) >cv2.out 2>&1 & within 60 [ -e exp/generic_image_dataset/cv2/1/config.json ]
    kill -TERM $!; wait $!; [ $? = 75 ] && grep "logger.group .cv2. --resume" cv2.out && [ ! -e exp/generic_image_dataset/cv2/2 ] &&
    folds "" --resume && for k in 0 1 2; do cmp exp/generic_image_dataset/cv/$k/checkpoints/resume.safetensors exp/generic_image_dataset/cv2/$k/checkpoints/resume.safetensors || exit 1; done'
check '--resume where nothing is begins; of a finished group it says so' 'folds cv3 --resume && [ -e exp/generic_image_dataset/cv3/2/checkpoints/last.safetensors ] && folds cv3 --resume 2>err && [ $(grep -c finished err) = 3 ]'
check 'the folds predict together' 'glovita_infer --exp_dir exp/generic_image_dataset/cv --split val --pred_output p.csv >out 2>err || { cat err; glovita_infer --help; false; }; head p.csv'
done_testing
