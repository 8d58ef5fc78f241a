#!/bin/sh
# tee: readers that wait for each other, readers that leave, streams that are cut, disks that are full
. "${0%/*}/lib.sh"
four=$FIXTURES/four.gv
# 40 records of 1 MiB, 512 x 682 x 3 bytes
perl -e '
    sub t { pack "Ca*", 0xa0 | length $_[0], $_[0] }
    sub b { pack "CCa*", 0xc4, length $_[0], $_[0] }
    print "\x84", t("kind"), t("header"), t("format"), t("glovita-stream"), t("version"), "\x01", t("stream"), t("tensor");
    for (0 .. 39) {
        print "\x84", t("kind"), t("tensor"), t("pos"), chr, t("id"), t("s$_"), t("x"), "\x85", b("nd"), "\xc3", b("type"), t("|u1"), b("kind"), b(""),
            b("shape"), "\x93", pack("CnCnC", 0xcd, 512, 0xcd, 682, 3), b("data"), pack("CN", 0xc6, 512 * 682 * 3), chr($_) x (512 * 682 * 3);
    }
    print "\x82", t("kind"), t("end"), t("count"), chr 40;' >big.gv
glovita-cat --check big.gv >said || exit 2
mkfifo a b c

check 'stdout and files have the same bytes' 'glovita-tee x.gv y.gv <big.gv | cmp - big.gv && same x.gv big.gv && same y.gv big.gv && glovita-tee --input big.gv z.gv >o.gv && same o.gv z.gv'
check 'to a descriptor and to a FIFO' 'cat a >got & glovita-tee fd:5 a 5>five >/dev/null <"$four" && wait && same got "$four" && same five "$four"'
check 'one that reads all of the second first: tee(1) stops, this does not' '
	if have timeout; then timeout 2 tee a <big.gv | { cat a >first; cat >second; }; [ -s first ] && ! cmp -s first big.gv || exit 1; fi
	mkdir -p spilled && glovita-tee --memory 1 --spill spilled a <big.gv | { cat a >first; cat >second; } && same first big.gv && same second big.gv && [ -z "$(ls spilled)" ] &&
	glovita-tee --memory 64 a <big.gv | { cat a >first; cat >second; } && same first big.gv && same second big.gv
'
check 'a slow reader, a fast one and one that begins late' '
	{ exec 6<a; head -c 3000000 <&6 >late; sleep 0.2; cat <&6 >>late; } & { cat b >fast; } &
	glovita-tee --memory 2 --spill . a b <big.gv | { dd bs=7777 2>/dev/null; } >slow && wait && same late big.gv && same fast big.gv && same slow big.gv
'
check 'without --spill the others wait, and it says for whom' '
	{ exec 6<a; read go <c; cat <&6 >late; } & { GLOVITA_STALL=0.05 glovita-tee --memory 1 a <big.gv 2>err >fast; echo $? >st; } &
	within 20 grep "warning: .a. takes nothing.*1 MiB wait for it.*--spill" err; said=$?; echo >c; wait; [ $said = 0 ] && [ "$(cat st)" = 0 ] && same late big.gv && same fast big.gv && [ "$(grep -c warning err)" = 1 ]
'
check 'a reader that leaves is left out' '
	head -c 10 a >/dev/null & { glovita-tee a <big.gv; echo $? >st; } 2>err | cmp - big.gv && wait && [ "$(cat st)" = 0 ] && [ ! -s err ] &&
	{ glovita-tee --memory 1 x2.gv <big.gv; echo $? >st; } 2>err | head -c 10 >o; [ "$(cat st)" = 0 ] && same x2.gv big.gv
'
check 'when all have left it ends, quietly' '
	head -c 10 a >/dev/null & { glovita-tee a <big.gv; echo $? >st; } 2>err | head -c 10 >o; wait; [ "$(cat st)" = 141 ] && [ ! -s err ]
'
check 'a cut stream: those behind see it, files do not appear' '
	head -c 2000000 big.gv | { exits 3 glovita-tee cut.gv 2>err; } | exits 3 glovita-cat --count 2>err2; grep "is cut: it ends after 2000000 bytes" err && grep "is cut" err2 && [ ! -e cut.gv ] && [ -z "$(ls cut.gv* 2>/dev/null)" ]
'
check 'a full disk fails it, and the others have all' '
	exits 4 glovita-tee /dev/full <"$four" >o.gv 2>err && grep "cannot write ./dev/full.: .*No space" err && same o.gv "$four"
'
check 'no room for the temporary file: an error that says so' '
	trap "" XFSZ; ulimit -f 4096; exec 6<>a
	exits 4 glovita-tee --memory 1 --spill spilled a <big.gv 2>err >/dev/null 6<&- ; s=$?; cat err; [ $s = 0 ] && grep "wait for .* to a temporary file in .spilled.: File too large" err
'
check 'streams of other writers, whatever form their end has' '
	printf "\336\0\001\332\0\004kind\332\0\003end" >tail && { head -c 100 "$four"; cat tail; } | glovita-tee other.gv >/dev/null && [ -s other.gv ]
'
check 'usage' '
	exits 2 glovita-tee <"$four" >o 2>err && grep "no other output is named" err && exits 2 glovita-tee --spill nowhere x <"$four" >o 2>err && grep "is no folder" err && exits 2 glovita-tee spilled <"$four" >o 2>err && grep "is a directory" err &&
	exits 2 glovita-tee fd:77 <"$four" >o 2>err && grep "not an open descriptor" err && exits 2 glovita-tee --input nothing x >o 2>err && grep "cannot open .nothing." err && exits 2 glovita-tee --memry 3 x 2>err && grep "did you mean .--memory." err
'
done_testing
