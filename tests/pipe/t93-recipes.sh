#!/bin/bash
# recipes: each is listed; shortened, it trains and scores, and killed with -9 and resumed it has the same bytes
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
have make || skip_all 'make is not installed'
have cc || skip_all 'cc is not installed'
recipe() { make -s --no-print-directory -C "$ROOT/scripts/recipes" WORK="$T/work" CC=cc "$@"; }

check 'list names every recipe, with what to expect' '
    recipe list >out && cat out && n=0 && for f in "$ROOT"/scripts/recipes/*.mk; do f=${f##*/}; [ $f != glovita.mk ] || continue; grep "^${f%.mk} (new) .* expect .*[<>]=" out || exit 1; n=$((n + 1)); done && [ $(grep -c "expect .*[<>]=" out) = $n ]'
check 'nifti, killed in its second epoch' '
    recipe nifti-killed WORDS="--training.epochs 2 --data.data_fraction 0.3 --training.threads 1 --dataloading.num_workers 1" && recipe nifti.clean && [ -z "$(find work -name "nifti*")" ]'
check 'lora and folds begin with another recipe'\''s network' 'recipe -n lora folds >out && cat out && [ $(grep -c "logger.group clothes " out) = 1 ] && [ $(grep -c "data.fold [0-4] .*--logger.group folds " out) = 5 ] && sed -n "/logger.group/s/.*logger.group \\([a-z]*\\).*/\\1/p" out | head -n 1 | grep clothes'
done_testing
