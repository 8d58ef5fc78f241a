#!/bin/sh
# config: every wrong option or config file stops a program with status 2, is named, and nothing has been written
. "${0%/*}/lib.sh"

# refused PATTERN WORDS...: status 2, one line with the pattern, nothing on stdout, no new file.
refused() {
	pattern=$1
	shift
	: >out && : >err && : >after && : >before && ls >before
	exits 2 ${program:-glovita-augment} "$@" </dev/null >out 2>err
	ok=$?
	ls >after
	cat err
	[ $ok = 0 ] && same before after && grep -q -e "$pattern" err && [ ! -s out ] && [ "$(wc -l <err)" = 1 ]
}

check 'a misspelt option' 'refused "unknown option .--training.sede. (did you mean .--training.seed.?)" --training.sede=4'
check 'a value out of range' 'refused ".--training.seed. is -4; the range is 0 to" --training.seed=-4'
check 'a wrong type' 'refused "a whole number is wanted" --data.augmentation.image_size big'
check 'a missing value' 'refused ".--training.seed. wants a value" --training.seed'
check 'a misspelt data set' 'refused "did you mean .cifar10." --data.dataset cifar11'
check 'a misspelt subcommand' 'refused "did you mean .data:cifar10-config." data:cifar11-config'
check 'a field of another data set' 'program=glovita-index; refused "belongs to .--data.dataset generic_image_dataset." data:mnist-config --data.strict'
check 'an option of another program' 'refused "does not take it" --optimizer.lr 1'
check 'a stray word' 'refused "unexpected argument .x.$" x'
check 'a config file with an unknown key' '
	echo "{\"training\": {\"sede\": 4}}" >c.json
	refused "c.json: unknown field .training.sede. (did you mean .training.seed.?)" --config c.json
'
check 'a config file with a wrong type' '
	echo "{\"training\": {\"seed\": \"x\"}}" >c.json
	refused "c.json: .training.seed. is .x.; a whole number is wanted" --config c.json
'
check 'a config file that is cut' 'printf "{\"training\": " >c.json; refused "line 1, column" --config c.json'
check 'a missing config file' 'refused "nothing.json" --config nothing.json'
check '--help, --version and --describe answer on stdout with status 0, whatever else is wrong' '
	exits 0 glovita-augment --nonsense --help >h && grep "^usage: glovita-augment" h &&
	exits 0 glovita-augment --version >v && grep "^glovita-augment (GloViTa) [0-9]" v &&
	exits 0 glovita-augment --describe >d && grep "\"name\": \"training.seed\"" d
'
check '--help behind a choice shows its options' 'glovita-index data:generic-image-dataset-config --help >h && grep -e "--data.strict, --data.no_strict" h'
done_testing
