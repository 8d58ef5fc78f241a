# Where a grating drifts, which no single frame shows: r3d_18 from scratch on clips of 8 frames, two clips of a test video.
video_about  := gratings drifting left, right, up or down, made here as folders of frames: the answer lies in time alone
video_takes  := about 2 minutes on 2 cores
video_expect := val_Accuracy >= 0.9
video_data   := $(WORK)/video/data/done
video_train  := --data.dataset generic_video_dataset --data.data_root_dir $(WORK)/video/data --data.num_classes 4 --data.split_source subdirs --data.label_source folder \
	--data.frames_per_clip 8 --data.test_clips 2 --data.augmentation.train_policy shared_default_2d --data.augmentation.image_size 32 --data.augmentation.resize_size 32 \
	--model.encoder.encoder_type torchvision_video --model.encoder.type r3d_18 --model.encoder.no_pretrained \
	--optimizer.lr 3e-4 --optimizer.warmup_epochs 0 --training.epochs 4 --dataloading.batch_size 16 --dataloading.num_workers 2 --training.precision no --training.seed 1

$(video_data): gratings.c
	@mkdir -p $(@D)
	$(CC) -O2 -std=gnu11 -Wall -o $(WORK)/video/gratings $< -lm
	$(WORK)/video/gratings $(@D) 192 7
	@touch $@
