#!/bin/sh
# augment: a stream of volumes through a policy for volumes; the patch in the header; refusals
. "${0%/*}/lib.sh"
command -v perl >/dev/null || skip_all 'no perl'

cat >volumes.pl <<'END'
# Three volumes of 12 x 10 x 14 with 2 channels of 16 bits, as a tensor stream
sub text { pack "Cn/a*", 0xda, shift }
sub bin { pack "CN/a*", 0xc6, shift }
sub map16 { pack("Cn", 0xde, @_ / 2) . join "", @_ }
sub whole { pack "CN", 0xce, shift }
binmode STDOUT;
print map16(text("kind"), text("header"), text("format"), text("glovita-stream"), text("version"), whole(1), text("stream"), text("tensor"), text("content"), text("volume"));
for my $i (0 .. 2) {
    my $shape = "\x94" . join "", map { whole($_) } 12, 10, 14, 2;
    my $x = map16(bin("nd"), "\xc3", bin("type"), text("<u2"), bin("kind"), bin(""), bin("shape"), $shape, bin("data"), bin(pack "v*", map { ($_ * 37 + $i) % 997 } 1 .. 12 * 10 * 14 * 2));
    print map16(text("kind"), text("tensor"), text("epoch"), whole(0), text("pos"), whole($i), text("index"), whole($i), text("draw"), whole(0), text("id"), text("v$i"), text("y"), whole(0), text("x"), $x);
}
print map16(text("kind"), text("end"), text("count"), whole(3), text("digest"), "\xc0");
END
perl volumes.pl >in.gv
da5="--data.augmentation.train_policy default_nnunet_DA5 --model.encoder.input_channels 2"

check 'every policy for volumes gives patches of one type, and the header tells their shape' '
    for p in default_3d_1 default_3d_2 default_3d_3 default_3d_4 default_nnunet default_nnunet_DA5 shared_default_3d; do
        glovita-augment --data.augmentation.train_policy $p --data.augmentation.patch_size 8 9 10 --model.encoder.input_channels 2 <in.gv >out.gv || exit 1
        case $p in default_3d_1 | shared_default_3d) type=uint16 ;; *) type=float32 ;; esac
        [ "$(glovita-cat out.gv | grep -c "^tensor .* x=$type\[8,9,10,2\]")" = 3 ] || exit 1
        glovita-cat --header out.gv | tr -d " \n" | grep "\"shape\":\[8,9,10,2\]" || exit 1
    done'
check 'the same bytes twice, others with another seed' '
    glovita-augment $da5 --data.augmentation.patch_size 8 <in.gv >a && glovita-augment $da5 --data.augmentation.patch_size 8 <in.gv >b && cmp a b &&
    glovita-augment $da5 --data.augmentation.patch_size 8 --training.seed 1 <in.gv >c && ! cmp a c'
check 'a patch with a number too few is refused, with status 2' '
    exits 2 glovita-augment $da5 --data.augmentation.patch_size 8 9 <in.gv 2>err && grep "3 spatial axes" err'
check 'a policy for images is not one for volumes' '
    exits 2 glovita-augment --data.augmentation.train_policy default_2d_2 <in.gv 2>err && grep "default_3d_2" err'
done_testing
