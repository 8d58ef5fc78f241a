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

# ---- What there is of an experiment: its folder (NAME.in) and runs (NAME.runs; NAME.run is the first), those of its folds and of its probe.
# $(call gv.option,OPTION,WORDS) is what stands behind the option in the words, the last one counting.
gv.option = $(patsubst $1=%,%,$(lastword $(filter $1=%,$(subst $1 ,$1=,$(strip $2)))))
gv.fold   = $(call gv.option,--data.fold,$($1_train))
gv.number = $(call gv.option,--training.cv_folds,$($1_train))
gv.set    = $(or $($1_set),$(call gv.option,--data.dataset,$($1_train)),$(patsubst data:%_config,%,$(filter data:%_config,$(subst -,_,$($1_train)))),\
            $(error $1_train names no data set: give it '--data.dataset NAME', or, where a file of --config names it, say '$1_set = NAME'))

define gv.places
$1.in         := $(EXP)/$(gv.set)/$1
$1.run        := $$($1.in)/$(or $(gv.fold),0)
$1.folds.in   := $$($1.in)$(if $(gv.number),,-folds)
$1.folds.runs := $$(addprefix $$($1.folds.in)/,$(shell seq 0 $$(($(or $(gv.number),$(FOLDS)) - 1))))
$1.runs       := $(if $(gv.number),$(if $(gv.fold),$$($1.run),$$($1.folds.runs)),$$($1.run))
$1.probe.in   := $(EXP)/precomputed_features/$1-probe
$1.probe.runs := $$($1.probe.in)/0
endef
gv.names := $(sort $(foreach v,$(filter %_train,$(.VARIABLES)),$(if $(filter file command override,$(firstword $(origin $v))),$(v:_train=))))
$(foreach n,$(gv.names),$(eval $(call gv.places,$n)))

gv.given  = $(firstword $(filter --exp_dir --exp_dir=% --logger.group --logger.group=% --resume --resume=%,$(TRAIN) $($1_train)))
$(foreach n,$(gv.names),$(if $(call gv.given,$n),$(error $n_train has '$(call gv.given,$n)', which make gives: its place is $($n.in))))
$(foreach n,$(filter help list compare,$(gv.names)),$(error an experiment cannot be called '$n': make has another '$n'))
$(if $(word 2,$(EXP)),$(error EXP is '$(EXP)': make knows no names with blanks))

# ---- `make`, `make help`. By make itself: a line may hold any quote.
gv.state = $(if $(wildcard $($1.run)/metrics.csv.made),trained,$(if $(wildcard $($1.run)/config.json),begun,new))
.PHONY: help list compare gv.now
help list:
	@:$(if $(gv.names),,$(info No experiment is here: it is a variable NAME_train, words of glovita_train, above the line with the include.))\
	$(foreach n,$(gv.names),$(info $(strip $n ($(call gv.state,$n)) $($n_about))))\
	$(foreach n,$(firstword $(gv.names)),$(info )\
	$(info make $n            trains it, or goes on where it was stopped)\
	$(info make -j2 $n.folds  trains its $(words $($n.folds.runs)) folds, two at a time)\
	$(info make $n.score      scores it on the $(SPLIT) split; $n.folds.score the mean of the folds, $n.probe.score the probe)\
	$(info make $n.features   writes the features of $(SPLITS); $n.probe trains a linear head on them, $n.umap draws them)\
	$(info make $n.clean      removes all that)\
	$(info make compare          a table and the curves of $(COMPARE)))

# ---- What is made of what, and by which words.
define gv.rules
.PHONY: $1 $1.folds $1.score $1.folds.score $1.features $1.umap $1.probe $1.probe.score $1.clean
$1:             $($1.runs:=/metrics.csv.made)
$1.folds:       $($1.folds.runs:=/metrics.csv.made)
$1.score:       $($1.in)/metrics_$(SPLIT).json.made
$1.folds.score: $($1.folds.in)/metrics_$(SPLIT).json.made
$1.features:    $(SPLITS:%=$($1.in)/features/%.h5.made)
$1.umap:        $($1.in)/features/umap.png.made
$1.probe:       $($1.probe.runs:=/metrics.csv.made)
$1.probe.score: $($1.probe.in)/metrics_$(SPLIT).json.made
$1.clean: ;     rm -rf $(sort $($1.in) $($1.folds.in) $($1.probe.in))

$(addsuffix /metrics.csv.made,$(sort $($1.run) $($1.folds.runs))): | $($1_data)
$($1.in)/metrics_$(SPLIT).json.made:       $($1.runs:=/metrics.csv.made)
$($1.folds.in)/metrics_$(SPLIT).json.made: $($1.folds.runs:=/metrics.csv.made)
$(SPLITS:%=$($1.in)/features/%.h5.made):   $($1.run)/metrics.csv.made
$($1.in)/features/umap.png.made:           $($1.in)/features/$(lastword $(SPLITS)).h5.made
$($1.probe.runs)/metrics.csv.made:         $(SPLITS:%=$($1.in)/features/%.h5.made)
$($1.probe.in)/metrics_$(SPLIT).json.made: $($1.probe.runs:=/metrics.csv.made)

