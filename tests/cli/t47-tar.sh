#!/bin/sh
# tar: archives through a pipe become samples; hostile ones are errors with their place
. "${0%/*}/lib.sh"
A=$FIXTURES/tar
mkdir -p photos/train/cat photos/train/dog photos/val/cat
for i in 1 2 3; do cp "$FIXTURES/images/rgb444.jpg" photos/train/cat/$i.jpg; cp "$FIXTURES/images/rgb.png" photos/train/dog/$i.PNG; done
cp "$FIXTURES/images/rgb422.jpg" photos/val/cat/1.jpg
echo text >photos/train/cat/notes.txt
tar cf photos.tar photos
words='--below photos/train --class_names cat dog'

check 'the pixels are those of the files' '
	glovita-tar $words --input photos.tar | glovita-decode | glovita-cat --raw --output t.gv && glovita-cat --count t.gv | grep "^6 tensor" &&
	glovita-index --data.dataset generic_image_dataset --data.data_root_dir photos --data.images_dir . --data.num_classes 2 --data.split_source subdirs --data.label_source folder --no_shuffle | glovita-decode | glovita-cat --raw --output f.gv &&
	for id in cat/1.jpg dog/3.PNG; do
		glovita-cat --json --id photos/train/$id t.gv | sed "s/.*\"x\"/x/; s/,\"y\".*//" >a && glovita-cat --json --id train/$id f.gv | sed "s/.*\"x\"/x/; s/,\"y\".*//" >b && [ -s a ] && same a b || exit 1
	done &&
	glovita-cat --stats t.gv | grep -e "class 0 (cat): 3" -e "class 1 (dog): 3" | wc -l | grep 2
'
check 'all forms of tar name the same files' '
	for f in ustar v7; do glovita-tar --class_names cat dog --below train --input $A/$f.tar | glovita-cat >$f || exit 1; done && same ustar v7 && grep "bytes=(600 bytes) y=1" v7 &&
	for f in pax gnu; do glovita-tar --class_names cat dog --below ./train/ --input $A/$f.tar | glovita-cat >$f || exit 1; done && same pax gnu && grep "bbbbb.jpg bytes=(300 bytes) y=0" pax
'
check 'labels of .cls files, numbers and names' '
	glovita-tar --labels cls --input $A/cls.tar | glovita-cat >c && grep "id=0001 bytes=(300 bytes) y=1" c && grep "id=0002 bytes=(300 bytes) y=0" c &&
	mkdir w && cp "$FIXTURES/images/tiny.jpg" w/a.jpg && echo dog >w/a.cls && cp w/a.jpg w/b.jpg && echo 7 >w/b.cls && cp w/a.jpg w/c.jpg && echo 0 >w/d.cls && tar cf w.tar -C w a.cls a.jpg b.jpg b.cls c.jpg d.cls &&
	glovita-tar --labels cls --class_names cat dog --input w.tar | glovita-cat >c && grep "id=a .* y=1" c && grep "error .* id=b .*its label .7. is no class" c && grep "error .* id=d .*no file" c && wc -l <c | grep 4 &&
	glovita-tar --labels cls --input w.tar | glovita-cat | grep "id=c bytes=([0-9]* bytes)$"
'
check 'no labels at all' 'glovita-tar --labels none --input photos.tar | glovita-cat --stats | grep "y: none in 7"'
check 'one that cannot be used keeps its place, with the reason' '
	mkdir l && cp "$FIXTURES/images/tiny.jpg" l/a.jpg && ln l/a.jpg l/b.jpg && ln -s a.jpg l/c.jpg && tar cf l.tar l && glovita-tar --labels none --input l.tar | glovita-cat >o && wc -l <o | grep 3 && [ "$(grep -c "^error.*is a link to" o)" = 2 ] &&
	glovita-tar --labels none --input $A/sparse_pax.tar | glovita-cat | grep "error .*id=train/cat/4.jpg .*stored sparsely" && exits 3 glovita-tar --labels none --input $A/sparse_gnu.tar >o 2>err && grep "byte 0: .train/cat/4.jpg. is stored sparsely" err &&
	glovita-tar --class_names cat --below photos/train --input photos.tar | glovita-cat | grep "error .*its folder .dog. is none of the class names (cat)" &&
	glovita-tar --class_names train --input photos.tar | glovita-cat | grep "error .*its folder .photos. is none"
