#!/bin/sh
# cat: shows, counts, checks and slices any stream
. "${0%/*}/lib.sh"
four=$FIXTURES/four.gv
cp "$four" four.gv

check 'one line a record' '
	glovita-cat four.gv >out && [ "$(wc -l <out)" = 4 ] &&
	grep "^tensor epoch=0 pos=2 index=2 draw=0 id=cat/2.png x=uint8\[8,8,3\] y=0$" out
'
check 'stdin and - and --count' '
	[ "$(glovita-cat --count <four.gv)" = "4 tensor records" ] && [ "$(glovita-cat --count - <four.gv)" = "4 tensor records" ]
'
check 'several files are named' 'glovita-cat --count four.gv four.gv >out && [ "$(grep -c "^four.gv: 4 tensor records$" out)" = 2 ]'
check '--check checks count and digest' 'glovita-cat --check four.gv | grep "4 tensor records, count and digest are right"'
check '--raw gives the same bytes' 'glovita-cat --raw four.gv >raw.gv && same raw.gv four.gv && glovita-cat --raw <four.gv | glovita-cat --raw | cmp - four.gv'
check '--raw --output writes the file whole' 'glovita-cat --raw four.gv --output o.gv && same o.gv four.gv && [ "$(ls | grep -c part)" = 0 ]'
check '--head, --tail, --slice, --id' '
	[ "$(glovita-cat --head 1 four.gv | wc -l)" = 1 ] && [ "$(glovita-cat --head 0 four.gv | wc -l)" = 0 ] &&
	glovita-cat --tail 2 four.gv >t && [ "$(wc -l <t)" = 2 ] && head -1 t | grep "pos=2" &&
	[ "$(glovita-cat --tail 9 four.gv | wc -l)" = 4 ] &&
	[ "$(glovita-cat --slice 1:3 four.gv | wc -l)" = 2 ] && [ "$(glovita-cat --slice 3: four.gv | wc -l)" = 1 ] &&
	[ "$(glovita-cat --id dog/3.png four.gv | wc -l)" = 1 ]
'
check 'a part is a good stream and says so' '
	glovita-cat --raw --slice 1:3 four.gv >part.gv && glovita-cat --check part.gv | grep "2 tensor records, count and digest" &&
	glovita-cat --header part.gv >h && grep "\"slice\": \"1:3\"" h && ! grep "\"count\"" h &&
	glovita-cat --raw --tail 1 four.gv | glovita-cat | grep pos=3
'
check '--header is JSON' 'glovita-cat --header four.gv >h && grep "\"stream\": \"tensor\"" h && grep "\"program\": \"four.py\"" h'
check '--json is one object a line, with small tensors inside' '
	glovita-cat --json four.gv >j && [ "$(wc -l <j)" = 4 ] && head -1 j | grep "^{\"kind\":\"tensor\",.*\"x\":\[\[\[0,0,0\],"
'
check '--stats counts values and classes' '
	glovita-cat --stats four.gv >s && grep "^x: uint8, 4 records, 768 values, min 0, max 255, mean" s &&
	grep "^y: class 0 (cat): 2$" s && grep "^y: class 1 (dog): 2$" s
'
check 'a cut stream is status 3 with record and byte' '
	head -c 900 four.gv >cut.gv && exits 3 glovita-cat cut.gv >out 2>err && [ "$(wc -l <out)" = 2 ] &&
	grep "stream .cut.gv. is cut: it ends after record 2 at byte 900 without an end record" err
'
check 'a flipped bit is status 3' '
	{ head -c 700 four.gv; printf x; tail -c +702 four.gv; } >bad.gv && exits 3 glovita-cat --check bad.gv 2>err && grep "the digest at byte" err
'
check 'two streams one behind the other are not one' 'cat four.gv four.gv >two.gv && exits 3 glovita-cat --count two.gv 2>err && grep "goes on after its end record" err'
check 'an empty input, and one that is no stream' '
	exits 3 glovita-cat </dev/null 2>err && grep "is empty" err && exits 3 glovita-cat "$ROOT/Makefile" 2>err && grep "is not a glovita stream" err
'
check 'a missing file and a directory are status 2' 'exits 2 glovita-cat nowhere.gv && exits 2 glovita-cat .'
check 'contradictions are status 2' '
	exits 2 glovita-cat --count --raw four.gv && exits 2 glovita-cat --head 1 --tail 1 four.gv && exits 2 glovita-cat --slice 3-4 four.gv &&
	exits 2 glovita-cat --check --head 1 four.gv && exits 2 glovita-cat --picture a.png four.gv four.gv
'
check 'a picture: PPM and PNG of the same pixels, tiles where they belong' '
	glovita-cat --picture s.ppm --tile 16 --columns 4 four.gv | grep "^s.ppm: 4 samples, 94 x 46 pixels" && glovita-cat --picture s.png --tile 16 --columns 4 four.gv &&
	perl -e "undef \$/; open F, q(<), q(s.ppm); my \$p = <F>; \$p =~ s/^P6\n94 46\n255\n// or die; length \$p == 94 * 46 * 3 or die length \$p; print unpack(q(H*), substr \$p, ((6 + 9) * 94 + 6 + 22 + 5) * 3, 3)" >got &&
	glovita-cat --raw --slice 1:2 four.gv >one.gv && perl -e "undef \$/; open F, q(<), q(one.gv); <F> =~ /.*data\xc4\xc0(.{192})/s or die; print unpack(q(H*), substr \$1, (4 * 8 + 2) * 3, 3)" >want && same got want
