# GloViTa in C. `make` alone lists the targets; `make all` builds bin/.
# One static library of everything under lib/ and formats/; each program of stages/ takes from it what it uses.

ifeq ($(origin CC),default)
CC       := gcc
endif
PREFIX   ?= /usr/local
DESTDIR  ?=
SAN      ?=
OPT      ?= -O3 -g
WARN     := -Wall -Wextra -Wno-missing-field-initializers
WERROR   ?=
VERSION  := 0.1.0

comma    := ,

ifdef SAN
B        := build/san-$(subst $(comma),-,$(subst :,-,$(SAN)))
else
B        := build/$(notdir $(firstword $(filter-out ccache,$(CC))))
endif

pkg       = $(shell pkg-config --$(1) $(2) 2>/dev/null)
HDF5     := $(firstword $(foreach p,hdf5 hdf5-serial,$(if $(call pkg,libs,$(p)),$(p))))
MSGPACK  := $(firstword $(foreach p,msgpack-c msgpack msgpackc,$(if $(call pkg,libs,$(p)),$(p))))
PKGS     := $(MSGPACK) jansson libjpeg libtiff-4 libavformat libavcodec libavutil libswscale libxxhash libcurl libcrypto sqlite3 $(HDF5)
# oneDNN has no pkg-config file; DNNL_ROOT points at another copy of it (a v3 release, say).
DNNL_ROOT ?=
DNNL_CFLAGS := $(if $(DNNL_ROOT),-I$(DNNL_ROOT)/include)
DNNL_LIBS := $(if $(DNNL_ROOT),-L$(DNNL_ROOT)/lib -Wl$(comma)-rpath$(comma)$(abspath $(DNNL_ROOT))/lib) -ldnnl
ifneq ($(DNNL_ROOT),)
B        := $(B)-dnnl
endif

# c-blosc2 (.b2nd files) is optional: the system's, or a copy (Debian 12: that of the Python package, .../site-packages/blosc2).
BLOSC2_ROOT ?=
BLOSC2   := $(if $(BLOSC2_ROOT)$(call pkg,libs,blosc2),-DGV_HAVE_BLOSC2)
BLOSC2_CFLAGS := $(BLOSC2) $(if $(BLOSC2_ROOT),-I$(BLOSC2_ROOT)/include,$(call pkg,cflags,blosc2))
BLOSC2_LIBS := $(if $(BLOSC2),$(if $(BLOSC2_ROOT),-L$(BLOSC2_ROOT)/lib -Wl$(comma)-rpath$(comma)$(abspath $(BLOSC2_ROOT))/lib) -lblosc2)
ifneq ($(BLOSC2_ROOT),)
B        := $(B)-blosc2
endif

CPPFLAGS += -Ilib -I. -D_GNU_SOURCE -DGV_VERSION='"$(VERSION)"' -include lib/common/banned.h
CFLAGS   += -std=gnu11 $(OPT) $(WARN) -fno-math-errno -ffp-contract=off -fopenmp-simd -ffunction-sections -fdata-sections -fstack-protector-strong -pthread
# No --gc-sections: GNU ld 2.40 aborts on debug information that takes the address of a GV_HOT function in a dropped section.
LDFLAGS  += -Wl,--as-needed -Wl,-z,relro,-z,now -pthread
ifdef SAN
CFLAGS   += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer -DGV_SANITIZED
LDFLAGS  += -fsanitize=$(SAN)
else
CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

