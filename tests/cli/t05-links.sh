#!/bin/sh
# what a program links is what it uses: loading a library nobody calls is most of the time of a short command
. "${0%/*}/lib.sh"
command -v readelf >/dev/null || skip_all 'no readelf'
needs() { readelf -d "$(command -v "$1")" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }
no() { program=$1 && shift && needs "$program" >"$program.needs" && for lib; do if grep "$lib" "$program.needs"; then return 1; fi; done; }
check 'the driver computes and fetches nothing' 'no glovita-run dnnl curl crypto avcodec'
for p in index tar augment batch eval plot log cat; do check "glovita-$p neither" "no glovita-$p dnnl curl crypto avcodec"; done
check 'only glovita-fetch speaks to the network' 'no glovita-train curl && no glovita-forward curl && needs glovita-fetch | grep curl'
done_testing
