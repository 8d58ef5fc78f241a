#!/bin/sh
# index: which samples, in which order, under which id and label
. "${0%/*}/lib.sh"

# A set of 12 images (copies of two fixtures) of three classes: the files are real, the classes say nothing about them.
mkdir -p images flat/images
for c in ant bee cow; do
    for s in train val test; do mkdir -p "images/$s/$c"; done
    for i in 1 2; do cp "$FIXTURES/images/rgb.png" "images/train/$c/$i.png"; done
    cp "$FIXTURES/images/grey.jpg" "images/val/$c/3.JPG"
    cp "$FIXTURES/images/grey.jpg" "images/test/$c/4.jpg"
    cp "$FIXTURES/images/rgb.png" "flat/images/$c.7.png"
    cp "$FIXTURES/images/rgb.png" "flat/images/${c}8.png"
done
mkdir -p images/train/ant-eater images/train/ant/deep
cp "$FIXTURES/images/rgb.png" images/train/ant-eater/1.png
cp "$FIXTURES/images/rgb.png" images/train/ant/deep/9.png
echo notes >images/train/ant/notes.txt

set_is="--data.dataset generic_image_dataset --data.data_root_dir ."
dirs="$set_is --data.split_source subdirs --data.label_source folder --data.num_classes 4"
ids() { glovita-cat --json | sed -n 's/.*"id":"\([^"]*\)".*/\1/p' | tr '\n' ' '; }
classes() { glovita-cat --json | sed -n 's/.*"y":\([-0-9]*\).*/\1/p' | tr '\n' ' '; }
says() { [ "$(cat out)" = "$1" ] || { echo "wanted: $1"; echo "got:    $(cat out)"; false; }; }

check 'folders come in the order of their parts, other files are left out' '
    glovita-index $dirs --no_shuffle | ids >out &&
    says "train/ant/1.png train/ant/2.png train/ant/deep/9.png train/ant-eater/1.png train/bee/1.png train/bee/2.png train/cow/1.png train/cow/2.png "'
check 'the class is the place of the folder among all splits'"'"' names' '
    glovita-index $dirs --no_shuffle | classes >out && says "0 0 0 1 2 2 3 3 " &&
    glovita-index $dirs --split val | classes >out && says "0 2 3 "'
check 'class_names give the order' '
    glovita-index $dirs --data.class_names cow bee ant-eater ant --split val | classes >out && says "3 1 0 "'
check 'all lists one split behind the other' '
    glovita-index $dirs --split all | glovita-cat --count >out && grep -q "^14" out'
check 'a missing test split falls back to val' '
    mv images/test test.away && glovita-index $dirs --split test | ids >out; mv test.away images/test;
    says "val/ant/3.JPG val/bee/3.JPG val/cow/3.JPG "'
check 'fewer classes than folders is status 2' '
    exits 2 glovita-index $dirs --data.num_classes 3 >/dev/null 2>err && grep "data.num_classes is 3, but there are 4 class names in the folders" err'

cat >flat/splits.json <<'E'
{"train": ["ant.7", "images/bee.7.png", "cow.7.png", "ant8"], "val": ["bee8", "./images//cow8.png"]}
E
cat >flat/labels.json <<'E'
{"ant.7": 0, "images/bee.7.png": 1, "cow.7": "2", "ant8.png": 0, "bee8": 1, "cow8": 2}
E
flat="--data.dataset generic_image_dataset --data.data_root_dir flat --data.num_classes 3"
check 'ids resolve with and without suffix and folder; labels by any of their names' '
    glovita-index $flat --no_shuffle | ids >out && says "ant.7 images/bee.7.png cow.7.png ant8 " &&
    glovita-index $flat --no_shuffle | classes >out && says "0 1 2 0 " &&
    glovita-index $flat --no_shuffle --split val | ids >out && says "bee8 images/cow8.png "'
check 'an id without a file is status 2 and named' '
    echo "{\"train\":[\"ant8\",\"yak\"],\"val\":[\"bee8\"]}" >flat/more.json &&
    exits 2 glovita-index $flat --data.split_file more.json >/dev/null 2>err && grep "no file for .yak." err'
check 'and is left out without strict' '
    glovita-index $flat --data.split_file more.json --data.no_strict | ids >out && says "ant8 "'
