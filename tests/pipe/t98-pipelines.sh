#!/bin/bash
# glovita-pipelines(7): what the output of its commands does not show. That they run as they are printed is tests/pages/t91-examples.sh.
. "${BASH_SOURCE[0]%/*}/../pages/lib.sh"
have tar timeout || skip_all 'no tar or timeout'
examples "$ROOT/man/man7/glovita-pipelines.7"
for c in ex/*.cmd; do # the files it prints: dim.c, stages.awk, …
	! head -n 1 "$c" | grep -q '^cat >' || bash "$c"
done
C="--data.dataset cifar10 --data.data_root_dir $FIXTURES/cifar"
N='--data.num_classes 10 --model.encoder.no_pretrained --training.seed 1 --training.precision no --training.threads 1'
augment() { glovita-index $C --training.seed 1 | glovita-decode | glovita-augment --data.dataset cifar10 --data.augmentation.train_policy randaugment --training.seed "${1:-1}"; }
export C N
export -f augment

check '1: the sheet has the pixels of the batch, each sample in its tile' '
	augment | glovita-batch --dataloading.batch_size 12 >b.gv && glovita-cat --picture s.ppm --tile 32 --columns 5 --head 1 b.gv && perl -e "
		undef \$/; open S, q(<), q(s.ppm); my \$s = <S>; \$s =~ s/^P6\n(\d+) (\d+)\n255\n// or die; my (\$w, \$h) = (\$1, \$2); \$w == 5 * 38 + 6 && \$h == 3 * 56 + 6 or die;
		open B, q(<), q(b.gv); my (\$x) = <B> =~ /data\xc5\x90\x00(.{36864})/s or die q(no x);
		for my \$i (0 .. 11) { for my \$r (0 .. 31) {
			substr(\$s, ((6 + int(\$i / 5) * 56 + \$r) * \$w + 6 + \$i % 5 * 38) * 3, 96) eq substr(\$x, (\$i * 32 + \$r) * 96, 96) or die qq(sample \$i, row \$r);
		} }"'
check '1: the same seed draws the same picture, another another' '
	augment | glovita-cat --picture a.png && augment | glovita-cat --picture b.png && same a.png b.png && augment 2 | glovita-cat --picture c.png && ! cmp -s a.png c.png
'
check '3: the filter in C passes large records on, and all else as it was' '
	cc -O2 -Wall -Wextra -Werror dim.c -o dim $(pkg-config --libs msgpack-c 2>/dev/null || pkg-config --libs msgpack) &&
	augment | glovita-batch --dataloading.batch_size 15 >one.gv && ./dim <one.gv | ./dim >quarter.gv && glovita-cat --check quarter.gv | grep "count is right; the digest is nil" && glovita-cat --stats quarter.gv | grep "max 63," && glovita-cat one.gv | sed "s/ x=.*//" >a && glovita-cat quarter.gv | sed "s/ x=.*//" | same a - &&
	exits 4 ./dim <one.gv >/dev/full && { head -c 900 one.gv | ./dim | exits 3 glovita-cat --count; }
'
mkdir -p photos/train/{cat,dog}
for i in 1 2 3 4 5; do
	cp "$FIXTURES/images/rgb444.jpg" photos/train/cat/$i.jpg
	cp "$FIXTURES/images/rgb420.jpg" photos/train/dog/$i.jpg
done
P='--data.augmentation.train_policy default_2d_2 --data.augmentation.image_size 32 --data.augmentation.resize_size 36 --training.seed 1'
train() { glovita-batch --dataloading.batch_size 4 --training.seed 1 | glovita-train $N --training.epochs 2 --model.encoder.type resnet10t --optimizer.lr 1e-3 --optimizer.warmup_epochs 0 --run "$1"; }
export P
export -f train
check '6: training on an archive gives the bytes of training on its folder' '
	for e in 0 1; do tar c --sort=name photos; done | glovita-tar --class_names cat dog --below photos/train --archives_per_epoch 1 | glovita-decode $P --split train | glovita-augment $P | train from_tar 2>err &&
	glovita-index --data.dataset generic_image_dataset --data.data_root_dir photos --data.images_dir . --data.num_classes 2 --data.split_source subdirs --data.label_source folder --no_shuffle --epochs 2 |
		glovita-decode $P --data.data_root_dir photos --split train | glovita-augment $P | train from_folder 2>err2 && same from_tar/metrics.jsonl from_folder/metrics.jsonl && cmp from_tar/checkpoints/last.safetensors from_folder/checkpoints/last.safetensors
