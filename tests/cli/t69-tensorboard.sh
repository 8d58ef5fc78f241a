#!/bin/sh
# tensorboard: event files: every record once, through kills, full disks, resumes; scalars, pictures, text, hyper-parameters
. "${0%/*}/lib.sh"
cp "$FIXTURES/run_a/metrics.jsonl" all
mkdir quick && printf '#!/bin/sh\nexit 1\n' >quick/gnuplot && chmod +x quick/gnuplot && PATH=$T/quick:$PATH # no pictures but those of the test
records() { perl "$ROOT/tests/cli/records.pl" tfevents "$1"/events.out.tfevents.*; }
steps() { records "$1" | sed -n 's/^\([0-9]*\)\tval_loss\t.*/\1/p' | tr '\n' ' '; }
fresh() { # STATE: a run of four epochs
	rm -rf run && mkdir -p run/log && cp all run/metrics.jsonl
	printf '{"data":{"dataset":"shoes"},"logger":{"backend":"tensorboard","group":"g"},"optimizer":{"lr":0.5,"nesterov":true},"task":{"metrics":["acc","f1"]},"add_log":{"note":"a|b"}}' >run/config.json
	echo '{"argv":["glovita_train","--x","a b"]}' >run/runtime_info.json
	stands "$1"
}
stands() { printf '{"status":"%s","since":1755870000,"until":1755870100,"exit":%s}' "$1" "${2:-0}" >run/log/status.part && mv run/log/status.part run/log/status.json; }
deliver() { glovita-log --deliver run "$@" >out; }

check 'a run becomes an event file; the command that shows it is printed' '
	fresh finished && deliver && ls run/tensorboard | grep -E "^events\.out\.tfevents\.1755870000\.[^ ]*\.[0-9]+\.0$" && grep "^4 epochs delivered, 4 of them now: run/tensorboard/events.out" out && grep "^to look at   tensorboard --logdir run/tensorboard$" out
