#!/bin/sh
# eval: scores, tables, ensembles, failed and unlabelled cases
. "${0%/*}/lib.sh"
cp "$FIXTURES"/pred_*.gv .
value() { sed -n "s/^ *\"$2\": \([-0-9.e]*\),*$/\1/p" "$1" | cut -c 1-9; } # value FILE KEY

check 'metrics as JSON on stdout' '
	glovita-eval --task.metrics acc f1 auroc <pred_a.gv >m.json && [ "$(value m.json Accuracy)" = 0.5 ] &&
	[ "$(value m.json F1)" = 0.4444444 ] && [ "$(value m.json AUROC)" = 0.6908289 ]
'
check 'or in a file' 'glovita-eval --json o.json <pred_a.gv >out && [ ! -s out ] && [ "$(value o.json Accuracy)" = 0.5 ]'
check 'an ensemble is the mean of softmax, by case, in any order' '
	glovita-eval --input pred_a.gv pred_b.gv --task.metrics acc f1 auroc >m.json && [ "$(value m.json Accuracy)" = 0.5833333 ] &&
	[ "$(value m.json AUROC)" = 0.7681657 ] && [ "$(value m.json inputs)" = 2 ] && [ "$(value m.json cases)" = 12 ]
'
check 'an option twice is the same as a list' 'glovita-eval --input pred_a.gv --input pred_b.gv --task.metrics acc f1 auroc >m2.json && same m.json m2.json'
check 'views of a case are one case' 'glovita-eval <pred_views.gv >v.json && [ "$(value v.json cases)" = 4 ] && [ "$(value v.json Accuracy)" = 0.25 ]'
check 'the table has a row a case' '
	glovita-eval --csv t.csv <pred_a.gv >out && [ "$(wc -l <t.csv)" = 13 ] &&
	[ "$(head -n 1 t.csv)" = "case_id,label,pred,prob_cat,prob_dog,\"prob_fish, gold\",error" ] && grep "^img/06.png,2,2,0.00517762529,0.0220007104,0.972821664,$" t.csv
'
check 'predictions as JSON have the four keys' '
	glovita-eval --predictions p.json <pred_a.gv >out && for k in preds labels probs case_ids class_names; do grep "\"$k\": \[" p.json || exit 1; done &&
	grep "\"preds\": \[1, 0, 0, 1, 0, 0, 2, 2, 2, 0, 1, 1\]" p.json
'
check 'a failed case keeps its row and its reason' '
	glovita-eval --csv b.csv --predictions b.json <pred_bad.gv >m.json 2>err && [ "$(wc -l <b.csv)" = 13 ] && grep "1 case failed" err &&
	grep "^img/04.png,,,,,,\"decode: JPEG ends after 900 bytes, too early\"$" b.csv && [ "$(value m.json labelled)" = 11 ] &&
	grep "decode: JPEG ends after 900 bytes, too early" b.json
'
check 'the other fold answers for a case that failed in one' '
	glovita-eval --input pred_bad.gv pred_b.gv --csv b.csv >m.json 2>err && [ "$(value m.json failed)" = 0 ] && grep "1 of 12 cases are not in every input" err &&
	grep "^img/04.png,0,[0-2],0" b.csv
'
check 'without labels there are predictions and no metrics' '
	glovita-eval --csv n.csv <pred_nolabel.gv >m.json 2>err && grep "\"metrics\": null" m.json && grep "no case has a label" err && grep "^img/00.png,,1,0.01" n.csv
'
check 'a regression is scored as one' '
	glovita-eval --csv r.csv --results r.json <pred_reg.gv >m.json && [ "$(value m.json MSE)" = 0.7663565 ] && [ "$(value m.json MAE)" = 0.7685595 ] &&
	head -n 1 r.csv | grep "^case_id,label_0,pred_0,error$" && grep "\"predicted\"" r.json
'
check 'several labels' 'glovita-eval --csv l.csv <pred_multilabel.gv >m.json && [ "$(value m.json Accuracy)" = 0.475 ] && head -n 1 l.csv | grep "^case_id,label_0,.*pred_3,prob_0"'
check 'results hold the confusion matrix' 'glovita-eval --input pred_a.gv pred_b.gv --results c.json >out && tr -d " \n" <c.json | grep "\"confusion\":\[\[4,2,1\],\[1,1,0\],\[1,0,2\]\]"'
check 'the same twice is the same bytes' 'glovita-eval --csv a1 --predictions a2 <pred_a.gv >a3 && glovita-eval --csv b1 --predictions b2 <pred_a.gv >b3 && same a1 b1 && same a2 b2 && same a3 b3'
check 'a cut input is status 3, and no table appears' 'head -c 700 pred_a.gv >cut.gv && exits 3 glovita-eval --csv cut.csv <cut.gv 2>err && grep "is cut" err && [ ! -e cut.csv ]'
check 'other records are refused' 'exits 3 glovita-eval <"$FIXTURES/four.gv" 2>err && grep "holds tensor records" err'
check 'inputs of different tasks are refused' 'exits 3 glovita-eval --input pred_a.gv pred_reg.gv 2>err && grep "regression" err'
check 'a wrong number of classes is refused' 'exits 3 glovita-eval --data.num_classes 5 <pred_a.gv 2>err && grep "3 values where 5 classes" err'
check 'a metric that does not go with the task' 'exits 2 glovita-eval --task.metrics mse <pred_a.gv 2>err && grep "metric .mse. is not one of a multiclass" err'
check 'a missing input is status 2, a full disk 4' 'exits 2 glovita-eval --input nowhere.gv && exits 4 glovita-eval <pred_a.gv >/dev/full && exits 4 glovita-eval --csv /dev/full <pred_a.gv'
done_testing