$($1.run)/metrics.csv.made:                private gv.words = --training.seed $(SEED) $(TRAIN) $$($1_train)
$($1.folds.runs:=/metrics.csv.made):       private gv.words = --training.seed $(SEED) $(TRAIN) $$($1_train) \
                                           $(if $(gv.number),,--training.cv_folds $(FOLDS)) --data.fold $$(notdir $$(@D))
$(foreach d,$(sort $($1.in) $($1.folds.in)),$d/metrics_$(SPLIT).json.made): \
                                           private gv.words = --split $(SPLIT) --checkpoint $(CHECKPOINT) $(SCORE) $$($1_score)
$(SPLITS:%=$($1.in)/features/%.h5.made):   private gv.words = --checkpoint_path $($1.run)/checkpoints/$(CHECKPOINT).$(gv.ending) \
                                           --split $$(@F:.h5.made=) $(FEATURES) $$($1_features)
$($1.in)/features/umap.png.made:           private gv.words = --h5_path $($1.in)/features/$(lastword $(SPLITS)).h5 $(UMAP) $$($1_umap)
$($1.probe.runs:=/metrics.csv.made):       private gv.words = --training.seed $(SEED) --data.dataset precomputed_features \
                                           $$$$($$(gv.target) $($1.run)/resolved_config.json) \
                                           $(foreach s,$(SPLITS),--data.$s_features_file $($1.in)/features/$s.h5) $(PROBE) $$($1_probe)
$($1.probe.in)/metrics_$(SPLIT).json.made: private gv.words = --split $(SPLIT) --checkpoint $(CHECKPOINT) $(SCORE)

$(addsuffix /metrics.csv.made,$(sort $($1.run) $($1.folds.runs))): private gv.first = $$(gv.warn)
$($1.probe.runs:=/metrics.csv.made):                               private gv.first = $$(gv.anew)
endef
gv.ending = $(or $(filter pt,$(call gv.option,--training.checkpoint_format,$(TRAIN) $($1_train))),safetensors)
# What a run predicts, as words for its probe.
gv.target = sed -n '/^  "data"/,/^  }/s/^    "\(task\|subtask\|num_classes\)": "\?\([^",]*\).*/--data.\1 \2/p'
$(foreach n,$(gv.names),$(eval $(call gv.rules,$n)))

# ---- How it is made. $$(gv.again) has a result made where it is missing, or was made by other words; $(gv.made) tells that it is whole.
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
	exec glovita_plot_umap $(gv.share) $(gv.words) --output_path $(@:.made=)
	$(gv.made)

gv.differ = $(subst x$(strip $1),,x$(strip $2))$(subst x$(strip $2),,x$(strip $1))
gv.again  = $(if $(wildcard $(@:.made=)),$(if $(call gv.differ,$(gv.words),$(file <$@)),gv.now),gv.now)
gv.made   = @printf '%s\n' '$(subst ','\'',$(strip $(gv.words)))' >$@

# What a training by other words finds in its place, and a probe by other words or on other features.
gv.warn   = $(if $(wildcard $@),echo "'$(@D)' was made by other words: for a run that differs take another name or remove this one" >&2,:)
gv.anew   = if [ -e $@ ] || [ $(firstword $(filter %.h5.made,$^)) -nt $(@D)/config.json ]; then \
            rm -rf $(@D).old; [ ! -e $(@D) ] || mv $(@D) $(@D).old; rm -rf $(@D).old; fi

# With make -jN a program gets its part of the cores, and lines that stand beside those of others. A run keeps the number of threads it began
# with: rounding may depend on it.
gv.jobs    = $(filter -j%,$(MAKEFLAGS))
gv.threads = $(or $(THREADS),$(if $(gv.jobs),$(shell c=$$(nproc); t=$$((c / $(or $(gv.jobs:-j%=%),c))); echo $$((t ? t : 1)))))
gv.share   = $(addprefix --threads ,$(gv.threads)) $(if $(gv.jobs),--no_progress)
gv.shares  = $(if $(wildcard $(@D)/config.json),,$(addprefix --training.threads ,$(gv.threads))) $(addprefix --dataloading.num_workers ,$(gv.threads)) \
             $(if $(gv.jobs),--training.cluster_progress_bar)

# ---- A table and the curves of several.
gv.compared = $(foreach t,$(COMPARE),$(or $(if $(filter $t $(t:.probe=) $(t:.folds=),$(gv.names)),$($t.runs)),\
              $(error COMPARE names '$t': there are $(gv.names), and of each .folds and .probe)))
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
