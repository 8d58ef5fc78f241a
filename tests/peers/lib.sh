# What the scripts of this folder share, sourced behind tests/cli/lib.sh:
#
#   . "${0%/*}/../cli/lib.sh"
#   . "$ROOT/tests/peers/lib.sh"
#   peer mlflow                       # skips all where the interpreter has no such package; sets PY
#
# picture URL FILE [MILLISECONDS]: a headless browser's picture of a page after that much of its time (8000), in $PEERS_OUT/FILE. False without a browser.

PEERS_OUT=${PEERS_OUT:-$ROOT/build/peers}
mkdir -p "$PEERS_OUT" || exit 2

peer() {
	python "$@" || skip_all "no Python with $* (make check-peers installs it)"
	PATH=$(dirname "$PY"):$PATH
	export PY PATH PEERS_OUT
}

picture() {
	for picture_b in chromium chromium-browser google-chrome; do
		have $picture_b || continue
		timeout 120 $picture_b --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --user-data-dir="$T/browser" --window-size=1500,1000 \
			--run-all-compositor-stages-before-draw --virtual-time-budget="${3:-8000}" --screenshot="$PEERS_OUT/$2" "$1" >/dev/null 2>&1
		[ -s "$PEERS_OUT/$2" ]
		return
	done
	return 1
}
