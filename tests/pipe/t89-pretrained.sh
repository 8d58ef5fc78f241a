#!/bin/bash
# pretrained weights: where they are looked for, fetched from, and what is told; other channels and sizes; files that do not fit;
# and the policies that follow the encoder
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
perl -MCompress::Zlib -e 1 2>/dev/null || skip_all 'no Perl with Compress::Zlib'
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY HF_TOKEN HUGGING_FACE_HUB_TOKEN HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_TOKEN_PATH TRANSFORMERS_OFFLINE XDG_CACHE_HOME HF_ENDPOINT
HF_HOME=$T/hf HF_HUB_OFFLINE=1 TORCH_HOME=$T/torch HOME=$T/home
export HF_HOME HF_HUB_OFFLINE TORCH_HOME HOME

mkdir -p pics/{train,val}/{ant,bee} one/{train,val}/{ant,bee} data
for split in train:5 val:2; do
    for class in 0 1; do
        name=$([ $class = 0 ] && echo ant || echo bee)
        for i in $(seq "${split#*:}"); do
            echo "pics/${split%:*}/$name/$i.png 40 36 $class $((class * 10 + i))"
            echo "one/${split%:*}/$name/$i.png 40 36 $class $((class * 10 + i)) gray"
        done
    done
done | perl "$ROOT/tests/pipe/pictures.pl"
tar -xzf "$FIXTURES/cifar/cifar-10-python.tar.gz" -C data
short="--training.epochs 1 --optimizer.lr 0.001 --optimizer.warmup_epochs 0 --dataloading.batch_size 5 --dataloading.num_workers 1 --training.threads 1 --training.seed 3 --training.precision no --logger.backend none --exp_dir exp"
pics=$(echo --data.dataset generic_image_dataset --data.data_root_dir pics --data.num_classes 2 --data.split_source subdirs --data.label_source folder $short)
small="--data.augmentation.image_size 32 --data.augmentation.resize_size 36"
cifar=$(echo --data.dataset cifar10 --data.data_root_dir data $short)
run=exp/generic_image_dataset commit=0123456789abcdef0123456789abcdef01234567
export pics small cifar run commit

# Files to start from: made by ourselves, under published names.
check 'files of weights' 'glovita_train $pics $small --model.encoder.type resnet10t --model.encoder.no_pretrained --logger.group r 2>err && glovita_train $pics $small --model.encoder.type vit_tiny_patch16_224 --model.encoder.no_pretrained --logger.group v 2>err &&
    glovita_train $pics $small --model.encoder.type resnet10t --model.encoder.no_pretrained --training.checkpoint_format pt --logger.group pt 2>err'
res=$run/r/0/checkpoints/last.safetensors vit=$run/v/0/checkpoints/last.safetensors
hub=hf/hub/models--timm--resnet10t.c3_in1k vhub=hf/hub/models--timm--vit_tiny_patch16_224.augreg_in21k_ft_in1k
export res vit hub

check 'none on this machine: what, where and how, and nothing is written' '
    exits 2 glovita_train $pics --model.encoder.type resnet10t --logger.group none 2>err && cat err && grep "weights .timm/resnet10t.c3_in1k. are not on this machine" err && grep "HF_HUB_OFFLINE" err &&
    grep "hf/hub/models--timm--resnet10t.c3_in1k" err && grep "curl -L -o model.safetensors https://huggingface.co/timm/resnet10t.c3_in1k/resolve/main/model.safetensors" err && [ ! -e $run/none ]'
check 'nor when features are taken' 'exits 2 glovita_extract_features $(echo $pics | sed "s/--training.*//") --model.encoder.type resnet10t --output_dir f 2>err && grep "not on this machine" err && [ ! -e f ]'
check 'a given path that is not there' 'exits 2 glovita_train $pics --model.encoder.type resnet10t --model.encoder.weights nowhere.pth --logger.group none 2>err && grep "model.encoder.weights.*nowhere.pth" err && [ ! -e $run/none ]'
check 'a model without published weights' 'exits 2 glovita_train $pics --model.encoder.type resnet50c 2>err; cat err; grep -i "weights\|unknown" err'