'
check 'the shuffle draws all of them, in another order for each epoch, the same again' '
	cat photos.tar photos.tar | glovita-tar $words --shuffle 100 --archives_per_epoch 1 >s.gv && cat photos.tar photos.tar | glovita-tar $words --shuffle 100 --archives_per_epoch 1 | cmp - s.gv &&
	glovita-cat s.gv | sed -n "s/.*epoch=0.*\(id=[^ ]*\).*/\1/p" >e0 && glovita-cat s.gv | sed -n "s/.*epoch=1.*\(id=[^ ]*\).*/\1/p" >e1 && ! cmp -s e0 e1 && sort e0 >a && sort e1 | same a - && wc -l <a | grep 6 &&
	cat photos.tar photos.tar | glovita-tar $words --shuffle 100 --archives_per_epoch 1 --training.seed 5 | cmp -s - s.gv; [ $? = 1 ] &&
	glovita-tar $words --shuffle 2 --input photos.tar | glovita-cat | sed -n "s/.*id=\([^ ]*\).*/\1/p" | sort | sed "s/^/id=/" | same a -
'
check 'several archives are one epoch, or several' '
	glovita-tar $words --input photos.tar photos.tar | glovita-cat | tail -n 1 | grep "epoch=0 pos=11" && cat photos.tar | glovita-tar --archives_per_epoch 2 $words --input photos.tar - photos.tar | glovita-cat --count | grep 18
'
check 'names that are traps are ids, and nothing more' '
	mkdir h && cp "$FIXTURES/images/tiny.jpg" h/x.jpg && tar cf h.tar --transform "s|h/x|/etc/../../tmp/gv\nx|" -P h/x.jpg && glovita-tar --labels none --input h.tar | glovita-decode | glovita-cat >o && grep "tensor.*id=/etc/../../tmp/gv.x0ax.jpg" o
'
check 'cut anywhere: status 3, the place is said, and behind it nobody takes it for whole' '
	for n in 100 512 700 5000 20000; do
		{ head -c $n photos.tar | glovita-tar $words; echo $? >st; } 2>err | glovita-decode 2>/dev/null | glovita-cat --count >o 2>err2 && exit 1
		[ "$(cat st)" = 3 ] && grep "ends after $n bytes, .*it was cut" err && grep "is cut" err2 || exit 1
	done
'
check 'what is no archive is said' '
	exits 3 glovita-tar --labels none --input "$FIXTURES/images/rgb.png" >o 2>err && grep "byte 0: this is no header" err && gzip -c photos.tar >p.tgz && exits 3 glovita-tar --labels none --input p.tgz >o 2>err && grep "put .gzip -dc. in front" err &&
	exits 3 glovita-tar --labels none >o 2>err </dev/null && grep "no sample is in it: it has 0 members" err && exits 3 glovita-tar --labels none --below nowhere --input photos.tar >o 2>err && grep "none lies below .nowhere. (--below); the first file is .photos/" err && exits 3 glovita-tar --labels none --extensions jpx --input photos.tar >o 2>err && grep "none ends as .--extensions. says; the first file is" err
'
check 'usage' '
	exits 2 glovita-tar --input photos.tar >o 2>err && grep "class_names. is not given" err && exits 2 glovita-tar --labels none --input nothing.tar >o 2>err && grep "cannot open .nothing.tar." err && exits 2 glovita-tar --labels none --input photos >o 2>err && grep "tar c photos" err &&
	exits 2 glovita-tar --lables none >o 2>err && grep "did you mean .--labels." err && exits 2 glovita-tar --class_names a b --data.num_classes 3 --input photos.tar >o 2>err && grep "has 2" err
'
check 'bytes that are no image, of another type, or for another kind of data are error records' '
	printf "\204\244kind\246header\246format\256glovita-stream\247version\001\246stream\246sample" >b.gv && printf "\203\244kind\246sample\242id\241a\245bytes\304\003abc\203\244kind\246sample\242id\241b\245bytes\243abc" >>b.gv && printf "\202\244kind\243end\245count\002" >>b.gv &&
	glovita-decode <b.gv | glovita-cat >o && grep "id=a .*cannot decode .a." o && grep "id=b .*not of msgpack.s type bin" o &&
	sed "s/stream.sample/stream\xa6sample/; s/^.\(.kind.header\)/\x85\1\xa7content\xa6volume/" b.gv >v.gv && glovita-decode <v.gv | glovita-cat | grep "which are read as images alone"
'
check 'a read that fails is status 4' '
	exits 4 env GV_FAIL=read:1 glovita-tar $words <photos.tar >o 2>err && grep "cannot read .stdin." err && GV_FAIL=read:9 glovita-tar $words <photos.tar >o
'
done_testing
