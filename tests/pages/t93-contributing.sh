#!/bin/sh
# Every command in CONTRIBUTING.md runs and prints what it says; its Python program lists a data set.
. "${0%/*}/lib.sh"
run_examples "$ROOT/CONTRIBUTING.md"
if python msgpack; then
    check 'the data set in Python' "
        sed -n '/^\`\`\`python/,/^\`\`\`/p' '$ROOT/CONTRIBUTING.md' | grep -v '^\`\`\`' >list.py && grep -q msgpack list.py &&
        glovita-index --data.dataset command --data.command '$PY list.py' --data.data_root_dir at/pets --data.num_classes 2 --split val | glovita-cat | grep 'id=cat1.jpg'"
else
    skip 'the data set in Python' 'no Python with msgpack'
fi
done_testing
