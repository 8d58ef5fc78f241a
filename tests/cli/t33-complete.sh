#!/bin/sh
# --complete: what a line may go on to, from the tables of each program
. "${0%/*}/lib.sh"

# says PROGRAM WORDS...: the answer in `said`, its words in `words`; status 0, nothing on stderr.
says() {
    program=$1
    shift
    "$program" --complete -- "$@" >said 2>err </dev/null || { echo "$program: status $?"; return 1; }
    [ ! -s err ] || { cat err; return 1; }
    grep -v '^:' said | cut -f 1 >words
    ! grep -v '	' said | grep -v '^:' || { echo 'a line without a tab'; return 1; }
}
offers() { for w do grep -qxF -e "$w" words || { echo "'$w' is not offered, but"; cat words; return 1; }; done; }
only() { printf '%s\n' "$@" | sort >wanted && sort words | diff - wanted; }

check 'options come level by level' 'says glovita_train -- && offers --help --config --resume --no_progress --exp_dir --add_log. --data. --model. --training. && ! grep "\..*[a-z]$" words'
check 'and within a level' 'says glovita_train --model. && only --model.feature_aggregation_method --model.encoder. --model.head. && says glovita_train --model.encoder. && offers --model.encoder.encoder_type --model.encoder.type --model.encoder.no_pretrained'
check 'a level that has one way down' 'says glovita_train --tr && only --training. && grep "	training loop" said'
check 'a field with its help and default' 'says glovita_train --training.ep && only --training.epochs && grep "epochs to train (default: 20; the range is 1 to 1000000; unit: epoch)" said'
check 'booleans and their opposites' 'says glovita_train --training.comp && only --training.compile && says glovita_train --training.no_comp && only --training.no_compile'
check '- is kept where it was typed' 'says glovita_train --data.data-r && only --data.data-root_dir && says glovita_train --training.no-comp && only --training.no-compile'
check 'a last part that only one option has' 'says glovita_train --lr && only --optimizer.lr && says glovita_train --epoc && only --training.epochs && says glovita_train --s && [ ! -s words ]'
check 'nothing is guessed' 'says glovita_train --training.epohcs && [ ! -s words ] && says glovita_train --trainnig. && [ ! -s words ] && says glovita_train --data.dataset cifar11x && [ ! -s words ]'
check 'data sets and other choices, those that are built' 'says glovita_train --data.dataset "" && offers cifar10 generic_image_dataset command && ! grep pcam words && says glovita_train --training.precision "" && only no bf16 fp64'
check 'behind = too' 'says glovita_train --data.dataset=cif && only --data.dataset=cifar10 --data.dataset=cifar100 && says glovita_train --training.recompute= && only --training.recompute=no --training.recompute=auto --training.recompute=cheap --training.recompute=blocks'
check 'a choice that may be None' 'says glovita_train --task.result_plot "" && only val all None'
check 'a list goes on with what is not there yet' 'says glovita_train --task.metrics acc "" && offers f1 auroc && ! grep -x acc words && says glovita_train --task.metrics acc f && only f1 f1_per_class && says glovita_train --task.metrics acc --tas && only --task.'
check 'a number has no words, but help' 'says glovita_train --training.epochs "" && [ ! -s words ] && grep "^:help	epochs to train" said'
check 'the fields of the data set that stands on the line' 'says glovita_train --data. && ! grep split_source words && says glovita_train --data.dataset generic_image_dataset --data.sp && only --data.split_source --data.split_file &&
    says glovita_train data:generic-image-dataset-config --data.sp && only --data.split_source --data.split_file && says glovita_train --data.dataset cifar10 --data.data_r && grep "(required)" said'
