#!/bin/bash
# interrupted-make.sh [ROUNDS [SEED]] (make check-recipes): all that make makes of an experiment (training, folds, scores, features, probe, picture, comparison) is
# interrupted at random moments by TERM, INT and KILL to make's process group, in turns, two or three times in a round, and started again.
# It ends with the files of a make that was never interrupted, byte for byte, and leaves no process. TAP.
rounds=${1:-20}
seed=${2:-$RANDOM}
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
have make gnuplot setsid ps || skip_all 'no make, gnuplot, setsid or ps'
. "$ROOT/tests/pipe/pets.sh" || skip_all 'no Perl with Compress::Zlib and JSON::PP'
goals='small.folds.score small.score small.probe.score small.umap compare'
echo "# seed $seed"
RANDOM=$seed

whole() { # DIR: its files, but those that tell of one process: times, places, the shapes it met first; and but what a killed writer left
    (cd "$1" && find experiments -type f ! -name events.jsonl ! -name runtime_info.json ! -name .lock ! -name pipeline.sh ! -name plan.json ! -path '*/log/*' ! -name '*.part-*' | sort)
}
same_files() { # DIR
    whole reference >a.list && whole "$1" >b.list && diff a.list b.list || return 1
    while read -r f; do cmp "reference/$f" "$1/$f" || return 1; done <a.list
}
start() { # DIR: in a session of its own, whose id is $make
    ROOT=$ROOT setsid bash -c 'trap - INT; cd "$1" && exec make -j2 $2' - "$1" "$goals" >"$1/said" 2>&1 &
    make=$!
}
left() { ps -s $make -o stat=,args= | grep -v '^Z'; } # of that session; the dead that wait for init are none
now() { date +%s%N; }

pets reference
t0=$(now)
start reference
wait $make || { cat reference/said; echo 'not ok 1 - the make that is never interrupted'; echo 1..1; exit 1; }
span=$((($(now) - t0) / 1000000))
echo "# uninterrupted: $span ms, $(whole reference | wc -l) files"

signals=(TERM INT KILL) k=0
for ((i = 1; i <= rounds; i++)); do
    rm -rf again && pets again
    log= bad=
    for ((n = 2 + RANDOM % 2; n > 0; n--)); do
        start again
        ms=$(((RANDOM * 32768 + RANDOM) % (span * 2 / 3))) signal=${signals[k++ % 3]}
        sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
        kill -$signal -- -$make 2>/dev/null && log="$log $signal after $ms ms," || log="$log done before $ms ms,"
        wait $make
        ! grep 'Error' again/said | grep -v 'Error \(75\|130\|137\|143\)$' || bad="$bad, another error"
        [ $signal = KILL ] || ! left || bad="$bad, a process outlives make"
        within 5 eval '! left >/dev/null' || bad="$bad, a process is left"
    done
    start again
    wait $make
    status=$?
    check "round $i:$log the same files" "[ $status = 0 ] || { cat again/said; false; } && [ -z '$bad' ] || { echo 'x$bad'; false; } && same_files again"
done
done_testing
