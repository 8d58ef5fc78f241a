#!/bin/sh
# decode and augment: one input, one answer; regions; paths that lead outside
. "${0%/*}/lib.sh"
python msgpack || PY=

mkdir -p set/images/a set/images/b other
for f in rgb420 rgb444 progressive grey; do cp "$FIXTURES/images/$f.jpg" "set/images/a/$f.jpg"; done
cp "$FIXTURES/images/rgb.png" "$FIXTURES/images/rgba.png" set/images/b
cp "$FIXTURES/images/rgb.bmp" "$FIXTURES/images/rgb.tif" set/images/b
cp "$FIXTURES/images/rgb.png" other/far.png
cat >set/splits.json <<'E'
{"train": ["a/rgb420.jpg", "a/rgb444.jpg", "a/progressive.jpg", "a/grey.jpg", "b/rgb.png", "b/rgba.png", "b/rgb.bmp", "b/rgb.tif"], "val": ["a/grey.jpg"]}
E
set_is="--data.dataset generic_image_dataset --data.data_root_dir set --data.label_source folder --data.num_classes 2"
seed="--training.seed 11"

check 'every record is answered, three channels, labels kept' '
    glovita-index $set_is $seed | glovita-decode >all.gv && glovita-cat --count all.gv | grep "^8" &&
    glovita-cat --json all.gv >out && [ $(grep -c "\"y\":[01]" out) = 8 ] && ! grep "\"kind\":\"error\"" out'
check 'input_channels 1 gives one channel' '
    glovita-index $set_is $seed | glovita-decode --model.encoder.input_channels 1 | glovita-cat --json | grep -c "error" | grep "^0"'
check 'the bytes after augment are the same whether the crop was decoded alone or not' '
    for p in default_2d_2 default_2d_4 cifar10:baseline imagenet:baseline; do
        fields="$seed --data.augmentation.image_size 8"
        case $p in *:*) set_name="--data.dataset ${p%:*}" ;; esac
        p=${p#*:}
        glovita-index $set_is $seed --epochs 3 >i.gv &&
        glovita-decode $seed $set_name --data.augmentation.train_policy $p --data.augmentation.image_size 8 <i.gv >part.gv &&
        glovita-decode <i.gv >full.gv &&
        glovita-augment $set_name $fields --data.augmentation.train_policy $p <part.gv | glovita-cat --json | grep -v history >a &&
        glovita-augment $set_name $fields --data.augmentation.train_policy $p <full.gv | glovita-cat --json | grep -v history >b &&
        [ $(wc -l <a) = 24 ] && cmp a b || exit 1
    done'
check 'a region was decoded where the policy crops first' '
    glovita-cat --json part.gv | grep -q "\"region\"" && ! glovita-cat --json full.gv | grep -q "\"region\""'
check 'augment sets shape, mean and std in the header' '
    glovita-augment --data.augmentation.image_size 8 --split test <full.gv | glovita-cat --header >out && grep -q "\"mean\"" out && grep -q "\"image_size\":8\|\"image_size\": 8" out'

# paths as records, by hand
if [ "$PY" ]; then
    cat >stream.py <<'E'
import sys, msgpack
b = [msgpack.packb({"kind": "header", "format": "glovita-stream", "version": 1, "stream": "sample", "data_root": "set"})]
for i, p in enumerate(sys.argv[1:]):
    b.append(msgpack.packb({"kind": "sample", "epoch": 0, "pos": i, "index": i, "draw": 0, "id": "s%d" % i, "path": p}))
b.append(msgpack.packb({"kind": "end", "count": len(sys.argv) - 1, "digest": None}))
sys.stdout.buffer.write(b"".join(b))
E
    ln -s ../../other/far.png set/images/link.png
    ln -s loop.png set/images/loop.png
    mkfifo set/images/fifo.png
    mkdir set/images/dir.png
    : >set/images/empty.png
    head -c 400 "$FIXTURES/images/rgb420.jpg" >set/images/cut.jpg
    bad="images/link.png images/loop.png images/fifo.png images/dir.png images/empty.png images/cut.jpg images/none.png ../other/far.png $PWD/other/far.png /dev/zero /proc/self/environ images/../../other/far.png"
    check 'links out, loops, pipes, folders, devices, cut and missing files become error records, without blocking' '
        "$PY" stream.py $bad images/b/rgb.png >bad.gv && timeout 20 glovita-decode <bad.gv >out.gv && glovita-cat --json out.gv >out &&
        [ $(grep -c "\"kind\":\"error\"" out) = 12 ] && [ $(grep -c "\"kind\":\"tensor\"" out) = 1 ] && grep "\"id\":\"s12\"" out | grep tensor &&
        grep "\"id\":\"s0\"" out | grep "outside the data root" && grep "\"id\":\"s2\"" out | grep "not a regular file" && grep "\"id\":\"s6\"" out | grep "No such file"'
    check 'a further root opens what lies in it' '
        "$PY" stream.py images/link.png "$PWD/other/far.png" >two.gv && GLOVITA_ROOTS=other glovita-decode <two.gv | glovita-cat --json >out && [ $(grep -c tensor out) = 2 ] &&
        glovita-decode --root other <two.gv | glovita-cat --json >out && [ $(grep -c tensor out) = 2 ]'
    check 'a row that is not there is an error record' '
        sed "s/\"path\": p/\"file\": p, \"row\": 7/" stream.py >rows.py && mkdir -p set/r && printf "\000\000\010\003\000\000\000\007\000\000\000\002\000\000\000\002abcdefghijklmnopqrstuvwxyzAB" >set/r/x-idx3-ubyte &&
        "$PY" rows.py r/x-idx3-ubyte images/b/rgb.png | glovita-decode | glovita-cat --json >out && grep "row 7 is not in" out && grep "no container of rows" out'
else
    skip 'paths that lead outside' 'no Python with msgpack'
fi

check 'a cut input is status 3' 'head -c 700 i.gv >cut.gv && exits 3 glovita-decode <cut.gv >/dev/null 2>err && cat err'
check 'a reader that leaves ends it quietly' '
    (glovita-index $set_is $seed --epochs 100000 2>err1; echo $? >status1) | (glovita-decode 2>err2; echo $? >status2) | head -c 100 >/dev/null; [ ! -s err1 ] && [ ! -s err2 ] && cat status1 status2'
check 'a policy that does not exist is status 2 with the nearest' '
    exits 2 glovita-augment --data.augmentation.train_policy defualt_2d_2 <full.gv >/dev/null 2>err && grep "default_2d_2" err'
check 'a misspelt option is status 2' '
    exits 2 glovita-augment --training.sede=4 </dev/null 2>err && grep "unknown option .--training.sede." err && exits 2 glovita-decode --roots x </dev/null 2>err && grep "root" err'
check 'a data root that is not there is status 2' '
    exits 2 glovita-decode --data.dataset mnist --data.data_root_dir /no/such/place <i.gv >/dev/null 2>err && grep /no/such/place err'
done_testing