LIBSRC   := $(wildcard lib/*/*.c lib/*/*/*.c formats/*.c)
STAGESRC := $(wildcard stages/*.c)
UNITSRC  := $(wildcard tests/unit/*.c)
NNSRC    := $(wildcard tests/nn/*.c)
LIBOBJ   := $(LIBSRC:%.c=$(B)/%.o)
STAGES   := $(STAGESRC:stages/%.c=glovita-%)
ifdef SAN
BIN      := $(B)/bin
else ifeq ($(B),build/gcc)
BIN      := bin
else
BIN      := $(B)/bin
endif
NAMES    := glovita_train glovita_infer glovita_extract_features glovita_plot_umap
PROGRAMS := $(STAGES:%=$(BIN)/%) $(if $(filter glovita-run,$(STAGES)),$(NAMES:%=$(BIN)/%))
UNITS    := $(UNITSRC:tests/unit/%.c=$(B)/tests/unit/%)
NNTESTS  := $(NNSRC:tests/nn/%.c=$(B)/tests/nn/%)
BENCHES  := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*.c))

CPPFLAGS += $(DNNL_CFLAGS)
PKG_CFLAGS := $(call pkg,cflags,$(PKGS))
# FFmpeg's libraries and HDF5's are loaded when they are needed (formats/lav.h, hdf5_library.h), so a package of these programs names them itself.
LOADED   := -lav% -lsw% -lhdf5%
PKG_LIBS := $(filter-out $(LOADED),$(call pkg,libs,$(PKGS))) -ldl -ldeflate $(BLOSC2_LIBS)

help:
	@echo 'make all       build every program into bin/ (CC=clang works; the objects are under build/)'
	@echo 'make check     all tests; make check-unit check-nn check-cli check-pipe check-pages run parts of them, check-recipes interrupts make'
	@echo 'make check-peers   what others read of us, with their own programs (tests/peers); PEERS="mlflow" runs parts'
	@echo 'make check-slurm-requeue   a job through its time limit on a SLURM of this machine, ten minutes at most'
	@echo 'make bench     speed of single paths, JSON lines; PART="step input" runs parts (start stream input patch step conv3d ops)'
	@echo 'make lint      lists complete, arrows between folders, long files and functions'
	@echo 'make man       check the pages'
	@echo 'make install   programs, pages, completions, recipes, SLURM scripts below $$(DESTDIR)$$(PREFIX); make uninstall removes them'
	@echo 'make clean     remove build/ and bin/'
	@echo 'Options: PROVE_JOBS=N runs N tests at a time (2); SAN=address,undefined builds with sanitizers; DNNL_ROOT=DIR takes oneDNN from there; BLOSC2_ROOT=DIR c-blosc2; V=1 shows commands'

Q := $(if $(V),,@)

all: $(PROGRAMS)

programs tests: ;
unit-programs: $(UNITS)
nn-programs: $(NNTESTS)
bench-programs: $(BENCHES)

# lib/common is the only part that may call malloc.
$(B)/lib/common/%.o: CPPFLAGS += -DGV_MAY_MALLOC

# xxhash.h, compiled in, has a function that would allocate; it is not called.
$(B)/lib/stream/hash.o $(B)/lib/stream/hash_avx2.o $(B)/lib/stream/hash_avx512.o: CPPFLAGS += -DGV_MAY_MALLOC

# UMAP's sums need not be those of other machines: products and sums may be one instruction.
$(B)/lib/umap/%.o: CFLAGS += -ffp-contract=fast

# c-blosc2's headers have inline functions that allocate; they are not called.
$(B)/formats/b2nd.o: CPPFLAGS += $(BLOSC2_CFLAGS) -DGV_MAY_MALLOC

# msgpack-c has inline functions that allocate; its header comes before the ban.
$(B)/lib/stream/%.o: CPPFLAGS += -DGV_WANTS_MSGPACK

# The completion scripts, with the programs' names filled in, and as strings for the programs that print them.
COMPLETION := $(addprefix $(B)/completion/,bash zsh fish)
$(B)/completion/%: scripts/completion/glovita.% $(B)/programs
	@mkdir -p $(@D)
	@sed 's/@PROGRAMS@/$(NAMES) $(STAGES)/' $< >$@
$(B)/completion/%.inc: $(B)/completion/%
	@sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $< >$@
$(B)/programs: force
	@mkdir -p $(@D)
	@echo '$(NAMES) $(STAGES)' | cmp -s - $@ || echo '$(NAMES) $(STAGES)' >$@
$(B)/lib/config/script.o: CPPFLAGS += -I$(B)/completion
$(B)/lib/config/script.o: $(COMPLETION:%=%.inc)

# HDF5's soname, as a program that is linked with it has it.
$(B)/soname/hdf5_soname.inc: $(B)/flags
	@mkdir -p $(@D)
	@echo 'int H5open(void); int main(void) { return H5open(); }' | $(CC) -x c -o $(@D)/hdf5 - -Wl,--no-as-needed $(call pkg,libs,$(HDF5))
	@LC_ALL=C readelf -d $(@D)/hdf5 | sed -n 's/.*(NEEDED).*\[\(libhdf5[^]]*\)\].*/"\1"/p' | head -n 1 >$@.part
	@test -s $@.part || { echo 'HDF5: no shared library' >&2; exit 1; }
	@mv $@.part $@
$(B)/formats/hdf5_library.o: CPPFLAGS += -I$(B)/soname
$(B)/formats/hdf5_library.o: $(B)/soname/hdf5_soname.inc

# The flags are part of the objects: a change of them rebuilds (WERROR does not: the same bytes come out).
FLAGS := $(CC) $(CPPFLAGS) $(BLOSC2_CFLAGS) $(CFLAGS) $(PKG_CFLAGS) $(LDFLAGS)
$(B)/flags: force
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAGS))' >$@

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC $<')
	$(Q)$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) $(WERROR) -MMD -MP -c $< -o $@

$(B)/libglovita.a: $(LIBOBJ)
	$(if $(V),,@echo '  AR $@')
	$(Q)rm -f $@ && ar rcsD $@ $(LIBOBJ)

LINK = $(CC) $(CFLAGS) $(LDFLAGS) $(1) $(B)/libglovita.a $(PKG_LIBS) $(DNNL_LIBS) -lm -o $@

$(BIN)/glovita-%: $(B)/stages/%.o $(B)/libglovita.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD $@')
	$(Q)$(call LINK,$<)

$(NAMES:%=$(BIN)/%): $(BIN)/glovita-run
	$(Q)ln -sf glovita-run $@

