#!/bin/sh
# command: a data set that another program lists
. "${0%/*}/lib.sh"

mkdir -p "set/images/a b" set/images/c
for i in 1 2 3; do cp "$FIXTURES/images/rgb.png" "set/images/a b/$i.png"; cp "$FIXTURES/images/grey.jpg" set/images/c/$i.jpg; done
echo '{"train": ["a b/1","c/1","a b/2"], "val": ["c/2"]}' >set/splits.json
inner="glovita-index --data.dataset generic_image_dataset --data.data_root_dir set --data.label_source folder --data.num_classes 2 --no_shuffle"
by="--data.dataset command --data.data_root_dir set --data.num_classes 2"

check 'its samples, classes and class names become the training split' '
    glovita-index $by --data.command "$inner" --no_shuffle >out.gv && $inner | glovita-cat --json >a && glovita-cat --json out.gv >b && [ $(wc -l <a) = 3 ] && cmp a b && glovita-cat --header out.gv | grep "a b"'
check 'records say their split' '
    glovita-index $by --data.command "$inner --split all" --split val | glovita-cat --json >out && [ $(wc -l <out) = 1 ] && grep "c/2.jpg" out'
check 'strands and epochs are those of any data set' '
    for i in 0 1; do glovita-index $by --data.command "$inner" --training.seed 3 --epochs 2 --shard $i/2 | glovita-cat --json; done | sort >a; glovita-index $by --data.command "$inner" --training.seed 3 --epochs 2 | glovita-cat --json | sort >b; [ -s a ] && cmp a b'
check 'folds can be drawn where it names no val' '
    for k in 0 1 2; do glovita-index $by --data.command "$inner" --training.cv_folds 3 --data.fold $k --split val | glovita-cat --json; done | sed "s/.*\"id\":\"\([^\"]*\)\".*/\1/" | sort | tr "\n" " " >out && [ "$(cat out)" = "a b/1 a b/2 c/1 " ]'
check 'without val, val is status 2' 'exits 2 glovita-index $by --data.command "$inner" --split val >/dev/null 2>err && grep "no val samples" err'
check 'the images decode' 'glovita-decode --data.dataset command --data.data_root_dir set <out.gv | glovita-cat --count | grep "^3"'
check 'a command that fails is status 3 with its status' 'exits 3 glovita-index $by --data.command "echo no >&2; exit 9" >/dev/null 2>err && grep "ended with status 9" err'
check 'a command that is not there is status 2' 'exits 2 glovita-index $by --data.command "no-such-program-here" >/dev/null 2>err && grep "does not find it" err'
check 'a cut stream is status 3' 'exits 3 glovita-index $by --data.command "$inner | head -c 500" >/dev/null 2>err && cat err'
check 'no stream at all is status 3' 'exits 3 glovita-index $by --data.command "echo hello" >/dev/null 2>err && cat err'
check 'a class beyond num_classes is status 2' 'exits 2 glovita-index $by --data.num_classes 1 --data.command "$inner" >/dev/null 2>err && grep "data.num_classes 1 allows" err'
if python msgpack; then
    cat >list.py <<'E'
import os, sys, msgpack
put = lambda r: sys.stdout.buffer.write(msgpack.packb(r))
put({"kind": "header", "format": "glovita-stream", "version": 1, "stream": "sample", "class_names": ["x", "y"]})
names = sorted(os.listdir(os.environ["GLOVITA_DATA_ROOT"] + "/images/c"))
for n in names:
    put({"kind": "sample", "id": n, "path": "images/c/" + n, "y": [0.5, len(n)], "split": "val" if n[0] == "3" else "train", "group": "g"})
put({"kind": "end", "count": len(names), "digest": None})
E
    check 'ten lines of Python; several targets' '
        glovita-index $by --data.task Regression --data.num_classes 2 --data.command "$PY list.py" --no_shuffle | glovita-decode | glovita-batch | glovita-cat --json >out && grep "\"y\":\[\[0.5,5.0\],\[0.5,5.0\]\]" out'
else
    skip 'ten lines of Python' 'no Python with msgpack'
fi
done_testing
