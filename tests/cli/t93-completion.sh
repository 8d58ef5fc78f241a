#!/bin/sh
# completion in the shells themselves: bash, zsh and fish with the scripts that make install puts in place, a key pressed on a terminal
. "${0%/*}/lib.sh"
python || skip_all 'no python3'
terminal="$PY $ROOT/tests/cli/terminal.py"
mkdir -p share/bash-completion/completions share/zsh share/fish/vendor_completions.d home experiments/cifar10/g/0 'experiments/mnist/b c/0' 'my data'
echo '{}' >experiments/cifar10/g/0/config.json && echo '{}' >'experiments/mnist/b c/0/config.json'
: >settings.json && : >'a file.json'
for s in bash zsh fish; do glovita-run --print_completion $s >$s.script || exit 2; done
for p in glovita_train glovita_infer glovita-run glovita-log glovita-cat; do
    cp bash.script share/bash-completion/completions/$p && cp fish.script share/fish/vendor_completions.d/$p.fish
done
cp zsh.script share/zsh/_glovita
HOME=$T/home TERM=xterm XDG_DATA_DIRS=$T/share:/usr/local/share:/usr/share
export HOME TERM XDG_DATA_DIRS
unset XDG_DATA_HOME XDG_CONFIG_HOME ZDOTDIR BASH_ENV ENV INPUTRC

check 'the scripts, by our name and by tyro'\''s' 'for s in bash zsh fish; do
    glovita_train --tyro-print-completion $s | cmp - $s.script && glovita_infer --tyro-write-completion $s w && cmp w $s.script && glovita-cat --print_completion=$s | cmp - $s.script || exit 1; done'
check 'a shell there is none for' 'exits 2 glovita_train --tyro-print-completion tcsh 2>err && grep "there is no completion for .tcsh.; there is one for bash, zsh and fish" err && exits 2 glovita-cat --print_completion 2>err && grep "bash, zsh or fish" err &&
    exits 2 glovita-run --tyro-write-completion bash 2>err && grep "the file to write" err'
check 'bash finds nothing wrong with its script' 'bash -n bash.script && bash --norc -c "set -eu; . ./bash.script"'

# Lines, the Tab key behind them, and what then stands there. The same for bash and zsh.
cat >typed <<'END'
glovita_train --tr => glovita_train --training.
glovita_train --tr\tep => glovita_train --training.epochs 
glovita_train --training.no-comp => glovita_train --training.no-compile 
glovita_train --lr => glovita_train --optimizer.lr 
glovita_train data:ci => glovita_train data:cifar10
glovita_train data:cifar10-c => glovita_train data:cifar10-config 
glovita_train data:cifar10-config --data.data_r => glovita_train data:cifar10-config --data.data_root_dir 
glovita_train --data.dataset=gen => glovita_train --data.dataset=generic_
glovita_train --data.dataset generic_i => glovita_train --data.dataset generic_image_dataset 
glovita_train --data.dataset=generic_image_dataset --data.split_s => glovita_train --data.dataset=generic_image_dataset --data.split_source 
glovita_train --data.dataset cifar10 --data.split_s => glovita_train --data.dataset cifar10 --data.split_s
glovita_train --model.encoder.type resnet50.a1h => glovita_train --model.encoder.type resnet50.a1h_in1k 
glovita_train --config sett => glovita_train --config settings.json 
glovita_train --config=sett => glovita_train --config=settings.json 
glovita_train --config a => glovita_train --config a\ file.json 
glovita_train --data.data_root_dir m => glovita_train --data.data_root_dir my\ data/
glovita_train --config a\ file.json --training.ep => glovita_train --config a\ file.json --training.epochs 
glovita_train --resume => glovita_train --resume 
glovita_train --resume  => glovita_train --resume experiments/
glovita_train --resume experiments/c => glovita_train --resume experiments/cifar10/g/0 
glovita-log --deliver experiments/m => glovita-log --deliver experiments/mnist/b\ c/0 
glovita-run tr => glovita-run train 
glovita-run train --tas\tmetrics acc au => glovita-run train --task.metrics acc auroc 
glovita-cat --header sett => glovita-cat --header settings.json 
glovita_train --trainnig. => glovita_train --trainnig.
true | glovita-cat --sta => true | glovita-cat --stats 
END

