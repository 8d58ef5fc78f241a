#!/bin/sh
# lists: every unit file is on its list and every line of a list has its file; files above 600 lines say why in their first comment.
cd "${0%/*}/../.." || exit 70
n=0
result() { # good? claim
	n=$((n + 1))
	[ "$1" -eq 0 ] && echo "ok $n - $2" || echo "not ok $n - $2"
}
for def in lib/*/*.def lib/*/*/*.def formats/*.def; do
	[ -f "$def" ] || continue
	missing=0
	dir=${def%/*}
	for unit in $(sed -n 's/^GV_[A-Z]*(\([a-z0-9_]*\)[,)].*/\1/p' "$def"); do
		grep -rlq "gv_[a-z_]*_$unit\b" "$dir" --include='*.c' 2>/dev/null || { missing=$((missing + 1)); echo "# $def names '$unit', which no file of $dir defines"; }
	done
	result $missing "$def: every line has its unit"
done
long=0
for f in $(find lib stages formats -name '*.c'); do
	lines=$(wc -l <"$f")
	if [ "$lines" -gt 600 ] && ! head -12 "$f" | grep -qi 'lines\|long'; then
		long=$((long + 1))
		echo "# $f has $lines lines and does not say why"
	fi
done
result $long 'no file above 600 lines without a reason in its first comment'
pages=0
for s in stages/*.c; do
	s=${s#stages/}
	[ -f "man/man1/glovita-${s%.c}.1" ] || { pages=$((pages + 1)); echo "# no page for glovita-${s%.c}"; }
done
result $pages 'every program has its page'
echo 1..$n
