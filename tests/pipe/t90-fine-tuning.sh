#!/bin/bash
# fine-tuning: what trains and what is kept, adapters for the Python library peft and from it, resumed runs, scores and features, and what is refused
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

# ---- every method: what trains, its checkpoint, scores, features; killed and resumed ----

method() { # method NAME TRAINED WORDS…: a run that trains so many parameters, scores as its last validation did, and has features
    name=$1 trained=$2
    shift 2
    glovita_train $vit --peft.method $name "$@" --logger.group m-$name >/dev/null 2>err || { cat err; return 1; }
    grep "model .* $trained trained .*$name" err || { grep 'model ' err; return 1; }
    glovita_infer --exp_dir $run/m-$name >out 2>err || { cat err; return 1; }
    acc=$(tail -1 $run/m-$name/0/metrics.jsonl | sed "s/.*\"val_Accuracy\":\([0-9.]*\).*/\1/") && grep "\"Accuracy\": $acc" out || return 1
    glovita_extract_features --checkpoint_path $run/m-$name/$last --output_dir f-$name --split val --precision 32 --method joint >out 2>err || { cat err; return 1; }
    [ -s "$(cat out)" ]
}
export -f method
check 'partial_finetuning' 'method partial_finetuning 83714 --peft.num_frozen_layers 4 && ! ls $run/m-partial_finetuning/0/checkpoints/*.adapter'
check '… the frozen half stayed' 'tensors $run/m-partial_finetuning/0/checkpoints/epoch_0000.safetensors >first && tensors $run/m-partial_finetuning/$last >all && diff first all | sed -n "s/^> \([^ ]*\) .*/\1/p" >moved; cat moved; [ "$(wc -l <moved)" = 28 ] && ! grep -Ev "^(blocks[.][45]|norm|head)[.]" moved'
check 'bitfit' 'method bitfit 4098'
check 'ln_tuning' 'method ln_tuning 1794'
check 'visual_prompt_tuning, deep' 'method visual_prompt_tuning 1666 --peft.num_tokens 4'
check '… its tokens are in the checkpoint' 'tensors $run/m-visual_prompt_tuning/$last >all && [ "$(grep -c "^blocks[.][0-5][.]prompt[.]tokens " all)" = 6 ]'
check 'tokens are no adapters of the encoder alone: another number of them is another model' '
    exits 3 glovita_train $vit --peft.method visual_prompt_tuning --peft.num_tokens 5 --model.encoder.weights $run/m-visual_prompt_tuning/$last --logger.group w 2>err; cat err; grep "blocks.0.prompt.tokens. is .1,4,64., .1,5,64. wanted" err'
check 'DoRA, with dropout' 'method lora 20098 --peft.use_dora --peft.lora_dropout 0.1 --peft.lora_target_modules attn.qkv attn.proj'
check 'ssf, difffit, ia3' 'method ssf 7810 && method difffit 4866 && method ia3 2434'
check 'loha and lokr, with dropouts' 'method loha 30850 --peft.loha_dropout 0.1 --peft.loha_rank_dropout 0.1 && method lokr 3202 --peft.lokr_dropout 0.1 --peft.lokr_rank_dropout 0.1'
check 'layer-wise decay: adapters get the rate of their block' '
    glovita_train $vit --training.epochs 1 --peft.method visual_prompt_tuning --optimizer.layer_wise_lr_decay 0.5 --logger.group decay >/dev/null 2>err || { cat err; false; }'

