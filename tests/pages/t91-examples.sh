#!/bin/sh
# Every command in the EXAMPLES of every page runs and prints what the page says. The rule is in lib.sh.
. "${0%/*}/lib.sh"
for p in "$ROOT"/man/man*/*; do run_examples "$p"; done

# None stands where nobody runs it: those of README.md and of the tour in glovita(7) are t94-readme.sh's, of CONTRIBUTING.md t93-contributing.sh's.
runs() { # FILE: as many commands are found in it as lines that look like one
    examples "$1"
    stand=$(grep -c '^[ 	]*\$ ' "$1") found=$(find ex -name '*.cmd' | wc -l)
    [ "$stand" = "$found" ] || { echo "${1##*/}: $stand lines begin with \$, and $found of them are run"; grep -n '^[ 	]*\$ ' "$1"; return 1; }
}
check 'every line of a page that begins with $ is one that runs' '
    for p in "$ROOT"/man/man*/*; do case $p in */glovita.7) tour "$p" >glovita.7 && p=glovita.7 ;; esac; runs "$p" || exit 1; done'
check 'and of every other text' '
    for p in $(cd "$ROOT" && find . -name "*.md" -not -path "./build/*" -not -path "./bin/*"); do
        case $p in ./README.md | ./CONTRIBUTING.md) runs "$ROOT/$p" || exit 1 ;; *) ! grep -n "^[ 	]*\\$ " "$ROOT/$p" || { echo "$p: nobody runs these"; exit 1; } ;; esac; done'
done_testing