$(B)/tests/%: $(B)/tests/%.o $(B)/libglovita.a
	$(if $(V),,@echo '  LD $@')
	$(Q)$(call LINK,$<)

check: check-unit check-nn check-cli check-pipe check-pages lint

# The tests find the programs of this build first.
check-%: export GLOVITA_BIN = $(abspath $(BIN))
check-%: export PROVE_JOBS ?= 2
lint: export PROVE_JOBS ?= 2

check-unit: $(UNITS)
	@tests/prove unit $(UNITS)
# The benchmark is linked too, so that it keeps step with the library.
check-nn: $(NNTESTS) $(BENCHES)
	@tests/prove nn $(NNTESTS)
check-cli: all
	@tests/prove cli $(sort $(wildcard tests/cli/t*.sh))
# Those that hand over broken files, for runs under the sanitizers.
check-parsers: all $(UNITS)
	@tests/prove parsers tests/cli/t20-cat.sh tests/cli/t41-decode.sh tests/cli/t52-weights-faults.sh
check-pipe: all
	@tests/prove pipe $(sort $(wildcard tests/pipe/t*.sh))
check-pages: all
	@tests/prove pages $(sort $(wildcard tests/pages/t*.sh))
# Longer: experiments by make, interrupted twenty times over.
check-recipes: all
	@tests/pipe/interrupted-make.sh 20
# The time limit of a job, with SLURM's own two minutes between two starts; five to ten minutes.
check-slurm-requeue: all
	@sh tests/pipe/slurm-requeue.sh
lint: all
	@tests/prove lint $(sort $(wildcard tests/lint/*.sh))
man:
	@tests/prove pages $(sort $(wildcard tests/pages/t*.sh))

# Against the programs of others (MLflow, W&B, TensorBoard, a browser), which are installed for it.
check-peers: all
	@tests/peers/run $(PEERS)

bench: all $(BENCHES)
	@tests/bench/run $(B)/tests/bench $(BIN) $(PART)

# What is installed, as paths below PREFIX; `uninstall` removes the same. A completion is one file with a link for each program.
SHARE    := $(DESTDIR)$(PREFIX)/share
PAGES    := $(wildcard man/man*/*.[157])
RECIPES  := scripts/recipes/glovita.mk
SLURM    := $(filter-out %~,$(wildcard scripts/slurm/*))
ALLNAMES := $(NAMES) $(STAGES)

install: all $(COMPLETION)
	install -d '$(DESTDIR)$(PREFIX)/bin' $(patsubst %,'$(SHARE)/%',man/man1 man/man5 man/man7 bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	install -m 755 $(STAGES:%=$(BIN)/%) '$(DESTDIR)$(PREFIX)/bin'
	for n in $(NAMES); do ln -sf glovita-run '$(DESTDIR)$(PREFIX)/bin/'$$n; done
	for f in $(PAGES); do install -m 644 $$f '$(SHARE)/'$${f%/*} || exit 1; done
	install -m 644 $(B)/completion/bash '$(SHARE)/bash-completion/completions/glovita-run'
	install -m 644 $(B)/completion/zsh '$(SHARE)/zsh/site-functions/_glovita'
	install -m 644 $(B)/completion/fish '$(SHARE)/fish/vendor_completions.d/glovita-run.fish'
	for n in $(filter-out glovita-run,$(ALLNAMES)); do \
	    ln -sf glovita-run '$(SHARE)/bash-completion/completions/'$$n && ln -sf glovita-run.fish '$(SHARE)/fish/vendor_completions.d/'$$n.fish || exit 1; done
	$(if $(RECIPES),install -d '$(SHARE)/glovita/recipes' && install -m 644 $(RECIPES) '$(SHARE)/glovita/recipes')
	$(if $(SLURM),install -d '$(SHARE)/glovita/slurm' && for f in $(SLURM); do m=644; [ ! -x $$f ] || m=755; install -m $$m $$f '$(SHARE)/glovita/slurm' || exit 1; done)

uninstall:
	cd '$(DESTDIR)$(PREFIX)/' && rm -f $(ALLNAMES:%=bin/%) $(PAGES:%=share/%) share/zsh/site-functions/_glovita \
	    $(ALLNAMES:%=share/bash-completion/completions/%) $(ALLNAMES:%=share/fish/vendor_completions.d/%.fish) $(RECIPES:scripts/%=share/glovita/%) $(SLURM:scripts/%=share/glovita/%)
	rmdir '$(SHARE)/glovita/recipes' '$(SHARE)/glovita/slurm' '$(SHARE)/glovita' 2>/dev/null || true

clean:
	rm -rf build bin

force:
.PHONY: check-slurm-requeue help all programs tests unit-programs nn-programs bench-programs bench check check-unit check-nn check-cli check-parsers check-pipe check-pages check-peers lint man install uninstall clean force
.SECONDARY:
-include $(LIBOBJ:.o=.d) $(STAGESRC:%.c=$(B)/%.d) $(UNITSRC:%.c=$(B)/%.d) $(NNSRC:%.c=$(B)/%.d)
-include $(BENCHES:%=%.d)
