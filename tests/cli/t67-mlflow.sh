#!/bin/sh
# mlflow: every value arrives exactly once, whatever the server, the network, the disk and kills do; and the local store
. "${0%/*}/lib.sh"

have perl && perl -MJSON::PP -MStorable -e 1 2>/dev/null || skip_all 'no perl'
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY MLFLOW_TRACKING_URI MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD MLFLOW_TRACKING_TOKEN
unset MLFLOW_EXPERIMENT_NAME MLFLOW_EXPERIMENT_ID MLFLOW_RUN_ID MLFLOW_TRACKING_INSECURE_TLS MLFLOW_TRACKING_SERVER_CERT_PATH MLFLOW_TRACKING_CLIENT_CERT_PATH
HOME=$T/home MLFLOW_HTTP_REQUEST_TIMEOUT=1 LOGNAME=tester
export HOME MLFLOW_HTTP_REQUEST_TIMEOUT LOGNAME
server=
serve() { # serve [PORT]: waits until it listens
    rm -f port
    perl "$ROOT/tests/cli/mlflow-server.pl" "$T/state" "$T/port" "$@" >server.out 2>&1 &
    server=$!
    within 20 [ -s port ]
}
trap 'kill -KILL $server 2>/dev/null; cd /; rm -rf "$T"' EXIT
serve || skip_all 'the server does not start'
url=http://127.0.0.1:$(cat port)
export url
get() { perl -MIO::Socket::INET -e '
    my ($h, $p) = $ARGV[0] =~ m{//(.*?)/} ; my $c = IO::Socket::INET->new($1) or die; my ($path) = $ARGV[0] =~ m{//[^/]*(/.*)};
    print $c "GET $path HTTP/1.0\r\n\r\n"; local $/; my $a = <$c>; $a =~ s/.*?\r\n\r\n//s; print $a' "$1"; }

# A run of four epochs; its metrics, as the server should have them.
mkdir run0 && cp "$FIXTURES/run_a/metrics.jsonl" run0/
cat >run0/config.json <<'END'
{"exp_dir": ".", "data": {"dataset": "birds", "fold": null}, "training": {"epochs": 4, "cv_folds": 1}, "optimizer": {"lr": 0.1, "betas": [0.9, 0.99], "clip": null},
 "logger": {"backend": "mlflow", "group": "g", "tags": ["fast", "who=me"], "tracking_uri": null}, "add_log": {"comment": "first \"try\"", "odd name (ü)": "x"}, "typed": ["data.dataset"]}
END
cp run0/config.json run0/resolved_config.json
echo '{"argv": ["glovita_train"], "version": "0.1.0"}' >run0/runtime_info.json
for e in 1 2 3 4; do printf '{"ts":175587000%d.125,"stage":"train","event":"epoch","text":"epoch %d/4  x"}\n' $e $e; done >run0/events.jsonl
mkdir run0/log run0/plots run0/checkpoints && printf '{"status": "finished", "since": 1755870000.5, "until": 1755870005.5, "exit": 0}' >run0/log/status.json
head -c 100000 /dev/zero >run0/checkpoints/best.safetensors
cp "$FIXTURES/images/rgb.png" run0/plots/val_confusion_matrix_epoch_0000.png
cp "$FIXTURES/images/grey.png" run0/plots/val_confusion_matrix_epoch_0003.png
mkdir -p run0/log/pictures/curve && for k in loss Accuracy F1; do cp "$FIXTURES/images/grey.png" run0/log/pictures/curve/$k.png; done
perl -MJSON::PP -ne 'my $j = decode_json($_); for (sort keys %$j) { printf "metric g/0 %s %d %s %d\n", $_, $j->{epoch}, 0 + $j->{$_}, 1755870001125 + 1000 * $j->{epoch} if $_ ne "epoch" && defined $j->{$_} }' run0/metrics.jsonl | sort >want
fresh() { rm -rf exp fault && mkdir -p exp/birds/g && cp -rp run0 exp/birds/g/0 && get $url/reset; }
run=exp/birds/g/0
deliver() { glovita-log --deliver $run --sink mlflow --to $url "$@"; }
told() { get $url/dump | grep -v ' glovita.run ' | sort; }
each_once() { # what the server has is what it has after a delivery that nothing disturbed
    told >dump && diff dump whole || { tail -n 3 err; false; }
}
export run

check 'a run with its metrics, parameters, tags and files' '
	fresh && deliver >out 2>err && grep "^4 epochs delivered, 4 of them now: $url/#/experiments/1/runs/run001$" out && told >whole && each_once &&
	grep "^metric " whole | cmp - want && [ "$(grep -c "^run " whole)" = 1 ] && grep "^run g/0 FINISHED$" whole && grep "^file g/0 checkpoints/best.safetensors 100000$" whole && [ "$(grep -c "^file " whole)" = 13 ] &&
	grep "^param g/0 optimizer.betas \[0.9,0.99\]$" whole && grep "^param g/0 optimizer.lr 0.1$" whole && grep "^param g/0 add_log.comment first .try.$" whole && ! grep "^param g/0 typed" whole &&
	grep "^param g/0 add_log.odd name ____-[0-9a-f]* x$" whole && grep "^tag g/0 mlflow.user tester$" whole && grep "^tag g/0 mlflow.source.name glovita_train$" whole && grep "^tag g/0 who me$" whole && grep "^tag g/0 fast true$" whole &&
	grep "^tag g/0 group g$" whole && grep "^tag g/0 mlflow.note.content first .try.$" whole && [ ! -e exp/mlflow ]'
check 'pictures: each under figures, the latest under its own name' '
	a=$(wc -c <$run/plots/val_confusion_matrix_epoch_0000.png) b=$(wc -c <$run/plots/val_confusion_matrix_epoch_0003.png) &&
	grep "^file g/0 figures/step_0000_val_ConfusionMatrix_normalized.png $a$" whole && grep "^file g/0 figures/step_0003_val_ConfusionMatrix_normalized.png $b$" whole &&
	grep "^file g/0 val_ConfusionMatrix_normalized.png $b$" whole && grep "^file g/0 curve/loss.png" whole && grep "^file g/0 figures/step_0003_curve_loss.png" whole'
check 'again delivers nothing' 'deliver >out && grep "4 epochs delivered, 0 of them now" out && each_once'
check 'a record that is lost costs questions, no doubles' 'rm $run/log/mlflow.json && deliver >out 2>err && each_once'
check 'and so does a copy of the run on another machine' 'rm -rf exp2 && mkdir -p exp2/birds/g && cp -r $run exp2/birds/g/0 && rm exp2/birds/g/0/log/mlflow.json && glovita-log --deliver exp2/birds/g/0 --sink mlflow --to $url >out 2>err && each_once'

# The k-th request meets the fault; what is said then, and that a later delivery ends it.
walk() { # walk KIND: every request of a delivery, one after another
    k=0
    while k=$((k + 1)); do
        fresh && echo "$1 $k" >fault
        deliver >out 2>err
        was=$?
        [ -e fault ] && break
        [ $was -lt 100 ] || { echo "request $k: status $was"; return 1; }
        deliver >out 2>>err && each_once || { echo "$1 at request $k (status $was)"; return 1; }
    done
    echo "$k requests" && [ $k -gt 20 ]
}
some() { # some KIND PATH...: where it matters
    kind=$1
    shift
    for path do
        fresh && echo "$kind $path" >fault
        deliver >out 2>err
        was=$?
        [ ! -e fault ] && { [ $was = 4 ] || [ $kind = wrong ]; } && deliver >out 2>>err && each_once || { echo "$kind at $path (status $was)"; return 1; }
    done
}
for kind in doneclose donenonsense; do check "exactly once when a request meets: $kind" "walk $kind"; done
check "exactly once when it meets: wrong" "some wrong experiments/create runs/create runs/search runs/log-batch runs/update"
for kind in 500 503 done500 close donehtml donecut; do
    check "exactly once when it meets: $kind" "some $kind experiments/create runs/create runs/search runs/log-batch artifacts/1 runs/update"
done
for kind in hold donehold doneloris; do check "exactly once when it meets: $kind" "some $kind runs/create runs/log-batch artifacts/1"; done
check 'and when two runs were made by requests nobody heard of again, one stays' '
	fresh && echo "donehold runs/create" >fault && ! deliver >out 2>err && echo "wrong runs/search" >fault && deliver >out 2>err && each_once'

# What waiting does not mend is said once, and what to do.
refused() { # refused KIND STATUS TEXT
    fresh && echo "$1 runs/create stay" >fault
    exits $2 deliver >out 2>err && grep "$3" err && rm fault && deliver >out 2>err && each_once
}
check '401 names the variables of a login' 'refused 401 2 "asks for a login (401): set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"'
check '403 of the Host header says what the server wants' 'refused 403 2 "does not answer to that name (403: Invalid Host header.*--allowed-hosts 127.0.0.1:"'
check '404 of another server asks for the address' 'refused 404 2 "is not there (404): is .$url. the address of an MLflow server"'
check 'a redirect is not followed' 'refused redirect 2 "points to .http://localhost:[0-9]*/elsewhere., and credentials follow no pointer" && ! get $url/log | grep elsewhere'
check 'a server that is not there is status 4' 'fresh && exits 4 glovita-log --deliver $run --sink mlflow --to http://127.0.0.1:1 2>err && grep "127.0.0.1:1/api.*does not answer" err'
check 'other kinds of addresses are refused' '
	exits 2 glovita-log --deliver $run --sink mlflow --to postgresql://x/y 2>err && grep "that kind of server is not spoken to" err && exits 2 glovita-log --deliver $run --sink mlflow --to ./mlruns 2>err && grep "no longer opens a folder" err'

check 'name and password go along, from variables, from the file, from the address; a token else' '
	fresh && MLFLOW_TRACKING_USERNAME=me MLFLOW_TRACKING_PASSWORD=secret deliver >out 2>err && [ "$(get $url/log | cut -d" " -f3- | sort -u)" = "Basic $(printf me:secret | base64)" ] &&
	fresh && mkdir -p "$HOME/.mlflow" && printf "[other]\nmlflow_tracking_username = no\n[mlflow]\nmlflow_tracking_username = you\nmlflow_tracking_password=a=b c\n" >"$HOME/.mlflow/credentials" &&
	deliver >out 2>err && [ "$(get $url/log | cut -d" " -f3- | sort -u)" = "Basic $(printf "you:a=b c" | base64)" ] && rm -r "$HOME/.mlflow" &&
	fresh && glovita-log --deliver $run --sink mlflow --to "http://me:p%40ss@${url#http://}/" >out 2>err && [ "$(get $url/log | cut -d" " -f3- | sort -u)" = "Basic $(printf me:p@ss | base64)" ] && grep ": $url/#" out && ! grep p@ss out &&
	fresh && MLFLOW_TRACKING_TOKEN=ttt deliver >out 2>err && [ "$(get $url/log | cut -d" " -f3- | sort -u)" = "Bearer ttt" ]'
check 'an address with a prefix keeps it' 'fresh && glovita-log --deliver $run --sink mlflow --to $url/prefix/ >out 2>err && each_once && ! get $url/log | grep -v " /prefix/api/"'
check 'the address of the variable; another one later is delivered to from the start' '
	fresh && MLFLOW_TRACKING_URI=$url/prefix glovita-log --deliver $run --sink mlflow >out 2>err && each_once &&
	MLFLOW_TRACKING_URI=$url glovita-log --deliver $run --sink mlflow >out 2>err && grep "4 epochs delivered, 4 of them now" out && each_once'
check 'MLFLOW_EXPERIMENT_NAME and MLFLOW_RUN_ID' '
	fresh && MLFLOW_EXPERIMENT_NAME=zoo deliver >out 2>err && told | grep "^experiment zoo$" &&
	rm $run/log/mlflow.json && MLFLOW_RUN_ID=run001 deliver >out 2>err && told >dump && sed "s/experiment birds/experiment zoo/" whole | diff dump - && ! get $url/log | tail -n 20 | grep create'
check 'a run that is no more is named' 'fresh && MLFLOW_RUN_ID=nothing exits 3 deliver 2>err && grep "MLFLOW_RUN_ID: the run .nothing. is no more" err'
check 'how a run ended' '
	for s in failed:FAILED stopped:KILLED lost:KILLED; do fresh && sed -i "s/finished/${s%:*}/" $run/log/status.json && deliver >out 2>err && told | grep "^run g/0 ${s#*:}$" || exit 1; done
	cp run0/log/status.json $run/log/ && deliver >out 2>err && each_once'

# Folds: nested runs below one of their group.
folds() { # folds N: at the same time
    fresh && rm -r exp && for f in $(seq 0 $(($1 - 1))); do
        mkdir -p exp/birds/g && cp -rp run0 exp/birds/g/$f && sed -i "s/\"fold\": null/\"fold\": \"$f\"/; s/\"cv_folds\": 1/\"cv_folds\": 3/" exp/birds/g/$f/config.json exp/birds/g/$f/resolved_config.json || return 1
    done
    for f in $(seq 0 $(($1 - 1))); do glovita-log --deliver exp/birds/g/$f --sink mlflow --to $url >out$f 2>err$f & eval "p$f=\$!"; done
    for f in $(seq 0 $(($1 - 1))); do eval "wait \$p$f" || { cat err$f; return 1; }; done
}
check 'folds are nested below one run of their group, which ends when they have' '
	folds 3 && told >dump && [ "$(grep -c "^run " dump)" = 4 ] && grep "^run g FINISHED$" dump && [ "$(grep -c "^run g/[012] FINISHED$" dump)" = 3 ] && [ "$(grep "parentRunId" dump | cut -d" " -f4 | sort | uniq -c | sed "s/^ *//")" = "$(grep "parentRunId" dump | sed -n "1s/.* /3 /p")" ] &&
	[ "$(grep -c "^metric g/1 " dump)" = "$(wc -l <want)" ] && ! grep "^metric g " dump'
check 'of three folds two are not all' 'folds 2 && told >dump && grep "^run g RUNNING$" dump && [ "$(grep -c "^run " dump)" = 3 ]'
check 'a fold that failed is told by its parent' 'folds 3 && sed -i s/finished/failed/ exp/birds/g/1/log/status.json && glovita-log --deliver exp/birds/g/1 --sink mlflow --to $url >out && told | grep "^run g FAILED$"'

# Kills, stops, disks.
check 'a delivery killed at any time goes on, exactly once' '
	for t in 0.01 0.03 0.05 0.07 0.1 0.15 0.2 0.3 0.4 0.6; do
		fresh && echo "slow / stay" >fault
		for again in 1 2 3; do
			glovita-log --deliver $run --sink mlflow --to $url >out 2>err & p=$!
			sleep $t; kill -KILL $p 2>/dev/null; wait $p 2>/dev/null
		done
		rm -f fault; deliver >out 2>err && each_once || { echo "killed after $t s"; exit 1; }
	done'
check 'a signal ends a delivery that waits, at once' '
	fresh && echo "hold / stay" >fault && { MLFLOW_HTTP_REQUEST_TIMEOUT=60 glovita-log --deliver $run --sink mlflow --to $url --follow >out 2>err & p=$!; } && within 20 grep -q . state && sleep 0.5 &&
	from=$(date +%s%N) && kill -TERM $p && { wait $p; was=$?; } ; took=$((($(date +%s%N) - from) / 1000000)); rm -f fault; echo "status $was after $took ms" && [ $was = 75 ] && [ $took -lt 1500 ] && deliver >out 2>err && each_once'
check 'a disk that takes nothing, at every write: nothing is lost, nothing twice' '
	n=0; while n=$((n + 1)); do
		fresh && GV_FAIL=io:$n deliver >out 2>err; was=$?
		deliver >out2 2>err2 && each_once || { echo "write $n (status $was)"; exit 1; }
		[ $was = 0 ] && grep "0 of them now" out2 && break
	done; echo "$n writes"; [ $n -gt 2 ]'

# Runs of their own, beside which the server is what it is.
train() { # train GROUP [WORDS...]
    group=$1
    shift
    glovita_train --data.dataset cifar10 --data.data_root_dir "$FIXTURES/cifar" --model.encoder.type resnet10t --model.encoder.no_pretrained --training.epochs 4 --optimizer.warmup_epochs 0 --dataloading.batch_size 4 \
        --dataloading.num_workers 1 --training.threads 1 --training.precision no --training.seed 3 --exp_dir e --logger.group "$group" "$@" >"$group.out" 2>&1
}
arrived() { # arrived GROUP: each value of that run once
    perl -MJSON::PP -ne 'my $j = decode_json($_); for (sort keys %$j) { printf "metric '$1'/0 %s %d %s\n", $_, $j->{epoch}, 0 + $j->{$_} if $_ ne "epoch" && defined $j->{$_} }' e/cifar10/$1/0/metrics.jsonl | sort >wanted
    get $url/dump | grep "^metric $1/0 " | grep -v ' system/' | cut -d' ' -f1-5 | sort | diff wanted - && get $url/dump | grep "^run $1/0 FINISHED$"
}
port=$(cat port)
get $url/reset
train plain --logger.backend none
check 'a run beside a server that answers' 'train up --logger.backend mlflow --logger.tracking_uri $url && arrived up && grep "^mlflow  *$url/#/experiments/1/runs/run001$" up.out && get $url/dump | grep "^metric up/0 system/cpu_utilization_percentage [0-9]* "'
kill -KILL $server
wait $server 2>/dev/null
check 'the server is not there: the run ends as without a tracker' '
	train down --logger.backend mlflow --logger.tracking_uri $url && cmp e/cifar10/plain/0/metrics.jsonl e/cifar10/down/0/metrics.jsonl && cmp e/cifar10/plain/0/checkpoints/last.safetensors e/cifar10/down/0/checkpoints/last.safetensors &&
	grep "mlflow was not told everything: .*does not answer.*glovita-log --deliver .*e/cifar10/down/0. delivers the rest" down.out || { cat down.out; false; }'
serve $port
check 'and all of it is delivered later' 'glovita-log --deliver e/cifar10/down/0 >out && arrived down'
train mid --logger.backend mlflow --logger.tracking_uri $url &
p=$!
within 30 [ -s e/cifar10/mid/0/log/mlflow.json ]
kill -KILL $server
wait $server 2>/dev/null
serve $port
wait $p
was=$?
check 'the server dies in the middle and comes back: every value once' '[ $was = 0 ] && cmp e/cifar10/plain/0/metrics.jsonl e/cifar10/mid/0/metrics.jsonl && { glovita-log --deliver e/cifar10/mid/0 >out; arrived mid; }'
echo "hold / stay" >fault
check 'it takes requests and never answers: the run ends, and all of it comes later' '
	train held --logger.backend mlflow --logger.tracking_uri $url && cmp e/cifar10/plain/0/metrics.jsonl e/cifar10/held/0/metrics.jsonl; r=$?; rm fault; [ $r = 0 ] && glovita-log --deliver e/cifar10/held/0 >out && arrived held'
done_testing
