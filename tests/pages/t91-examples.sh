#!/bin/sh
# Every command in the EXAMPLES of every page runs and prints what the page says. The rule is in lib.sh.
. "${0%/*}/lib.sh"
for p in "$ROOT"/man/man*/*; do run_examples "$p"; done
done_testing