for h in $hub $vhub; do mkdir -p $h/snapshots/$commit $h/refs && printf %s $commit >$h/refs/main; done
cp $res $hub/snapshots/$commit/model.safetensors
cp $vit $vhub/snapshots/$commit/model.safetensors
check 'from the cache of the hub, and told so' 'glovita_train $pics $small --model.encoder.type resnet10t --logger.group hub 2>err && grep "^weights  *[0-9]* tensors of .*$hub/snapshots/$commit/model.safetensors" err'
check 'from a given .safetensors: the same run' 'glovita_train $pics $small --model.encoder.type resnet10t --model.encoder.weights $res --logger.group given 2>err && grep "weights .*$res" err && cmp $run/hub/0/checkpoints/last.safetensors $run/given/0/checkpoints/last.safetensors'
check 'from a .pt of the layout of the original: the same again' 'glovita_train $pics $small --model.encoder.type resnet10t --model.encoder.weights $run/pt/0/checkpoints/last.pt --logger.group givenpt 2>err && grep "weights .*last.pt" err && cmp $run/hub/0/metrics.jsonl $run/givenpt/0/metrics.jsonl'
check 'a finished pretrained run is scored without its cache' 'HF_HOME=$T/gone glovita_infer --exp_dir $run/hub >/dev/null'
check 'a resumed one goes on without it' '
    glovita_train $pics $small --model.encoder.type resnet10t --training.epochs 40 --training.save_every 1 --logger.group stop >/dev/null 2>&1 & p=$!
    within 60 [ -s $run/stop/0/checkpoints/resume.safetensors ]; kill -TERM $p; wait $p; [ $? = 75 ] || exit 1
    HF_HOME=$T/gone glovita_train --resume $run/stop/0 --training.save_every 1000 >out 2>err; cat err; grep "resumed " err && ! grep "^weights" err && grep "^best" out'
mkdir -p torch/hub/checkpoints && cp $run/pt/0/checkpoints/last.pt torch/hub/checkpoints/resnet10t_176_c3-f3215ab1.pth
check 'from the cache of torch hub' 'HF_HOME=$T/gone glovita_train $pics $small --model.encoder.type resnet10t --logger.group torch 2>err && grep "weights .*torch/hub/checkpoints/resnet10t_176_c3-f3215ab1.pth" err && cmp $run/hub/0/metrics.jsonl $run/torch/0/metrics.jsonl'

cat >server.pl <<'PERL'
use strict; use IO::Socket::INET;
$SIG{PIPE} = 'IGNORE';
open my $f, '<:raw', $ARGV[0] or die; local $/; my $body = <$f>; $/ = "\n";
my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die;
open my $p, '>', 'port.part'; print $p $s->sockport; close $p; rename 'port.part', 'port';
while (my $c = $s->accept) {
    my $path = '';
    while (my $l = <$c>) { $path = $1 if $l =~ /^GET (\S+)/; last if $l =~ /^\r?$/ }
    if ($path eq '/timm/resnet10t.c3_in1k/resolve/main/model.safetensors') { print $c join("\r\n", 'HTTP/1.1 200 OK', 'Content-Length: ' . length $body, 'Connection: close', 'ETag: "0011223344556677889900112233445566778899"', "X-Repo-Commit: $ARGV[1]", '', ''), $body }
    else { print $c "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno" }
    close $c;
}
PERL
perl server.pl $res $commit &
server=$!
trap 'kill $server 2>/dev/null; cd /; rm -rf "$T"' EXIT
within 60 [ -s port ]
check 'from a server, into the cache of the hub' '
    unset HF_HUB_OFFLINE; HF_HOME=$T/new TORCH_HOME=$T/none HF_ENDPOINT=http://127.0.0.1:$(cat port) glovita_train $pics $small --model.encoder.type resnet10t --logger.group web 2>err && cat err && cmp new/hub/models--timm--resnet10t.c3_in1k/snapshots/$commit/model.safetensors $res && cmp $run/hub/0/metrics.jsonl $run/web/0/metrics.jsonl'
check 'a server that lacks them: named, and nothing is written' 'unset HF_HUB_OFFLINE; HF_HOME=$T/new2 TORCH_HOME=$T/none HF_ENDPOINT=http://127.0.0.1:$(cat port) http_proxy=http://127.0.0.1:1 https_proxy=http://127.0.0.1:1 no_proxy=127.0.0.1 glovita_train $pics --model.encoder.type resnet18.a1_in1k --logger.group none 2>err; [ $? != 0 ] && cat err && grep "timm/resnet18.a1_in1k" err && [ ! -e $run/none ]'

