#!/bin/sh
# mlflow: the local store, its rows, several writers, kills, full disks, stores of others
. "${0%/*}/lib.sh"

have sqlite3 || skip_all 'no sqlite3'
unset MLFLOW_TRACKING_URI MLFLOW_EXPERIMENT_NAME MLFLOW_EXPERIMENT_ID MLFLOW_RUN_ID
LOGNAME=tester
export LOGNAME
mkdir run0 && cp "$FIXTURES/run_a/metrics.jsonl" run0/
cat >run0/config.json <<'END'
{"exp_dir": ".", "data": {"dataset": "birds", "fold": null}, "training": {"epochs": 4, "cv_folds": 1}, "optimizer": {"lr": 0.1}, "logger": {"backend": "mlflow", "group": "g", "tags": null}}
END
cp run0/config.json run0/resolved_config.json
for e in 1 2 3 4; do printf '{"ts":175587000%d.125,"stage":"train","event":"epoch","text":"epoch %d/4  x"}\n' $e $e; done >run0/events.jsonl
mkdir run0/log run0/checkpoints && printf '{"status": "finished", "since": 1755870000.5, "until": 1755870005.5, "exit": 0}' >run0/log/status.json
head -c 100000 /dev/zero >run0/checkpoints/best.safetensors
fresh() { rm -rf exp && mkdir -p exp/birds/g && cp -rp run0 exp/birds/g/0; }
run=exp/birds/g/0 db=exp/mlflow/mlflow.db
export run db
deliver() { glovita-log --deliver $run --sink mlflow; }
ask() { sqlite3 -cmd '.timeout 20000' "$db" "$1"; }
told() { # what the store holds but for ids drawn at random
    ask "select r.name, m.key, m.step, m.timestamp, round(m.value, 12), m.is_nan from metrics m join runs r using (run_uuid) where m.key not like 'system/%' order by 1, 2, 3" &&
        ask "select r.name, 'latest', l.key, l.step, l.timestamp, round(l.value, 12) from latest_metrics l join runs r using (run_uuid) where l.key not like 'system/%' order by 1, 3" &&
        ask 'select r.name, t.key, t.value from tags t join runs r using (run_uuid) where t.key not in ("glovita.run", "glovita.group", "mlflow.parentRunId") order by 1, 2' &&
        ask 'select r.name, p.key, p.value from params p join runs r using (run_uuid) order by 1, 2' &&
        ask 'select r.name, r.status, r.start_time, r.end_time, r.lifecycle_stage, e.name, e.lifecycle_stage from runs r join experiments e using (experiment_id) order by 1' &&
        ask 'pragma integrity_check'
}
each_once() { told >now && diff now whole || { cat err; false; }; }

check 'a run is a row, its metrics are rows, its files lie beside' '
	fresh && deliver >out 2>err && grep "^4 epochs delivered, 4 of them now: $T/exp/mlflow/mlflow.db$" out && grep "^to look at   mlflow ui --backend-store-uri sqlite:///$T/exp/mlflow/mlflow.db$" out && told >whole &&
	[ "$(ask "select status, start_time, end_time, name from runs")" = "FINISHED|1755870000500|1755870005500|g/0" ] && [ "$(ask "select count(*) from metrics")" = 28 ] && [ "$(ask "select count(*) from latest_metrics")" = 7 ] && [ "$(ask "select value from experiment_tags where experiment_id = 1")" = custom_model_development ] &&
	[ "$(ask "select step, timestamp, value from metrics where key = \"val_Accuracy\" and step = 2")" = "2|1755870003125|0.5719" ] && grep "^ok$" whole &&
	dir=$(ask "select artifact_uri from runs") && same $run/checkpoints/best.safetensors "$dir/checkpoints/best.safetensors" && same $run/resolved_config.json "$dir/resolved_config.json" && [ "${dir#$T/exp/mlflow/artifacts/1/}" != "$dir" ]'
check 'again delivers nothing; without its record only what is missing' 'deliver >out && grep "0 of them now" out && each_once && rm $run/log/mlflow.json && deliver >out 2>err && each_once'
check 'a time that was not known then is no other value' '
	fresh && mv $run/events.jsonl e && deliver >out && mv e $run/events.jsonl && rm $run/log/mlflow.json && deliver >out 2>err && [ "$(ask "select count(*) from metrics")" = 28 ]'
check 'a delivery killed at any time goes on, exactly once' '
	for t in 0.005 0.01 0.015 0.02 0.03 0.04 0.06 0.08; do
		fresh
		for again in 1 2 3; do glovita-log --deliver $run --sink mlflow >out 2>err & p=$!; sleep $t; kill -KILL $p 2>/dev/null; wait $p 2>/dev/null; done
		deliver >out 2>err && each_once || { echo "killed after $t s"; exit 1; }
	done'