cat >bashrc <<'END'
PS1='READY> '
bind 'set enable-bracketed-paste off'
bind 'set bell-style none'
bind -x '"\C-t": echo "<$READLINE_LINE>"'
END
check 'bash, the script sourced' "(cat bashrc; echo '. ./bash.script') >rc && $terminal keys bash --noprofile --rcfile rc -i <typed"
check 'bash, where : and = break no words' "(cat bashrc; echo 'COMP_WORDBREAKS=\${COMP_WORDBREAKS//[:=]/}'; echo '. ./bash.script') >rc && $terminal keys bash --noprofile --rcfile rc -i <typed"
if [ -f /usr/share/bash-completion/bash_completion ]; then
    check 'bash, found by bash-completion' "(cat bashrc; echo '. /usr/share/bash-completion/bash_completion') >rc && $terminal keys bash --noprofile --rcfile rc -i <typed"
else
    skip 'bash, found by bash-completion' 'bash-completion is not installed'
fi

if have zsh; then
    mkdir z && cat >z/.zshrc <<'END'
fpath=($T/share/zsh $fpath)
autoload -Uz compinit && compinit -u -d $T/zcompdump
bindkey -e
setopt no_beep no_always_last_prompt
show() { print -r -- "<$BUFFER>"; zle redisplay }
zle -N show
bindkey '^T' show
bindkey '^I' complete-word
PROMPT='READY> '
END
    check 'zsh, found in fpath' "T='$T' ZDOTDIR=$T/z $terminal keys zsh -d -i <typed"
    sed -e '/^fpath/d' -e '/^autoload/a source $T/zsh.script' z/.zshrc >z/rc && mkdir z2 && mv z/rc z2/.zshrc
    check 'zsh, the script sourced' "T='$T' ZDOTDIR=$T/z2 $terminal keys zsh -d -i <typed"
else
    skip 'zsh' 'zsh is not installed'
fi

if have fish; then
    # fish tells what it would offer; where that is one word, a key would type it.
    cat >ask.fish <<'END'
while read -l line
    set -l parts (string split ' => ' -- $line)
    set -l got (complete -C "$parts[1]" | string join ' | ')
    echo "$parts[1] => $got"
end
END
    printf '%s\n' 'glovita_train --tr => --training.	training loop, precision, checkpoints' 'glovita_train --data.data-r => --data.data-root_dir	folder*' 'glovita_train data:cifar100 => data:cifar100-config	CIFAR-100: 32 px colour images of 100 classes' \
        'glovita_train --data.dataset=cif => --data.dataset=cifar10	CIFAR-10*| --data.dataset=cifar100	CIFAR-100*' 'glovita_train --data.dataset generic_image_dataset --data.split_s => --data.split_source	splits from*' \
        'glovita_train --data.dataset cifar10 --data.split_s => ' 'glovita_train --config sett => settings.json*' 'glovita_train --config=sett => --config=settings.json*' 'glovita_train --data.data_root_dir m => my data/*' 'glovita_train --resume e => experiments/cifar10/g/0*| experiments/mnist/b c/0*' \
        'glovita_train --lr => --optimizer.lr	*' 'glovita-run tr => train	train a model*' 'glovita-run train --task.metrics acc au => auroc*' 'glovita-cat --sta => --stats	*' 'glovita_train --trainnig. => ' >typed.fish
    check 'fish, found under the program'\''s name' 'fish ask.fish <typed.fish >got 2>err; [ ! -s err ] || { cat err; exit 1; }
        [ $(wc -l <got) = $(wc -l <typed.fish) ] && while read -r wanted <&3 && read -r got <&4; do case $got in $(printf %s "$wanted" | sed "s/[][ =|]/\\\\&/g")) ;; *) printf "%s\n" "$got" "wanted $wanted"; exit 1 ;; esac; done 3<typed.fish 4<got'
else
    skip 'fish, found under the program'\''s name' 'fish is not installed'
fi
done_testing