perl -0pe 's/layer1\.0\.conv1\.weight/layer1.0.conv1.wieght/' $res >renamed.safetensors
check 'a tensor by another name: both names are told, status 3' 'exits 3 glovita_train $pics $small --model.encoder.type resnet10t --model.encoder.weights renamed.safetensors --logger.group ren 2>err && grep "1 missing: .layer1.0.conv1.weight." err && grep "1 without use: .layer1.0.conv1.wieght." err'
check 'weights of another model' 'exits 3 glovita_train $pics $small --model.encoder.type resnet10t --model.encoder.weights $vit --logger.group other 2>err && grep "missing" err && grep "without use" err'

check 'one channel: the first convolution is summed' 'glovita_train $(echo $pics | sed "s/root_dir pics/root_dir one/") $small --model.encoder.type resnet10t --model.encoder.input_channels 1 --logger.group one 2>err && grep "weights .*adapted from 3 to 1 input channels" err'
check 'another size: the position embedding is resampled' 'glovita_train $pics --data.augmentation.image_size 64 --model.encoder.type vit_tiny_patch16_224 --logger.group pos 2>err && grep "weights .*.pos_embed. resampled from 2x2 to 4x4" err'
check 'and one that the patches do not tile is refused' 'exits 2 glovita_train $pics --data.augmentation.image_size 40 --model.encoder.type vit_tiny_patch16_224 --logger.group tile 2>err; cat err; grep "16" err && [ ! -e $run/tile ]'

said() { glovita_train "$@" --dry_run 2>&1 >/dev/null; }
export -f said
check 'the sizes, interpolation, mean and deviation of the encoder are used in train and test' '
    said $pics --model.encoder.type vit_tiny_patch16_224 >s; cat s; grep "^train  *default_2d_2: image_size 224, resize_size 249, interpolation bicubic, .*mean 0.5,0.5,0.5, std 0.5,0.5,0.5" s && grep "^test  *shared_default_2d: image_size 224, resize_size 249, interpolation bicubic, mean 0.5,0.5,0.5" s'
check 'not without its weights' 'said $pics --model.encoder.type vit_tiny_patch16_224 --model.encoder.no_pretrained >s; grep "^test .*resize_size 256, interpolation linear, mean 0.485" s'
check 'what is typed wins over it' 'said $pics --model.encoder.type vit_tiny_patch16_224 --data.augmentation.mean 0.1 0.2 0.3 --data.augmentation.test_kwargs resize_size 300 >s; grep "^train .*resize_size 249, .*mean 0.1,0.2,0.3" s && grep "^test .*resize_size 300, .*mean 0.1,0.2,0.3" s'
check 'small images are resized first' 'said $cifar --model.encoder.type resnet10t --model.encoder.no_pretrained --data.augmentation.image_size 224 >s; cat s; grep "^train  *randaugment: image_size 224, .*padding 28, .*cutout_size 112" s && grep "^test  *default: image_size 224" s'

for p in baseline baseline_cutout randaugment default_2d_2; do
    check "policy $p trains" "glovita_train \$cifar --model.encoder.type resnet10t --model.encoder.no_pretrained --data.augmentation.train_policy $p --data.augmentation.image_size 32 --logger.group p$p 2>err"
done
for p in default default_2d_1 shared_default_2d; do
    check "policy $p trains and tests" "glovita_train \$pics $small --model.encoder.type resnet10t --model.encoder.no_pretrained --data.augmentation.train_policy $p --data.augmentation.test_policy $p --logger.group p$p 2>err"
done
check 'a field the policy does not use is an error' 'exits 2 glovita_train $cifar --model.encoder.type resnet10t --model.encoder.no_pretrained --data.augmentation.train_policy baseline --data.augmentation.cutout_size 8 2>err && grep "cutout_size. is not used by policy" err'
check 'so is a key of train_kwargs' 'exits 2 glovita_train $pics --model.encoder.type resnet10t --model.encoder.no_pretrained --data.augmentation.train_kwargs hflipp 1 2>err && grep "train_kwargs: .hflipp. is not used by policy .default_2d_2. (did you mean .hflip.?)" err'
check 'an unknown policy is answered with the nearest' 'exits 2 glovita_train $cifar --model.encoder.type resnet10t --model.encoder.no_pretrained --data.augmentation.train_policy baseline_cutuot 2>err && grep "did you mean .baseline_cutout." err'
check 'train_kwargs are used' 'said $pics --model.encoder.type resnet10t --model.encoder.no_pretrained --data.augmentation.train_kwargs hflip 0 rotate_limit 5 >s; grep "^train .*hflip 0, .*rotate_limit 5" s'
done_testing
