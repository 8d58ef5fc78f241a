# Bad input and what is answered, for t83-bad-input.sh and scripts/dev/show-bad-input. Sourced in an empty folder with the programs in
# PATH and $FIXTURES set. The caller defines
#   bad CLAIM STATUS PATTERN COMMAND [TEST]     COMMAND ends with STATUS and says PATTERN (grep -E) on stderr; TEST holds afterwards
# and calls bad_input. The folder of images is made of the fixtures' files: 5 photographs a class, which stand for a user's data set.

bad_input_images() {
    for s in train val test; do
        for c in cat dog; do
            mkdir -p "$1/$s/$c"
            for i in 1 2 3 4 5; do cp "$FIXTURES/images/rgb444.jpg" "$1/$s/$c/$i.jpg"; done
        done
    done
}

bad_input() {
    bad_input_images img
    bad_input_images torn # one JPEG of each split ends early
    for s in train test; do head -c 300 "$FIXTURES/images/rgb420.jpg" >torn/$s/dog/3.jpg; done
    folder='--data.dataset generic_image_dataset --data.num_classes 2 --data.split_source subdirs --data.label_source folder'
    model='--data.augmentation.image_size 64 --model.encoder.type resnet10t --model.encoder.no_pretrained'
    how='--training.epochs 1 --dataloading.batch_size 4 --dataloading.num_workers 1 --optimizer.warmup_epochs 0 --training.precision no --training.seed 5 --training.threads 1 --exp_dir exp --logger.backend none'
    train="glovita_train $folder --data.data_root_dir img $model $how"
    on_torn="glovita_train $folder --data.data_root_dir torn $model $how"
    runs=exp/generic_image_dataset
    head -c 700 "$FIXTURES/four.gv" >cut.gv
    # torch.load of this would call os.system('id'): a pickle as torch.save wrote them before its zip files
    printf '\200\002\212\012l\374\234F\371 j\250P\031.\200\002M\351\003.\200\002}q\000.\200\002cos\nsystem\nq\000X\002\000\000\000idq\001\205q\002Rq\003.' >unknown.pth

    bad 'a misspelt field' 2 "unknown option '--training.epoch' \(did you mean '--training.epochs'\?\)" "$train --training.epoch 3 --logger.group x" "[ ! -e $runs/x ]"
    bad 'a wrong type' 2 "'--training.epochs' is 'many'.*whole number" "$train --training.epochs many --logger.group x" "[ ! -e $runs/x ]"
    bad 'a value out of range' 2 "'--training.epochs' is -1.*range" "$train --training.epochs=-1 --logger.group x" "[ ! -e $runs/x ]"
    bad 'a choice that is none' 2 "'--optimizer.name' is 'Adamm'.*did you mean 'Adam" "$train --optimizer.name Adamm --logger.group x" "[ ! -e $runs/x ]"
    bad 'a model that is none' 2 "resnet10x" "$train --model.encoder.type resnet10x --logger.group x" "[ ! -e $runs/x ]"
    bad 'a missing data directory' 2 "'/nowhere'" "$train --data.data_root_dir /nowhere --logger.group x" "[ ! -e $runs/x ]"
    bad 'a truncated JPEG' 3 "sample 'train/dog/3.jpg'.*decode: cannot decode 'train/dog/3.jpg': JPEG ends after 300 bytes.*--on_error skip" "$on_torn --logger.group torn"
    bad 'the same, passed over' 0 "sample 'train/dog/3.jpg' is left out: cannot decode.*JPEG ends after 300 bytes" "$on_torn --on_error skip --logger.group skip" \
        "[ -e $runs/skip/0/checkpoints/best.safetensors ] && grep 'train/dog/3.jpg' $runs/skip/0/events.jsonl"
    bad 'and counted at the end' 0 '1 sample was skipped' "$on_torn --on_error skip --logger.group skip2"
    bad 'predicting with a truncated JPEG' 3 "sample 'test/dog/3.jpg'.*JPEG ends after 300 bytes" "glovita_infer --exp_dir $runs/skip" "[ ! -e $runs/skip/predictions_test.csv ]"
    bad 'the same, its row kept with the reason' 0 '1 case failed' "glovita_infer --exp_dir $runs/skip --on_error skip" \
        "[ \$(wc -l <$runs/skip/predictions_test.csv) = 11 ] && grep '^test/dog/3.jpg,.*JPEG ends after 300 bytes' $runs/skip/predictions_test.csv"
    bad 'features with a truncated JPEG' 3 "sample 'test/dog/3.jpg'.*JPEG ends after 300 bytes" "glovita_extract_features --checkpoint_path $runs/skip/0/checkpoints/best.safetensors --split test --output_dir f3" \
        '[ -z "$(ls f3)" ]'
    bad 'the same, listed beside the file' 0 '1 sample failed; listed in .*errors.csv' "glovita_extract_features --checkpoint_path $runs/skip/0/checkpoints/best.safetensors --split test --output_dir f0 --on_error skip" \
        "grep '^test/dog/3.jpg,.*,decode,.*JPEG ends after 300 bytes' f0/*.errors.csv"
    bad 'a cut stream' 3 "stream 'stdin' is cut: it ends .*record [0-9]+ at byte [0-9]+" 'glovita-batch <cut.gv >out.gv'
    bad 'a cut file' 3 "cut.gv.* is cut: .*record [0-9]+ at byte [0-9]+" 'glovita-cat --check cut.gv'
    bad 'no stream at all' 3 "stdin" "glovita-batch <$FIXTURES/images/rgb.png >out.gv"
    bad 'a reader that leaves' 0 '' "glovita-index $folder --data.data_root_dir img --epochs 100000 | head -c 100 >/dev/null"
    bad 'a reader that leaves the text' 0 '' "$train --print_pipeline | head -n 1 >/dev/null"
    bad 'a full disk behind a stream' 4 "cannot write.*No space left on device" "glovita-cat --raw $FIXTURES/four.gv >/dev/full"
    bad 'a full disk behind a text' 4 "cannot write.*No space left on device" "glovita-cat $FIXTURES/four.gv >/dev/full"
    bad 'a full disk behind the driver' 4 "cannot write.*No space left on device" "$train --print_pipeline >/dev/full"
    bad 'a full disk behind predictions' 4 "cannot write.*stdout.*No space left on device" "glovita_infer --exp_dir $runs/skip --on_error skip >/dev/full"
    bad 'a .pth with an unknown global' 3 "os.system" "$train --model.encoder.weights unknown.pth --logger.group pth"
    LC_ALL=C sed 's/layer1\.0\.conv1\.weight/layer1.0.conv9.weight/' $runs/skip/0/checkpoints/best.safetensors >renamed.safetensors
    bad 'weights with one tensor renamed' 3 "layer1\.0\.conv1\.weight.*layer1\.0\.conv9\.weight|layer1\.0\.conv9\.weight.*layer1\.0\.conv1\.weight" "$train --model.encoder.weights renamed.safetensors --logger.group renamed"
    bad 'weights that are a picture' 3 "rgb.png" "$train --model.encoder.weights $FIXTURES/images/rgb.png --logger.group picture"
    bad 'weights that are not there' 2 "/nowhere.safetensors" "$train --model.encoder.weights /nowhere.safetensors --logger.group x" "[ ! -e $runs/x ]"
    $train --training.epochs 1000 --logger.group first >live.out 2>&1 &
    live=$!
    within 60 [ -s $runs/first/0/plan.json ]
    bad 'a second run in a directory: the first is alive' 100 "first/0' is in use by process $live" "$train --training.epochs 1000 --logger.group first"
    kill -TERM $live
    wait $live
    bad 'the first has stopped half-way' 2 "is not finished; continue it with --resume" "$train --training.epochs 1000 --logger.group first"
    bad 'the first has ended' 2 'holds a finished run, which is never written into' "$on_torn --on_error skip --logger.group skip"
}
