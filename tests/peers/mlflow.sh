#!/bin/sh
# mlflow: MLflow's own server, client and page, with runs delivered to the server and to our local store; the server dies and hangs meanwhile
# pip: mlflow==3.17.2
# apt: chromium
. "${0%/*}/../cli/lib.sh"
. "$ROOT/tests/peers/lib.sh"
peer mlflow
have curl setsid || skip_all 'no curl or no setsid'
unset MLFLOW_TRACKING_URI MLFLOW_EXPERIMENT_NAME MLFLOW_EXPERIMENT_ID MLFLOW_RUN_ID http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
LOGNAME=tester MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
export LOGNAME MLFLOW_DISABLE_TELEMETRY MLFLOW_SERVER_ENABLE_JOB_EXECUTION

port=$("$PY" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
export url port
server='' ui=''
answers() { curl -s -o health -m 5 "http://127.0.0.1:$1/health"; }
serve() {
    setsid mlflow server --backend-store-uri "sqlite:///$T/server.db" --artifacts-destination "$T/artifacts" --host 127.0.0.1 --port $port --workers 1 >>server.log 2>&1 &
    server=$!
    within 180 answers $port
}
end() { # end PID: its whole group
    [ -z "$1" ] || { kill -CONT "-$1"; kill -KILL "-$1"; wait "$1"; } 2>/dev/null
}
trap 'end "$server"; end "$ui"; cd /; rm -rf "$T"' EXIT
trap 'exit 130' HUP INT TERM
serve || { cat server.log; skip_all 'the server does not start'; }

train() { # train GROUP [WORDS...]
    g=$1
    shift
    exec glovita_train --data.dataset cifar10 --data.data_root_dir "$FIXTURES/cifar" --model.encoder.type resnet10t --model.encoder.no_pretrained --training.epochs 6 --optimizer.warmup_epochs 0 --dataloading.batch_size 4 \
        --dataloading.num_workers 1 --training.threads 1 --training.precision no --training.seed 3 --exp_dir exp --task.result_plot val --add_log.comment "a **first** try" --logger.group "$g" --logger.backend mlflow --logger.tags small who=me "$@" >"$g.out" 2>&1
}
cat >look.py <<'END'
"""look.py TRACKING_URI EXPERIMENT RUN_DIRECTORY NAME STATUS: a run as MLflow's client has it is what the run directory says."""
import json, os, sys
from mlflow import MlflowClient
uri, experiment, run_dir, name, status = sys.argv[1:]
c = MlflowClient(uri)
e = c.get_experiment_by_name(experiment)
runs = [r for r in c.search_runs([e.experiment_id]) if r.info.run_name == name]
assert len(runs) == 1, (name, [r.info.run_name for r in c.search_runs([e.experiment_id])])
r = runs[0]
assert r.info.status == status, r.info.status
lines = [json.loads(l) for l in open(run_dir + "/metrics.jsonl")]
ended = {}
for l in open(run_dir + "/events.jsonl"):
    try: v = json.loads(l)
    except ValueError: continue
    if v.get("event") == "epoch": ended[int(v["text"].split()[1].split("/")[0]) - 1] = v["ts"]
keys = {k for l in lines for k, v in l.items() if v is not None} - {"epoch"}
assert keys == {k for k in r.data.metrics if not k.startswith("system/")}, (keys, r.data.metrics.keys())
for k in keys:
    want = [(l["epoch"], float(l[k]), round(ended[l["epoch"]] * 1000)) for l in lines if l.get(k) is not None]
    got = sorted((m.step, m.value, m.timestamp) for m in c.get_metric_history(r.info.run_id, k))
    assert got == want, (k, got, want)
    assert r.data.metrics[k] == want[-1][1], (k, "is not the latest")
config = json.load(open(run_dir + "/resolved_config.json"))
assert r.data.params["optimizer.lr"] == json.dumps(config["optimizer"]["lr"]) and r.data.params["data.dataset"] == config["data"]["dataset"] and r.data.params["add_log.comment"] == "a **first** try"
def leaves(o): return sum(leaves(v) if isinstance(v, dict) and v else 1 for v in o.values())
assert len(r.data.params) >= leaves({k: v for k, v in config.items() if k != "typed"}), len(r.data.params)
assert r.data.tags["mlflow.user"] == "tester" and r.data.tags["who"] == "me" and r.data.tags["mlflow.note.content"] == "a **first** try" and r.data.tags["mlflow.source.name"].endswith("glovita_train")
def files(p=None):
    for f in c.list_artifacts(r.info.run_id, p):
        if f.is_dir: yield from files(f.path)
        else: yield f.path
there = set(files())
n = len(lines) - 1
want = {"config.json", "resolved_config.json", "runtime_info.json", "checkpoints/best.safetensors", "metrics.csv", "val_ConfusionMatrix_normalized.png", "val_ConfusionMatrix_absolute.png", "curve/loss.png"}
if n >= 1: want |= {"figures/step_0000_val_ConfusionMatrix_normalized.png", "figures/step_%04d_val_ConfusionMatrix_absolute.png" % n}
assert want <= there, want - there
got = c.download_artifacts(r.info.run_id, "checkpoints/best.safetensors", ".")
assert open(got, "rb").read() == open(run_dir + "/checkpoints/best.safetensors", "rb").read(), "another checkpoint"
os.remove(got)
print(len(keys), "histories,", len(r.data.params), "parameters,", len(there), "files")
END
look() { "$PY" look.py "$@"; }
cat >status.py <<'END'
"""status.py TRACKING_URI EXPERIMENT: a line a run: its name, status, whether it has an end, how many runs are nested below it, how many values of val_loss."""
import sys
from mlflow import MlflowClient
c = MlflowClient(sys.argv[1])
runs = c.search_runs([c.get_experiment_by_name(sys.argv[2]).experiment_id])
for r in sorted(runs, key=lambda r: r.info.run_name):
    print(r.info.run_name, r.info.status, "ended" if r.info.end_time else "open", sum(k.data.tags.get("mlflow.parentRunId") == r.info.run_id for k in runs), len(c.get_metric_history(r.info.run_id, "val_loss")), sep=" ")
END
status() { "$PY" status.py "$@"; }
lines_of() { [ "$(cat "exp/cifar10/$1/0/metrics.jsonl" 2>/dev/null | wc -l)" -ge "$2" ]; }

(train one --logger.tracking_uri $url)
check 'a run on the server: histories, parameters, tags, files, status' 'look $url cifar10 exp/cifar10/one/0 one/0 FINISHED || { cat one.out; tail -n 30 server.log; false; }'
check 'with the usage of the machine' '"$PY" -c "
from mlflow import MlflowClient
c = MlflowClient(\"$url\")
r = c.search_runs([c.get_experiment_by_name(\"cifar10\").experiment_id])[0]
assert r.data.metrics[\"system/system_memory_usage_megabytes\"] > 0, r.data.metrics"'

# Stopped, and resumed: the same run.
(train two --logger.tracking_uri $url --training.epochs 25) &
p=$!
within 60 lines_of two 2
kill -TERM $p 2>/dev/null
wait $p
was=$?
glovita-log --deliver exp/cifar10/two/0 >out 2>&1
check 'a stopped run is KILLED' '[ $was = 75 ] && status $url cifar10 | grep "^two/0 KILLED ended" || { echo $was; cat two.out; status $url cifar10; false; }'
(train two --logger.tracking_uri $url --training.epochs 25 --resume) &
p=$!
check 'resumed, it is the same run, RUNNING' 'within 60 sh -c "\"\$PY\" status.py $url cifar10 | grep \"^two/0 RUNNING\"" || { status $url cifar10; false; }'
wait $p
check 'and has every value once when it has finished' 'look $url cifar10 exp/cifar10/two/0 two/0 FINISHED'

# The server is killed in the middle, and comes back; it hangs (SIGSTOP) and goes on.
(train three --logger.tracking_uri $url --training.epochs 25) &
p=$!
within 60 lines_of three 2
end $server
within 60 lines_of three 5
serve
within 60 lines_of three 8
kill -STOP -$server
within 60 lines_of three 14
kill -CONT -$server
wait $p
was=$?
check 'a server that is killed, starts again, hangs and goes on: every value once' '
	[ $was = 0 ] && glovita-log --deliver exp/cifar10/three/0 >out 2>&1 && look $url cifar10 exp/cifar10/three/0 three/0 FINISHED || { cat three.out out exp/cifar10/three/0/log/mlflow.out; false; }'
kill -STOP -$server
(train four --logger.tracking_uri $url)
was=$?
kill -CONT -$server
check 'a server that hangs all the time: the run ends, and is delivered later' '[ $was = 0 ] && grep "was not told everything" four.out && glovita-log --deliver exp/cifar10/four/0 >out 2>&1 && look $url cifar10 exp/cifar10/four/0 four/0 FINISHED'

# Folds, nested, at the same time.
mkdir -p set/images/a set/images/b
i=0
for f in rgb rgba grey palette interlaced la; do
    i=$((i + 1))
    cp "$FIXTURES/images/$f.png" set/images/a/$i.png
    cp "$FIXTURES/images/$f.png" set/images/b/$((7 - i)).png
done
echo '{"train": ["a/1","a/2","a/3","a/4","a/5","a/6","b/1","b/2","b/3","b/4","b/5","b/6"]}' >set/splits.json
fold() {
    exec glovita_train --data.dataset generic_image_dataset --data.data_root_dir set --data.split_source splits_json --data.label_source folder --data.num_classes 2 --model.encoder.type resnet10t --model.encoder.no_pretrained \
        --data.augmentation.image_size 32 --training.cv_folds 3 --training.epochs 3 --dataloading.batch_size 4 --optimizer.warmup_epochs 0 --training.precision no --training.seed 3 --training.threads 1 --dataloading.num_workers 1 \
        --exp_dir exp --logger.group "$@" --logger.backend mlflow >>fold.out 2>&1
}
for k in 0 1 2; do (fold par --data.fold $k --logger.tracking_uri $url) & done
wait_for_folds() { within 180 sh -c '[ "$(grep -l "\"finished\"" exp/generic_image_dataset/'$1'/*/log/status.json 2>/dev/null | wc -l)" = 3 ]' && sleep 1; }
check 'three folds at a time are nested below one run, which has finished' '
	wait_for_folds par && within 40 sh -c "\"\$PY\" status.py $url generic_image_dataset >st; grep -q \"^par FINISHED\" st" && [ "$(cat st)" = "par FINISHED ended 3 0
par/0 FINISHED ended 0 3
par/1 FINISHED ended 0 3
par/2 FINISHED ended 0 3" ] || { cat st fold.out; false; }'

# The local store: mlflow ui opens it, and brings it up to date, while runs are written into it.
(train five) &
p=$!
within 60 [ -s exp/mlflow/mlflow.db ]
uiport=$("$PY" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
setsid mlflow ui --backend-store-uri "sqlite:///$T/exp/mlflow/mlflow.db" --host 127.0.0.1 --port $uiport >ui.log 2>&1 &
ui=$!
within 180 answers $uiport
wait $p
was=$?
check 'mlflow ui opens the store while a run writes into it' '[ $was = 0 ] && look http://127.0.0.1:$uiport cifar10 exp/cifar10/five/0 five/0 FINISHED || { cat five.out ui.log; false; }'
(train six)
check 'a run that begins while it is open, in a store that MLflow has brought up to date' 'look http://127.0.0.1:$uiport cifar10 exp/cifar10/six/0 six/0 FINISHED && grep "to look at   mlflow ui --backend-store-uri sqlite:///$T/exp/mlflow/mlflow.db" six.out'
(fold loc)
check 'folds there' 'status http://127.0.0.1:$uiport generic_image_dataset >st; grep "^loc FINISHED ended 3 0" st && [ "$(grep -c "^loc/[012] FINISHED ended 0 3" st)" = 3 ] || { cat st fold.out; false; }'
check 'and the tables are those of a store of its own' '
	"$PY" -c "from mlflow import MlflowClient; MlflowClient(\"sqlite:///$T/own.db\").search_experiments()" >out 2>&1 &&
	"$PY" -c "
import sqlite3
a, b = ({r[0] for r in sqlite3.connect(f).execute(\"select sql from sqlite_master where sql is not null\")} for f in (\"own.db\", \"exp/mlflow/mlflow.db\"))
clauses = lambda x: tuple(sorted(c.strip(\")\") for c in \"\".join(x.replace(chr(34), \"\").split()).split(\",\")))  # MLflow writes constraints in any order
norm = lambda s: {clauses(x) for x in s}
assert norm(a) == norm(b), norm(a) ^ norm(b)"'
check 'the client opens the file itself' 'look "sqlite:///$T/exp/mlflow/mlflow.db" cifar10 exp/cifar10/six/0 six/0 FINISHED'

page() { # page FILE PATH: of the local store's page
    picture "http://127.0.0.1:$uiport/#$2" "$1" 90000
}
id=$("$PY" -c "
from mlflow import MlflowClient
c = MlflowClient('http://127.0.0.1:$uiport')
e = c.get_experiment_by_name('cifar10').experiment_id
print(e, [r.info.run_id for r in c.search_runs([e]) if r.info.run_name == 'six/0'][0])")
e=${id% *} r=${id#* }
g=$("$PY" -c "
from mlflow import MlflowClient
print(MlflowClient('http://127.0.0.1:$uiport').get_experiment_by_name('generic_image_dataset').experiment_id)")
if have chromium || have google-chrome; then
    check "pages, to be looked at in $PEERS_OUT" 'page mlflow-run.png "/experiments/$e/runs/$r" && page mlflow-metrics.png "/experiments/$e/runs/$r/model-metrics" && page mlflow-artifacts.png "/experiments/$e/runs/$r/artifacts/val_ConfusionMatrix_normalized.png" && page mlflow-folds.png "/experiments/$g/runs"'
else
    skip 'pages' 'no chromium'
fi
done_testing
