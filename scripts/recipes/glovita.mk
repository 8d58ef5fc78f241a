# Experiments by make. A whole Makefile, in a folder of its own:
#
#   small_train = --data.dataset fashion_mnist --data.data_root_dir /usr/share/datasets/fashion-mnist \
#                 --model.encoder.type resnet18 --model.encoder.no_pretrained --training.epochs 5 --optimizer.lr 1e-3 --optimizer.warmup_epochs 1
#   include $(shell glovita-run --share)/recipes/glovita.mk
#
# Each variable NAME_train, words of glovita_train, is an experiment. `make` tells what can be made of it, glovita-recipes(7) the rest.
#
# A result R is whole when R.made lies beside it, with the words it was made by: that is written last. By other words a score, features, a
# probe or a picture are made again; a training is never thrown away: glovita_train says whether they change it. Whatever stopped make,
# make goes on.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDEXPANSION:

# Words for all trainings, scores, ...; those of one experiment, NAME_train, NAME_score, ..., come behind them and win.
TRAIN      ?=
SCORE      ?=
FEATURES   ?=
PROBE      ?= --training.epochs 20 --optimizer.lr 3e-3 --optimizer.warmup_epochs 0 --dataloading.batch_size 128
UMAP       ?=
LOGGER     ?=
# The folder of the runs. Seed and number of folds, unless the words have them. The checkpoint that is used, the split that is scored, those
# that give features (the last is drawn), what is compared. Threads of a program; unset: all cores, and with make -jN its part of them.
EXP        ?= experiments
SEED       ?= 1
FOLDS      ?= 5
CHECKPOINT ?= best
SPLIT      ?= test
SPLITS     ?= train val
COMPARE    ?= $(gv.names)
THREADS    ?=

# ---- What the words say: $(call gv.option,OPTION,WORDS) is what stands behind it, the last one counting.
gv.option  = $(patsubst $1=%,%,$(lastword $(filter $1=%,$(subst $1 ,$1=,$(strip $2)))))
gv.names  := $(sort $(foreach v,$(filter %_train,$(.VARIABLES)),$(if $(filter file command override,$(firstword $(origin $v))),$(v:_train=))))
gv.set     = $(or $($1_set),$(call gv.option,--data.dataset,$($1_train)),$(patsubst data:%_config,%,$(filter data:%_config,$(subst -,_,$($1_train)))),\
             $(error $1_train names no data set: give it '--data.dataset NAME', or, where a file of --config names it, say '$1_set = NAME'))
gv.folder  = $(EXP)/$(call gv.set,$1)/$1
gv.fold    = $(call gv.option,--data.fold,$($1_train))
gv.number  = $(call gv.option,--training.cv_folds,$($1_train))
gv.whole   = $(if $(gv.fold),,$(gv.number))
gv.run     = $(gv.folder)/$(or $(gv.fold),0)
gv.folds   = $(addprefix $(gv.folder)$(if $(gv.whole),,-folds)/,$(shell seq 0 $$(($(or $(gv.number),$(FOLDS)) - 1))))
gv.runs    = $(if $(gv.whole),$(gv.folds),$(gv.run))
gv.probe   = $(EXP)/precomputed_features/$1-probe
gv.ending  = $(or $(filter pt,$(call gv.option,--training.checkpoint_format,$(TRAIN) $($1_train))),safetensors)
gv.refused = $(foreach o,--exp_dir --logger.group --resume,$(if $(filter $o $o=%,$(TRAIN) $($1_train)),$(error $1_train has '$o', which make gives: runs go to $(EXP)/DATASET/$1)))
$(foreach n,$(gv.names),$(call gv.refused,$n))
$(foreach n,$(filter help list compare,$(gv.names)),$(error an experiment cannot be called '$n': make has another '$n'))
$(if $(word 2,$(EXP)),$(error EXP is '$(EXP)': make knows no names with blanks))

