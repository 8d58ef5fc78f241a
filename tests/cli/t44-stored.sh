#!/bin/sh
# stored_samples: streams of decoded images as a data set
. "${0%/*}/lib.sh"
C="--data.dataset cifar10 --data.data_root_dir $FIXTURES/cifar"
for s in train val; do glovita-index $C --split $s --no_shuffle | glovita-decode >$s.gv || exit 2; done
W='--data.dataset stored_samples --data.train_file train.gv --data.val_file val.gv --data.num_classes 10'

check 'the samples are those that were stored' '
	glovita-index $W --no_shuffle | glovita-decode >again.gv && glovita-cat again.gv >a && glovita-cat train.gv >b && same a b && glovita-index $W --split test --no_shuffle | glovita-decode | glovita-cat >a && glovita-cat val.gv >b && same a b &&
	tail -c +400 train.gv | perl -e "undef \$/; while (<STDIN> =~ /data\xc5\x0c\x00(.{3072})/sg) { print \$1 }" >x && tail -c +400 again.gv | perl -e "undef \$/; while (<STDIN> =~ /data\xc5\x0c\x00(.{3072})/sg) { print \$1 }" >y && [ -s x ] && same x y
'
check 'in the order of any other data set: seed and epoch' '
	glovita-index $C --epochs 2 --training.seed 4 | glovita-cat | sed "s/.*\(id=[^ ]*\).*\(y=.*\)/\1 \2/" >a && glovita-index $W --epochs 2 --training.seed 4 | glovita-cat | sed "s/.*\(id=[^ ]*\).*\(y=.*\)/\1 \2/" >b && [ "$(wc -l <a)" = 30 ] && same a b
'
check 'strands give the same batches' '
	glovita-index $W --training.seed 1 | glovita-decode | glovita-batch --dataloading.batch_size 4 >one.gv &&
	for i in 0 1; do glovita-index $W --training.seed 1 --shard $i/2 | glovita-decode --output s$i.gv || exit 1; done && glovita-batch --dataloading.batch_size 4 --input s0.gv s1.gv | same - one.gv
'
check 'names of classes, and labels of several kinds' '
	glovita-index $W | glovita-cat --header | grep airplane && perl -e "print qq(\x84\xa4kind\xa6header\xa6format\xaeglovita-stream\xa7version\x01\xa6stream\xa6tensor);
		print qq(\x84\xa4kind\xa6tensor\xa2id\xa1\$_\xa1y\x85\xc4\x02nd\xc3\xc4\x04type\xa3<f4\xc4\x04kind\xc4\x00\xc4\x05shape\x91\x02\xc4\x04data\xc4\x08), pack(q(f2), \$_, 1), qq(\xa1x\x85\xc4\x02nd\xc3\xc4\x04type\xa3|u1\xc4\x04kind\xc4\x00\xc4\x05shape\x93\x01\x01\x03\xc4\x04data\xc4\x03abc) for 1..3; print qq(\x82\xa4kind\xa3end\xa5count\x03)" >r.gv &&
	glovita-index --data.dataset stored_samples --data.train_file r.gv --data.num_classes 2 --data.task Regression --data.subtask regression --no_shuffle | glovita-cat >o && grep "id=2 file=r.gv row=1 y=float32\[2\](2,1)" o
'
check 'a failed sample stays one, with its reason' '
	cp "$FIXTURES/images/cut.jpg" "$FIXTURES/images/tiny.jpg" . && tar c cut.jpg tiny.jpg | glovita-tar --labels none | glovita-decode >e.gv && glovita-index --data.dataset stored_samples --data.train_file e.gv --data.num_classes 2 --unlabelled --no_shuffle | glovita-decode | glovita-cat >o &&
	grep "^error.*id=cut.jpg.*row 0 of .e.gv.: decode: cannot decode .cut.jpg." o && grep "^tensor.*id=tiny.jpg" o
'
check 'a crop that was drawn for one epoch is not a sample' '
	mkdir -p i/train/a && cp "$FIXTURES/images/rgb444.jpg" i/train/a/ && glovita-index --data.dataset generic_image_dataset --data.data_root_dir i --data.images_dir . --data.num_classes 1 --data.split_source subdirs --data.label_source folder >i.gv &&
	glovita-decode --data.data_root_dir i --data.augmentation.train_policy default_2d_2 --data.augmentation.image_size 16 --data.augmentation.resize_size 16 <i.gv >c.gv && if glovita-cat c.gv | grep region; then
	glovita-index --data.dataset stored_samples --data.train_file c.gv --data.num_classes 1 | glovita-decode | glovita-cat | grep "^error.*a part that a policy drew"; fi
'
check 'what cannot be read is an error that says why' '
	bad() { exits $1 glovita-index $W --data.train_file $2 >o 2>err; grep "$3" err; }
	head -c 20000 train.gv >cut.gv && bad 3 cut.gv "is cut: it ends after record 6 at byte 20000" && bad 2 nothing.gv "cannot be read: No such file" && glovita-index $C >s.gv && bad 3 s.gv "of a stream of sample records" &&
	echo text >t.gv && bad 3 t.gv "not a map" && mkfifo f && bad 2 f "is not a file" && exits 2 glovita-index $W --data.num_classes 3 >o 2>err && grep "record 1 at byte [0-9]*: its class is 5; data.num_classes 3 allows 0 to 2" err &&
	exits 2 glovita-index --data.dataset stored_samples --data.num_classes 2 2>err >o && grep train_file err && exits 2 glovita-index $W --data.trian_file x 2>err >o && grep "did you mean .--data.train_file" err && exits 2 glovita-index $W --unlabelled --data.num_classes 12 >o 2>err && grep "is of 10 classes" err
'
done_testing
