# Features once, heads many times: a small ResNet trained for one epoch gives features of Fashion-MNIST; a linear head is trained on them.
features_about  := Fashion-MNIST as stored features: resnet10t after one epoch of its own is the encoder, and a linear head is trained on what it gives
features_takes  := about 2 minutes on 2 cores
features_expect := val_Accuracy >= 0.8
features_group  := precomputed_features
features_from   := $(WORK)/features/data
features_data   := $(features_from)/done
features_train  := --data.dataset precomputed_features --data.num_classes 10 --data.train_features_file $(features_from)/train.h5 --data.val_features_file $(features_from)/val.h5 \
	--data.test_features_file $(features_from)/val.h5 --optimizer.lr 3e-3 --optimizer.warmup_epochs 0 --training.epochs 8 --dataloading.batch_size 128 --dataloading.num_workers 1 \
	--training.precision no --training.seed 1
features_encoder := --data.dataset fashion_mnist --data.data_root_dir /usr/share/datasets/fashion-mnist --data.data_fraction 0.2 --model.encoder.type resnet10t --model.encoder.no_pretrained \
	--optimizer.lr 2e-3 --optimizer.warmup_epochs 0 --training.epochs 1 --dataloading.batch_size 128 --dataloading.num_workers 1 --training.precision no --training.seed 1

$(features_data):
	@rm -rf $(@D) && mkdir -p $(@D)
	glovita_train $(features_encoder) --exp_dir $(@D)/exp --logger.group encoder --logger.backend none
	for s in train val; do glovita_extract_features --checkpoint_path $(@D)/exp/fashion_mnist/encoder/0/checkpoints/last.safetensors --split $$s --output_dir $(@D)/$$s && mv $(@D)/$$s/*.h5 $(@D)/$$s.h5 || exit 1; done
	@touch $@