# ---- How to read it. By make itself: a line may hold any quote.
gv.state = $(if $(wildcard $(gv.run)/metrics.csv.made),trained,$(if $(wildcard $(gv.run)/config.json),begun,new))
.PHONY: help list compare gv.now
help list:
	@:$(if $(gv.names),,$(info No experiment is here: it is a variable NAME_train, words of glovita_train, above the line with the include.))\
	$(foreach n,$(gv.names),$(info $(strip $n ($(call gv.state,$n)) $($n_about))))\
	$(foreach n,$(firstword $(gv.names)),$(info )\
	$(info make $n            trains it, or goes on where it was stopped)\
	$(info make -j2 $n.folds  trains its $(words $(call gv.folds,$n)) folds, two at a time)\
	$(info make $n.score      scores it on the $(SPLIT) split; $n.folds.score the mean of the folds, $n.probe.score the probe)\
	$(info make $n.features   writes the features of $(SPLITS); $n.probe trains a linear head on them, $n.umap draws them)\
	$(info make $n.clean      removes all that)\
	$(info make compare          a table and the curves of $(COMPARE)))

# ---- The recipes. By which words (gv.words) is said further down. $$(gv.again) has a result made where it is missing, or was made by others.
# Programs take the shell's place (exec), so that signals to make reach them.
%/metrics.csv.made: $$(gv.again)
	@$(gv.first)
	exec glovita_train $(gv.shares) $(gv.words) $(LOGGER) --exp_dir $(EXP) --logger.group $(notdir $(patsubst %/,%,$(dir $(@D)))) --resume
	$(gv.made)
	@touch -r $(@:.made=) $@

%/metrics_$(SPLIT).json.made: $$(gv.again)
	exec glovita_infer $(gv.share) $(gv.words) --exp_dir $(@D)
	$(gv.made)

%.h5.made: $$(gv.again)
	exec glovita_extract_features $(gv.share) $(gv.words) --output_dir $(@D) --output_filename $(@F:.made=)
	$(gv.made)

%/umap.png.made: $$(gv.again)
	exec glovita_plot_umap $(gv.words) --output_path $(@:.made=)
	$(gv.made)

gv.differ  = $(subst x$(strip $1),,x$(strip $2))$(subst x$(strip $2),,x$(strip $1))
gv.again   = $(if $(wildcard $(@:.made=)),$(if $(call gv.differ,$(gv.words),$(file <$@)),gv.now),gv.now)
gv.made    = @printf '%s\n' '$(subst ','\'',$(strip $(gv.words)))' >$@

# What a training of other words, or a probe of other words or features, finds in its place.
gv.warn    = $(if $(wildcard $@),echo "'$(@D)' was made by other words: for a run that differs take another name or remove this one" >&2,:)
gv.anew    = if [ -e $@ ] || [ $(lastword $^) -nt $(@D)/config.json ]; then rm -rf $(@D).old; [ ! -e $(@D) ] || mv $(@D) $(@D).old; rm -rf $(@D).old; fi

# With make -jN a program gets its part of the cores. A run keeps the number of threads it began with: rounding may depend on it.
gv.jobs    = $(filter -j%,$(MAKEFLAGS))
gv.threads = $(or $(THREADS),$(if $(gv.jobs),$(shell c=$$(nproc); t=$$((c / $(or $(gv.jobs:-j%=%),c))); echo $$((t ? t : 1)))))
gv.share   = $(addprefix --threads ,$(gv.threads))
gv.shares  = $(if $(wildcard $(@D)/config.json),,$(addprefix --training.threads ,$(gv.threads))) $(addprefix --dataloading.num_workers ,$(gv.threads))

# ---- $(call gv.rules,NAME,FOLDER,RUN,FOLDS,PROBE,RUNS,FOLDER OF FOLDS): what is made of an experiment, of what, by which words.
define gv.rules
.PHONY: $1 $1.folds $1.score $1.folds.score $1.features $1.probe $1.probe.score $1.umap $1.clean
$1:             $(6:=/metrics.csv.made)
$1.folds:       $(4:=/metrics.csv.made)
$1.score:       $2/metrics_$(SPLIT).json.made
$1.folds.score: $7/metrics_$(SPLIT).json.made
$1.features:    $(SPLITS:%=$2/features/%.h5.made)
$1.probe:       $5/0/metrics.csv.made
$1.probe.score: $5/metrics_$(SPLIT).json.made
$1.umap:        $2/features/umap.png.made
$1.clean: ;     rm -rf $2 $2-folds $5

