# In which frames a grating drifts: labels of frames, answers for frames, by the stages of r3d_18 and framewise_decoder_1d.
framewise_about  := gratings that start to drift and stop again, made here as folders of frames: still or drifting, frame by frame
framewise_takes  := about 2 minutes on 2 cores
framewise_expect := val_Accuracy >= 0.9
framewise_data   := $(WORK)/framewise/data/splits.json
framewise_train  := --data.dataset generic_video_dataset --data.data_root_dir $(WORK)/framewise/data --data.num_classes 2 --data.subtask framewise --data.label_source csv --data.labels_file labels.csv \
	--data.frames_per_clip 8 --data.test_clip_sampler uniform --data.test_clips 3 --data.augmentation.train_policy shared_default_2d --data.augmentation.image_size 32 --data.augmentation.resize_size 32 \
	--model.encoder.encoder_type torchvision_video --model.encoder.type r3d_18 --model.encoder.no_pretrained \
	--optimizer.lr 3e-4 --optimizer.warmup_epochs 0 --training.epochs 8 --dataloading.batch_size 16 --dataloading.num_workers 2 --training.precision no --training.seed 1

$(framewise_data): gratings.c
	@mkdir -p $(@D)
	$(CC) -O2 -std=gnu11 -Wall -o $(WORK)/framewise/gratings $< -lm
	$(WORK)/framewise/gratings $(@D) 160 7 starts