check 'a disk that takes nothing, at every write' '
	bad=0; for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
		fresh && GV_FAIL=io:$n deliver >out 2>err || bad=$((bad + 1))
		deliver >out2 2>err && each_once || { echo "write $n"; exit 1; }
	done; echo "$bad of 12 ended it"; [ $bad -gt 2 ]'
check 'twelve folds at a time: one store, one parent, every value' '
	rm -rf exp && for f in 0 1 2 3 4 5 6 7 8 9 10 11; do mkdir -p exp/birds/g && cp -rp run0 exp/birds/g/$f && sed -i "s/\"fold\": null/\"fold\": \"$f\"/; s/\"cv_folds\": 1/\"cv_folds\": 12/" exp/birds/g/$f/*config.json; done
	for f in 0 1 2 3 4 5 6 7 8 9 10 11; do glovita-log --deliver exp/birds/g/$f --sink mlflow >out$f 2>&1 & done
	wait; cat out*; [ "$(ask "select count(*) from runs where status = \"FINISHED\"")" = 13 ] && [ "$(ask "select count(*) from metrics")" = 336 ] && [ "$(ask "select count(*) from experiments")" = 1 ] &&
	[ "$(ask "select count(*) from tags t join runs p on t.value = p.run_uuid where t.key = \"mlflow.parentRunId\" and p.name = \"g\"")" = 12 ] && [ "$(ask "pragma integrity_check")" = ok ]'
check 'a store in use by others waits, and is told where it stays so' '
	fresh && deliver >out && cp -r run0 exp/birds/g/1 && { { echo "begin exclusive;"; sleep 1; echo "commit;"; } | sqlite3 $db & } && sleep 0.2 && glovita-log --deliver exp/birds/g/1 --sink mlflow >out 2>err && [ "$(ask "select count(*) from metrics")" = 56 ]; wait'
check 'a signal ends the waiting' '
	fresh && deliver >out && rm $run/log/mlflow.json && { { echo "begin exclusive;"; sleep 3; } | sqlite3 $db & } && sleep 0.2 && { glovita-log --deliver $run --sink mlflow --follow >out 2>err & p=$!; } && sleep 0.3 &&
	from=$(date +%s%N) && kill -TERM $p && { wait $p; was=$?; }; took=$((($(date +%s%N) - from) / 1000000)); wait; echo "status $was after $took ms"; [ $was != 0 ] && [ $took -lt 2000 ] && deliver >out 2>err && each_once'
check 'a store with more columns and tables is used, one that lacks some is refused' '
	fresh && deliver >out && ask "alter table experiments add column workspace varchar(63) default \"default\" not null; create table webhooks (id int); update alembic_version set version_num = \"new\"" && rm $run/log/mlflow.json && deliver >out 2>err && each_once &&
	ask "alter table metrics drop column is_nan" 2>/dev/null; ask "alter table experiments drop column creation_time" && rm $run/log/mlflow.json && exits 2 deliver 2>err &&
	grep "a store of another MLflow (schema new): bring it up to date with .mlflow db upgrade sqlite:///$T/exp/mlflow/mlflow.db" err'
check 'what is no store is named' 'fresh && mkdir exp/mlflow && echo "this is no database, and longer than a header would be: it goes on and on and on and on and on, for a hundred bytes" >$db && exits 3 deliver 2>err && grep "mlflow.db.: cannot .*file is not a database" err'
check 'a deleted experiment is named' 'fresh && deliver >out && ask "update experiments set lifecycle_stage = \"deleted\"" && rm $run/log/mlflow.json && exits 2 deliver 2>err && grep "the experiment .birds. was deleted" err'
check 'another place by --to' 'fresh && glovita-log --deliver $run --sink mlflow --to sqlite:///there/my.db >out 2>err && [ ! -e exp/mlflow ] && [ -e there/artifacts/1 ] && db=there/my.db && told | sed "s/there/exp/" | diff - whole'
check 'names that need quotes get them in the hint' 'fresh && rm -rf "a b" && mkdir "a b" && mv exp "a b/" && glovita-log --deliver "a b/exp/birds/g/0" --sink mlflow >out 2>err && grep "mlflow ui --backend-store-uri .sqlite:///$T/a b/exp/mlflow/mlflow.db.$" out'

# A disk that is full for a while: the store, the record, and what the run itself has to write lie on it.
if [ "$(id -u)" = 0 ] && mkdir disk && mount -t tmpfs -o size=600k none disk 2>/dev/null; then
	trap 'umount "$T/disk"; cd /; rm -rf "$T"' EXIT
	check 'a full disk: delivered when there is room again' '
		fresh && mv exp disk/ && ln -s disk/exp exp && { head -c 600000 /dev/zero >disk/full; exits 4 deliver 2>err; cat err; } && rm disk/full && deliver >out 2>err && sed "s,$T/disk/exp,$T/exp," out && each_once; r=$?; rm -rf disk/exp exp; exit $r'
else
	skip 'a full disk' 'no root, or no tmpfs'
fi
done_testing
