#!/bin/sh
# The OPTIONS of every program's page are those the program has; every program has a page, and every page is in glovita(7).
. "${0%/*}/lib.sh"
bin=${GLOVITA_BIN:-$ROOT/bin}
perl -MJSON::PP -e 1 2>/dev/null || skip_all 'no perl with JSON::PP'

for p in "$bin"/glovita-* "$bin"/glovita_*; do
    n=${p##*/}
    [ -f "$ROOT/stages/${n#glovita-}.c" ] || [ "${n#glovita_}" != "$n" ] || continue # left behind by an older build
    check "$n has a page" "[ -f '$ROOT/man/man1/$n.1' ]"
    [ "$n" = glovita-run ] || check "$n: the page has the options of the program" "GLOVITA_BIN='$bin' '$ROOT/scripts/dev/page-options' --check '$ROOT/man/man1/$n.1'"
done
for p in "$ROOT"/man/man*/*; do
    n=${p##*/}
    [ "$n" = glovita.7 ] || check "glovita(7) names $n" "grep -x -e '\.It Xr ${n%.*} ${n##*.}' -e '\.Xr ${n%.*} ${n##*.}.*' '$ROOT/man/man7/glovita.7'"
done
for p in "$ROOT"/man/man1/*; do
    n=${p##*/}
    check "$n is the page of a program" "[ -x '$bin/${n%.1}' ]"
done
done_testing
