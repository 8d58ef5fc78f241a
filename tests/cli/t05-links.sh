#!/bin/sh
# what a program links is what it uses: loading a library nobody calls is most of the time of a short command
. "${0%/*}/lib.sh"
command -v readelf >/dev/null || skip_all 'no readelf'
needs() { readelf -d "$(command -v "$1")" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }
no() { program=$1 && shift && needs "$program" >"$program.needs" && for lib; do if grep "$lib" "$program.needs"; then return 1; fi; done; }
check 'the driver computes and fetches nothing' 'no glovita-run dnnl curl crypto avcodec'
for p in index tar augment batch eval import plot umap cat tee; do check "glovita-$p neither" "no glovita-$p dnnl curl crypto avcodec"; done
check 'only glovita-fetch and glovita-log speak to the network, and only the latter keeps a store' '
	no glovita-log dnnl avcodec && needs glovita-fetch | grep curl && needs glovita-log | grep curl && needs glovita-log | grep sqlite3 &&
	for p in run train forward index augment batch eval plot umap cat fetch decode export; do no glovita-$p sqlite3 || exit 1; done && no glovita-train curl && no glovita-forward curl'
check 'FFmpeg is loaded by the first file that needs it, not by programs that read other files' 'for p in run decode index train forward export import cat; do no glovita-$p avcodec avformat avutil swscale || exit 1; done'
done_testing
