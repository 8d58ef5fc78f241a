#!/bin/bash
# recipes: each is listed; shortened, it trains and scores, and killed with -9 and resumed it has the same bytes
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
have make || skip_all 'make is not installed'
have cc || skip_all 'cc is not installed'
recipe() { make -s --no-print-directory -C "$ROOT/scripts/recipes" WORK="$T/work" CC=cc "$@"; }

check 'list names every recipe, with what to expect' '
    recipe list >out && cat out && for f in "$ROOT"/scripts/recipes/*.mk; do f=${f##*/}; grep "^${f%.mk} " out || exit 1; done && [ $(grep -c "expect .*[<>]=" out) = $(ls "$ROOT"/scripts/recipes/*.mk | wc -l) ]'
check 'nifti, killed in its second epoch' '
    recipe nifti-killed WORDS="--training.epochs 2 --data.data_fraction 0.3 --training.threads 1 --dataloading.num_workers 1" && recipe nifti-clean && [ ! -e work/nifti ]'
done_testing