check 'of the encoder, the head, the method' 'says glovita_train --model.encoder.encoder_type primus --model.encoder. && offers --model.encoder.patch_embed_size && ! grep model_kwargs words && says glovita_train --peft.method lora --peft. && offers --peft.lora_rank --peft.method'
check 'of a configuration file' 'echo "{\"data\":{\"dataset\":\"generic_video_dataset\"}}" >c.json && says glovita_train --config c.json --data. && offers --data.split_source --data.frame_column && says glovita_train --config nothing.json --data.dat && offers --data.dataset'
check 'subcommands, level by level' 'says glovita_train d && only data: && says glovita_train data:cifar && only data:cifar10-config data:cifar100-config && says glovita_train model.encoder:ti && only model.encoder:timm-encoder-config model.encoder:timeseries-encoder-config'
check 'a subcommand that is there is not offered again' 'says glovita_train data:cifar10-config "" && offers model.head: --data. && ! grep "^data:" words'
check 'models of the kind of encoder' 'says glovita_train --model.encoder.type resnet5 && only resnet50 resnet50c resnet50d resnet50s resnet50t && says glovita_train --model.encoder.encoder_type pytorchvideo --model.encoder.type x3d && only x3d_xs x3d_s x3d_m x3d_l'
check 'and their weights' 'says glovita_train --model.encoder.type resnet18. && offers resnet18.a1_in1k resnet18.tv_in1k && grep "224 px, 1000 classes" said'
check 'policies of the data set' 'says glovita_train --data.dataset cifar10 --data.augmentation.train_policy "" && offers baseline && says glovita-augment --data.dataset cifar10 --data.augmentation.train_policy base && offers baseline'
check 'what lies under the data root' 'mkdir -p root/lists root/images && : >root/splits.json && : >root/lists/a.csv && says glovita_train --data.dataset generic_image_dataset --data.data_root_dir root --data.split_file "" && only splits.json lists/ images/ &&
    says glovita-index data:generic-image-dataset-config --data.data_root_dir=root --data.labels_file lists/ && only lists/a.csv && says glovita_train --data.dataset generic_image_dataset --data.split_file "" && [ ! -s words ]'
check 'keys of a policy, every other word, and of model_kwargs' 'says glovita_train --data.dataset cifar10 --data.augmentation.train_kwargs "" && offers hflip padding && grep "default: 4" said && says glovita_train --data.dataset cifar10 --data.augmentation.train_kwargs hflip "" && [ ! -s words ] &&
    says glovita_train --data.dataset cifar10 --data.augmentation.train_policy default --data.augmentation.train_kwargs "" && offers image_size && ! grep hflip words && says glovita_train --data.augmentation.train_kwargs x 1 --tr && only --training. && says glovita_train --model.encoder.model_kwargs drop && only drop_path_rate'
check 'shells' 'for p in glovita-run glovita_train glovita-cat; do says $p --print && offers --print_completion && says $p --print-completion "" && only bash zsh fish || exit 1; done'
check 'levels of messages' 'says glovita-eval --log "" && only error warning info debug'
check 'trackers' 'says glovita-log --sink "" && offers csv jsonl none'
check 'files and folders are the shell'\''s' 'says glovita_train --config "" && grep -x :file said && says glovita_train --data.data_root_dir=x && grep -x :dir said && says glovita-cat "" && grep -x :file said && says glovita-cat --head 3 x && grep -x :file said && says glovita-cat -- --h && grep -x :file said && [ ! -s words ]'

mkdir -p experiments/cifar10/long/0 experiments/cifar10/long/1 experiments/mnist/a/0/checkpoints 'experiments/mnist/b c/0' other/x/y/0
for d in experiments/*/*/0 experiments/*/*/1 other/x/y/0; do [ ! -d "$d" ] || { echo '{}' >"$d/config.json" && printf '{}\n{}\n' >"$d/metrics.jsonl"; }; done
: >experiments/mnist/a/0/checkpoints/best.safetensors
mkdir "experiments/mnist/$(printf 'n\nl')" && echo '{}' >"experiments/mnist/$(printf 'n\nl')/config.json"
runs='experiments/cifar10/long/0 experiments/cifar10/long/1 experiments/mnist/a/0'
check 'runs' 'says glovita_train --resume "" && only $runs "experiments/mnist/b c/0" && grep "2 epochs" said && says glovita-log --deliver exp && offers $runs && says glovita-plot --curves "" && offers $runs && says glovita-plot experiments/mn && only experiments/mnist/a/0 "experiments/mnist/b c/0"'
check 'runs elsewhere' 'says glovita-log --deliver other/ && only other/x/y/0 && says glovita-log --deliver ./other/x && only ./other/x/y/0 && says glovita_train --exp_dir other --resume "" && only other/x/y/0 && says glovita-log --deliver "$T/other/" && only "$T/other/x/y/0"'
check 'folds together' 'says glovita_infer --exp_dir experiments/cifar10/ && only experiments/cifar10/long/0 experiments/cifar10/long/1 experiments/cifar10/long'
check 'no run: folders' 'says glovita-log --deliver nowhere/ && [ ! -s words ] && grep -x :dir said'
check 'checkpoints of runs' 'says glovita_extract_features --checkpoint_path "" && only experiments/mnist/a/0/checkpoints/best.safetensors && says glovita-forward --checkpoint x && grep -x :file said'
check 'a run brings its fields' 'echo "{\"data\":{\"dataset\":\"generic_image_dataset\"}}" >experiments/mnist/a/0/config.json; says glovita_infer --exp_dir experiments/mnist/a/0 --data.sp && only --data.split_source --data.split_file'

