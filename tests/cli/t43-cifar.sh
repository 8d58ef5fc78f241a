#!/bin/sh
# cifar10, cifar100: every published layout gives the same samples (fixtures: scripts/golden/cifar.py)
. "${0%/*}/lib.sh"

F=$FIXTURES/cifar
set10="--data.dataset cifar10 --data.data_root_dir"
set100="--data.dataset cifar100 --data.data_root_dir"
mkdir py bin pyroot ar bin100 py100
tar -xzf "$F/cifar-10-python.tar.gz" -C py
tar -xzf "$F/cifar-10-binary.tar.gz" -C bin
tar -xzf "$F/cifar-10-python.tar.gz" -C pyroot --strip-components=1
tar -xzf "$F/cifar-100-python.tar.gz" -C py100
tar -xzf "$F/cifar-100-binary.tar.gz" -C bin100
cp "$F/cifar-10-binary.tar.gz" ar
# The images as text, cropped to 8 x 8 so that glovita-cat prints them whole.
pixels() { glovita-index --no_shuffle "$@" | glovita-decode | glovita-augment --data.dataset cifar10 --data.augmentation.image_size 8 --split test | glovita-cat --json; }

check 'python batches: 15 training images and their labels' '
    glovita-index --no_shuffle $set10 py | glovita-cat --json >out && [ $(wc -l <out) = 15 ] && sed -n "s/.*\"y\":\([0-9]*\).*/\1/p" out | tr "\n" " " | grep "^0 5 0 5 0 5 0 5 0 5 0 5 0 5 0 $"'
check 'image 4, row 12, column 12 of the set is (4 7 + 50 c + 3 12 + 12) mod 256' '
    pixels $set10 py >py.txt && sed -n 5p py.txt | grep "\"id\":\"train/00004\"" | grep "\"x\":\[\[\[76,126,176\],\[77,127,177\]"'
check 'binary batches give the same' 'pixels $set10 bin >bin.txt && [ -s bin.txt ] && cmp py.txt bin.txt'
check 'batches in the root give the same' 'pixels $set10 pyroot >root.txt && cmp py.txt root.txt'
check 'the archive as it was downloaded gives the same' 'pixels $set10 ar >ar.txt && cmp py.txt ar.txt'
check 'the python archive comes before the binary one' 'pixels $set10 "$F" >ar.txt && cmp py.txt ar.txt && glovita-index $set10 "$F" | glovita-cat --json | grep -c "cifar-10-python.tar.gz" | grep "^15"'
check 'test images: the sixth batch, val and test alike' '
    for at in py bin ar; do pixels $set10 $at --split val >$at.val || exit 1; done; [ $(wc -l <py.val) = 3 ] && cmp py.val bin.val && cmp py.val ar.val && glovita-index $set10 py --split test | glovita-cat --json | grep "\"id\":\"test/00000\"" && grep "\"y\":5,\"x\":\[\[\[153," py.val'
check 'cifar100 takes the fine labels' '
    for at in py100 bin100 "$F"; do glovita-index --no_shuffle $set100 "$at" --split val | glovita-cat --json | sed -n "s/.*\"y\":\([0-9]*\).*/\1/p" | tr "\n" " " | grep "^15 20 25 $" || exit 1; done &&
    glovita-index $set100 py100 | glovita-cat --header | grep "\"apple\""'
check 'cv_folds of the fixed split is status 2' 'exits 2 glovita-index $set10 py --training.cv_folds 5 >/dev/null 2>err && grep "fixed split" err'
check 'an empty directory tells what was looked for' 'mkdir hollow && exits 2 glovita-index $set10 hollow >/dev/null 2>err && grep "cifar-10-batches-py/data_batch_1" err && grep "cifar-10-python.tar.gz" err'
check 'a cut batch is status 3' '
    cp -r py cut && head -c 5000 py/cifar-10-batches-py/data_batch_2 >cut/cifar-10-batches-py/data_batch_2 && exits 3 glovita-index $set10 cut >/dev/null 2>err && grep "data_batch_2. is cut" err &&
    cp -r bin cutb && head -c 5000 bin/cifar-10-batches-bin/data_batch_2.bin >cutb/cifar-10-batches-bin/data_batch_2.bin && exits 3 glovita-index $set10 cutb >/dev/null 2>err && grep "data_batch_2.bin. is" err'
check 'a cut archive is status 3' 'mkdir cuta && head -c 900 "$F/cifar-10-python.tar.gz" >cuta/cifar-10-python.tar.gz && exits 3 glovita-index $set10 cuta >/dev/null 2>err && cat err'
check 'a pickle with another name in it is refused by that name' '
    cp -r py evil && printf "\200\002cos\nsystem\nU\004true\205R." >evil/cifar-10-batches-py/data_batch_1 && exits 3 glovita-index $set10 evil >/dev/null 2>err && grep "names .os system" err'
done_testing
