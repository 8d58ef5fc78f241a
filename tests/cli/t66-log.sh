#!/bin/sh
# log: metrics reach the tracker exactly once, through kills and resumes
. "${0%/*}/lib.sh"
fresh() { rm -rf run && mkdir run && cp "$FIXTURES/run_a/metrics.jsonl" run/; }

check 'every value is a row' '
	fresh && glovita-log --deliver run >out && grep "^4 epochs delivered, 4 of them now: run/log/metrics.csv$" out &&
	[ "$(wc -l <run/log/metrics.csv)" = 25 ] && [ "$(head -n 1 run/log/metrics.csv)" = time,epoch,step,key,value ] && grep "^,2,30,val_Accuracy,0.5719$" run/log/metrics.csv
'
check 'again delivers nothing' 'cp run/log/metrics.csv was && glovita-log --deliver run >out && grep "4 epochs delivered, 0 of them now" out && same was run/log/metrics.csv'
check 'line by line is the same as at once' '
	cp run/metrics.jsonl all && rm -rf two && mkdir two && for n in 1 2 3 4; do head -n $n all >two/metrics.jsonl && glovita-log --deliver two >out || exit 1; done && same two/log/metrics.csv run/log/metrics.csv
'
check 'at every length of the file whole lines are delivered, once' '
	rm -rf cut && mkdir cut && n=0 && while [ $n -le 527 ]; do head -c $n all >cut/metrics.jsonl && glovita-log --deliver cut >out || exit 1; n=$((n + 31)); done
	cp all cut/metrics.jsonl && glovita-log --deliver cut >out && same cut/log/metrics.csv run/log/metrics.csv
'
check 'a delivery that died before it could say so is done again, once' 'printf "0,0,0,half,a row" >>run/log/metrics.csv && glovita-log --deliver run >out && same was run/log/metrics.csv'
check 'a run that is resumed writes the same lines again; they are not delivered twice' '
	head -n 2 all >run/metrics.jsonl && glovita-log --deliver run >out && grep "4 epochs delivered, 0 of them now" out && cp all run/metrics.jsonl &&
	sed -n 4p all | sed "s/\"epoch\":3/\"epoch\":4/" >>run/metrics.jsonl && glovita-log --deliver run >out && grep "5 epochs delivered, 1 of them now" out && [ "$(grep -c "^,3,40,val_F1" run/log/metrics.csv)" = 1 ]
'
check 'another run in the same place is noticed' 'sed "s/0.33/0.44/" all >run/metrics.jsonl && cat all >>run/metrics.jsonl && exits 3 glovita-log --deliver run 2>err && grep "no longer begins with the" err'
check 'times are those of the events' '
	fresh && printf "%s\n" "{\"ts\":1755870000.125,\"stage\":\"train\",\"pid\":1,\"event\":\"epoch\",\"text\":\"epoch 1/4  train_loss 2.1\"}" "{\"ts\":1755870100.5,\"stage\":\"train\",\"event\":\"epoch\",\"text\":\"epoch 2/4  x\"}" "{\"ts\":17558701" >run/events.jsonl &&
	glovita-log --deliver run --sink jsonl >out && head -n 1 run/log/metrics.jsonl | grep "^{\"time\":1755870000.125,\"epoch\":0,\"step\":10," && sed -n 3p run/log/metrics.jsonl | grep "^{\"time\":null,\"epoch\":2,"
'
check 'another file by --to, with a record of its own' 'fresh && glovita-log --deliver run --to x.csv >out && same was x.csv && glovita-log --deliver run >out && same was run/log/metrics.csv'
check 'the sink none reads and writes nothing' 'fresh && glovita-log --deliver run --sink none >out && [ ! -e run/log/metrics.none ] && grep "4 epochs delivered" out'
check 'a tracker there is not' 'exits 2 glovita-log --deliver run --sink x 2>err && grep "csv, jsonl, none" err'
check 'what is no run' 'exits 2 glovita-log && exits 2 glovita-log --deliver nowhere && mkdir d && exits 2 glovita-log --deliver d 2>err && grep "no metrics.jsonl" err'
check 'following delivers lines as they come and ends with a signal' '
	rm -rf f && mkdir f && { glovita-log --deliver f --follow >out & p=$!; } && head -n 1 all >f/metrics.jsonl
	n=0; until grep -q ",0,10," f/log/metrics.csv 2>/dev/null || [ $n = 50 ]; do sleep 0.1; n=$((n + 1)); done
	cp all f/metrics.jsonl; n=0; until grep -q ",3,40,val_F1" f/log/metrics.csv || [ $n = 50 ]; do sleep 0.1; n=$((n + 1)); done
	exits 100 glovita-log --deliver f 2>err && grep "another process delivers" err && kill -TERM $p && wait $p && grep "4 epochs delivered" out && same was f/log/metrics.csv
'
check 'a full disk is status 4, and nothing is lost' 'fresh && GV_FAIL=io:1 exits 4 glovita-log --deliver run 2>err; glovita-log --deliver run >out && same was run/log/metrics.csv'
check 'those the run names are the default, and how the run stands is told' '
	fresh && printf "%s" "{\"logger\":{\"backend\":\"csv\",\"also\":[\"jsonl\",\"none\",\"csv\"]}}" >run/config.json && glovita-log --deliver run >out && [ "$(wc -l <out)" = 2 ] &&
	cut -d, -f2- was >a && cut -d, -f2- run/log/metrics.csv >b && same a b && [ "$(wc -l <run/log/metrics.jsonl)" = 4 ] && exits 2 glovita-log --deliver run --follow 2>err && grep "takes one" err
'
done_testing
