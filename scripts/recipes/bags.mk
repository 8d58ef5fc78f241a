# Which bags of garments hold an ankle boot: CLAM's attention over 5 to 20 pictures of Fashion-MNIST, each given by its pixels. Then the test
# bags, and how often the instance with the most attention of a positive bag is a boot (`y`, the second coordinate, is its class): about 97 %.
bags_about  := bags of 5 to 20 garments of Fashion-MNIST, positive if one is an ankle boot; instances are pixels, 14 x 14: no pretrained network
bags_takes  := about a minute on 2 cores
bags_expect := val_Accuracy >= 0.93
bags_data   := $(WORK)/bags/data/done
bags_train  := --data.dataset precomputed_features --data.num_classes 2 --data.train_features_file $(WORK)/bags/data/train.h5 --data.val_features_file $(WORK)/bags/data/val.h5 \
	--data.test_features_file $(WORK)/bags/data/test.h5 --model.head.head_type clam --model.head.size_arg tiny --model.head.no_feature_prep --model.head.instance_eval \
	--optimizer.lr 1e-3 --optimizer.warmup_epochs 0 --training.epochs 15 --dataloading.batch_size 16 --dataloading.num_workers 1 --training.precision no --training.seed 1
bags_look   := $(EXP)/precomputed_features/bags/attention.csv
bags_score  := --metrics acc --attention $(bags_look)
bags_goals  := bags.look

.PHONY: bags.look
bags.look: bags.score
	@awk -F, 'function done() { if (id != "" && boot) { bags++; found += class == 9 } } \
		NR > 1 { if ($$1 != id) { done(); id = $$1; most = -1; boot = 0 } if ($$4 == 9) boot = 1; if ($$5 > most) { most = $$5; class = $$4 } } \
		END { done(); print "bags: a boot has the most attention in " found " of " bags " positive bags" }' $(bags_look)

$(bags_data): bags.c
	@mkdir -p $(@D)
	$(CC) -O2 -std=gnu11 -Wall -o $(WORK)/bags/bags $< $$(pkg-config --cflags --libs hdf5 2>/dev/null || pkg-config --cflags --libs hdf5-serial)
	for f in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do gzip -dc $(FASHION)/$$f-ubyte.gz >$(@D)/$$f || exit 1; done
	$(WORK)/bags/bags $(@D)/train-images-idx3 $(@D)/train-labels-idx1 $(@D)/train.h5 2000 1
	$(WORK)/bags/bags $(@D)/train-images-idx3 $(@D)/train-labels-idx1 $(@D)/val.h5 300 2
	$(WORK)/bags/bags $(@D)/t10k-images-idx3 $(@D)/t10k-labels-idx1 $(@D)/test.h5 600 3
	@rm $(@D)/train-* $(@D)/t10k-*
	@touch $@
