#!/bin/sh
# volumes: generic_3d_dataset lists them, decode reads, turns, resamples and normalises them; bad ones are answered
. "${0%/*}/lib.sh"

mkdir -p set/images
for f in i2_le.nii swapped.nii scaled_i2.nii.gz members.nii.gz; do cp "$FIXTURES/volumes/$f" set/images; done
cp "$FIXTURES/volumes/noform.nii" set/images/no.form.nii
cat >set/splits.json <<'E'
[{"train": ["i2_le", "swapped.nii", "scaled_i2", "no.form"], "val": ["members"]}, {"train": ["members"], "val": ["swapped"]}]
E
cat >set/labels.json <<'E'
{"i2_le": 0, "swapped": [0, 1, 0], "scaled_i2.nii.gz": 2, "members": 1, "no.form": [0, 0, 1]}
E
set_is='--data.dataset generic_3d_dataset --data.data_root_dir set --data.num_classes 3 --no_shuffle'
one='--model.encoder.input_channels 1'

check 'ids without their two-dot suffix are found, with labels as numbers and as one-hot lists' '
    glovita-index $set_is --data.fold 0 | glovita-cat --json >out && [ $(grep -c "\"kind\":\"sample\"" out) = 4 ] &&
    grep "\"path\":\"images/scaled_i2.nii.gz\"" out | grep "\"y\":2" && grep swapped out | grep "\"y\":1" && grep "no.form.nii\"" out | grep "\"y\":2" &&
    glovita-index $set_is --data.fold 0 | glovita-cat --header | tr -d " \n" | grep "\"content\":\"volume\".*\"normalization\":\"auto\""'
check 'folds of a list: the second' '
    glovita-index $set_is --data.fold 1 --split val | glovita-cat --json | grep "\"kind\":\"sample\"" >out && [ $(wc -l <out) = 1 ] && grep "swapped.nii" out'
check 'a label that names two classes is refused, and multilabel takes it' '
    cp -r set two && printf "{\"i2_le\": [1, 1, 0], \"swapped\": [0, 0, 0], \"scaled_i2\": [0, 1, 1], \"no.form\": [0, 0, 1], \"members\": [1, 0, 0]}" >two/labels.json &&
    exits 2 glovita-index $set_is --data.data_root_dir two --data.fold 0 2>err && grep "names 2 classes, not one (data.subtask multilabel" err &&
    glovita-index $set_is --data.data_root_dir two --data.fold 0 --data.subtask multilabel | glovita-cat --json | grep -c "\"kind\":\"sample\"" | grep 4'
check 'classes and their names come from dataset.json' '
    cp -r set facts && printf "{\"labels\": {\"c\": 2, \"a\": 0, \"b\": 1}, \"file_ending\": \".nii.gz\"}" >facts/dataset.json &&
    glovita-index --data.dataset generic_3d_dataset --data.data_root_dir facts --data.fold 0 | glovita-cat --header >out && tr -d " \n" <out | grep "\"class_names\":\[\"a\",\"b\",\"c\"\]" &&
    exits 2 glovita-index --data.dataset generic_3d_dataset --data.data_root_dir set 2>err && grep "dataset.json" err'
check 'volumes are decoded to floats with spacing and matrix' '
    glovita-index $set_is --data.fold 0 | glovita-decode $one | glovita-cat | grep "^tensor" >out && head -c 3000 out && [ $(wc -l <out) = 4 ] && ! grep -v "x=float32\[3,4,5,1\]" out && ! grep -v "spacing=.*affine=" out'
check 'a batch keeps both where all of its samples have them' '
    glovita-index $set_is --data.fold 0 | glovita-decode $one | glovita-batch --dataloading.batch_size 2 | glovita-cat >out && cat out && [ $(grep -c "spacing=float64\[2,3\].*affine=float64\[2,4,4\]" out) = 2 ]'
check 'turning and resampling change the grid as told' '
    glovita-index $set_is --data.fold 0 --data.orientation ras | glovita-decode $one | glovita-cat | grep "^tensor" >out && head -c 3000 out && grep "id=swapped" out | grep "x=float32\[4,5,3,1\]" &&
    glovita-index $set_is --data.fold 0 --data.target_spacing 1.5 2.5 0.75 | glovita-decode $one | glovita-cat | grep "^tensor" >out && head -c 3000 out &&
    grep "id=i2_le" out | grep "x=float32\[6,2,5,1\]" && grep "id=swapped" out | grep "x=float32\[4,2,10,1\]"'
check 'fields that contradict each other are refused by name' '
    exits 2 glovita-index $set_is --data.window 0 1 2>err && grep "data.window. is used by" err &&
    exits 2 glovita-index $set_is --data.normalization window --data.window 3 1 2>err && grep "LOW below HIGH" err &&
    exits 2 glovita-index $set_is --data.target_spacing 1 1 2>err && grep "it takes 3" err'

