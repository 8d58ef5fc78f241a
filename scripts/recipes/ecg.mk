# Four kinds of heart told apart by four seconds of an electrocardiogram, whatever its rate, its place in the beat and its noise.
ecg_about  := electrocardiograms by McSharry's equations: normal, inverted T wave, no P wave and irregular, wide QRS, in noise, at 50 to 110 beats a minute
ecg_takes  := about a minute on 2 cores
ecg_expect := val_Accuracy >= 0.9
ecg_data   := $(WORK)/ecg/data/splits.json
ecg_train  := --data.dataset generic_timeseries_dataset --data.data_root_dir $(WORK)/ecg/data --data.num_classes 4 --data.class_names normal ischaemia fibrillation block \
	--data.time_column time --data.sample_rate 125 --data.augmentation.train_policy default_1d_2 --data.augmentation.test_policy shared_default_1d \
	--model.encoder.encoder_type timeseries --model.encoder.type inception_time --model.encoder.depth 3 --model.encoder.width 16 \
	--optimizer.lr 3e-3 --optimizer.warmup_epochs 1 --training.epochs 15 --dataloading.batch_size 16 --dataloading.num_workers 2 --training.precision no --training.seed 1

$(ecg_data): ecg.pl
	@mkdir -p $(@D)
	perl $< $(@D) 400
