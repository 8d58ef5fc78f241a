#!/bin/sh
# wandb: its own reader, its terminal page, and its own upload (to a server of the test's) take what a run leaves
# pip: wandb==0.31.0
# apt: tmux gnuplot-nox
. "${0%/*}/../cli/lib.sh"
. "$ROOT/tests/peers/lib.sh"
peer wandb
unset $(env | sed -n 's/^\(WANDB_[A-Z_]*\)=.*/\1/p') NETRC
HOME=$T WANDB_ERROR_REPORTING=false
export HOME WANDB_ERROR_REPORTING
fields="--data.dataset cifar10 --data.data_root_dir $FIXTURES/cifar --model.encoder.type resnet10t --model.encoder.no_pretrained --optimizer.warmup_epochs 0 --dataloading.num_workers 1 --training.seed 1"
export fields
train() { # GROUP FIELDS…: a run of three epochs on a few pictures
	group=$1
	shift
	glovita_train $fields --training.epochs 3 --logger.group "$group" "$@"
}
dir() { echo experiments/cifar10/"$1"/0/wandb/offline-run-*; }
serve() { # a server; base and key of W&B's programs
	rm -rf server && mkdir server && { "$PY" "$ROOT/tests/peers/wandb_server.py" server & } && echo $! >server/pid && within 10 test -s server/port || return 1
	WANDB_BASE_URL=http://127.0.0.1:$(cat server/port) WANDB_API_KEY=$(printf %040d 1)
	export WANDB_BASE_URL WANDB_API_KEY
}
served() { kill "$(cat server/pid)"; }
# taken RUN: everything of the run is at the server: each row once, the exit code, files byte by byte, the checkpoint
taken() {
	"$PY" - server "$1" <<'END'
import json, os, sys
server, run = sys.argv[1:]
log = [json.loads(l) for l in open(server + "/log")]
lines, exit, output = {}, None, {}
for j in log:
    if "stream" not in j: continue
    for name, part in (j["data"].get("files") or {}).items():
        to = lines if name == "wandb-history.jsonl" else output if name == "output.log" else {}
        for i, l in (enumerate(part["content"], part["offset"]) if isinstance(part["offset"], int) else ()): to[i] = l
    exit = j["data"].get("exitcode", exit)
rows = [json.loads(lines[i]) for i in sorted(lines)]
want = [json.loads(l) for l in open(run + "/metrics.jsonl")]
got = [r for r in rows if "val_loss" in r]
assert [r["_step"] for r in got] == [w["epoch"] for w in want], got
for r, w in zip(got, want):
    for k, v in w.items(): assert r[k] == v, (k, r[k], v)
assert any("val_ConfusionMatrix_normalized" in r and r["epoch"] == len(want) - 1 for r in rows), rows[-1]
assert exit == 0, exit
ops = [j["op"] for j in log if "op" in j]
assert "CommitArtifact" in ops and ops.count("CreateArtifact") == 1, ops
files = set(os.listdir(server + "/files"))
assert open(server + "/files/artifact%best.safetensors", "rb").read() == open(run + "/checkpoints/best.safetensors", "rb").read()
for f in ("config.json", "resolved_config.json", "runtime_info.json", "metrics.csv"):
    assert open(server + "/files/" + f, "rb").read() == open(run + "/" + f, "rb").read(), f
assert any("val_ConfusionMatrix_absolute" in f for f in files) and any("curve%loss" in f for f in files), files
s = json.load(open(server + "/files/wandb-summary.json"))
assert s["val_loss"] == {"min": min(w["val_loss"] for w in want), "last": want[-1]["val_loss"]} and s["epoch"] == len(want) - 1, s
first = next(j["variables"] for j in log if j.get("op") == "UpsertBucket")
assert first["project"] == "cifar10" and first["groupName"] and json.loads(first["config"])["data"]["value"]["dataset"] == "cifar10"
print(len(rows), "rows,", len(files), "files")
END
}
export T
check 'a run with the untouched tracker' 'train a >out 2>err && tail -n 5 err && d=$(dir a) && grep "^to upload    wandb sync ./$d$" err'
check 'the reader of W&B: state, metrics, configuration, what was said' '
	wandb leet inspect --summary --json "$(dir a)" >s.json && "$PY" - experiments/cifar10/a/0 <<END
