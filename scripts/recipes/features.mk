# Features once, heads many times: a small ResNet trained for one epoch gives features of Fashion-MNIST; a linear head is trained on them.
features_about  := Fashion-MNIST as stored features: resnet10t after one epoch is the encoder, and a linear head is trained on what it gives, which is drawn, too
features_takes  := about 2 minutes on 2 cores
features_expect := val_Accuracy >= 0.8
features_train  := --data.dataset fashion_mnist --data.data_root_dir $(FASHION) --data.data_fraction 0.2 --model.encoder.type resnet10t --model.encoder.no_pretrained \
	--optimizer.lr 2e-3 --optimizer.warmup_epochs 0 --training.epochs 1 --dataloading.batch_size 128 --dataloading.num_workers 1 --training.precision no --training.seed 1
features_probe  := --optimizer.lr 3e-3 --optimizer.warmup_epochs 0 --training.epochs 8 --dataloading.batch_size 128 --dataloading.num_workers 1 --training.precision no
features_goals  := features.probe features.umap
features_result := $(EXP)/precomputed_features/features-probe/0/metrics.jsonl