killed() { # killed GROUP WORDS…: killed at a random moment (the driver, then the trainer), resumed, to the bytes of a run that was not
    group=$1
    shift
    long="$vit --training.epochs 40 --training.save_every 1 $*"
    glovita_train $long --logger.group $group-whole >/dev/null 2>err || { cat err; return 1; }
    glovita_train $long --logger.group $group >/dev/null 2>&1 & p=$!
    within 60 [ -s $run/$group/0/checkpoints/resume.safetensors ]
    sleep 0.$((RANDOM % 9))
    kill -9 $p 2>/dev/null
    wait $p
    glovita_train --resume $run/$group/0 >out 2>err || { cat err; return 1; }
    sed -n "s/^resumed/# &/p" err out
    (cd $run/$group-whole/0 && find checkpoints -type f; echo metrics.jsonl) | sort >list
    while read -r f; do cmp $run/$group-whole/0/$f $run/$group/0/$f || return 1; done <list
}
export -f killed
check 'killed and resumed: lora with DoRA' 'killed kill-lora --peft.method lora --peft.lora_rank 4 --peft.use_dora'
check 'killed and resumed: prompts with dropout' 'killed kill-vpt --peft.method visual_prompt_tuning --peft.num_tokens 4 --peft.dropout 0.1'

# ---- adapters of the library ----

check 'an adapter of ours begins another run, which brings method and fields' '
    glovita_train $vit --training.epochs 1 --optimizer.lr 1e-9 --model.encoder.weights $run/plain/$last --peft.adapter $run/given/0/checkpoints/last.adapter --logger.group again >/dev/null 2>err || { cat err; false; } &&
    grep "model .* 15490 trained .*lora" err && grep "adapter  *38 tensors of .*; its classifier is taken" err && [ "$(sed -n "s/.*\"lora_rank\": \([0-9]*\).*/\1/p" $run/again/0/resolved_config.json)" = 4 ]'
check '… and that run scores without the folder' 'mv $run/given/0/checkpoints/last.adapter away && glovita_infer --exp_dir $run/again >out 2>err && grep Accuracy out || { cat err; false; }; r=$?; mv away $run/given/0/checkpoints/last.adapter; [ $r = 0 ]'
if python peft timm torch safetensors h5py; then
    check 'what peft wrote loads, and gives what it gives merged in Python' '"$PY" - <<PYEND
import warnings; warnings.filterwarnings("ignore")
import torch, timm, peft
from safetensors.torch import load_file, save_file
torch.manual_seed(5)
for name, config in (("lora", peft.LoraConfig(init_lora_weights=False, lora_dropout=0.1, target_modules=r".*[.]mlp[.]fc[12]", r=3, lora_alpha=5, use_rslora=True)),
                     ("dora", peft.LoraConfig(init_lora_weights=False, target_modules=["attn.qkv", "patch_embed.proj"], r=2, use_dora=True, bias="lora_only")),
                     ("loha", peft.LoHaConfig(init_weights=False, target_modules=["attn.proj", "patch_embed.proj"], r=3, alpha=2)),
                     ("lokr", peft.LoKrConfig(init_weights=False, target_modules=["attn.qkv", "mlp.fc1"], r=3, alpha=2, decompose_factor=4)),
                     ("ia3", peft.IA3Config(target_modules=["attn.qkv", "mlp.fc2"], feedforward_modules=["mlp.fc2"]))):
    base = timm.create_model("test_vit", num_classes=2, img_size=32)
    base.load_state_dict(load_file("$run/plain/$last"))
    model = peft.get_peft_model(base, config)
    with torch.no_grad():
        for k, p in model.named_parameters():
            if "magnitude" in k or "ia3_l" in k: p.mul_(torch.linspace(0.5, 1.5, p.numel()).reshape(p.shape))
    model.save_pretrained("from-" + name)
    save_file({k: v.contiguous() for k, v in model.merge_and_unload().state_dict().items()}, "merged-" + name + ".safetensors")
PYEND
        for name in lora dora loha lokr ia3; do
            features="glovita_extract_features $data --model.encoder.type test_vit --split val --precision 32 --method cls_token"
            $features --model.encoder.weights $run/plain/$last --peft.adapter from-$name --output_dir x-$name >x 2>err || { cat err; exit 1; }
            $features --model.encoder.weights merged-$name.safetensors --output_dir y-$name >y 2>err || { cat err; exit 1; }
            "$PY" -c "import h5py, sys; a, b = (h5py.File(p)[\"features\"][:] for p in sys.argv[1:]); d = abs(a - b).max() / abs(b).max(); print(d); assert d < 2e-5" "$(cat x)" "$(cat y)" || exit 1
        done'
    check 'peft reads those of the other methods, and merged they give what the run gives' '"$PY" - <<PYEND