'
check 'a picture of batches, of a part, and of failed samples' '
	glovita-batch --dataloading.batch_size 4 --task.mixup --task.mixup_alpha 1 <four.gv >b.gv && glovita-cat --picture b.png b.gv | grep "4 samples" &&
	glovita-cat --picture b.png --head 1 four.gv | grep "1 sample," && glovita-cat --picture b.png --id dog/1.png four.gv | grep "1 sample,"
'
check 'what cannot be drawn is said, and no file appears' '
	exits 2 glovita-cat --picture s.gif four.gv 2>err && grep "png or .ppm" err && exits 2 glovita-cat --picture x.png --stats four.gv 2>err && exits 2 glovita-cat --tile 20 four.gv 2>err && grep "are for --picture" err &&
	exits 3 glovita-cat --picture x.png "$FIXTURES/pred_a.gv" 2>err && grep "pictures are made of tensors" err && exits 3 glovita-cat --picture x.png "$FIXTURES/features.gv" 2>err && grep "no picture can be made" err &&
	exits 3 glovita-cat --picture x.png cut.gv 2>err && exits 4 glovita-cat --picture /dev/full.png/x.png four.gv 2>err; [ ! -e x.png ]
'
check 'several streams become one, if they are parts of one' '
	glovita-cat --raw --head 1 four.gv >a.gv && glovita-cat --raw --slice 1: four.gv >b.gv && glovita-cat --raw a.gv b.gv >ab.gv && glovita-cat --check ab.gv | grep "4 tensor records, count and digest are right" && glovita-cat four.gv >want && glovita-cat ab.gv | same - want &&
	glovita-cat --header ab.gv | grep "\"streams\": 2" && glovita-cat --raw a.gv - <b.gv | glovita-cat --count | grep 4 &&
	exits 3 glovita-cat --raw a.gv "$FIXTURES/pred_a.gv" 2>err >o && grep "holds prediction records, the stream before it tensor" err && sed "s/\xa3cat\xa3dog/\xa3cat\xa3cow/" b.gv >c.gv && exits 3 glovita-cat --raw a.gv c.gv 2>err >o && grep "other class_names" err && exits 3 glovita-cat --check o
'
check 'a misspelt option is named' 'exits 2 glovita-cat --cuont four.gv 2>err && grep "did you mean .--count." err'
check 'a full disk is status 4, for text and for records' '
	exits 4 glovita-cat four.gv >/dev/full 2>err && grep "No space left" err && exits 4 glovita-cat --raw four.gv >/dev/full 2>err && exits 4 glovita-cat --help >/dev/full
'
check 'a closed stdout is status 4' 'exits 4 glovita-cat four.gv >&- 2>err && exits 4 glovita-cat --raw four.gv >&- 2>err'
check 'a closed stdin is said' 'exits 4 glovita-cat <&- 2>err && grep "cannot read stream .stdin." err'
check 'a reader that leaves ends it quietly' '
	i=0; while [ $i -lt 400 ]; do cat four.gv; i=$((i+1)); done >/dev/null
	{ glovita-cat --raw four.gv; echo $? >st; } 2>err | head -c 10 >/dev/null; [ ! -s err ]
'
check 'records are not written to a terminal' '
	have script || exit 0
	script -qec "glovita-cat --raw four.gv" /dev/null >tty.txt; [ $? = 2 ] && grep "is a terminal" tty.txt
'
check '--version and --help' 'glovita-cat --version | grep "^glovita-cat (GloViTa) [0-9]" && glovita-cat --help | grep -e --slice && glovita-cat --describe | grep "\"fields\""'
check 'events go to a file and to a descriptor' '
	GLOVITA_EVENTS=ev glovita-cat --count four.gv && grep "\"event\":\"start\"" ev && grep "\"event\":\"end\",\"status\":0" ev &&
	GLOVITA_EVENTS=5 glovita-cat --count cut.gv 5>ev5; grep "\"event\":\"error\",\"status\":3,\"text\":\"stream" ev5
'
check 'an events reader that has gone costs nothing' '
	{ GLOVITA_EVENTS=5 glovita-cat --count four.gv 5>&1 >out; echo $? >st; } | true; [ "$(cat st)" = 0 ] && grep "4 tensor" out
'
check 'write faults are errors, wherever they come' '
	n=1; while [ $n -lt 6 ]; do
		GV_FAIL=io:$n glovita-cat --raw four.gv >f.gv 2>err; s=$?
		if [ $s = 0 ]; then same f.gv four.gv || exit 1; else [ $s = 4 ] || exit 1; exits 3 glovita-cat --check f.gv || exit 1; fi
		n=$((n+1))
	done
'
done_testing
