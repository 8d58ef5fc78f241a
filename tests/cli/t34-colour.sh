#!/bin/sh
# colour: on a terminal only, not with NO_COLOR, not with TERM=dumb; help is as wide as the terminal
. "${0%/*}/lib.sh"
python || skip_all 'no python3'
on() { "$PY" "$ROOT/tests/cli/terminal.py" run "$@"; } # a command on a terminal of its own
esc=$(printf '\033')
plain() { ! grep -q "$esc" "$@" || { cat -v "$@"; return 1; }; }
TERM=xterm
export TERM
wrong='glovita-augment --training.sede=4'

check 'an error is red on a terminal' 'exits 2 on $wrong >out; cat -v out; grep "^glovita-augment: ${esc}\[1;31merror:${esc}\[0m unknown option" out'
check 'of the driver too' 'exits 2 on glovita_train --training.sede=4 >out; cat -v out; grep "^glovita_train: ${esc}\[1;31merror:${esc}\[0m unknown option" out && exits 2 on glovita-run trian >out && grep "${esc}\[1;31merror:" out'
check 'a warning is yellow' 'GLOVITA_EVENTS=99 on glovita-cat --count $FIXTURES/four.gv >out; cat -v out; grep "^glovita-cat: ${esc}\[1;33mwarning:${esc}\[0m GLOVITA_EVENTS is 99" out'
check 'with NO_COLOR nothing is; an empty one says nothing' 'exits 2 env NO_COLOR=1 "$PY" "$ROOT/tests/cli/terminal.py" run $wrong >out && plain out && NO_COLOR= && export NO_COLOR && exits 2 on $wrong >out && grep "$esc" out'
check 'with TERM=dumb or none neither' 'exits 2 env TERM=dumb "$PY" "$ROOT/tests/cli/terminal.py" run $wrong >out && plain out && exits 2 env -u TERM "$PY" "$ROOT/tests/cli/terminal.py" run $wrong >out && plain out && TERM=dumb on glovita_train --help >out && plain out'
check 'pipes and files get none' 'exits 2 $wrong 2>err >out; plain err && glovita_train --help >out && plain out && glovita-run --help | cat >out && plain out && GLOVITA_EVENTS=99 glovita-cat --count $FIXTURES/four.gv 2>err && grep warning err && plain err'
check 'each descriptor for itself' 'exits 2 on sh -c "$wrong 2>err"; plain err && on sh -c "glovita_train --help >out" && plain out'
check 'unless CLICOLOR_FORCE asks for it; NO_COLOR wins' 'CLICOLOR_FORCE=1 && export CLICOLOR_FORCE && exits 2 $wrong 2>err && grep "$esc" err && exits 2 env NO_COLOR=1 $wrong 2>err && plain err && exits 2 env CLICOLOR_FORCE=0 $wrong 2>err && plain err'
check 'headings of help are bold' 'on glovita_train --help >out; for h in usage: options "data options:" "data subcommands"; do grep -qF "${esc}[1m$h${esc}[0m" out || { echo "$h"; exit 1; }; done; on glovita-run --help >out; grep "^${esc}\[1mcommands:" out'
check 'help fits the terminal' 'for n in 80 60 132; do
    on --cols $n glovita_train --help | tr -d "\r" | sed "s/$esc\[[01]m//g" >help.$n || exit 1
    awk -v n=$n "NR > 1 && length > (n < 110 ? n : 110) && /^ / { print; bad = 1 } END { exit bad }" help.$n || exit 1; done
    glovita_train --help >help && for n in 80 60 132; do tr -s "\n " "  " <help.$n | tr -d " " >a; tr -s "\n " "  " <help | tr -d " " | cmp - a || exit 1; done'
run='glovita_train --data.dataset cifar10 --data.data_root_dir $FIXTURES/cifar --model.encoder.type resnet10t --model.encoder.no_pretrained --optimizer.warmup_epochs 0 --training.epochs 2 --logger.backend none'
check 'a run on a terminal: a line that is drawn again, and no escape in what it keeps' "on $run --logger.group a >out || { cat out; exit 1; }; grep '$esc\\[K' out >n && ! grep -rIl '$esc' experiments"
check 'what a stage says is coloured by the driver, which reads it from a pipe' "echo junk >kernels; GLOVITA_KERNELS=$T/kernels on $run --logger.group b >out || { cat out; exit 1; }; cat -v out; grep 'glovita-train: $esc\\[1;33mwarning:$esc\\[0m the measured kernels' out"
check 'a run in a pipe has no escape' "$run --logger.group c >out 2>&1; plain out"
done_testing
