# LoRA: a small vision transformer learns seven garments, then tells three kinds of shoes by 300 pictures, with its own weights untouched:
# adapters of rank 8 and the head are all that trains. The adapter's folder is what the Python library peft loads.
lora_about  := Fashion-MNIST: a transformer trained on clothes tells sandals, sneakers and boots by 100 pictures of each, with LoRA adapters
lora_takes  := about 2 minutes on 2 cores
lora_expect := val_Accuracy >= 0.80
lora_model  := --data.augmentation.train_policy default_2d_2 --data.augmentation.image_size 32 --data.augmentation.resize_size 32 --model.encoder.type test_vit --model.encoder.input_channels 1 \
	--dataloading.num_workers 1 --training.precision no --training.seed 1
lora_task    = --data.dataset command --data.command 'perl "$(CURDIR)/shoes.pl" $(1)' --data.data_root_dir $(FASHION)

# The network it begins with is an experiment of its own.
clothes_about := what lora and folds begin with
clothes_train := $(call lora_task,clothes) --data.num_classes 7 $(lora_model) --model.encoder.no_pretrained --optimizer.lr 2e-3 --optimizer.warmup_epochs 1 --training.epochs 6 --dataloading.batch_size 64
lora_data     = $(clothes.run)/metrics.csv.made
lora_train    = $(call lora_task,shoes) --data.num_classes 3 $(lora_model) --model.encoder.weights $(clothes.run)/checkpoints/last.safetensors --peft.method lora \
	--optimizer.lr 3e-3 --optimizer.warmup_epochs 2 --training.epochs 20 --dataloading.batch_size 32
