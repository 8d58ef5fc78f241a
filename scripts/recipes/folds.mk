# Five folds of three hundred pictures, as where labels are dear, and the mean of their networks on the test set.
folds_about  := Fashion-MNIST: sandals, sneakers and boots by 100 pictures of each, five folds (with make -j2 two at a time), and the mean of the five on the 3,000 of the test set
folds_takes  := about a minute on 2 cores
folds_expect := Accuracy >= 0.83
folds_data    = $(clothes.run)/metrics.csv.made
folds_train   = $(call lora_task,pool) --data.num_classes 3 $(lora_model) --model.encoder.weights $(clothes.run)/checkpoints/last.safetensors --training.cv_folds 5 \
	--optimizer.lr 1e-3 --optimizer.warmup_epochs 1 --training.epochs 20 --dataloading.batch_size 32
folds_goals  := folds.score
folds_result := $(EXP)/command/folds/metrics_test.json