mkdir -p pages/images
cp "$FIXTURES/volumes/pages.tif" pages/images/stack.tif
cp "$FIXTURES/volumes/one.h5" pages/images
printf '{"spacing": [4, 0.5, 0.25]}' >pages/images/stack.json
printf '{"train": ["stack", "one"], "val": []}' >pages/splits.json
printf '{"stack": 0, "one": 1}' >pages/labels.json
pages_is='--data.dataset generic_3d_dataset --data.data_root_dir pages --data.num_classes 2 --no_shuffle'
check 'the spacing of a TIFF stack stands beside it, that of HDF5 in an attribute; neither says how its axes lie' '
    glovita-index $pages_is --data.target_spacing 2 0.5 0.5 | glovita-decode $one | glovita-cat | grep "^tensor" >out && cat out && ! grep affine out &&
    grep "id=stack .*spacing=float64\[3\](2,0.5,0.4375) x=float32\[12,5,4,1\]" out && grep "id=one .*x=float32\[4,4,8,1\]" out &&
    glovita-index $pages_is --data.orientation ras | glovita-decode $one | glovita-cat --json | grep -c "does not say how they lie" | grep 2 &&
    printf "{\"spacing\": [1, 2]}" >pages/images/stack.json && glovita-index $pages_is | glovita-decode $one | glovita-cat --json | grep "stack.json. holds no .spacing. of three"'

# every kind of bad volume: an error record with its reason, the rest goes on
mkdir -p bad/images
B=bad/images
V=$FIXTURES/volumes
head -c 150 "$V/scaled_i2.nii.gz" >$B/cut.nii.gz
head -c 400 "$V/i2_le.nii" >$B/short.nii
{ head -c 42 "$V/i2_le.nii"; printf '\377\177\377\177\377\177'; tail -c +49 "$V/i2_le.nii"; } >$B/huge.nii
{ head -c 72 "$V/i2_le.nii"; printf '\040'; tail -c +74 "$V/i2_le.nii"; } >$B/bits.nii
{ head -c 108 "$V/i2_le.nii"; printf '\0\0\172\107'; tail -c +113 "$V/i2_le.nii"; } >$B/offset.nii
cp "$V/two.h5" $B/two.h5
cp "$V/dims4.nii" $B/channels.nii
cp "$FIXTURES/images/rgb.png" $B/flat.npy
cp "$V/i2_le.nii" $B/good.nii
printf 'nothing' >$B/text.nii
printf '{"train": ["cut","short","huge","bits","offset","two","channels","flat","text","good"], "val": ["good"]}' >bad/splits.json
printf '{"cut":0,"short":0,"huge":0,"bits":0,"offset":0,"two":0,"channels":0,"flat":0,"text":0,"good":1}' >bad/labels.json
bad_is='--data.dataset generic_3d_dataset --data.data_root_dir bad --data.num_classes 2 --no_shuffle --training.seed 1'
check 'each bad volume is answered with its reason' '
    glovita-index $bad_is | glovita-decode $one | glovita-cat --json >out && grep error out; [ $(grep -c "\"kind\":\"error\"" out) = 9 ] && [ $(grep -c "\"kind\":\"tensor\"" out) = 1 ] &&
    grep "\"cut\"" out | grep "damaged or cut" && grep "\"short\"" out | grep "ends after 400 bytes" && grep "\"huge\"" out | grep "at most" && grep "\"bits\"" out | grep "header says 32" &&
    grep "\"offset\"" out | grep "begin at byte 64000" && grep "\"two\"" out | grep "2 data sets of 3 or 4 axes" && grep "\"channels\"" out | grep "channels; the encoder takes 1 (--model.encoder.input_channels" &&
    grep "\"text\"" out | grep "no known format" && grep "\"flat\"" out | grep "a png file holds an image"'
check 'an HDF5 data set that is not there is named' '
    glovita-index $bad_is --data.hdf5_dataset volume | glovita-decode $one | glovita-cat --json | grep "\"two\"" | grep "no data set .volume. (data.hdf5_dataset)"'
check 'batch ends with status 3, or goes on and counts with --on_error skip' '
    glovita-index $bad_is | glovita-decode $one >d.gv && exits 3 glovita-batch --dataloading.batch_size 1 <d.gv >b.gv 2>err && cat err && grep "cut" err &&
    glovita-batch --dataloading.batch_size 1 --on_error skip <d.gv 2>err >b.gv && cat err && grep "9 samples were left out" err && glovita-cat --count b.gv | grep "^1"'
check 'a limit of one MiB refuses what claims more' '
    glovita-index $bad_is | glovita-decode $one --data.max_sample 1 | glovita-cat --json | grep "\"huge\"" | grep "at most 1 MiB"'
cp "$V/case.b2nd" $B/case.b2nd
printf '{"train": ["case"], "val": []}' >bad/splits.json
printf '{"case": 0}' >bad/labels.json
check 'a .b2nd case is read, or refused by name with what to install where this was built without c-blosc2' '
    glovita-index $bad_is | glovita-decode --model.encoder.input_channels 2 | glovita-cat --json | cut -c 1-600 >out && cat out &&
    { grep "libblosc2-dev" out | grep "pip install blosc2" || grep "\"kind\":\"tensor\"" out; }'
done_testing
