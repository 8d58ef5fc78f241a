#!/bin/sh
# h5py: features of a run as another library reads them
# pip: h5py==3.16.0 numpy
. "${0%/*}/../cli/lib.sh"
. "$ROOT/tests/peers/lib.sh"
peer h5py numpy
check 'features of a run' '
	glovita_train --data.dataset cifar10 --data.data_root_dir "$FIXTURES/cifar" --model.encoder.type resnet10t --model.encoder.no_pretrained --optimizer.warmup_epochs 0 --training.epochs 1 --training.seed 1 --dataloading.num_workers 1 \
		--logger.group a --logger.backend none >out 2>err && glovita_extract_features --checkpoint_path experiments/cifar10/a/0/checkpoints/best.safetensors --output_dir f --precision 32 >files && cat files
'
check 'every set, its shape and type; ids, class names and the configuration' '
	"$PY" - $(cat files) <<END
import json, sys, h5py, numpy as np
n = {"train": 15, "val": 3, "test": 3}
for name in sys.argv[1:]:
    split = next(s for s in n if "_%s_" % s in name)
    with h5py.File(name) as f:
        print(name, {k: (v.shape, v.dtype.str) for k, v in f.items()}, sorted(f.attrs))
        x, y, ids = f["features"], f["labels"], f["ids"]
        assert x.shape == (n[split], 512) and x.dtype == np.float32 and np.isfinite(x[:]).all() and x[:].std() > 0
        assert y.shape[0] == n[split] and set(np.ravel(y[:])) <= set(range(10)) and len(set(ids.asstr()[:])) == n[split]
END
'
done_testing
