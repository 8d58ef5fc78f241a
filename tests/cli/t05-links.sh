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
check 'FFmpeg and HDF5 are loaded by the first file that needs them, not by programs that read other files' 'for p in run decode index train forward export import cat log; do no glovita-$p avcodec avformat avutil swscale hdf5 || exit 1; done'
check 'a library that cannot be loaded is named, with what brings it' '
	index() { glovita-index --data.dataset precomputed_features --data.train_features_file "$FIXTURES/features/instances.h5" --data.num_classes 3; }
	LD_DEBUG=libs index 2>&1 >o | sed -n "s/.*find library=\(libhdf5[^ ]*\).*/\1/p" | head -n 1 >name && [ -s name ] && glovita-cat o | grep "^sample" &&
	mkdir broken && : >"broken/$(cat name)" && export LD_LIBRARY_PATH=$PWD/broken && exits 4 index >o 2>err && cat err && grep "HDF5.s library .$(cat name). cannot be loaded (.*); on Debian and Ubuntu, apt install libhdf5-dev" err'
done_testing
