#!/bin/bash
# a user's own images: every way to say which split and which label, training, scoring, folds, other places, other kinds of files
. "${BASH_SOURCE[0]%/*}/../cli/lib.sh"
perl -MCompress::Zlib -MJSON::PP -e 1 2>/dev/null || skip_all 'no Perl with Compress::Zlib and JSON::PP'
pictures="perl $ROOT/tests/pipe/pictures.pl"

mkdir -p sub/{train,val,test}/{ant,bee,cow} flat/images
for split in train val test; do
    c=0
    for name in ant bee cow; do
        for i in 1 2 3 4; do echo "sub/$split/$name/$i.png 40 36 $c $((c * 10 + i + ${#split} * 100))"; done
        c=$((c + 1))
    done
done | $pictures
for i in $(seq 10 39); do echo "flat/images/i$i.png 36 36 $((i % 3)) $i"; done | $pictures
perl -MJSON::PP -e '
    my @f = map { "i$_.png" } 10 .. 39;
    sub to { my ($path, $v) = @_; open my $o, ">", "flat/$path" or die; print $o JSON::PP->new->canonical->encode($v) }
    sub all { my $v = shift; return { map { ($f[$_] => $v->($_ + 10)) } 0 .. $#f } }
    to("splits.json", { train => [@f[0 .. 17]], val => [@f[18 .. 23]], test => [@f[24 .. 29]] });
    to("stems.json", { train => [map { s/\.png//r } @f[0 .. 17]], val => [map { s/\.png//r } @f[18 .. 29]] });
    to("folds.json", { 0 => { train => [@f[0 .. 17]], val => [@f[18 .. 29]] }, 1 => { train => [@f[6 .. 29]], val => [@f[0 .. 5]] } });
    to("list.json", [{ train => [@f[0 .. 17]], val => [@f[18 .. 29]] }, { train => [@f[6 .. 29]], val => [@f[0 .. 5]] }]);
    to("parts.json", { 0 => [@f[0 .. 7]], 1 => [@f[8 .. 15]], 2 => [@f[16 .. 23]], test => [@f[24 .. 29]] });
    to("pool.json", { train => [@f[0 .. 23]], test => [@f[24 .. 29]] });
    to("ghost.json", { train => [@f[0 .. 17], "ghost.png"], val => [@f[18 .. 23]] });
    to("gap.json", { train => [@f[0 .. 17]], val => [grep { substr($_, 1, 2) % 3 } @f[18 .. 29]] });
    to("labels.json", all(sub { $_[0] % 3 }));
    to("names.json", all(sub { (qw(cat dog eel))[$_[0] % 3] }));
    to("some.json", { map { ($f[$_] => ($_ + 10) % 3) } 0 .. 23 });
    to("value.json", all(sub { 0 + $_[0] % 3 / 2 }));
    to("values.json", all(sub { [map { 0 + $_ } $_[0] % 3 / 2, $_[0] % 3 == 1, 0.25] }));
    open my $csv, ">", "flat/labels.csv" or die;
    print $csv "path,label,patient,a,b\n", map { "images/$f[$_]," . (qw(cat dog eel))[($_ + 10) % 3] . ",p" . int($_ / 4) . "," . $_ % 3 / 2 . ",1.5\n" } 0 .. $#f;'

base="--data.dataset generic_image_dataset --model.encoder.type resnet10t --model.encoder.no_pretrained --training.epochs 1 --optimizer.lr 0.002 --optimizer.warmup_epochs 0
    --data.augmentation.image_size 32 --data.augmentation.resize_size 36 --dataloading.batch_size 6 --dataloading.num_workers 1 --training.threads 1 --training.seed 3 --logger.backend none --exp_dir exp"
sub=$(echo $base --data.num_classes 3 --data.split_source subdirs --data.label_source folder)
flat=$(echo $base --data.data_root_dir flat)
flat3="$flat --data.num_classes 3"
run=exp/generic_image_dataset
look() { glovita_train "$@" --dry_run 2>&1 >/dev/null; } # what is told at the start
export base sub flat flat3 run
export -f look

check 'folders of splits and classes, in the root itself' 'glovita_train $sub --data.data_root_dir sub --training.epochs 3 --logger.group g 2>err && cat err && grep "train 12 of 12, val 12, test 12" err && grep "train per class: ant 4, bee 4, cow 4" err'
check 'the pictures and the table are there' '[ -s $run/g/0/curves.png ] && [ -s $run/g/0/confusion_matrix.png ] && [ "$(wc -l <$run/g/0/metrics.csv)" = 4 ]'
check 'it learns, and is scored under the names of its files' '
    glovita_infer --exp_dir $run/g >m.json 2>err && perl -MJSON::PP -0ne "exit !(decode_json(\$_)->{metrics}{Accuracy} > 0.6)" m.json && head -n 1 $run/g/predictions_test.csv | grep "^case_id,label,pred,prob_ant,prob_bee,prob_cow" && grep "^test/cow/4.png,2," $run/g/predictions_test.csv'
check 'or in images_dir' 'mkdir deep && cp -r sub deep/images && look $sub --data.data_root_dir deep | grep "train 12 of 12, val 12, test 12"'
check 'a root without either says what was looked for' 'mkdir empty && exits 2 glovita_train $sub --data.data_root_dir empty 2>err && grep "empty/images. is not a directory" err && grep "no folder .train." err'
check 'other data need not hold all classes: infer counts by those of the run' '
    mkdir -p part/test && cp -r sub/test/bee sub/test/cow part/test && glovita_infer --exp_dir $run/g --data.data_root_dir part --pred_output part.csv >/dev/null && cut -d , -f 2 part.csv | sort | uniq -c | tr -s " " >n && grep " 4 1" n && grep " 4 2" n && ! grep " 0$" n'
check 'nor any class: unlabelled images are predicted' '
    mkdir -p plain/test && cp sub/test/bee/*.png plain/test && glovita_infer --exp_dir $run/g --data.data_root_dir plain --pred_output plain.csv 2>err >m.json && grep "no case has a label" err && head -n 1 plain.csv | grep prob_cow && [ "$(grep -c "^test/[1-4].png,,[012]," plain.csv)" = 4 ]'

check 'splits.json and numbers in labels.json' 'look $flat3 >said; grep "train 18 of 18, val 6, test 6$" said && grep "train per class: 0: 6, 1: 6, 2: 6" said'
check 'ids without suffix, class names, val for a missing test' 'look $flat3 --data.split_file stems.json --data.labels_file names.json >said; grep "train 18 of 18, val 12, test 12 (val)" said && grep "per class: cat 6, dog 6, eel 6" said'
check 'folds as an object' 'look $flat3 --data.split_file folds.json --data.fold 1 | grep "train 24 of 24, val 6, test 6 (val), fold 1 of 2"'
check 'folds as a list' 'look $flat3 --data.split_file list.json --data.fold 0 | grep "train 18 of 18, val 12, test 12 (val), fold 0 of 2"'
check 'folds as lists: one validates, the rest trains, test stays apart' 'look $flat3 --data.split_file parts.json --data.fold 2 | grep "train 16 of 16, val 8, test 6, fold 2 of 3"'
check 'class_names give the order' 'look $flat3 --data.label_source csv --data.labels_file labels.csv --data.class_names eel dog cat | grep "train per class: eel 6, dog 6, cat 6"'
check 'a file that is missing stops the run before anything is written' 'exits 2 glovita_train $flat3 --data.split_file ghost.json --logger.group ghost 2>err && grep "no file for .ghost.png. of split .train." err && grep no_strict err && [ ! -e $run/ghost ]'
check 'or is left out and counted' 'look $flat3 --data.split_file ghost.json --data.no_strict | grep "left out 1 without file or label"'
check 'labels that are missing in test alone do not stop training' 'look $flat3 --data.labels_file some.json | grep "test per class: 0: 0, 1: 0, 2: 0, unlabelled 6"'
check 'in training they do' 'exits 2 glovita_train $flat3 --data.split_file stems.json --data.labels_file some.json 2>err && grep "no label for" err'
check 'a class without a sample in val' 'glovita_train $flat3 --data.split_file gap.json --task.metrics acc balanced_acc f1 f1_per_class pr top5acc auroc ap --logger.group gap 2>err && grep "val per class: 0: 0" err && ! grep -i "nan" $run/gap/0/metrics.jsonl'

check 'three folds are drawn by patient, and trained' 'glovita_train $flat3 --data.split_file pool.json --training.cv_folds 3 --data.label_source csv --data.labels_file labels.csv --data.group_column patient --logger.group cv 2>err && grep "fold 2 of 3 drawn" err && [ -e $run/cv/0/splits.json ] && [ -e $run/cv/2/checkpoints/best.safetensors ]'
check 'no patient is on both sides' '
    perl -MJSON::PP -0ne "my \$s = decode_json(\$_); my %seen; for my \$k (keys %\$s) { my %p = map { (int((substr(\$_, 1, 2) - 10) / 4) => 1) } @{ \$s->{\$k}{train} }; for (@{ \$s->{\$k}{val} }) { exit 1 if \$p{int((substr(\$_, 1, 2) - 10) / 4)}; \$seen{\$_}++ } } exit !(keys %seen == 24)" $run/cv/0/splits.json'
check 'infer over the group is the mean of its folds' '
    glovita_infer --exp_dir $run/cv >m.json 2>err && grep "\"inputs\": 3" m.json && [ "$(grep -c "^fold " err)" = 3 ] &&
    for k in 0 1 2; do glovita_infer --exp_dir $run/cv --fold $k --pred_output f$k.csv >/dev/null 2>err || exit 1; done
    paste -d , $run/cv/predictions_test.csv f0.csv f1.csv f2.csv | perl -F, -ane "next if \$. == 1; for my \$c (3 .. 5) { my \$m = (\$F[7 + \$c] + \$F[14 + \$c] + \$F[21 + \$c]) / 3; exit 1 if abs(\$F[\$c] - \$m) > 1e-5 } \$n++; END { exit 1 if \$n != 6 }"'
check 'its data may have moved, with the test images alone' 'mkdir -p moved/images && cp flat/images/i3[4-9].png moved/images && cp flat/pool.json moved && glovita_infer --exp_dir $run/cv --data.data_root_dir moved --pred_output moved.csv >/dev/null && cut -d , -f 3-6 moved.csv >a && cut -d , -f 3-6 $run/cv/predictions_test.csv >b && same a b'

check 'regression: mse and mae, the lowest is best, a picture' '
    glovita_train $flat --data.task Regression --data.labels_file value.json --training.epochs 3 --logger.group r1 >out 2>err && [ -s $run/r1/0/predicted_against_true.png ] && head -n 1 $run/r1/0/metrics.csv | grep "val_MSE,val_MAE" &&
    perl -F, -ane "push @v, \$F[7] if \$. > 1; END { my (\$m) = sort { \$a <=> \$b } @v; printf \"best         val_MSE %.4f in\n\", \$m }" $run/r1/0/metrics.csv >want && grep -f want out'
check 'a classification head typed with it is the same linear layer' 'glovita_train $flat --data.task Regression --data.labels_file value.json --training.epochs 3 --model.head.head_type classification --logger.group r1h 2>err && cmp $run/r1/0/metrics.jsonl $run/r1h/0/metrics.jsonl'
check 'three numbers a sample' 'glovita_train $flat --data.task Regression --data.labels_file values.json --data.num_classes 3 --logger.group r3 2>err && glovita_infer --exp_dir $run/r3 >m.json 2>err && grep MSE m.json && grep "^case_id,label_0,label_1,label_2,pred_0,pred_1,pred_2" $run/r3/predictions_test.csv && grep "^i34.png,0.5,1,0.25," $run/r3/predictions_test.csv'
check 'from columns of a table' 'glovita_train $flat --data.task Regression --data.label_source csv --data.labels_file labels.csv --data.label_column a,b --data.num_classes 2 --dry_run >/dev/null'

for s in train val; do
    mkdir -p kinds/$s/{a,b}
    cp "$FIXTURES"/images/{grey.bmp,grey.jpg,grey.png,la.png,palette.png,cmyk.jpg} kinds/$s/a
    cp "$FIXTURES"/images/{rgb.bmp,rgba.png,rgb.tif,rgba.tif,progressive.jpg,interlaced.png} kinds/$s/b
done
kinds="$(echo $base --data.num_classes 2 --data.split_source subdirs --data.label_source folder) --data.data_root_dir kinds"
export kinds
check 'gray, palette, alpha, CMYK, BMP, TIFF and JPEG in one folder' 'glovita_train $kinds --logger.group kinds 2>err'
cp "$FIXTURES"/images/{grey16,rgb16}.png kinds/train/a
check '16 bits among 8: what to do is said' 'exits 3 glovita_train $kinds --logger.group bits 2>err && cat err && grep -- "--data.eight_bit brings" err'
check 'and done' 'glovita_train $kinds --data.eight_bit --logger.group bits8 2>err'
rm kinds/train/a/*16.png
cp "$FIXTURES/images/cut.jpg" kinds/train/a
check 'a truncated JPEG ends the run with its name' 'exits 3 glovita_train $kinds --logger.group cut 2>err && grep "train/a/cut.jpg" err && grep "JPEG ends after 900 bytes" err'
check 'or is skipped, aloud' 'glovita_train $kinds --on_error skip --logger.group cut2 2>err && grep "train/a/cut.jpg. is left out" err && grep "1 sample was left out" err'
done_testing
