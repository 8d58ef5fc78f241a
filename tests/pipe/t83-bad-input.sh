#!/bin/bash
# bad input, each with its message and status, through the public commands
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
. "$ROOT/tests/pipe/bad-input.sh"

bad() {
    claim=$1 want=$2 pattern=$3 command=$4 after=${5:-true}
    check "$claim: status $want${pattern:+, named}" "
        exits $want bash -c \"\$command\" 2>err; s=\$?; tail -n 4 err; [ \$s = 0 ] && { [ -z \"\$pattern\" ] || grep -E -- \"\$pattern\" err; } && { [ -n \"\$pattern\" ] || [ ! -s err ]; } && eval \"\$after\" &&
        ! grep -iE 'segmentation|assert|sanitizer' err"
}
bad_input
check 'nothing half written is left' '[ -z "$(find . -name "*.part-*" -o -type p)" ]'
done_testing
