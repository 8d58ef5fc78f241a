#!/bin/sh
# arrows: which folder may include which. Everything may include lib/common; nothing points back.
cd "${0%/*}/../.." || exit 70
allowed() { # from to
	case $1:$2 in
	*:common) return 0 ;;
	json:stream) return 1 ;;
	stage:config | stage:stream | stage:json) return 0 ;;
	config:json | config:data | config:nn | config:metric) return 0 ;; # the units' tables through the .def lists
	weights:json | weights:nn) return 0 ;;
	data:config | data:json | data:formats | data:sample | data:augment | data:stream | data:weights) return 0 ;;
	augment:sample | augment:json) return 0 ;;
	formats:sample) return 0 ;;
	trainer:session | trainer:config | trainer:stage | trainer:stream | trainer:metric | trainer:nn) return 0 ;;
	session:config | session:nn | session:weights | session:stream | session:json | session:metric) return 0 ;;
	run:config | run:json | run:data | run:augment | run:session | run:weights | run:nn | run:stream | run:plot | run:formats | run:stage | run:track) return 0 ;;
	metric:json | track:json | track:metric | plot:json | plot:metric) return 0 ;;
	config:track) return 0 ;; # the names of the trackers, sinks.def
	stages:*) return 0 ;;
	esac
	return 1
}
n=0 bad=0
for f in lib/*/*.[ch] lib/*/*/*.[ch] formats/*.[ch] stages/*.c; do
	[ -f "$f" ] || continue
	case $f in lib/*) from=${f#lib/} from=${from%%/*} ;; *) from=${f%%/*} ;; esac
	for inc in $(sed -n 's/^# *include "\([^"]*\)".*/\1/p' "$f"); do
		to=${inc%%/*}
		[ "$to" = lib ] && to=${inc#lib/} && to=${to%%/*}
		case $inc in */*) ;; *) continue ;; esac # beside it
		[ "$from" = "$to" ] && continue
		n=$((n + 1))
		if ! allowed "$from" "$to"; then
			bad=$((bad + 1))
			echo "# $f includes $inc: no arrow from $from to $to"
		fi
	done
done
[ $bad -eq 0 ] && echo "ok 1 - $n includes follow the arrows" || echo "not ok 1 - $bad includes against the arrows"
bad=$(grep -ln 'dnnl\.h' lib/*/*.[ch] lib/*/*/*.[ch] stages/*.c formats/*.c 2>/dev/null | grep -vc '^lib/nn/onednn/')
[ "$bad" -eq 0 ] && echo 'ok 2 - only lib/nn/onednn sees dnnl.h' || echo 'not ok 2 - dnnl.h outside lib/nn/onednn'
echo 1..2