check 'a sample without a label is status 2, or left out, or listed without' '
    echo "{\"ant8\":1}" >flat/one.json && one="$flat --data.labels_file one.json --split val" &&
    exits 2 glovita-index $one >/dev/null 2>err && grep "no label for .images/bee8.png." err &&
    glovita-index $one --unlabelled | ids >out && says "bee8 images/cow8.png " && glovita-index $one --unlabelled | classes >out && says ""'
check 'a label beyond num_classes is status 2' '
    echo "{\"ant8\":7,\"bee8\":0,\"cow8\":0}" >flat/far.json &&
    echo "{\"train\":[\"ant8\"],\"val\":[\"bee8\"]}" >flat/two.json &&
    exits 2 glovita-index $flat --data.labels_file far.json --data.split_file two.json >/dev/null 2>err && grep "the label of .images/ant8.png. is 7; data.num_classes 3 allows 0 to 2" err'

cat >flat/labels.csv <<'E'
file,kind,weight,height,patient
ant.7.png,ant,0.5,1,p1
bee.7.png,bee,1.5,2,p1
"cow.7.png",cow,2.5,3,p2
ant8.png,ant,-1,4,p3
bee8.png,bee,0,5,p4
cow8.png,cow,1e1,6,p5
E
table="--data.label_source csv --data.labels_file labels.csv --data.path_column file"
check 'a table with class names: their sorted order' '
    glovita-index $flat $table --data.label_column kind --no_shuffle | classes >out && says "0 1 2 0 "'
check 'regression from a column, and from several' '
    glovita-index --data.dataset generic_image_dataset --data.data_root_dir flat --data.task Regression $table --data.label_column weight --no_shuffle --split val | glovita-cat --json >out && grep -q "10" out &&
    exits 2 glovita-index $flat $table --data.label_column mass >/dev/null 2>err && grep "has no column .mass.; its columns are .file., .kind." err'

check 'folds: a dictionary, a list, lists by fold' '
    echo "{\"0\":{\"train\":[\"ant8\"],\"val\":[\"bee8\"]},\"1\":{\"train\":[\"bee8\"],\"val\":[\"ant8\"]},\"test\":[\"cow8\"]}" >flat/f1.json &&
    echo "[{\"train\":[\"ant8\"],\"val\":[\"bee8\"]},{\"train\":[\"bee8\"],\"val\":[\"ant8\"]}]" >flat/f2.json &&
    echo "{\"0\":[\"ant8\"],\"1\":[\"bee8\"],\"2\":[\"ant.7\"],\"test\":[\"cow8\"]}" >flat/f3.json &&
    for f in 1 2; do glovita-index $flat --data.split_file f$f.json --data.fold 1 | ids >out && says "bee8 " || exit 1; done &&
    glovita-index $flat --data.split_file f1.json --data.fold 1 --split test | ids >out && says "cow8 " &&
    glovita-index $flat --data.split_file f3.json --data.fold 1 --no_shuffle | ids >out && says "ant8 ant.7 " &&
    glovita-index $flat --data.split_file f3.json --data.fold 1 --split val | ids >out && says "bee8 " &&
    exits 2 glovita-index $flat --data.split_file f1.json --data.fold 5 >/dev/null 2>err && grep "data.fold is .5.; the folds" err'
check 'drawn folds: every sample validates once, a group never crosses' '
    echo "[\"ant8\",\"bee8\",\"cow8\",\"ant.7\",\"bee.7\",\"cow.7\"]" >flat/pool.json &&
    pool="$flat $table --data.label_column kind --data.split_file pool.json --data.group_column patient --training.cv_folds 3" &&
    for k in 0 1 2; do glovita-index $pool --data.fold $k --split val | ids; done | tr " " "\n" | sort | tr "\n" " " >out && says "ant.7 ant8 bee.7 bee8 cow.7 cow8 " &&
    for k in 0 1 2; do glovita-index $pool --data.fold $k --split val | ids; echo; done | grep "ant.7" | grep -q "bee.7"'
check 'folds of a fixed split are refused' '
    exits 2 glovita-index $flat --training.cv_folds 3 >/dev/null 2>err && grep "fixed split" err'

