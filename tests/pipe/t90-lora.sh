#!/bin/bash
# lora: what trains and what is kept, adapters for the Python library peft, a resumed run, scores and features of it, and what is refused
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
perl -MCompress::Zlib -e 1 2>/dev/null || skip_all 'no Perl with Compress::Zlib'

mkdir -p pics/{train,val}/{ant,bee}
for split in train:6 val:3; do
    for class in 0 1; do
        name=$([ $class = 0 ] && echo ant || echo bee)
        for i in $(seq "${split#*:}"); do echo "pics/${split%:*}/$name/$i.png 40 36 $class $((class * 10 + i + ${split#*:} * 100))"; done
    done
done | perl "$ROOT/tests/pipe/pictures.pl"
data=$(echo --data.dataset generic_image_dataset --data.data_root_dir pics --data.num_classes 2 --data.split_source subdirs --data.label_source folder --data.augmentation.image_size 32 --data.augmentation.resize_size 36)
vit=$(echo $data --training.epochs 2 --optimizer.lr 0.002 --optimizer.warmup_epochs 0 --dataloading.batch_size 6 --dataloading.num_workers 1 --training.threads 1 --training.seed 3 --training.precision no --logger.backend none --exp_dir exp --model.encoder.type test_vit --model.encoder.no_pretrained)
run=exp/generic_image_dataset last=0/checkpoints/last.safetensors
export data vit run last

# The tensors of a .safetensors file, a line each: name and a checksum.
tensors() {
    perl -MJSON::PP -e 'local $/; open my $f, "<:raw", shift or die; my $b = <$f>; my $n = unpack "Q<", $b; my $h = decode_json(substr $b, 8, $n); delete $h->{__metadata__};
        for my $k (sort keys %$h) { my ($s, $e) = @{ $h->{$k}{data_offsets} }; my $t = substr $b, 8 + $n + $s, $e - $s; print "$k ", unpack("%64N*", $t), " ", unpack("%64N*", substr $t, 4), "\n" }' "$1"
}
export -f tensors

check 'a run' 'glovita_train $vit --peft.method lora --peft.lora_rank 4 --logger.group a >out 2>err && cat out && grep "model .* 15490 trained .*lora" err || { cat err; exit 1; }'
check 'its checkpoint has the encoder under its own names, and the adapters' '
    tensors $run/a/$last >all && grep "^blocks.5.attn.qkv.weight " all && grep "^blocks.5.mlp.fc2.lora_B.weight " all && [ "$(grep -c "lora_[AB].weight " all)" = 36 ] && ! grep base_layer all'
check 'only head and adapters moved' '
    tensors $run/a/0/checkpoints/epoch_0000.safetensors >first && diff first all | sed -n "s/^> \([^ ]*\) .*/\1/p" >moved; cat moved; [ "$(grep -c lora_ moved)" = 36 ] && [ "$(grep -vc lora_ moved)" = 2 ] && grep -x head.bias moved'
check 'nothing runs backwards below the first adapter, and no frozen weight has a gradient' '
    perl -MJSON::PP -e "local \$/; my \$p = decode_json(<>); my (\$w, \$e) = (0, 0); for (@{ \$p->{nodes} }) { \$w++ if \$_->{op} =~ /_wgrad/; \$e++ if \$_->{path} =~ /^patch_embed/ } print \"\$w \$e\n\"; exit !(\$w == 37 && \$e == 1)" $run/a/0/plan.json'
check 'the folder of the adapter' '
    tensors $run/a/0/checkpoints/last.adapter/adapter_model.safetensors >adapter && [ "$(wc -l <adapter)" = 38 ] && grep "^base_model.model.blocks.0.attn.proj.lora_A.weight " adapter && grep "^base_model.model.head.bias " adapter &&
    grep "\"r\": 4" $run/a/0/checkpoints/last.adapter/adapter_config.json && [ -s $run/a/0/checkpoints/best.adapter/adapter_model.safetensors ]'
if python peft timm torch safetensors; then
    check 'peft and timm read both, to the same logits' '"$PY" - <<PYEND
