#!/bin/bash
# Series end to end: classification, multilabel and regression; statistics of the training split saved and used again; bad files.
. "${0%/*}/../cli/lib.sh"

# Damped oscillations, one file each: the frequency is the class, the damping a number, and both together two labels.
mkdir -p set/series && awk 'BEGIN {
	srand(3); n = 24
	for (i = 0; i < n; i++) {
		class = i % 2; damp = (i * 7) % 10 / 100; phase = rand() * 6.28
		file = "set/series/s" i ".csv"; print "t,x,y" >file
		for (t = 0; t < 48; t++) {
			a = exp(-damp * t)
			printf("%.2f,%.5f,%.5f\n", t / 4, 3 + a * sin((class ? 0.9 : 0.5) * t + phase) + 0.05 * (rand() - 0.5), 10 * a * cos(0.5 * t)) >file
		}
		close(file)
		labels = labels (i ? "," : "{") "\"s" i "\":" class
		multi = multi (i ? "," : "{") "\"s" i "\":[" class "," (damp > 0.04) "]"
		number = number (i ? "," : "{") "\"s" i "\":[" damp * 10 "]"
		(i < 16 ? train = train (train ? "," : "") "\"s" i "\"" : val = val (val ? "," : "") "\"s" i "\"")
	}
	print labels "}" >"set/labels.json"; print multi "}" >"set/multi.json"; print number "}" >"set/number.json"
	print "{\"train\":[" train "],\"val\":[" val "]}" >"set/splits.json"
}'

data='--data.dataset generic_timeseries_dataset --data.data_root_dir set --data.time_column t'
quick='--model.encoder.encoder_type timeseries --training.precision no --training.seed 1 --optimizer.warmup_epochs 0 --optimizer.lr 0.003 --dataloading.batch_size 8 --dataloading.num_workers 2 --logger.backend none'
tiny='--model.encoder.type inception_time --model.encoder.depth 2 --model.encoder.width 4 --model.encoder.kernels 8 4'

check 'the frequency is learned; mean and deviation of the training split are in the resolved configuration' '
	glovita_train $data --data.num_classes 2 $quick $tiny --training.epochs 12 --logger.group class 2>err &&
	awk -F, "NR == 1 { for (i = 1; i <= NF; i++) if (\$i == \"val_Accuracy\") c = i } END { exit !(\$c >= 0.9) }" experiments/generic_timeseries_dataset/class/0/metrics.csv &&
	grep -A3 "\"channel_mean\"" experiments/generic_timeseries_dataset/class/0/resolved_config.json | grep -q "[23]\.[0-9]" && grep -q "\"channels\": 2" experiments/generic_timeseries_dataset/class/0/resolved_config.json'

check 'the statistics are those of the values: NumPy would say the same (mean and deviation by awk, to 1e-6)' '
	for i in $(seq 0 15); do tail -n +2 set/series/s$i.csv; done | awk -F, "{ n++; s += \$2; q += \$2 * \$2 } END { printf \"%.6f %.6f\n\", s / n, sqrt(q / n - (s / n) ^ 2) }" >want &&
	grep -o "data.channel_mean [^ ]*\|data.channel_std [^ ]*" experiments/generic_timeseries_dataset/class/0/pipeline.sh | head -2 | awk "NR == 1 { a = \$2 } END { printf \"%.6f %.6f\n\", a, \$2 }" >have && cmp want have'

check 'inference takes them from the run, not from the data it is given' '
	cp -r set other && for i in $(seq 0 15); do sed -i "2,\$s/,\([0-9.-]*\),/,9\1,/" other/series/s$i.csv; done &&
	glovita_infer --exp_dir experiments/generic_timeseries_dataset/class/0 --data.data_root_dir other --print_pipeline 2>err | grep -o "data.channel_mean [^ ]* [^ ]*" | head -1 >a &&
	grep -o "data.channel_mean [^ ]* [^ ]*" experiments/generic_timeseries_dataset/class/0/pipeline.sh | head -1 >b && test -s a && cmp a b &&
	glovita_infer --exp_dir experiments/generic_timeseries_dataset/class/0 >out 2>err && test $(wc -l <experiments/generic_timeseries_dataset/class/0/predictions_test.csv) -eq 9'

