#!/bin/sh
# plot: pictures appear whole, of runs and of tables; any name is only a name
. "${0%/*}/lib.sh"
have gnuplot || skip_all 'no gnuplot'
mkdir -p exp/a && cp -r "$FIXTURES/run_a" exp/a/0 && cp "$FIXTURES"/pred_*.gv .
png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] && [ "$(wc -c <"$1")" -gt 5000 ]; }

check 'curves of a run, in the run' 'glovita-plot exp/a/0 && png exp/a/0/curves.png'
check 'the driver calls it this way' 'glovita-plot --curves --to c.png exp/a/0/metrics.jsonl && png c.png && same c.png exp/a/0/curves.png && glovita-plot --confusion --to m.png exp/a/0/val_results.json && png m.png'
check 'SVG names metrics, epochs and the run' 'glovita-plot exp/a/0 --to c.svg && grep "Accuracy: best val 0.6593 in epoch 4" c.svg && grep "exp/a/0\|a/0" c.svg && grep ">train<\|train" c.svg'
check 'several runs in one figure' 'cp -r exp/a exp/b && glovita-plot exp/a/0 exp/b/0 --to two.svg && grep "a/0: val" two.svg && grep "b/0: train" two.svg'
check 'a torn last line is left out' 'printf "{\"epoch\": 4, \"st" >>exp/b/0/metrics.jsonl && glovita-plot exp/b/0 --to t.svg && grep "in epoch 4" t.svg'
check 'a broken line is status 3 with its file' 'printf "{]\n" >bad.jsonl && exits 3 glovita-plot bad.jsonl --to x.png 2>err && grep bad.jsonl err && [ ! -e x.png ]'
check 'a table of runs: epochs, the best of each metric and its epoch' '
	glovita-plot --table exp/a/0 "$FIXTURES/run_a" >out && cat out && [ "$(sed -n 1p out | tr -s " ")" = "run epochs loss Accuracy F1" ] && grep "a/0  *4  *0.9858 (4)  *0.6593 (4)  *0.6493 (4)$" out && [ "$(wc -l <out)" = 3 ] &&
	mkdir r && printf "{\"epoch\": 0, \"val_loss\": 2, \"val_MSE\": 4.5}\n{\"epoch\": 1, \"val_loss\": 3, \"val_MSE\": 4, \"val_F1_class_0\": 1}\n" >r/metrics.jsonl && glovita-plot --table r exp/a/0 >out && cat out &&
	grep "r  *2  *2.0000 (1)  *4.0000 (2)  *-  *-$" out && grep "a/0  *4  *0.9858 (4)  *-  *0.6593 (4)" out
'
check 'a table is no picture' 'exits 2 glovita-plot --table --curves exp/a/0 && exits 2 glovita-plot --table --to x.png exp/a/0 2>err && grep "no picture" err && exits 3 glovita-plot --table "$FIXTURES/four.gv" && exits 4 glovita-plot --table exp/a/0 >/dev/full'
check 'a confusion matrix in a run: names stand as they are, rows are normalised' '
	glovita-plot --confusion exp/a/0 --to m.svg && grep "it.*s a .*fish.*_{x}^2" m.svg && grep ">0.80<\|0\.80" m.svg && grep "0\.50" m.svg && grep "20 cases, 65.0 % right" m.svg
'
check 'of a table of eval' 'glovita-eval --csv t.csv --json /dev/null <pred_a.gv && glovita-plot --confusion t.csv --to t.svg && grep "fish, gold" t.svg && grep "12 cases, 50.0 % right" t.svg'
check 'of the results of eval' 'glovita-eval --results r.json --json /dev/null <pred_a.gv && glovita-plot --confusion r.json --to r.svg && same r.svg t.svg'
check 'predicted against true' '
	glovita-eval --results q.json --csv q.csv --json /dev/null <pred_reg.gv && glovita-plot --scatter q.json --to q.png && png q.png &&
	glovita-plot --scatter q.csv --to q.svg && grep "8 cases, MAE 0.7686, RMSE 0.8754" q.svg
'
check '--terminal draws with characters' 'glovita-plot --terminal exp/a/0 >out && grep "Accuracy: best val" out && glovita-plot --terminal --confusion exp/a/0 >out && grep "0 cat  0.80  0.10  0.10" out'
check 'a name that would be a command is a name' '
	mkdir -p "exp/x'\'';system(\"touch owned\")#/0" && cp exp/a/0/* "exp/x'\'';system(\"touch owned\")#/0" && glovita-plot "exp/x'\'';system(\"touch owned\")#/0" --title "\`touch owned\`'\''; !touch owned" --to "o'\''; x.png" &&
	png "o'\''; x.png" && [ ! -e owned ]
'
check 'usage is status 2' '
	exits 2 glovita-plot && exits 2 glovita-plot nowhere && exits 2 glovita-plot --curves --confusion exp/a/0 && exits 2 glovita-plot exp/a/0 --to x.jpg &&
	exits 2 glovita-plot --confusion exp/a/0 exp/b/0 && exits 2 glovita-plot --terminal --to x.png exp/a/0
'
check 'a directory that is missing is status 4, and nothing is left' 'exits 4 glovita-plot exp/a/0 --to nowhere/x.png 2>err && grep "cannot create .nowhere/x.png." err && [ -z "$(find . -name "*part*")" ]'
check 'a run without an epoch says so' 'mkdir e && : >e/metrics.jsonl && exits 3 glovita-plot e 2>err && grep "no finished epoch yet" err'
check 'without gnuplot one line says what to install' '
	mkdir bin && ln -s "$(command -v glovita-plot)" bin/ && { PATH=$T/bin exits 4 glovita-plot exp/a/0 --to n.png 2>err; } && [ "$(wc -l <err)" = 1 ] && grep "apt install gnuplot-nox" err && [ ! -e n.png ] && [ -z "$(ls | grep part)" ]
'
check 'gnuplot dies with the program, however that dies' '
	mkdir slow && printf "#!/bin/sh\necho \$\$ >\"$T/pid\"\nexec sleep 60\n" >slow/gnuplot && chmod +x slow/gnuplot && { PATH=$T/slow:$PATH glovita-plot exp/a/0 --to slow.png & } && within 20 [ -s pid ] &&
	kill -9 $! && within 10 eval "! grep -v Z /proc/$(cat pid)/stat 2>/dev/null" '
check 'who interrupts gnuplot interrupts the program: its status is the signal, also when it has not met it yet, and nothing is left' '
	mkdir hit && for s in TERM:143 INT:130; do
		printf "#!/bin/sh\nkill -%s \$\$\nsleep 60\n" "${s%:*}" >hit/gnuplot && chmod +x hit/gnuplot && { PATH=$T/hit:$PATH exits "${s#*:}" glovita-plot exp/a/0 --to hit.png 2>err; } || return 1
	done && ! grep error err && [ -z "$(find . -name "hit.png*")" ]'
check 'gnuplot that is killed says so' '
	printf "#!/bin/sh\nkill -KILL \$\$\n" >hit/gnuplot && { PATH=$T/hit:$PATH exits 4 glovita-plot exp/a/0 --to hit.png 2>err; } && grep "gnuplot was killed by signal 9" err && [ ! -e hit.png ]'
done_testing