import json, sys
s = json.load(open("s.json")); rows = [json.loads(l) for l in open(sys.argv[1] + "/metrics.jsonl")]
assert s["state"] == "finished" and s["exit_code"] == 0 and s["project"] == "cifar10" and s["name"] == "a/0" and s["step"] == 3, s
assert s["summary"]["val_loss"]["last"] == rows[-1]["val_loss"] and s["summary"]["train_loss"] == rows[-1]["train_loss"]
assert s["config"]["optimizer"]["lr"] == 2e-05 and s["config"]["model"]["encoder"]["type"] == "resnet10t" and sum(l["line"].startswith("epoch ") for l in s["console"]) == 3
END
'
check 'the reader of W&B: every row once' '[ "$(wandb leet inspect --json "$(dir a)" | grep -c "\"type\":\"history\".*val_loss")" = 3 ]'
if have tmux; then
	check 'its page in a terminal' '
		tmux -L glovita$$ new-session -d -x 160 -y 48 "wandb leet $(dir a)" && n=0; until tmux -L glovita$$ capture-pane -p >screen && grep -q "val_loss" screen && grep -q "train_loss" screen || [ $n = 100 ]; do sleep 0.2; n=$((n + 1)); done
		sleep 1; tmux -L glovita$$ capture-pane -p >screen; tmux -L glovita$$ kill-server; cp screen "$PEERS_OUT/wandb-leet.txt" && cat screen && grep val_loss screen && grep -i "finished\|config" screen
	'
else
	skip 'its page in a terminal' 'no tmux'
fi
check 'the program of W&B uploads all of it: rows, exit code, files, pictures, the checkpoint' '
	serve && wandb beta sync "$(dir a)" >sync.out 2>&1; s=$?; served; cat sync.out; [ $s = 0 ] && grep "Finished syncing" sync.out && [ -e $(dir a)/run-*.wandb.synced ] && taken experiments/cifar10/a/0
'
check 'with a key it runs beside the training, and the end of the run waits for it' '
	serve && train b --logger.backend wandb >out 2>err; s=$?; served; tail -n 5 err; [ $s = 0 ] && grep "^uploaded  *by .wandb beta sync --live" err && taken experiments/cifar10/b/0
'
check 'a run that was killed and goes on: every row once' '
	{ glovita_train $fields --logger.group c --training.epochs 200 >out 2>err & p=$!; } && within 60 grep -q "epoch.:5" experiments/cifar10/c/0/metrics.jsonl; kill -9 $p; wait $p 2>/dev/null
	glovita_train --resume experiments/cifar10/c/0 >out 2>err & p=$!; within 60 grep -q "epoch.:12" experiments/cifar10/c/0/metrics.jsonl; kill -INT $p; wait $p
	glovita-log --deliver experiments/cifar10/c/0 && wandb leet inspect --json "$(dir c)" >rows && n=$(wc -l <experiments/cifar10/c/0/metrics.jsonl) && [ "$(grep "\"type\":\"history\"" rows | grep -c val_loss)" = "$n" ] && [ "$(ls -d experiments/cifar10/c/0/wandb/off* | wc -l)" = 1 ]
'
check 'a server that is not there costs the run nothing' '
	WANDB_BASE_URL=http://127.0.0.1:9 WANDB_API_KEY=$(printf %040d 1) WANDB_INIT_TIMEOUT=5 && export WANDB_BASE_URL WANDB_API_KEY && train d --logger.backend wandb >out 2>err && grep "^run " out && grep -a "^to upload    wandb sync" err && unset WANDB_BASE_URL WANDB_API_KEY && serve && wandb beta sync "$(dir d)" >sync.out 2>&1; served; taken experiments/cifar10/d/0
'
done_testing
