# Tests of pages: what tests/cli/lib.sh has, and running the examples of a text.
#
# The rule. In a page, examples stand in EXAMPLES between ".Bd -literal" and ".Ed"; in a Markdown file, between two lines of ```.
# A line that begins with "$ " is a command for bash; it goes on while a line ends with a backslash, |, &&, &, ;, ( or do, or
# while a here-document (<<WORD) is open. The lines behind it, up to the next command or the end of the block, are what it prints on stdout, exactly, but
# for the sign … (three dots ... in a page): within a line it stands for any text, alone on a line for any number of lines. A command
# without lines behind it may print anything. Each must end with status 0, unless the last line behind it is "(status N)".
# The commands of one text run in order in one empty directory, in which `tests` is the source tree's; the built programs are found.
# A line "# with Fashion-MNIST" above a command says that it, and all behind it in that text, want the 70,000 images
# in $FASHION_MNIST or /usr/share/datasets/fashion-mnist; they are skipped aloud where those are not. "# with msgpack for Python" says that
# it, and all behind it in that block, want the packages msgpack and msgpack_numpy; python3 is then an interpreter that has them.
# "# with SLURM" says so of a cluster (CLUSTER is set); tests/pipe/t97-slurm.sh has one, and runs them.

. "${0%/*}/../cli/lib.sh"

# examples FILE: one file a command into ex/: NN.cmd, NN.out (what it should print), NN.needs, NN.status.
examples() {
    rm -rf ex && mkdir ex
    awk -v page="$(case $1 in *.md) echo 0 ;; *) echo 1 ;; esac)" '
        function close_one() { if (n) { close(cmd); close(out) } }
        page && /^\.Sh / { inside = ($0 == ".Sh EXAMPLES") }
        page && inside && /^\.Bd -literal/ { block = shown = 1; msgpack = slurm = 0; next }
        page && /^\.Ed/ { block = 0; more = 0; next }
        !page && /^```/ { block = !block; shown = 1; more = msgpack = slurm = 0; next }
        !block { next }
        page { gsub(/\\e/, "\\"); gsub(/\\&/, ""); gsub(/\\-/, "-"); gsub(/\\\(aq/, "\047") }
        !more && doc == "" && /^# with Fashion-MNIST/ { needs = 1; next }
        !more && doc == "" && /^# with msgpack for Python/ { msgpack = 1; next }
        !more && doc == "" && /^# with SLURM/ { slurm = 1; next }
        !more && doc == "" && /^\$ / {
            close_one()
            n++
            cmd = sprintf("ex/%02d.cmd", n); out = sprintf("ex/%02d.out", n)
            printf "" >out
            if (needs) print "fashion" >(sprintf("ex/%02d.needs", n))
            if (msgpack) print "msgpack" >(sprintf("ex/%02d.needs", n))
            if (slurm) print "slurm" >(sprintf("ex/%02d.needs", n))
            $0 = substr($0, 3)
            more = 1
            shown = 0
        }
        more || doc != "" {
            print >cmd
            if (doc != "") { if ($0 == doc) doc = ""; next }
            if (match($0, /<<[\047"]?[A-Z]+/)) { doc = substr($0, RSTART + 2, RLENGTH - 2); gsub(/[\047"]/, "", doc); more = 0; next }
            if (/(\\|[|]|&|;|[(]| do)$/) next
            more = 0
            next
        }
        !n || shown { next } # a block that begins with no command is a picture of something: nobody prints it
        /^\(status [0-9]+\)$/ { gsub(/[^0-9]/, ""); print >(sprintf("ex/%02d.status", n)); next }
        { print >out }
    ' "$1"
}

# tour PAGE: glovita(7) with its DESCRIPTION, a tour made of commands, as EXAMPLES.
tour() { awk '/^\.Sh DESCRIPTION/ { print ".Sh EXAMPLES"; next } { print }' "$1"; }

# matches WANTED GOT: true when the text is that, … and ... standing for what they stand for.
matches() {
    perl -e '
        undef $/;
        open W, "<", $ARGV[0] or die; open G, "<", $ARGV[1] or die;
        my ($w, $g) = (<W> // "", <G> // "");
        my $re = join "", map { /^(?:\.\.\.|\xe2\x80\xa6)\n$/ ? "(?:.*\n)*?" : join("[^\n]*?", map { quotemeta } split /\.\.\.|\xe2\x80\xa6/, $_, -1) } $w =~ /(.*\n|.+$)/g;
        exit($g =~ /\A$re\z/ ? 0 : 1);
    ' "$1" "$2"
}

# run_examples FILE: a claim for each command of it. ADAPT, if set, is a sed program that every command goes through first;
# PREPARE, if set, are commands that run in the directory before all of them.
run_examples() {
    examples "$1"
    rm -rf at && mkdir at && ln -s "$ROOT/tests" at/tests
    (cd at && eval "${PREPARE:-:}") || exit 2
    for c in ex/*.cmd; do
        [ -f "$c" ] || continue
        b=${c%.cmd}
        title="${1##*/}: $(head -n 1 "$c" | cut -c 1-100)"
        if grep -qs fashion "$b.needs" && ! [ -d "${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}" ]; then
            skip "$title" "no Fashion-MNIST in '${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}'"
            continue
        fi
        if grep -qs slurm "$b.needs" && [ -z "${CLUSTER-}" ]; then
            skip "$title" 'it wants a cluster; tests/pipe/t97-slurm.sh runs it on one of its own'
            continue
        fi
        if grep -qs msgpack "$b.needs"; then
            if ! python msgpack msgpack_numpy; then
                skip "$title" 'no Python with msgpack and msgpack_numpy'
                continue
            fi
            mkdir -p py && printf '#!/bin/sh\nexec "%s" "$@"\n' "$PY" >py/python3 && chmod +x py/python3
        fi
        [ -z "${ADAPT:-}" ] || sed -i -e "$ADAPT" "$c"
        status=0
        [ ! -f "$b.status" ] || status=$(cat "$b.status")
        check "$title" "
            (cd at && PATH=\$PWD/../py:\$PATH && bash ../$c </dev/null >../$b.got 2>../$b.err); r=\$?
            cat $b.err
            [ \$r = $status ] || { echo 'wanted status $status, got '\$r; exit 1; }
            [ ! -s $b.out ] || matches $b.out $b.got || { echo '--- should print'; cat $b.out; echo '--- prints'; cat $b.got; exit 1; }"
    done
}
