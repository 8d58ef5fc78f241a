# Spheres told from ellipsoids of the same volume, in scans with uneven voxels of four kinds, by their true shape in millimetres.
nifti_about  := NIfTI scans of phantoms made here: sphere or ellipsoid of the same volume, in noise, voxels of four shapes
nifti_takes  := less than 2 minutes on 2 cores
nifti_expect := val_Accuracy >= 0.9
nifti_data   := $(WORK)/nifti/data/splits.json
nifti_train  := --data.dataset generic_3d_dataset --data.data_root_dir $(WORK)/nifti/data --data.target_spacing 2 2 2 --data.resample_order 1 --data.orientation ras \
	--data.augmentation.train_policy default_3d_2 --data.augmentation.test_policy shared_default_3d --data.augmentation.patch_size 24 24 24 \
	--model.encoder.encoder_type residual_encoder --model.encoder.input_channels 1 --model.encoder.features_per_stage 8 16 32 --model.encoder.kernel_sizes 3 3 3 \
	--model.encoder.strides 1 2 2 --model.encoder.n_blocks_per_stage 1 1 1 --model.feature_aggregation_method avg \
	--optimizer.lr 5e-3 --optimizer.warmup_epochs 1 --training.epochs 10 --dataloading.batch_size 16 --dataloading.num_workers 2 --training.precision no --training.seed 1

# The test split, too.
nifti_goals  := nifti.score

$(nifti_data): phantoms.c
	@mkdir -p $(@D)
	$(CC) -O2 -std=c11 -Wall -o $(WORK)/nifti/phantoms $< -lm
	$(WORK)/nifti/phantoms $(@D) 240 7
