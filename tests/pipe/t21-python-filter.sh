#!/bin/sh
# the filter of glovita-stream(5), run as it is printed there, stands in the middle of a pipeline
. "${0%/*}/../cli/lib.sh"
python msgpack msgpack_numpy || skip_all 'no Python with msgpack and msgpack_numpy'
awk '/^\.Bd -literal/ { n++; on = 1; next } /^\.Ed/ { on = 0 } on && n == 2' "$ROOT/man/man5/glovita-stream.5" | sed 's/\\e/\\/g; s/\\-/-/g' >filter.py
four=$FIXTURES/four.gv

check 'what it writes is a stream' 'glovita-cat --raw "$four" | "$PY" filter.py >f.gv && glovita-cat --check f.gv | grep "4 tensor records, count is right; the digest is nil"'
check 'the images are inverted, the rest is as it was' '
	glovita-cat --raw f.gv | glovita-cat --stats >s && grep "min 0, max 255, mean 183.75$" s && grep "class 1 (dog): 2" s &&
	glovita-cat f.gv | sed "s/x=.*//" >a && glovita-cat "$four" | sed "s/x=.*//" >b && same a b
'
check 'twice it is the original again, bytes and all' '"$PY" filter.py <f.gv | glovita-cat --raw | cmp - "$four"'
check 'numbers from NumPy are numbers' '
	sed "s/r\[.x.\] = .*/import numpy; r[\"y\"] = numpy.int64(r[\"y\"])/" filter.py >g.py && "$PY" g.py <"$four" | glovita-cat --stats | grep "class 1 (dog): 2"
'
check 'a filter that dies is noticed' '
	{ "$PY" filter.py <"$four" | head -c 1000; } | { exits 3 glovita-cat --count 2>err; } && grep "is cut" err
'
done_testing