check 'multilabel, by a residual network' '
	glovita_train $data --data.num_classes 2 --data.subtask multilabel --data.labels_file multi.json $quick --model.encoder.type resnet1d --model.encoder.widths 8 --training.epochs 2 --logger.group multi 2>err &&
	grep -q "val_" experiments/generic_timeseries_dataset/multi/0/metrics.csv'

check 'regression, by a transformer over patches, from series resampled and cut to a length' '
	glovita_train $data --data.num_classes 1 --data.task Regression --data.subtask regression --data.labels_file number.json --data.sample_rate 3 --data.length 32 --data.augmentation.train_policy default_1d_4 \
		$quick --model.encoder.type patch_transformer --model.encoder.width 16 --model.encoder.heads 2 --model.encoder.depth 1 --training.epochs 2 --logger.group number 2>err &&
	grep -q "val_MSE\|val_mse" experiments/generic_timeseries_dataset/number/0/metrics.csv'

check 'one table with all series gives the same records as a file each' '
	{ echo id,t,x,y; for i in $(seq 0 23); do tail -n +2 set/series/s$i.csv | sed "s/^/s$i,/"; done; } >set/all.csv &&
	plain="$data --data.num_classes 2 --data.normalization sample" &&
	glovita-index $plain --split val --no_shuffle | glovita-decode $plain | glovita-cat --json | sed "s/ *\"history.*//" >a &&
	glovita-index $plain --data.table all.csv --data.id_column id --split val --no_shuffle | glovita-decode $plain --data.table all.csv --data.id_column id | glovita-cat --json >b && test $(wc -l <a) -eq 8 && cmp a b'

check 'a bad series stops the run with status 3, the place named; on_error skip goes on and counts it' '
	cp -r set bad && sed -i "5s/.*/1.00,three,4/" bad/series/s3.csv && printf "t,x,y\n0,1,2\n1,2\n" >bad/series/s5.csv && : >bad/series/s6.csv && printf "t,x\n0,1\n1,2\n" >bad/series/s7.csv &&
	exits 3 glovita_train --data.dataset generic_timeseries_dataset --data.data_root_dir bad --data.time_column t --data.num_classes 2 $quick $tiny --training.epochs 1 --logger.group bad 2>err && grep "s3.*line 5, column .x.: .three. is no number" err &&
	glovita_train --data.dataset generic_timeseries_dataset --data.data_root_dir bad --data.time_column t --data.num_classes 2 --data.length 48 $quick $tiny --training.epochs 1 --logger.group bad --on_error skip 2>err && grep "4 samples were left out" err &&
	exits 3 glovita_train --data.dataset generic_timeseries_dataset --data.data_root_dir bad --data.time_column t --data.num_classes 2 --data.normalization sample $quick $tiny --training.epochs 1 --logger.group bad2 2>err && grep "series/s[3567].csv.*on_error skip. goes on without it" err'

check 'channels given by hand that do not fit stop with status 2; missing values are filled on request' '
	exits 2 glovita_train $data --data.num_classes 2 $quick $tiny --model.encoder.input_channels 3 --training.epochs 1 --logger.group three 2>err && grep "input_channels. is 3, but the samples have 2 channels" err &&
	cp -r set holes && sed -i "7s/,[^,]*,/,,/" holes/series/s3.csv && exits 3 glovita_train --data.dataset generic_timeseries_dataset --data.data_root_dir holes --data.num_classes 2 $quick $tiny --training.epochs 1 --logger.group holes 2>err && grep "line 7, column .x.: the value is missing" err &&
	glovita_train --data.dataset generic_timeseries_dataset --data.data_root_dir holes --data.missing interpolate --data.num_classes 2 $quick $tiny --training.epochs 1 --logger.group holes2 2>err'
done_testing