'
check '6: a connection that breaks in the second epoch ends it, and no model says it is finished' '
	{ tar c photos; tar c photos | head -c 30000; } | glovita-tar --class_names cat dog --below photos/train --archives_per_epoch 1 2>err | glovita-decode | glovita-augment $P | train broken 2>err2
	[ "${PIPESTATUS[1]}" = 3 ] && grep "it was cut" err && grep "is cut" err2 && [ "$(wc -l <broken/metrics.jsonl)" -le 1 ]
'
mkfifo second
check '7: a slow reader of megabytes a record, with little memory' '
	glovita-index $C --split val | glovita-decode | glovita-augment --split test --data.augmentation.test_policy shared_default_2d --data.augmentation.image_size 600 --data.augmentation.resize_size 600 >v.gv &&
	glovita-cat --raw v.gv v.gv v.gv v.gv v.gv >w.gv && [ "$(stat -c %s w.gv)" -gt 15000000 ] || exit 1
	timeout 60 glovita-tee --memory 1 --spill . second <w.gv >first.gv & timeout 60 cat second | { sleep 0.2; cat; } >other.gv; wait; same first.gv w.gv && same other.gv w.gv
'
check '7: two networks on one stream give what they give apart' '
	glovita-index $C --split val | glovita-decode | glovita-augment --data.dataset cifar10 --split test | glovita-batch --split eval >e.gv && glovita-forward $N --model.encoder.type resnet10t <e.gv >a.gv && glovita-forward $N --model.encoder.type resnet18 <e.gv >b.gv && glovita-eval --input a.gv b.gv >want &&
	timeout 60 glovita-tee second <e.gv | timeout 60 glovita-forward $N --model.encoder.type resnet10t | timeout 60 glovita-eval --input - <(timeout 60 glovita-forward $N --model.encoder.type resnet18 <second) >got && same got want
'
check '10: the times of the stages add up' '
	export GLOVITA_EVENTS=ev && glovita-index $C --epochs 10 | glovita-decode | { sleep 0.3; cat; } | glovita-batch >o.gv && unset GLOVITA_EVENTS &&
	awk -f stages.awk ev >table && [ "$(wc -l <table)" = 3 ] && grep "^decode  *150 records" table && awk "/^batch/ { for (i = 1; i < NF; i++) if (\$i == \"waited\") exit !(\$(i + 1) > 0.2) }" table
'
check '12: stored samples in another order are augmented as those of the files' '
	tar c --sort=name photos | glovita-tar --class_names cat dog --below photos/train | glovita-decode --output stored.gv && W="--data.dataset stored_samples --data.train_file stored.gv --data.num_classes 2" &&
	glovita-index $W --training.seed 3 --epochs 2 | glovita-decode | glovita-augment $P | glovita-cat --picture stored.png --head 20 &&
	glovita-index --data.dataset generic_image_dataset --data.data_root_dir photos --data.images_dir . --data.num_classes 2 --data.split_source subdirs --data.label_source folder --training.seed 3 --epochs 2 |
		glovita-decode --data.data_root_dir photos | glovita-augment $P >f.gv && glovita-cat --picture files.ppm --head 20 f.gv && glovita-index $W --training.seed 3 --epochs 2 | glovita-decode | glovita-augment $P | glovita-cat --picture stored.ppm --head 20 &&
	perl -e "undef \$/; my @p = map { open F, q(<), \$_; my \$p = <F>; \$p =~ s/^P6\n(\d+) (\d+)\n255\n// or die; (\$1, \$2, \$p) } qw(stored.ppm files.ppm); \$p[0] == \$p[3] && \$p[1] == \$p[4] or die;
		for my \$y (0 .. \$p[1] - 1) { next if ((\$y - 6) % 152) >= 128 || \$y < 6; substr(\$p[2], \$y * \$p[0] * 3, \$p[0] * 3) eq substr(\$p[5], \$y * \$p[0] * 3, \$p[0] * 3) or die qq(row \$y) }"
'
done_testing