# IDX: 7 images of 2 x 2, labels 0 1 2 0 1 2 0, by the format'"'"'s own description
mkdir -p idx
idx() { printf '\000\000\010\003\000\000\000\007\000\000\000\002\000\000\000\002%s' abcdefghijklmnopqrstuvwxyzAB; }
for p in train t10k; do
    idx >"idx/$p-images-idx3-ubyte"
    printf '\000\000\010\001\000\000\000\007\000\001\002\000\001\002\000' >"idx/$p-labels-idx1-ubyte"
done
gzip idx/t10k-*
digits="--data.dataset mnist --data.data_root_dir idx --training.seed 5"
check 'rows of IDX files, gzip or not' '
    glovita-index $digits --no_shuffle | glovita-cat --json | head -n 1 >out && grep "\"file\":\"train-images-idx3-ubyte\"" out && grep "\"row\":0" out &&
    glovita-index $digits --split val | classes >out && says "0 1 2 0 1 2 0 "'
check 'each epoch has its order, every sample once' '
    glovita-index $digits --epochs 2 | ids >out && [ $(wc -w <out) = 14 ] && [ "$(cut -d" " -f1-7 out)" != "$(cut -d" " -f8-14 out)" ] &&
    [ $(cut -d" " -f8-14 out | tr " " "\n" | sort -u | wc -l) = 7 ]'
check 'the order is a matter of the seed' '
    glovita-index $digits | ids >a && glovita-index --data.dataset mnist --data.data_root_dir idx --training.seed 6 | ids >b && ! cmp -s a b'
check 'strands share the positions' '
    glovita-index $digits --epochs 2 | glovita-cat --json | sed "s/.*\"epoch\"/\"epoch\"/" | sort >whole &&
    for i in 0 1 2; do glovita-index $digits --epochs 2 --shard $i/3 | glovita-cat --json; done | sed "s/.*\"epoch\"/\"epoch\"/" | sort >parts && [ -s whole ] && cmp whole parts'
check 'a start in the middle gives the rest' '
    glovita-index $digits --epochs 3 | glovita-cat --json | tail -n 10 >a && glovita-index $digits --start 1:4 --epochs 2 | glovita-cat --json >b && [ $(wc -l <a) = 10 ] && cmp a b'
check 'a fraction of the training split' '
    glovita-index $digits --data.data_fraction 0.43 | ids >out && [ $(wc -w <out) = 3 ] && glovita-index $digits --data.data_fraction 0.5 --split val | glovita-cat --count | grep -q "^7"'

check 'a missing directory is status 2, named, and nothing is written' '
    exits 2 glovita-index --data.dataset mnist --data.data_root_dir /no/such/place >out 2>err && grep "/no/such/place" err && [ ! -s out ]'
check 'an empty directory tells what was looked for' '
    mkdir empty && exits 2 glovita-index --data.dataset fashion_mnist --data.data_root_dir empty >/dev/null 2>err && grep "train-images-idx3-ubyte" err'
check 'a cut IDX file is status 3' '
    cp -r idx cut && head -c 12 idx/train-labels-idx1-ubyte >cut/train-labels-idx1-ubyte &&
    exits 3 glovita-index --data.dataset mnist --data.data_root_dir cut >/dev/null 2>err && grep "claims 7 rows of 1 bytes, but 4 bytes follow" err'
check 'a damaged gzip file is status 3' '
    cp -r idx bad && gzip -dc idx/t10k-labels-idx1-ubyte.gz >raw && printf "\037\213\010xxxxxxxxxxxxxxxxxxxxxx" >bad/t10k-labels-idx1-ubyte.gz &&
    exits 3 glovita-index --data.dataset mnist --data.data_root_dir bad --split val >/dev/null 2>err && grep "damaged" err'
check 'a misspelt option is status 2 and named' '
    exits 2 glovita-index --data.dataste mnist >/dev/null 2>err && grep "data.dataset" err'
check 'shards and starts are checked' '
    exits 2 glovita-index $digits --shard 3/3 >/dev/null 2>err && grep "from 0 to n-1" err && exits 2 glovita-index $digits --start 8 >/dev/null 2>&1 && exits 2 glovita-index $digits --start 0:8 >/dev/null 2>&1'
check 'broken JSON is status 3 with its place' '
    echo "{\"train\": [1, 2" >flat/broken.json && exits 3 glovita-index $flat --data.split_file broken.json >/dev/null 2>err && grep "broken.json" err'
check 'a full disk is status 4' '
    exits 4 glovita-index $digits >/dev/full 2>err'
done_testing