'
check 'scalars by epoch, named as in metrics.jsonl; version, hyper-parameters, text, the end' '
	records run/tensorboard >r && [ "$(head -n 4 r)" = "0	version	brain.Event:2
0	_hparams_/session_start_info	plugin hparams
0	config	plugin text
0	command	plugin text" ] && [ "$(steps run/tensorboard)" = "0 1 2 3 " ] && grep "^2	val_F1	0.5619$" r && grep "^3	lr	0.000729$" r && [ "$(tail -n 1 r)" = "0	_hparams_/session_end_info	plugin hparams" ] && [ "$(wc -l <r)" = 33 ]
'
check 'again delivers nothing' 'cp run/tensorboard/* was && deliver && grep "0 of them now" out && same was run/tensorboard/*'
check 'line by line: the same records' '
	mv r all.r; fresh running && : >run/metrics.jsonl && for n in 1 2 3 4; do deliver || exit 1; head -n $n all >run/metrics.jsonl; done && stands finished && deliver && records run/tensorboard >r && same r all.r
'
check 'bytes behind what the record says are cut' 'fresh running && deliver && f=$(echo run/tensorboard/*) && printf garbage >>$f && stands finished && deliver && records run/tensorboard >r && same r all.r'
check 'every write may fail: afterwards each record is there once' '
	n=1 bad=0; while [ $n -le 24 ]; do
		fresh running && head -n 2 all >run/metrics.jsonl && { [ $((n % 2)) = 0 ] || deliver; } || exit 1
		cp all run/metrics.jsonl; stands finished
		GV_FAIL=io:$(((n + 1) / 2)) glovita-log --deliver run >out 2>err || bad=$((bad + 1))
		deliver && records run/tensorboard >r && same r all.r || { echo "at $n"; exit 1; }
		n=$((n + 1))
	done; echo "$bad failed"; [ $bad -ge 4 ] && [ $bad -lt 24 ]
'
check 'killed at any moment: afterwards each record is there once' '
	i=0; while [ $i -lt 10 ]; do
		fresh running && : >run/metrics.jsonl
		for n in 1 2 3 4; do
			head -n $n all >run/metrics.jsonl; [ $n = 4 ] && stands finished
			glovita-log --deliver run >out 2>err & p=$!
			sleep 0.00$((i % 10)); kill -9 $p 2>/dev/null; wait $p 2>/dev/null
		done
		within 10 deliver && records run/tensorboard >r && same r all.r && [ "$(ls run/tensorboard | wc -l)" = 1 ] || { echo "round $i"; exit 1; }
		i=$((i + 1))
	done
'
check 'a run that failed and goes on has one end' '
	fresh running && head -n 2 all >run/metrics.jsonl && deliver && stands failed 3 && deliver && records run/tensorboard | tail -n 1 | grep session_end && stands running && cp all run/metrics.jsonl && deliver && ! records run/tensorboard | grep session_end &&
	stands finished && deliver && records run/tensorboard >r && same r all.r
'
check 'pictures of an epoch, and what was said' '
	fresh finished && mkdir -p run/plots && cp "$(find "$FIXTURES" -name "rgb.png" | head -n 1)" run/plots/val_confusion_matrix_epoch_0002.png && echo none >run/plots/val_x_epoch_0001.png && echo "{\"ts\":1755870001,\"event\":\"note\",\"text\":\"hello\"}" >run/events.jsonl &&
	glovita-log --deliver run >out 2>err && grep "no PNG" err && records run/tensorboard >r && grep "^2	val_ConfusionMatrix_normalized	image [0-9]*x[0-9]*$" r && grep "^0	log	plugin text$" r
'
check 'another folder by --to; a place that cannot be' '
	fresh finished && deliver --to there && [ "$(steps there)" = "0 1 2 3 " ] && [ ! -e run/tensorboard ] && deliver --to there && grep "0 of them now" out && : >file && exits 4 glovita-log --deliver run --to file 2>err && grep "file" err
'
check 'the command names the folder of the data set where the run stands in one' '
	fresh finished && mkdir -p e/shoes/g && mv run e/shoes/g/0 && glovita-log --deliver e/shoes/g/0 >out && grep "^to look at   tensorboard --logdir e/shoes$" out
'
check 'a file that was removed is written anew' 'fresh finished && deliver && rm run/tensorboard/* && deliver && records run/tensorboard >r && same r all.r'
if python tensorboard; then
	export PY
	check 'the reader of TensorBoard finds all of it' '
		fresh finished && mkdir -p run/plots && cp "$(find "$FIXTURES" -name "rgb.png" | head -n 1)" run/plots/val_confusion_matrix_epoch_0002.png && deliver && "$PY" - run/tensorboard 2>err <<END
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as m
e = EventAccumulator(sys.argv[1]); e.Reload()
assert [(s.step, round(s.value, 4)) for s in e.Scalars("val_F1")] == [(0, .27), (1, .4401), (2, .5619), (3, .6493)], e.Scalars("val_F1")
assert [i.step for i in e.Images("val_ConfusionMatrix_normalized")] == [2]
assert b"add_log.note" in e.Tensors("config")[0].tensor_proto.string_val[0] and b"--x \x27a b\x27" in e.Tensors("command")[0].tensor_proto.string_val[0]
h = m.parse_session_start_info_plugin_data(e.PluginTagToContent("hparams")["_hparams_/session_start_info"]).hparams
assert h["optimizer.lr"].number_value == .5 and h["optimizer.nesterov"].bool_value is True and h["data.dataset"].string_value == "shoes" and h["task.metrics"].string_value == "[\"acc\",\"f1\"]"
assert m.parse_session_end_info_plugin_data(e.PluginTagToContent("hparams")["_hparams_/session_end_info"]).status == 1
END
	'
else
	skip 'the reader of TensorBoard finds all of it' 'no Python with tensorboard'
fi
done_testing