import warnings; warnings.filterwarnings("ignore")
import torch, timm, peft
from safetensors.torch import load_file
sd = load_file("$run/a/$last")
make = lambda: timm.create_model("test_vit", num_classes=2, img_size=32).eval()
base, plain = make(), make()
assert not base.load_state_dict(sd, strict=False).missing_keys
torch.nn.init.zeros_(base.head.weight)
model = peft.PeftModel.from_pretrained(base, "$run/a/0/checkpoints/last.adapter").eval()
w = {k: v for k, v in sd.items() if "lora_" not in k}
for k in sd:
    if k.endswith(".lora_A.weight"):
        m = k[:-14]
        w[m + ".weight"] = w[m + ".weight"] + 4 * sd[m + ".lora_B.weight"] @ sd[k]
plain.load_state_dict(w)
x = torch.randn(4, 3, 32, 32)
a, b = model(x), plain(x)
assert (a - b).abs().max() < 1e-5 * b.abs().max(), (a, b)
PYEND'
else
    skip 'peft and timm read both' 'no Python with peft and timm'
fi
check 'infer scores as the last validation did' 'glovita_infer --exp_dir $run/a >out 2>err && cat out && acc=$(tail -1 $run/a/0/metrics.jsonl | sed "s/.*\"val_Accuracy\":\([0-9.]*\).*/\1/") && grep "\"Accuracy\": $acc" out'
check 'features of the adapted encoder are not those of the plain one' '
    glovita_extract_features --checkpoint_path $run/a/$last --output_dir f --split val --precision 32 --method cls_token >out 2>err && cat err && grep "weights .*of .*last.safetensors" err &&
    glovita_train $vit --training.epochs 1 --optimizer.lr 1e-9 --peft.method linear_probing --logger.group plain 2>err && glovita_extract_features --checkpoint_path $run/plain/$last --output_dir g --split val --precision 32 --method cls_token >out2 &&
    tensors $run/plain/$last >p && grep "^blocks.0.attn.qkv.weight " p >q && grep -Ff q all && ! cmp "$(cat out)" "$(cat out2)"'
check 'an adapter begins on given weights' 'glovita_train $vit --model.encoder.weights $run/plain/$last --peft.method lora --peft.lora_rank 4 --logger.group given 2>err; cat err; grep "weights  *[0-9]* tensors of .*plain" err'
check 'a checkpoint with adapters is not taken for one without' 'exits 3 glovita_train $vit --model.encoder.weights $run/a/$last --peft.method full_finetuning --logger.group wrong 2>err; cat err; grep "without use: .*lora_A" err'
check 'the layout of the original too' '
    glovita_train $vit --peft.method lora --peft.lora_rank 4 --training.checkpoint_format pt --logger.group pt 2>err && cmp $run/a/0/metrics.jsonl $run/pt/0/metrics.jsonl && cmp $run/a/0/checkpoints/last.adapter/adapter_model.safetensors $run/pt/0/checkpoints/last.adapter/adapter_model.safetensors &&
    glovita_infer --exp_dir $run/pt >out2 2>err && grep -h "Accuracy" out2'
check 'a stopped run goes on to the same bytes' '
    long="$vit --peft.method lora --peft.lora_rank 4 --training.epochs 60" && glovita_train $long --logger.group whole >/dev/null 2>err || exit 1
    glovita_train $long --training.save_every 1 --logger.group stop >/dev/null 2>&1 & p=$!
    within 60 [ -s $run/stop/0/checkpoints/resume.safetensors ]; kill -TERM $p; wait $p; [ $? = 75 ] || exit 1
    glovita_train --resume $run/stop/0 >out 2>err || { cat err; exit 1; }
    cmp $run/whole/$last $run/stop/$last && cmp $run/whole/0/metrics.jsonl $run/stop/0/metrics.jsonl && cmp $run/whole/0/checkpoints/best.adapter/adapter_model.safetensors $run/stop/0/checkpoints/best.adapter/adapter_model.safetensors'
check 'DoRA is refused by name' 'exits 2 glovita_train $vit --peft.method lora --peft.use_dora --logger.group d 2>err && grep "peft.use_dora. is not built yet" err && [ ! -e $run/d ]'
check 'targets that nothing has, before anything is written' 'exits 2 glovita_train $vit --peft.method lora --peft.lora_target_modules query value --logger.group t 2>err && cat err && grep "is .query value., which no linear layer of the encoder is called; it has blocks.0.attn.qkv" err && [ ! -e $run/t ]'
done_testing
