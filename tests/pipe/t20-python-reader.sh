#!/bin/sh
# the five-line reader of glovita-stream(5) reads our streams, run as it is printed there
. "${0%/*}/../cli/lib.sh"
python msgpack msgpack_numpy || skip_all 'no Python with msgpack and msgpack_numpy'

# The n-th literal block of the page, with roff's escapes undone.
block() {
	awk -v want="$1" '/^\.Bd -literal/ { n++; on = 1; next } /^\.Ed/ { on = 0 } on && n == want' "$ROOT/man/man5/glovita-stream.5" | sed 's/\\e/\\/g; s/\\-/-/g'
}
block 1 >reader.py

check 'it has five lines or less' '[ "$(wc -l <reader.py)" -le 5 ] && grep max_buffer_size=0 reader.py'
check 'it reads every record' '
	"$PY" reader.py <"$FIXTURES/four.gv" >out && cat >want <<-E && same want out
	cat/0.png (8, 8, 3) 0
	dog/1.png (8, 8, 3) 1
	cat/2.png (8, 8, 3) 0
	dog/3.png (8, 8, 3) 1
	E
'
check 'the same through a pipe of ours' 'glovita-cat --raw "$FIXTURES/four.gv" | "$PY" reader.py | cmp - want'
check 'values are the same' '
	"$PY" -c "
import sys, msgpack, msgpack_numpy as m
for r in msgpack.Unpacker(sys.stdin.buffer, object_hook=m.decode, max_buffer_size=0):
    if r[\"kind\"] == \"tensor\": print(r[\"x\"][3, 3].tolist(), r[\"x\"].dtype)
" <"$FIXTURES/four.gv" >v && [ "$(tail -n 1 v)" = "[255, 120, 0] uint8" ]
'
done_testing
