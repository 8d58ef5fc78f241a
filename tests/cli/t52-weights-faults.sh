#!/bin/sh
# weights: whichever call for memory or disk fails, nothing crashes and no half-written file stays
. "${0%/*}/lib.sh"

reader=$(ls -t "$ROOT"/build/*/tests/unit/weights_read 2>/dev/null | head -n 1)
writer=$(ls -t "$ROOT"/build/*/tests/unit/weights_write 2>/dev/null | head -n 1)
[ -n "$reader" ] && [ -n "$writer" ] || skip_all 'build/*/tests/unit/weights_read and _write are not built'
export reader writer

# walk KIND PROGRAM CLAIM: the claim holds and the program ends by itself, whichever of the first 60 calls fails; some do.
walk() {
	n=1 bad=0
	while [ $n -le 60 ]; do
		(cd "$ROOT" && GV_FAIL=$1:$n "$2" >"$T/said" 2>&1)
		r=$?
		[ $r -le 1 ] && grep "^ok .*$3" "$T/said" >/dev/null || { echo "$1:$n: status $r"; tail -n 5 "$T/said"; return 1; }
		bad=$((bad + r)) n=$((n + 1))
	done
	[ $bad -gt 0 ]
}
check 'reading, memory' 'walk alloc "$reader" "opens"'
check 'reading, arenas' 'walk arena "$reader" "opens"'
check 'writing, memory' 'walk alloc "$writer" "no other file was left"'
check 'writing, arenas' 'walk arena "$writer" "no other file was left"'
check 'writing, disk' 'walk io "$writer" "no other file was left"'
done_testing
