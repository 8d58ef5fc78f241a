#!/bin/sh
# Training against PyTorch through the public commands, on two small models: in double everything to 1e-8, in float within the bounds
# of scripts/golden/fidelity.py, which compares larger models when it is run by hand.
. "${0%/*}/../cli/lib.sh"
python torch timm safetensors PIL msgpack || skip_all 'no Python with torch, timm, safetensors, pillow and msgpack ($PYTHON)'

check 'logits, gradients, five SGD and four AdamW steps, and glovita_infer equal PyTorch' '
	$PY $ROOT/scripts/golden/fidelity.py "${GLOVITA_BIN:-$ROOT/bin}" --light && : '
check 'a classifier that fits is taken from the weights file, another one is drawn, and both are said' '
	$PY - <<-"END" &&
	import timm, torch, numpy as np, os
	from PIL import Image
	from safetensors.torch import save_file
	save_file({k: v.contiguous() for k, v in timm.create_model("resnet10t", num_classes=3).state_dict().items()}, "w.safetensors")
	for n in (3, 4):
	    for split in ("train", "val"):
	        for k in range(n):
	            os.makedirs("d%d/images/%s/c%d" % (n, split, k), exist_ok=True)
	            Image.fromarray(np.full((32, 32, 3), 40 * k, np.uint8)).save("d%d/images/%s/c%d/a.png" % (n, split, k))
	END
	words="--data.dataset generic_image_dataset --data.split_source subdirs --data.label_source folder --data.augmentation.image_size 32 --data.augmentation.resize_size 32
	    --model.encoder.type resnet10t --model.encoder.weights w.safetensors --training.epochs 1 --training.precision no --optimizer.warmup_epochs 0 --logger.backend none --log info"
	glovita_train $words --data.data_root_dir d3 --data.num_classes 3 --exp_dir e3 --training.seed 1 2>said3 && cat said3 &&
	glovita_train $words --data.data_root_dir d4 --data.num_classes 4 --exp_dir e4 --training.seed 1 2>said4 && cat said4 &&
	! grep "head is new" said3 && grep "its classifier is taken" said3 && grep "head is new" said4'
done_testing