$(sort $3/metrics.csv.made $(4:=/metrics.csv.made)): | $($1_data)
$2/metrics_$(SPLIT).json.made:       $(6:=/metrics.csv.made)
$7/metrics_$(SPLIT).json.made:       $(4:=/metrics.csv.made)
$(SPLITS:%=$2/features/%.h5.made):   $3/metrics.csv.made
$5/0/metrics.csv.made:               $(SPLITS:%=$2/features/%.h5.made)
$5/metrics_$(SPLIT).json.made:       $5/0/metrics.csv.made
$2/features/umap.png.made:           $2/features/$(lastword $(SPLITS)).h5.made

$(sort $3/metrics.csv.made $(4:=/metrics.csv.made)): private gv.first = $$(gv.warn)
$5/0/metrics.csv.made:                       private gv.first = $$(gv.anew)

$3/metrics.csv.made:               private gv.words = --training.seed $(SEED) $(TRAIN) $$($1_train)
$(4:=/metrics.csv.made):           private gv.words = --training.seed $(SEED) $(TRAIN) $$($1_train) $(if $(call gv.number,$1),,--training.cv_folds $(words $4)) --data.fold $$(notdir $$(@D))
$(sort $2/metrics_$(SPLIT).json.made $7/metrics_$(SPLIT).json.made): \
                                   private gv.words = --split $(SPLIT) --checkpoint $(CHECKPOINT) $(SCORE) $$($1_score)
$(SPLITS:%=$2/features/%.h5.made): private gv.words = --checkpoint_path $3/checkpoints/$(CHECKPOINT).$(call gv.ending,$1) --split $$(@F:.h5.made=) $(FEATURES) $$($1_features)
$5/0/metrics.csv.made:             private gv.words = --training.seed $(SEED) --data.dataset precomputed_features $$$$($$(gv.target) $3/resolved_config.json) \
                                   $(foreach s,$(SPLITS),--data.$s_features_file $2/features/$s.h5) $(PROBE) $$($1_probe)
$5/metrics_$(SPLIT).json.made:     private gv.words = --split $(SPLIT) --checkpoint $(CHECKPOINT) $(SCORE)
$2/features/umap.png.made:         private gv.words = --h5_path $2/features/$(lastword $(SPLITS)).h5 $(UMAP) $$($1_umap)
endef
# What a run predicts, as words for its probe.
gv.target = sed -n '/^  "data"/,/^  }/s/^    "\(task\|subtask\|num_classes\)": "\?\([^",]*\).*/--data.\1 \2/p'
# NAME.run is for words and data of other experiments, which begin with that run.
$(foreach n,$(gv.names),$(eval $n.run := $(call gv.run,$n)))
$(foreach n,$(gv.names),$(eval $(call gv.rules,$n,$(call gv.folder,$n),$($n.run),$(call gv.folds,$n),$(call gv.probe,$n),$(call gv.runs,$n),$(patsubst %/,%,$(dir $(firstword $(call gv.folds,$n)))))))

# ---- A table and the curves of several.
gv.compared = $(foreach n,$(COMPARE),$(or $(if $(filter $n,$(gv.names)),$(call gv.runs,$n)),$(if $(filter $(n:.probe=),$(gv.names)),$(call gv.probe,$(n:.probe=))/0),\
              $(error COMPARE names '$n': experiments are $(gv.names), and NAME.probe their probes)))
compare: $(EXP)/compare.png.made
	@cat $(EXP)/compare.txt
$(EXP)/compare.png.made: private gv.words = $(gv.compared)
$(EXP)/compare.png.made: $$(gv.again) $$(addsuffix /metrics.csv.made,$$(gv.compared))
	glovita-plot --table $(gv.words) >$(EXP)/compare.txt
	exec glovita-plot --curves --to $(@:.made=) $(gv.words)
	$(gv.made)

# ---- A typing error.
.DEFAULT:
	@echo "'$@' is not there, and nothing makes it; 'make help' tells what can be made" >&2; exit 2
