#!/bin/sh
# wandb: the offline run directory of W&B: every record once, through kills, full disks, resumes; where it stands; when W&B's own program is started
. "${0%/*}/lib.sh"
unset $(env | sed -n 's/^\(WANDB_[A-Z_]*\)=.*/\1/p') NETRC
HOME=$T
export HOME
cp "$FIXTURES/run_a/metrics.jsonl" all
mkdir quick && printf '#!/bin/sh\nexit 1\n' >quick/gnuplot && chmod +x quick/gnuplot && PATH=$T/quick:$PATH # no pictures but those of the test
records() { perl "$ROOT/tests/cli/records.pl" wandb "$1"/run-*.wandb; }
steps() { records "$1" | sed -n 's/^history.*val_loss.*\t_step=\([0-9]*\).*/\1/p' | tr '\n' ' '; }
# fresh STATE [LOGGER]: a run of four epochs
fresh() {
	rm -rf run && mkdir -p run/log run/checkpoints && cp all run/metrics.jsonl && echo best >run/checkpoints/best.safetensors
	printf '{"data":{"dataset":"shoes"},"logger":{"backend":"wandb","group":"g"%s},"typed":["logger.backend"]}' "${2:-}" >run/config.json
	echo '{"argv":["glovita_train","--x"],"host":"here","cores":2}' >run/runtime_info.json
	stands "$1"
}
stands() { printf '{"status":"%s","since":1755870000,"until":1755870100,"exit":%s}' "$1" "${2:-0}" >run/log/status.part && mv run/log/status.part run/log/status.json; }
deliver() { glovita-log --deliver run "$@" >out; }
place() { echo run/wandb/offline-run-*; }
export all

check 'a run becomes a directory of W&B; the command that uploads it is printed' '
	fresh finished && deliver && d=$(place) && echo "$d" | grep -E "^run/wandb/offline-run-[0-9]{8}_[0-9]{6}-[a-z0-9]{8}$" && [ -s "$d/run-${d##*-}.wandb" ] &&
	grep "^4 epochs delivered, 4 of them now: $d$" out && grep "^to upload    wandb sync $d$" out && [ "$(readlink run/wandb/latest-run)" = "${d##*/}" ] &&
	for f in config.yaml wandb-summary.json wandb-metadata.json config.json runtime_info.json; do [ -s "$d/files/$f" ] || exit 1; done; [ -d "$d/logs" ]
