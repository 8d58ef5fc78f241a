#!/bin/sh
# tensorboard: its reader and its page show what two runs leave: scalars, pictures, hyper-parameters, text
# pip: tensorboard==2.21.0
# apt: chromium gnuplot-nox curl
. "${0%/*}/../cli/lib.sh"
. "$ROOT/tests/peers/lib.sh"
peer tensorboard
fields="--data.dataset cifar10 --data.data_root_dir $FIXTURES/cifar --model.encoder.type resnet10t --model.encoder.no_pretrained --optimizer.warmup_epochs 0 --dataloading.num_workers 1 --training.seed 1
	--training.epochs 4 --logger.backend tensorboard --task.result_plot val"
export fields
check 'two runs' '
	glovita_train $fields --logger.group a --optimizer.lr 0.0003 --add_log.note first >out 2>err && glovita_train $fields --logger.group b --optimizer.lr 0.001 >out 2>err && tail -n 4 err && grep "^to look at   tensorboard --logdir ./experiments/cifar10$" err
'
check 'EventAccumulator: every value of metrics.jsonl at its epoch, pictures of each epoch, text, hyper-parameters' '
	for g in a b; do "$PY" - experiments/cifar10/$g/0 2>py <<END || { cat py; exit 1; }
import json, sys, numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as m
run = sys.argv[1]
e = EventAccumulator(run + "/tensorboard", size_guidance={"images": 0, "scalars": 0, "tensors": 0}); e.Reload()
for w in (json.loads(l) for l in open(run + "/metrics.jsonl")):
    for k, v in w.items():
        if k != "epoch": assert [s.value for s in e.Scalars(k) if s.step == w["epoch"]] == [np.float32(v)], (k, w["epoch"])
assert len(e.Scalars("val_loss")) == 4 and sorted(i.step for i in e.Images("val_ConfusionMatrix_normalized")) == [0, 1, 2, 3], e.Images("val_ConfusionMatrix_normalized")
assert e.Images("curve/loss") and e.Images("val_ConfusionMatrix_absolute") and len(e.Tensors("log")) >= 4
h = m.parse_session_start_info_plugin_data(e.PluginTagToContent("hparams")["_hparams_/session_start_info"]).hparams
assert h["optimizer.lr"].number_value == (.0003 if "/a/" in run else .001)
assert m.parse_session_end_info_plugin_data(e.PluginTagToContent("hparams")["_hparams_/session_end_info"]).status == 1
END
	done
'
serve() {
	tensorboard --logdir experiments/cifar10 --port 0 --host 127.0.0.1 --samples_per_plugin text=1000 >tb.out 2>&1 &
	echo $! >tb.pid
	within 60 grep -q "TensorBoard .* at http" tb.out && sed -n "s|.* at \(http://[^ ]*:[0-9]*\)/.*|\1|p" tb.out >url && within 60 sh -c "curl -sf \$(cat url)/data/runs | grep -q b/0"
}
check 'its server finds both runs' 'serve && curl -sf "$(cat url)/data/runs" | grep "a/0/tensorboard.*b/0/tensorboard"'
check 'scalars, pictures and text by its own interface' '
	u=$(cat url) && curl -sf "$u/data/plugin/scalars/tags" | grep -o "val_F1" && curl -sf "$u/data/plugin/scalars/scalars?run=a/0/tensorboard&tag=val_loss" >s && [ "$(grep -o "\[" s | wc -l)" = 5 ] &&
	curl -sf "$u/data/plugin/images/tags" | grep -o "val_ConfusionMatrix_normalized" && curl -sf "$u/data/plugin/text/tags" | grep "config.*command\|command.*config" && curl -sf "$u/data/plugin/text/text?run=a/0/tensorboard&tag=config" | grep "<table>.*optimizer.lr"
'
check 'hyper-parameters: both sessions, what differs between them, metrics' '
	curl -sf -X POST -H "Content-Type: application/json" -d "{}" "$(cat url)/data/plugin/hparams/experiment" >h && grep -o "\"name\": *\"optimizer.lr\"" h && grep -o "add_log.note" h && grep -o "\"tag\": *\"val_F1\"" h
'
if have chromium || have chromium-browser || have google-chrome; then
	for tab in scalars images text hparams; do
		check "its page: $tab" 'picture "$(cat url)/?darkMode=false#'$tab'" tensorboard-'$tab'.png 15000 && [ "$(wc -c <"$PEERS_OUT/tensorboard-'$tab'.png")" -gt 20000 ]'
	done
else
	skip 'its page' 'no browser'
fi
kill "$(cat tb.pid)" 2>/dev/null
wait 2>/dev/null
done_testing