import warnings; warnings.filterwarnings("ignore")
import timm, peft
from safetensors.torch import load_file, save_file
for name in ("loha", "lokr", "ia3"):
    base = timm.create_model("test_vit", num_classes=2, img_size=32)
    assert not base.load_state_dict(load_file("$run/m-%s/$last" % name), strict=False).missing_keys
    model = peft.PeftModel.from_pretrained(base, "$run/m-%s/0/checkpoints/last.adapter" % name)
    save_file({k: v.contiguous() for k, v in model.merge_and_unload().state_dict().items()}, "ours-" + name + ".safetensors")
PYEND
        for name in loha lokr ia3; do
            glovita_extract_features --checkpoint_path $run/m-$name/$last --split val --precision 32 --method cls_token --output_dir x-$name >x 2>err || { cat err; exit 1; }
            glovita_extract_features $data --model.encoder.type test_vit --split val --precision 32 --method cls_token --model.encoder.no_pretrained --model.encoder.weights ours-$name.safetensors --output_dir z-$name >y 2>err || { cat err; exit 1; }
            "$PY" -c "import h5py, sys; a, b = (h5py.File(p)[\"features\"][:] for p in sys.argv[1:]); d = abs(a - b).max() / abs(b).max(); print(d); assert d < 2e-5" "$(cat x)" "$(cat y)" || exit 1
        done'
    check 'adapters of other kinds are refused by name' '
        sed "s/\"LORA\"/\"OFT\"/" from-lora/adapter_config.json >z && mkdir -p other && mv z other/adapter_config.json && cp from-lora/*.safetensors other &&
        exits 2 glovita_train $vit --peft.adapter other --logger.group o 2>err; cat err; grep "an adapter of type .OFT., which is not built yet" err'
else
    skip 'what peft wrote loads' 'no Python with peft, timm and h5py'
fi
check 'a folder that is none' 'exits 2 glovita_train $vit --peft.adapter pics --logger.group o 2>err; cat err; grep "peft.adapter. is .pics., which holds no adapter_config.json" err'

check 'a stopped run goes on to the same bytes' '
    long="$vit --peft.method lora --peft.lora_rank 4 --training.epochs 60" && glovita_train $long --logger.group whole >/dev/null 2>err || exit 1
    glovita_train $long --training.save_every 1 --logger.group stop >/dev/null 2>&1 & p=$!
    within 60 [ -s $run/stop/0/checkpoints/resume.safetensors ]; kill -TERM $p; wait $p; [ $? = 75 ] || exit 1
    glovita_train --resume $run/stop/0 >out 2>err || { cat err; exit 1; }
    cmp $run/whole/$last $run/stop/$last && cmp $run/whole/0/metrics.jsonl $run/stop/0/metrics.jsonl && cmp $run/whole/0/checkpoints/best.adapter/adapter_model.safetensors $run/stop/0/checkpoints/best.adapter/adapter_model.safetensors'
check 'targets that nothing has, before anything is written' 'exits 2 glovita_train $vit --peft.method lora --peft.lora_target_modules query value --logger.group t 2>err && cat err && grep "is .query value., which no module of the encoder is called; its linear layers are blocks.0.attn.qkv" err && [ ! -e $run/t ]'
check 'what has no tokens, and what to choose' 'exits 2 glovita_train $vit --model.encoder.type test_resnet --peft.method visual_prompt_tuning --logger.group t 2>err; cat err; grep "this encoder has none; choose a vision transformer" err && [ ! -e $run/t ]'
done_testing
