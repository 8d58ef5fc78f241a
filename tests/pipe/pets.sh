# pets.sh: `pets DIR` makes a folder with thirty small pictures of three kinds in three folds and a test split, and the Makefile of an experiment.
# Sourced; returns 1 without the Perl that makes them.
perl -MCompress::Zlib -MJSON::PP -e 1 2>/dev/null || return 1
pets() {
    mkdir -p "$1/data/images"
    if [ ! -d "$T/pets.data" ]; then
        mkdir -p "$T/pets.data/images"
        for i in $(seq 10 39); do echo "$T/pets.data/images/i$i.png 36 36 $((i % 3)) $i"; done | perl "$ROOT/tests/pipe/pictures.pl"
        perl -MJSON::PP -e '
            my @f = map { "i$_.png" } 10 .. 39;
            sub to { my ($path, $v) = @_; open my $o, ">", $path or die; print $o JSON::PP->new->canonical->encode($v) }
            to("$ARGV[0]/splits.json", { 0 => [@f[0 .. 7]], 1 => [@f[8 .. 15]], 2 => [@f[16 .. 23]], test => [@f[24 .. 29]] });
            to("$ARGV[0]/labels.json", { map { ($f[$_] => ($_ + 10) % 3) } 0 .. $#f });' "$T/pets.data"
    fi
    cp -r "$T/pets.data/." "$1/data"
    cat >"$1/Makefile" <<'END'
small_train = --data.dataset generic_image_dataset --data.data_root_dir data --data.num_classes 3 --model.encoder.type resnet10t --model.encoder.no_pretrained \
  --data.augmentation.image_size 32 --data.augmentation.resize_size 36 --training.epochs 2 --training.save_every 1 --optimizer.lr 2e-3 --optimizer.warmup_epochs 0 --dataloading.batch_size 6
LOGGER = --logger.backend none
FOLDS = 3
include $(shell glovita-run --share)/recipes/glovita.mk
END
}
