#!/bin/sh
# Every page is well-formed mdoc, has its sections in their order, and names only pages that are there.
. "${0%/*}/lib.sh"
have groff || skip_all 'groff is not installed'

clean='NAME SYNOPSIS DESCRIPTION OPTIONS RECORDS EXIT_STATUS EXAMPLES SEE_ALSO'
for p in "$ROOT"/man/man*/*; do
    n=${p#"$ROOT"/man/}
    check "$n: groff says nothing against it" "groff -ww -mandoc -Tutf8 '$p' >out 2>err && ! [ -s err ] || { cat err; exit 1; }"
    check "$n: no reference to a page that is not there" "
        bad=0; for x in \$(sed -n 's/^\.Xr \(glovita[^ ]*\) \([157]\).*/\1.\2/p' '$p'); do [ -f '$ROOT'/man/man\${x##*.}/\$x ] || { echo \"\$x is not there\"; bad=1; }; done; [ \$bad = 0 ]"
    case $p in *.1)
        check "$n: sections in order" "
            have=\$(sed -n 's/^\.Sh //p' '$p' | tr ' ' '_' | grep -x -e NAME -e SYNOPSIS -e DESCRIPTION -e OPTIONS -e RECORDS -e EXIT_STATUS -e EXAMPLES -e SEE_ALSO | tr '\n' ' ')
            echo \"\$have\"; [ \"\$have\" = '$clean ' ]" ;;
    esac
done
done_testing
