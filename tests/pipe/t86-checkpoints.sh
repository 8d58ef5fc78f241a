#!/bin/sh
# Checkpoints of other tools and for other tools: timm, torch, and run directories of the Python original.
. "${0%/*}/../cli/lib.sh"
python torch timm safetensors PIL || skip_all 'no Python with torch, timm, safetensors and pillow ($PYTHON)'
words='--data.dataset generic_image_dataset --data.split_source subdirs --data.label_source folder --data.augmentation.image_size 32 --data.augmentation.resize_size 32
    --data.num_classes 3 --model.encoder.no_pretrained --training.epochs 2 --training.precision no --optimizer.warmup_epochs 0 --optimizer.lr 0.01 --training.seed 1
    --dataloading.batch_size 4 --exp_dir exp --logger.backend none'
words=$(echo $words)
run=exp/generic_image_dataset

check 'data of three classes' '$PY - <<-"END"
	import numpy as np, os
	from PIL import Image
	r = np.random.default_rng(1)
	for split in ("train", "val"):
	    for i in range(6):
	        os.makedirs("data/images/%s/c%d" % (split, i % 3), exist_ok=True)
	        Image.fromarray(r.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save("data/images/%s/c%d/%d.png" % (split, i % 3, i))
	END'
for model in resnet10t test_vit; do
	check "$model: a safetensors checkpoint loads into timm with strict=True, and answers as glovita_infer does" "
	glovita_train $words --data.data_root_dir data --model.encoder.type $model --logger.group s_$model &&
	glovita_infer --exp_dir $run/s_$model --checkpoint last --split val && $PY - $model $run/s_$model <<-\"END\"
	import sys, json, timm, torch, numpy as np
	from PIL import Image
	from safetensors.torch import load_file
	name, run = sys.argv[1:]
	m = timm.create_model(name, num_classes=3, **({'img_size': 32} if 'vit' in name else {}))
	sd = load_file(run + '/0/checkpoints/last.safetensors')
	assert {k: v.shape for k, v in sd.items()} == {k: v.shape for k, v in m.state_dict().items()}
	assert {k: v.dtype for k, v in sd.items()} == {k: v.dtype for k, v in m.state_dict().items()}
	m.load_state_dict(sd, strict=True)
	m.eval()
	p = json.load(open(run + '/predictions_val.json'))
	for id, logits in zip(p['case_ids'], p['logits']):
	    x = np.asarray(Image.open('data/images/val/' + id.split('val/')[-1]))
	    x = (x / 255 - np.array([.485, .456, .406])) / np.array([.229, .224, .225])
	    with torch.no_grad():
	        y = m(torch.from_numpy(x.transpose(2, 0, 1)[None]).float())[0].double().numpy()
	    assert np.abs(y - logits).max() < 1e-4, (id, y, logits)
	END"
	for opt in SGD AdamW; do
		extra=
		[ $opt = AdamW ] && [ $model = test_vit ] && extra='--optimizer.layer_wise_lr_decay 0.7'
		[ $opt = SGD ] && extra='--optimizer.undecay_norm'
		check "$model, $opt $extra: a pt checkpoint loads with weights_only, has the original's keys, and its optimizer part goes on in torch" "
	glovita_train $words --data.data_root_dir data --model.encoder.type $model --optimizer.name $opt $extra --training.checkpoint_format pt --logger.group p_${model}_$opt &&
	glovita_train $words --data.data_root_dir data --model.encoder.type $model --optimizer.name $opt $extra --logger.group q_${model}_$opt &&
	$PY - $model $opt $run/p_${model}_$opt/0/checkpoints/last.pt $run/q_${model}_$opt/0/checkpoints $extra <<-\"END\"
	import sys, timm, torch, torch.nn as nn
	from safetensors.torch import load_file
	from timm.layers import ClassifierHead
	name, opt, path, twin = sys.argv[1:5]
	extra = sys.argv[5:]
	d = torch.load(path, weights_only=True)
	assert set(d) == {'epoch', 'model', 'optimizer'} and d['epoch'] == 1, (set(d), d['epoch'])
	class Head(nn.Module):
	    def __init__(self, n):
	        super().__init__()
	        self.fc = ClassifierHead(n, 3, pool_type='')
	class Encoder(nn.Module):
	    def __init__(self):
	        super().__init__()
	        self.model = timm.create_model(name, num_classes=0, global_pool='', **({'img_size': 32} if 'vit' in name else {}))
	class Composed(nn.Module):
	    def __init__(self):
	        super().__init__()
	        self.encoder = Encoder()
	        self.model = self.encoder.model
	        self.cls_head = Head(self.model.num_features)
	        self.head = self.cls_head
	net = Composed()
	net.load_state_dict(d['model'], strict=True)
	assert d['model']['encoder.model.' + next(iter(net.model.state_dict()))].data_ptr() == d['model']['model.' + next(iter(net.model.state_dict()))].data_ptr(), 'aliases do not share'
	named = [(n, p) for n, p in net.named_parameters()]
	if '--optimizer.undecay_norm' in extra:
	    flat = [n for n, _ in named if any(k in n for k in ('norm', 'bias', 'bn'))]
	    groups = [{'params': [p for n, p in named if n not in flat], 'weight_decay': .05}, {'params': [p for n, p in named if n in flat], 'weight_decay': 0.}]
	elif extra:
	    blocks, by = len(net.model.blocks), {}
	    for n, p in named:
	        depth = next((k for key, k in [('patch_embed', 1)] + [('blocks.%d.' % i, i + 2) for i in range(blocks)] + [('norm', blocks + 2), ('head', blocks + 3)] if key in n), blocks + 3)
	        by.setdefault(.7 ** (blocks + 3 - depth), []).append(p)
	    groups = [{'params': by[k], 'lr': k} for k in sorted(by)]
	else:
	    groups = [p for _, p in named]
	o = getattr(torch.optim, opt)(groups, lr=1., **({'momentum': .9} if opt == 'SGD' else {}))
	o.load_state_dict(d['optimizer'])
	mine = load_file(twin + '/resume.safetensors')
	for n, p in named:
	    key = n[14:] if n.startswith('encoder.model.') else net.model.default_cfg['classifier'] + n[len('cls_head.fc.fc'):]
	    for k in ('momentum_buffer',) if opt == 'SGD' else ('exp_avg', 'exp_avg_sq'):
	        assert torch.equal(o.state[p][k], mine['optim.%s.%s' % (key, k)]), (n, k)
	    if opt == 'AdamW':
	        assert o.state[p]['step'] == 4
	assert o.param_groups[-1]['weight_decay'] in (.05, 0.) and o.param_groups[-1]['lr'] > 0
	for _, p in named:
	    p.grad = torch.zeros_like(p)
	o.step()
	END"
	done
	check "$model: glovita_infer reads the pt run, with the answers of the same run in safetensors" "
	glovita_infer --exp_dir $run/p_${model}_SGD --checkpoint last --split val && glovita_infer --exp_dir $run/q_${model}_SGD --checkpoint last --split val &&
	cmp $run/p_${model}_SGD/predictions_val.json $run/q_${model}_SGD/predictions_val.json"
done
for made in '' '--model test_vit --size 48' '--regression' '--compiled'; do
	check "a run directory of the original${made:+ ($made)} is read by glovita_infer, with PyTorch's answers" "
	rm -rf orig && mkdir orig && $PY $ROOT/scripts/golden/original_run.py orig $made && group=\$(echo orig/exp/generic_image_dataset/*) &&
	glovita_infer --exp_dir \$group --checkpoint best --split val && $PY - \$group <<-\"END\"
	import sys, json
	p, want = json.load(open(sys.argv[1] + '/predictions_val.json')), json.load(open('orig/expected.json'))
	assert len(p['case_ids']) == len(want) == 5
	for id, got in zip(p['case_ids'], p['logits']):
	    w = next(v for k, v in want.items() if k.endswith(id) or id.endswith(k))
	    assert max(abs(x - y) for x, y in zip(got, w)) < 1e-4 * max(1, *map(abs, w)), (id, got, w)
	END"
done
check 'a fold of it alone, and its data moved' '
	mv orig/data elsewhere && glovita_infer --exp_dir $(echo orig/exp/generic_image_dataset/*/0) --checkpoint last --split val --data.data_root_dir elsewhere'
done_testing