'
check 'records: header, run, metrics with their axis, a row an epoch, files, artifact, exit' '
	d=$(place) && records $d >r && head -n 1 r | grep "^header" && sed -n 2p r | grep "^run	1=${d##*-}	3=shoes	6=g	7=train	8=g/run	13=here	data={" && [ "$(steps $d)" = "0 1 2 3 " ] && [ "$(tail -n 1 r)" = "exit	0" ] &&
	grep "^history.*epoch=2.*val_F1=0.5619.*_step=2	_timestamp=.*_runtime=" r && grep "^files	config.json" r && [ "$(grep -c "^artifact.*4=model	5=model-${d##*-}.*11=latest	11=best" r)" = 1 ] &&
	tail -n 3 r | grep "^artifact"
'
check 'the summary has the last value, and of validation the best' '
	grep "\"val_loss\": {" $(place)/files/wandb-summary.json && tr -d " \n" <$(place)/files/wandb-summary.json | grep "\"val_loss\":{\"min\":0.9858,\"last\":0.9858}.*\"train_Accuracy\":0.7093,\"val_Accuracy\":{\"max\":0.6593,"
'
check 'again delivers nothing' 'cp run/wandb/latest-run/*.wandb was && deliver && grep "4 of them now" out; grep "0 of them now" out && same was run/wandb/latest-run/*.wandb && [ "$(ls -d run/wandb/off* | wc -l)" = 1 ]'
check 'line by line: the same rows' '
	fresh running && : >run/metrics.jsonl && for n in 1 2 3 4; do deliver || exit 1; head -n $n all >run/metrics.jsonl; done && stands finished && deliver && [ "$(steps $(place))" = "0 1 2 3 " ] && records $(place) | tail -n 1 | grep "exit"
'
check 'bytes behind what the record says are cut' '
	fresh running && deliver && f=$(echo $(place)/run-*.wandb) && printf garbage >>$f && stands finished && deliver && [ "$(steps $(place))" = "0 1 2 3 " ]
'
check 'every write may fail: afterwards each row is there once' '
	n=1 bad=0; while [ $n -le 40 ]; do
		fresh running && head -n 2 all >run/metrics.jsonl && { [ $((n % 2)) = 0 ] || deliver; } || exit 1
		cp all run/metrics.jsonl; stands finished
		GV_FAIL=io:$(((n + 1) / 2)) glovita-log --deliver run >out 2>err || bad=$((bad + 1))
		deliver && [ "$(steps $(place))" = "0 1 2 3 " ] && [ "$(records $(place) | grep -c "^exit")" = 1 ] || { echo "at $n"; exit 1; }
		n=$((n + 1))
	done; echo "$bad failed"; [ $bad -ge 10 ] && [ $bad -lt 40 ]
'
check 'killed at any moment: afterwards each row is there once' '
	i=0; while [ $i -lt 12 ]; do
		fresh running && : >run/metrics.jsonl
		for n in 1 2 3 4; do
			head -n $n all >run/metrics.jsonl; [ $n = 4 ] && stands finished
			glovita-log --deliver run >out 2>err & p=$!
			sleep 0.00$((i % 10)); kill -9 $p 2>/dev/null; wait $p 2>/dev/null
		done
		within 10 deliver && [ "$(steps $(place))" = "0 1 2 3 " ] && [ "$(ls -d run/wandb/off* | wc -l)" = 1 ] && [ "$(records $(place) | grep -c "^artifact\|^exit")" = 2 ] || { echo "round $i"; exit 1; }
		i=$((i + 1))
	done
'
check 'a stopped run goes on in the same file; a failed one too, and its end is told once' '
	fresh running && head -n 2 all >run/metrics.jsonl && deliver && stands stopped 75 && deliver && ! records $(place) | grep "^exit\|^artifact" && grep "wandb beta sync --live" out &&
	stands failed 3 && deliver && [ "$(records $(place) | tail -n 1)" = "exit	3" ] && stands running && cp all run/metrics.jsonl && deliver && ! records $(place) | grep "^exit" &&
	stands finished && deliver && [ "$(steps $(place))" = "0 1 2 3 " ] && [ "$(records $(place) | grep "^exit")" = "exit	0" ] && [ "$(ls -d run/wandb/off* | wc -l)" = 1 ] &&
	fresh failed && deliver && stands finished && deliver && [ "$(records $(place) | grep "^exit")" = "exit	0" ]
'
check 'what was said is the output, once, with its log' '
	fresh running && printf "%s\n" "{\"ts\":1755870001.5,\"event\":\"epoch\",\"text\":\"epoch 1/4 x\"}" >run/events.jsonl && deliver && echo "{\"ts\":1755870002,\"stage\":\"train\",\"event\":\"warning\",\"text\":\"slow\"}" >>run/events.jsonl &&
	deliver && printf "half" >>$(place)/files/output.log && stands finished && echo "{\"ts\":3,\"event\":\"note\",\"text\":\"end\"}" >>run/events.jsonl && deliver && records $(place) | grep -c "^output" | grep 3 && [ "$(cat $(place)/files/output.log)" = "epoch 1/4 x
train: warning: slow
end" ] && records $(place) | grep "^history.*epoch=0.*_timestamp=1755870001.5	_runtime=1.5$"
'
check 'pictures are a row of their epoch, with a file each' '
	fresh finished && mkdir -p run/plots && p=$(find "$FIXTURES" -name "*.png" | head -n 1) && for k in confusion_matrix confusion_matrix_absolute; do cp "$p" run/plots/val_${k}_epoch_0002.png; done && echo none >run/plots/val_x_epoch_0001.png &&
	glovita-log --deliver run >out 2>err && grep "val_x_epoch_0001.png. is no PNG" err && d=$(place) && records $d >r && grep "^history	epoch=2	val_ConfusionMatrix_normalized={\"_type\":\"image-file\",.*val_ConfusionMatrix_absolute=.*_step=4\|^history	epoch=2	val_ConfusionMatrix_absolute={\"_type\":\"image-file\",.*val_ConfusionMatrix_normalized=.*_step=4" r &&
	sum=$(sha256sum <"$p" | cut -c1-20) && cmp "$p" $d/files/media/images/val_ConfusionMatrix_normalized_2_$sum.png && grep "^files	media/images/val_ConfusionMatrix_absolute_2_$sum.png" r
'
check 'a picture that comes behind the end stands before it' '
	fresh finished && deliver && [ "$(records $(place) | tail -n 1)" = "exit	0" ] && mkdir -p run/plots && cp "$(find "$FIXTURES" -name "rgb.png" | head -n 1)" run/plots/val_confusion_matrix_epoch_0001.png && deliver && records $(place) >r &&
	grep "^history	epoch=1	val_ConfusionMatrix_normalized" r && [ "$(grep -c "^exit\|^artifact" r)" = 2 ] && [ "$(tail -n 1 r)" = "exit	0" ] && [ "$(steps $(place))" = "0 1 2 3 " ] && deliver && grep "4 epochs delivered, 0 of them now" out && records $(place) | cmp - r
'
check 'names, groups, tags and notes come from the run, and from the variables of W&B' '
	fresh finished ",\"project\":\"p\",\"tags\":[\"a\",\"b\"],\"name\":\"n\"" && WANDB_PROJECT=q WANDB_ENTITY=e WANDB_TAGS=c WANDB_NOTES="to note" WANDB_JOB_TYPE=j WANDB_RUN_ID=mine deliver && records $(place) | grep "^run	1=mine	2=e	3=p	6=g	7=j	8=n	9=to note	10=a	10=b	13=here" && [ -s run/wandb/latest-run/run-mine.wandb ] &&
	fresh finished && WANDB_PROJECT=q WANDB_NAME=m WANDB_TAGS=c,d deliver && records $(place) | grep "	3=q	6=g	7=train	8=m	10=c	10=d	"
'
check 'the commit of the work tree, without the password of its origin' '
	h=0123456789abcdef0123456789abcdef01234567 && mkdir -p tree/.git/refs/heads tree/sub && echo "ref: refs/heads/main" >tree/.git/HEAD && printf "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://me:secret@host/x.git\n" >tree/.git/config &&
	at() { fresh finished && echo "{\"cwd\":\"$T/$1\"}" >run/runtime_info.json && deliver && records $(place) | sed -n 2p >r && ! grep secret r; } &&
	at tree/sub && ! grep "host/x" r && echo "# packed
$h refs/heads/main" >tree/.git/packed-refs && at tree/sub && grep "https://host/x.git.*$h" r && echo 1$h | cut -c1-40 >tree/.git/refs/heads/main && at tree && grep "10123456789abcdef" r &&
	mkdir -p linked tree/.git/worktrees/l && echo "gitdir: ../tree/.git/worktrees/l" >linked/.git && echo "ref: refs/heads/main" >tree/.git/worktrees/l/HEAD && echo ../.. >tree/.git/worktrees/l/commondir && at linked && grep "https://host/x.git.*10123456789abcdef" r &&
	echo 2$h | cut -c1-40 >tree/.git/HEAD && at tree && grep "https://host/x.git 20123456789abcdef" r
'
check 'a fold has its tag' 'fresh finished && sed -i "s/\"dataset\":\"shoes\"/&,\"fold\":\"0\"/" run/config.json && deliver && records $(place) | grep "^run.*	10=fold_run	"'
check 'a project W&B would refuse' '
	exits 2 glovita_train --data.dataset cifar10 --data.data_root_dir x --logger.project a:b 2>err && grep "logger.project. is .a:b.; W&B takes none of" err &&
	fresh finished ",\"project\":\"a/b\"" && exits 2 glovita-log --deliver run 2>err && grep "the project .a/b. has a ./." err && [ ! -e run/wandb ] && fresh finished && WANDB_PROJECT=$(printf "%0129d" 0) exits 2 glovita-log --deliver run 2>err && grep "129 bytes" err && WANDB_RUN_ID=a:b exits 2 glovita-log --deliver run 2>err && grep "WANDB_RUN_ID" err
'
check 'WANDB_DIR, --to, and a WANDB_DIR that cannot be' '
	fresh finished && mkdir -p else && WANDB_DIR=else deliver && ls -d else/wandb/offline-run-* && [ ! -e run/wandb ] && (cd / && glovita-log --deliver "$T/run" >"$T/out") && grep "0 of them now: $T/else/wandb/off" out &&
	deliver --to there && ls -d there/wandb/offline-run-* && fresh finished && : >file && WANDB_DIR=file glovita-log --deliver run >out 2>err && grep "the run directory takes" err && [ "$(steps $(place))" = "0 1 2 3 " ] &&
	exits 4 glovita-log --deliver run --to file 2>err && mkdir -p old/.wandb && fresh finished && WANDB_DIR=old deliver && ls -d old/.wandb/offline-run-*
'
check 'WANDB_MODE=disabled writes nothing, says so, and is no delivery' '
	fresh finished && WANDB_MODE=disabled deliver && grep "nowhere: WANDB_MODE is .disabled." out && [ ! -e run/wandb ] && WANDB_MODE=disabled deliver --follow && deliver && [ "$(steps $(place))" = "0 1 2 3 " ]
'
check 'a directory that was removed is written anew' 'fresh finished && deliver && d=$(place) && rm -r "$d" && deliver && [ "$(place)" = "$d" ] && [ "$(steps $d)" = "0 1 2 3 " ] && records $d | grep "^exit"'

mkdir bin && cat >bin/wandb <<'END'
#!/bin/sh
echo $$ >"$T/pid"
echo "$*" >>"$T/called"
perl "$ROOT/tests/cli/records.pl" wandb "$4"/run-*.wandb >>"$T/called" || exit 1
[ "$FAKE" = hang ] && exec sleep 100
until perl "$ROOT/tests/cli/records.pl" wandb "$4"/run-*.wandb | grep "^exit"; do sleep 0.05; done
exit "${FAKE:-0}"
END
chmod +x bin/wandb
export T
gone() { ! kill -0 "$(cat pid)" 2>/dev/null; }
online() { # STATUS of the fake; then how the run is followed
	rm -f called; fresh running && FAKE=$1 PATH=$T/bin:$PATH glovita-log --deliver run --follow >out 2>err & p=$!
	within 10 grep -q "^history" called; stands finished; wait $p
}
check 'with a key the program of W&B runs beside the delivery and uploads all' '
	WANDB_API_KEY=k online 0 && grep "^beta sync --live run/wandb/off" called && grep "^uploaded  *by .wandb beta sync --live." out && grep "^exit" run/log/wandb-sync.out && [ "$(steps $(place))" = "0 1 2 3 " ]
'
check 'where that fails the command is printed' 'WANDB_API_KEY=k online 1 && grep "^to upload    wandb sync run" out && grep "has not uploaded all" err'
check 'a key in .netrc, for the server that is asked' 'echo "machine api.wandb.ai login user password k" >.netrc && online 0 && grep "^uploaded" out; rm .netrc'
quiet() { rm -f called; fresh running "$@" && printf "%s" "" && { PATH=$T/bin:$PATH glovita-log --deliver run --follow >out & p=$!; } && within 10 test -s run/log/wandb.json && sleep 0.1 && stands finished && wait $p && [ ! -e called ] && grep "^to upload" out; }
check 'nothing is started offline, without a key, or where W&B was not asked for' '
	quiet && WANDB_API_KEY=k WANDB_MODE=offline quiet && WANDB_API_KEY=k && export WANDB_API_KEY && quiet ",\"offline\":true" && fresh running && sed -i "s/\"logger.backend\"//" run/config.json && { PATH=$T/bin:$PATH glovita-log --deliver run --follow >out & p=$!; } &&
	within 10 test -s run/log/wandb.json && sleep 0.1 && stands finished && wait $p && [ ! -e called ]
'
check 'a signal ends the program of W&B too' '
	rm -f called; fresh running && { FAKE=hang WANDB_API_KEY=k PATH=$T/bin:$PATH glovita-log --deliver run --follow >out 2>err & p=$!; } && within 10 grep -q "^history" called && kill -TERM $p && wait $p && within 5 gone && grep "to upload    wandb beta sync --live" out
'
if python wandb; then
	export PY
	check 'the schema of W&B reads every record' '
		fresh finished && deliver && "$PY" - run/wandb/latest-run/*.wandb <<END
import struct, sys, zlib
from wandb.proto import wandb_internal_pb2 as pb
d = open(sys.argv[1], "rb").read(); at = 7; kinds = []
while at < len(d):
    left = 32768 - at % 32768
    if left < 7: at += left; continue
    c, n, t = struct.unpack("<IHB", d[at:at+7]); p = d[at+7:at+7+n]; at += 7 + n
    assert zlib.crc32(bytes([t]) + p) == c
    buf = p if t in (1, 2) else buf + p
    if t in (1, 4):
        r = pb.Record(); r.ParseFromString(buf); kinds.append(r.WhichOneof("record_type"))
        n = len(r.SerializeToString()); r.DiscardUnknownFields(); assert len(r.SerializeToString()) == n, r
assert kinds[:2] == ["header", "run"] and kinds.count("history") == 4 and kinds[-2:] == ["artifact", "exit"], kinds
END
	'
else
	skip 'the schema of W&B reads every record' 'no Python with wandb'
fi
done_testing
