#!/bin/sh
# import: tables of other programs, and those that eval and export wrote
. "${0%/*}/lib.sh"
cat >p.csv <<'END'
id,label,prob_cat,prob_dog
a,0,0.75,0.25
"b,1",dog,0.5,0.5
c,,1,0
END
check 'ids, labels as numbers and names, none, and probabilities as logits' '
	glovita-import --input p.csv | glovita-cat >o && grep "id=a y=0 logits=float64\[2\](-0.287682,-1.38629)" o && grep "id=b,1 y=1 " o && grep "id=c logits=float64\[2\](0,-745)" o && [ "$(wc -l <o)" = 3 ] &&
	glovita-import <p.csv | glovita-cat --header | grep -A 2 class_names | grep cat
'
check 'the tables of eval are read as they are' '
	for f in pred_a pred_bad pred_nolabel pred_reg; do
		r=; [ $f != pred_reg ] || r="--data.task Regression --columns pred_0 --label label_0"
		glovita-eval --json a.json --csv a.csv <"$FIXTURES/$f.gv" 2>err && glovita-import --input a.csv $r | glovita-eval --json b.json --csv b.csv 2>err && same a.json b.json || exit 1
		sed "s/import: //" b.csv >c.csv; perl -e "open A, q(a.csv); open B, q(c.csv); while (<A>) { my \$b = <B>; \$b eq \$_ or join(q(), map { /^[0-9.e-]+\$/ ? sprintf(q(%.7g,), \$_) : \$_ } split /,/) eq join(q(), map { /^[0-9.e-]+\$/ ? sprintf(q(%.7g,), \$_) : \$_ } split /,/, \$b) or die \"\$_\$b\" }" || exit 1
	done
'
check 'and those of export, which hold logits' '
	glovita-export --to e.csv <"$FIXTURES/pred_a.gv" >/dev/null && glovita-import --input e.csv --values logits | glovita-eval >got && glovita-eval <"$FIXTURES/pred_a.gv" >want && same got want
'
check 'labels of a stream; what is not in the table has failed; what is unknown has no label' '
	printf "image,x,y\ncat/0.png,0.9,0.1\ndog/1.png,0.3,0.7\nelse.png,1,0\n" >t.csv && glovita-import --input t.csv --truth "$FIXTURES/four.gv" 2>err | glovita-cat >o &&
	grep "id=cat/0.png y=0" o && grep "id=dog/1.png y=1" o && grep "prediction.*id=else.png logits" o && [ "$(grep -c "^error.*is not in the table" o)" = 2 ] && grep "2 of 4 cases" err && grep "1 of 3 rows" err &&
	glovita-import --input t.csv --truth "$FIXTURES/four.gv" 2>err | glovita-cat --header | grep "\"dog\""
'
check 'several labels, and a regression' '
	glovita-eval --csv m.csv --json want <"$FIXTURES/pred_multilabel.gv" && glovita-import --input m.csv --truth "$FIXTURES/pred_multilabel.gv" | glovita-eval --json got && same got want &&
	printf "id,label,v\na,2.5,2\nb,1,1\n" | glovita-import --data.task Regression | glovita-eval --task.metrics mse | grep 0.125
'
glovita-batch --dataloading.batch_size 4 <"$FIXTURES/four.gv" >b.gv || exit 2
check 'bad tables are errors with their line' '
	bad() { printf "$1" | exits 3 glovita-import $3 2>err >o; grep -e "$2" err; }
	bad "" "is empty" && bad "id,a,b\nx,0.5\n" "line 2: it has 2 cells, the line of names 3" && bad "id,a,b\nx,0.5,0.5\ny,1.5,0\n" "line 3: 1.5 is no probability" && bad "id,a,b\nx,0.5,q\n" "line 2: .q. is no number" &&
	bad "id,a,b\nx,0.5,0.9\n" "add up to 1.4" && bad "id,label,a,b\nx,7,0.5,0.5\n" "line 2: the label .7. is neither" && bad "id,label,a,b\nx,\"7,0.5,0.5\n" "quote" && bad "id\nx\n" "0 columns of values" && bad "id,a\0\n" "NUL" &&
	bad "id,a,b\nx,0.5,0.5\n" "holds batches" "--truth b.gv"
' 
check 'empty cells are error records' 'printf "id,a,b\nx,,1\ny,nan,1\nz,0,1\n" | glovita-import | glovita-cat >o && [ "$(grep -c ^error o)" = 2 ] && grep "id=x .*missing" o && grep "id=y .*not finite" o'
check 'usage' '
	exits 2 glovita-import --input nothing.csv >o 2>err && grep "cannot open .nothing.csv." err && exits 2 glovita-import --input p.csv --id name >o 2>err && grep "no column .name. (--id)" err && exits 2 glovita-import --input p.csv --columns a >o 2>err && grep "no column .a." err &&
	exits 2 glovita-import --input p.csv --label label --truth x >o 2>err && grep "give one" err && exits 2 glovita-import --input p.csv --data.num_classes 3 >o 2>err && grep "data.num_classes is 3" err && exits 2 glovita-import --trut x 2>err && grep "did you mean .--truth." err
'
done_testing
