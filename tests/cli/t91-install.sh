#!/bin/sh
# make install: programs, the driver's other names, pages, completions, recipes and SLURM scripts, below DESTDIR and PREFIX; they run from
# there, nothing else comes, and make uninstall takes all of it away again and nothing else.
. "${0%/*}/lib.sh"
have make || skip_all 'make is not installed'
bin=${GLOVITA_BIN:-$ROOT/bin}
[ "$bin" = "$ROOT/bin" ] || skip_all 'another build is tested'
cc=$(sed -n '1s/ -Ilib .*//p' "$ROOT/build/gcc/flags" 2>/dev/null)
werror=$(grep -o -- '-Werror' "$ROOT/build/gcc/flags" 2>/dev/null | head -n 1)
[ "$cc" ] || skip_all 'there is no build by gcc'
D=$T/dest
S=$D/opt/glovita/share

check 'it installs' "MAKEFLAGS= make -s -C '$ROOT' install CC='$cc' WERROR='$werror' DESTDIR='$D' PREFIX=/opt/glovita"
for s in "$ROOT"/stages/*.c; do
    p=glovita-$(basename "$s" .c)
    check "$p runs from there" "'$D/opt/glovita/bin/$p' --version | grep '^$p '"
done
for p in glovita_train glovita_infer glovita_extract_features glovita_plot_umap; do
    check "$p is a relative name of glovita-run" "[ \"\$(readlink '$D/opt/glovita/bin/$p')\" = glovita-run ] && '$D/opt/glovita/bin/$p' --version | grep '^$p '"
done
check 'every page is there' "for f in '$ROOT'/man/man*/*; do cmp \"\$f\" '$D/opt/glovita/share/man/'\$(basename \$(dirname \"\$f\"))/\$(basename \"\$f\") || exit 1; done"
if have man; then
    check 'man finds them' "man -M '$D/opt/glovita/share/man' glovita 2>&1 | grep 'a tour' && man -M '$D/opt/glovita/share/man' 5 glovita-stream | grep -i header | head -n 1"
else
    skip 'man finds them' 'man is not installed'
fi
names=$(cd "$D/opt/glovita/bin" && echo *)
for n in $names; do
    check "completion of $n is found under its name" "grep -q 'complete -F .* $n' '$S/bash-completion/completions/$n' && grep -q ' $n' '$S/fish/vendor_completions.d/$n.fish' && head -n 1 '$S/zsh/site-functions/_glovita' | grep '^#compdef .*$n'"
done
check 'it is what the program prints' "for s in bash:bash-completion/completions/glovita_train zsh:zsh/site-functions/_glovita fish:fish/vendor_completions.d/glovita-cat.fish; do
    '$D/opt/glovita/bin/glovita_train' --print_completion \${s%%:*} | cmp - '$S'/\${s#*:} || exit 1; done"
check 'recipes and SLURM scripts' "for f in '$ROOT'/scripts/recipes/glovita.mk '$ROOT'/scripts/slurm/*; do [ ! -f \"\$f\" ] || cmp \"\$f\" '$S/glovita'\${f#'$ROOT/scripts'} || exit 1; done"
check 'an experiment by make finds them' "mkdir by && printf 'a_train = --data.dataset mnist\ninclude \$(shell glovita-run --share)/recipes/glovita.mk\n' >by/Makefile && PATH='$D/opt/glovita/bin':/usr/bin:/bin MAKEFLAGS= make -C by | grep '^a (new)' && [ \"\$('$D/opt/glovita/bin/glovita-run' --share)\" = \"\$(cd '$D/opt/glovita/share/glovita' && pwd -P)\" ]"
check 'the driver knows where they are' "[ \"\$('$D/opt/glovita/bin/glovita-run' --share)\" = \"\$(realpath '$S/glovita')\" ]"
check 'nothing lies beside them' "cd '$D' && find . -type f -o -type l | grep -v -e '^./opt/glovita/bin/glovita[-_][a-z_]*\$' -e '^./opt/glovita/share/man/man[157]/glovita[-_a-z]*\.[157]\$' \
    -e '^./opt/glovita/share/bash-completion/completions/glovita[-_][a-z_]*\$' -e '^./opt/glovita/share/fish/vendor_completions.d/glovita[-_][a-z_]*\.fish\$' -e '^./opt/glovita/share/zsh/site-functions/_glovita\$' \
    -e '^./opt/glovita/share/glovita/\(recipes\|slurm\)/[^/]*\$' >'$T/other'; ! [ -s '$T/other' ] || { cat '$T/other'; exit 1; }"
check 'a driver that is installed finds its stages beside it, with no PATH to them' "PATH=/usr/bin:/bin '$D/opt/glovita/bin/glovita_train' --data.dataset cifar10 --data.data_root_dir '$FIXTURES/cifar' --model.encoder.type resnet10t \
    --model.encoder.no_pretrained --optimizer.warmup_epochs 0 --training.epochs 1 --logger.group g --logger.backend none && [ -f experiments/cifar10/g/0/checkpoints/best.safetensors ]"
check 'it uninstalls, and leaves what is not its own' "
    : >'$S/man/man1/other.1' && : >'$D/opt/glovita/bin/glovita_mine' && MAKEFLAGS= make -s -C '$ROOT' uninstall CC='$cc' WERROR='$werror' DESTDIR='$D' PREFIX=/opt/glovita && cd '$D' && find . -type f -o -type l >'$T/left'
    cat '$T/left'; [ \$(wc -l <'$T/left') = 2 ] && ! [ -d '$S/glovita' ]"
check 'where nothing was installed it says so, and removes nothing here' "
    ls '$ROOT/bin' >before && ! MAKEFLAGS= make -s -C '$ROOT' uninstall CC='$cc' WERROR='$werror' DESTDIR='$D' PREFIX=/nowhere && ls '$ROOT/bin' | cmp - before"
done_testing
