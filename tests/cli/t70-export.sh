#!/bin/sh
# export: features to HDF5, CSV and NPY; failed samples are listed; the file appears whole
. "${0%/*}/lib.sh"
cp "$FIXTURES/features.gv" "$FIXTURES"/pred_*.gv .

check 'CSV has a row a sample, and failed ones are listed' '
	glovita-export --to f.csv <features.gv 2>err && [ "$(head -n 1 f.csv)" = id,label,f0,f1,f2,f3,f4,f5 ] && [ "$(wc -l <f.csv)" = 6 ] &&
	grep "^f2.png,0,1.6952076,-2.0904851," f.csv && grep "1 sample failed; listed in .f.errors.csv." err &&
	[ "$(tail -n 1 f.errors.csv)" = "broken.png,,decode,no such file" ]
'
check 'NPY has the shape in its head, labels and ids beside it' '
	glovita-export --to f.npy --precision 32 <features.gv 2>err && [ "$(wc -c <f.npy)" = $((128 + 5 * 6 * 4)) ] &&
	head -c 128 f.npy | tr -d "\200-\377" | grep -a "NUMPY.*.descr.: .<f4., .fortran_order.: False, .shape.: (5, 6), }" &&
	[ "$(wc -c <f.labels.npy)" = $((128 + 5 * 8)) ] && [ "$(sed -n 3p f.ids.txt)" = f2.png ]
'
check 'HDF5 is written, the same bytes every time' '
	glovita-export --to a.h5 <features.gv 2>err && sleep 1 && glovita-export --to b.h5 <features.gv 2>err && same a.h5 b.h5 && [ "$(head -c 4 a.h5 | tail -c 3)" = HDF ]
'
check 'an input by its name is the same, and one that is missing is status 2' 'glovita-export --input features.gv --to n.h5 2>err && same a.h5 n.h5 && exits 2 glovita-export --input no.gv --to o.h5 2>err && grep "no.gv" err && [ ! -e o.h5 ]'
check 'several inputs are parts of one: none twice, and of one kind' '
	exits 3 glovita-export --input features.gv features.gv --to o.h5 2>err && grep "begins with sample 0, but the last one of .features.gv. is 5: a part is missing" err &&
	exits 3 glovita-export --input features.gv pred_a.gv --to o.h5 2>err && grep "no parts of one stream" err && [ ! -e o.h5 ]
'
check 'options are checked before anything is written' '
	exits 2 glovita-export --to f.png <features.gv 2>err && grep "ends in .h5" err && exits 2 glovita-export <features.gv && exits 2 glovita-export --to x.h5 --precision 8 <features.gv &&
	exits 2 glovita-export --to x.h5 --compression 10 <features.gv && [ ! -e x.h5 ]
'
check 'attributes that are no JSON are refused, and no file appears' '! glovita-export --to x.h5 --attributes "{" <features.gv 2>err && [ ! -e x.h5 ] && [ -z "$(ls | grep part)" ]'
check 'a cut input leaves no file' 'head -c 600 features.gv >cut.gv && exits 3 glovita-export --to c.h5 <cut.gv 2>err && grep "is cut" err && [ ! -e c.h5 ] && [ -z "$(ls | grep part)" ]'
check 'a directory that is missing is status 4' 'exits 4 glovita-export --to nowhere/x.csv <features.gv'
check 'other records are refused' 'exits 3 glovita-export --to x.h5 <"$FIXTURES/four.gv" 2>err && grep "holds tensor records" err'
check 'the same row width in all records' '
	{ glovita-cat --raw --head 1 features.gv >/dev/null; exits 0 glovita-export --to p.csv <pred_a.gv && head -n 1 p.csv | grep "^id,label,l0,l1,l2$"; }
'
check 'a value beyond 16 bits is counted' '
	python msgpack msgpack_numpy || exit 0
	"$PY" -c "
import sys, msgpack, msgpack_numpy as m, numpy as np
for r in msgpack.Unpacker(sys.stdin.buffer, object_hook=m.decode):
    if \"x\" in r: r[\"x\"] = r[\"x\"] * np.float32(1e6)
    if r[\"kind\"] == \"end\": r[\"digest\"] = None
    sys.stdout.buffer.write(msgpack.packb(r, default=m.encode))
" <features.gv | glovita-export --to big.h5 2>err && grep "beyond the range of 16 bits" err
'
if python h5py numpy; then
	check 'h5py reads features, labels, ids, class names and attributes' '
		glovita-export --to g.h5 --precision 32 --attributes "{\"method\": \"joint\", \"model\": {\"type\": \"resnet18\"}, \"size\": 224}" <features.gv 2>err && "$PY" - "$ROOT/tests/golden/eval.json" <<-E
		import h5py, json, sys, numpy as np
		want = np.array(json.load(open(sys.argv[1]))["features"], np.float32)
		f = h5py.File("g.h5")
		assert (f["features"][:] == want).all() and f["features"].dtype == np.float32 and f["features"].compression == "gzip"
		assert f["labels"].dtype == np.int64 and f["labels"].shape == (5,)
		assert f["ids"].asstr()[2] == "f2.png" and f["class_names"].asstr()[2] == "fish, gold"
		assert f.attrs["method"] == "joint" and f.attrs["size"] == 224 and json.loads(f.attrs["model"]) == {"type": "resnet18"} and f.attrs["task"] == "multiclass"
		g = h5py.File("a.h5")
		assert g["features"].dtype == np.float16 and (g["features"][:] == want.astype(np.float16)).all()
		E
	'
	check 'NumPy reads the NPY files' '"$PY" -c "
import numpy as np, json, sys
assert (np.load(\"f.npy\") == np.array(json.load(open(sys.argv[1]))[\"features\"], np.float32)).all() and np.load(\"f.labels.npy\").shape == (5,)
" "$ROOT/tests/golden/eval.json"'
	check 'regressions and several labels keep their targets' '
		glovita-export --to r.h5 <pred_reg.gv && glovita-export --to m.h5 <pred_multilabel.gv && "$PY" -c "
import h5py
r, m = h5py.File(\"r.h5\"), h5py.File(\"m.h5\")
assert r[\"labels\"].dtype == \"float32\" and r[\"labels\"].shape == (8,) and m[\"labels\"].shape == (10, 4) and r[\"logits\"].shape == (8, 1)
"'
	check 'without labels there is no such data set' 'glovita-export --to n.h5 <pred_nolabel.gv && "$PY" -c "import h5py; assert \"labels\" not in h5py.File(\"n.h5\")"'
else
	skip 'h5py reads the files' 'no Python with h5py and numpy'
fi
done_testing