check 'glovita-run: its commands, then theirs' 'says glovita-run && offers train infer extract_features --help --share && says glovita-run tr && only train && says glovita-run train --tr && only --training. && says glovita-run infer --split "" && only train val test && says glovita-run nothing --tr && [ ! -s words ]'
check 'no words at all' 'says glovita_train && offers data: --help && says glovita-index && offers --split && says glovita-plot && offers $runs'
check 'odd words' 'long=$(printf "%0900d" 0)
    for w in - : = -- --= --. --.. --data.. --data.x. data: data:: x:y --add_log. --add_log.a --no_ --$long --data.$long data:$long "$long:" --data.dataset=$long "--data.dataset= x" "	" "--a
b"; do for p in glovita_train glovita-run glovita-index glovita-cat; do says $p "$w" && says $p --task.metrics "$w" && says $p --data.dataset "$w" x && says $p train "$w" "" || { echo "$p: $w"; exit 1; }; done; done'
check '--complete wants its --' 'exits 2 glovita_train --complete 2>err; grep "unknown option .--complete." err'

# Every field of --describe is found by typing its levels.
if perl -MJSON::PP -e 1 2>/dev/null; then
    cat >walk.pl <<'END'
use strict; use warnings; use JSON::PP;
my ($program) = @ARGV;
sub words { my @w = @_; open my $f, "-|", $program, "--complete", "--", @w or die; my %s = map { (split /\t/)[0] => 1 } <$f>; close $f; return \%s }
my $d = JSON::PP->new->boolean_values(0, 1)->decode(scalar qx{$program --describe});
my (%level, $bad, $n);
for my $f (@{ $d->{fields} }) {
    next unless $f->{built};
    my ($level, $leaf) = $f->{name} =~ /^(.*\.)?([^.]*)$/;
    $level //= "";
    my @chosen = $f->{of} ? do { my ($u) = grep { $_->{name} =~ /^\Q$level\E[^.]*$/ && $_->{required} + @{ $_->{choices} || [] } && grep { $_ eq $f->{of} } @{ $_->{choices} || [] } } @{ $d->{fields} }; ("--$u->{name}", $f->{of}) } : ();
    my $s = $level{"@chosen $level"} //= words(@chosen, "--$level");
    my @want = $f->{type} eq "bool" && $leaf !~ /^no_/ ? ("--$level$leaf", "--${level}no_$leaf") : ("--$level$leaf");
    for (@want) { $n++; $s->{$_} or print("$program: '$_' is not offered behind '@chosen --$level'\n"), $bad++ }
    my $up = $level;
    while ($up =~ s/[^.]*\.$//) { my $s = $level{" $up"} //= words("--$up"); my ($next) = $level =~ /^(\Q$up\E[^.]*\.)/; $s->{"--$next"} or print("$program: '--$next' is not offered\n"), $bad++ }
    next unless $f->{choices};
    my %gone = map { $_ => 1 } @{ $f->{unbuilt} };
    my $v = words(@chosen, "--$f->{name}", "");
    for (grep { !$gone{$_} } @{ $f->{choices} }) { $n++; $v->{$_} or print("$program: '$_' is not offered for '--$f->{name}'\n"), $bad++ }
}
print "$program: $n words\n";
exit($bad || !$n ? 1 : 0);
END
    for p in "${GLOVITA_BIN:-$ROOT/bin}"/glovita[-_]*; do
        n=${p##*/}
        [ "$n" != glovita-run ] && { [ -f "$ROOT/stages/${n#glovita-}.c" ] || [ "${n#glovita_}" != "$n" ]; } || continue
        check "$n: every field and choice of --describe is offered" "perl walk.pl $n"
    done
else
    skip 'every field and choice of --describe is offered' 'no perl with JSON::PP'
fi
done_testing
