#!/usr/bin/perl
# shoes.pl clothes|shoes|pool: two tasks from the labels of Fashion-MNIST, as a stream of samples (--data.dataset command). Real pictures, nothing made up.
#
#   clothes   the seven garments that are no shoes: 14,000 to train on, to learn an encoder
#   shoes     sandal, sneaker, ankle boot, which that encoder has never seen: 100 of each to train on, as where labels are dear
#   pool      the same hundreds, to draw folds from, with a test split
#
# All are judged by their pictures of the test set. The file format is IDX: 8 bytes, then a label a byte.
use strict;
use warnings;
my @names = qw(top trouser pullover dress coat sandal shirt sneaker bag boot);
my %tasks = (clothes => [[0, 1, 2, 3, 4, 6, 8], 2000], shoes => [[5, 7, 9], 100], pool => [[5, 7, 9], 100, 'test']);
my ($classes, $each, $judge) = @{ $tasks{ $ARGV[0] // '' } // die "shoes.pl: clothes, shoes or pool?\n" };
my %class = map { $classes->[$_] => $_ } 0 .. $#$classes;

sub text { pack 'Cn/a*', 0xda, shift }
sub value { my $v = shift; ref $v ? pack('Cn', 0xdc, scalar @$v) . join('', map { text($_) } @$v) : !defined $v ? "\xc0" : $v =~ /^\d+$/ ? pack('CN', 0xce, $v) : text($v) }
sub put { my @r = @_; print pack('Cn', 0xde, @r / 2), map { $_ % 2 ? value($r[$_]) : text($r[$_]) } 0 .. $#r }

binmode STDOUT;
chdir $ENV{GLOVITA_DATA_ROOT} or die "shoes.pl: no data root\n";
put(kind => 'header', format => 'glovita-stream', version => 1, stream => 'sample', class_names => [map { $names[$_] } @$classes]);
my $count = 0;
for my $set (['train', 'train', $each], ['t10k', $judge // 'val', 1e9]) {
    my ($file, $split, $most) = @$set;
    open my $in, '-|', 'gzip', '-dc', "$file-labels-idx1-ubyte.gz" or die "shoes.pl: gzip: $!\n";
    binmode $in;
    my @labels = unpack 'x8C*', do { local $/; <$in> };
    my %had;
    for my $row (0 .. $#labels) {
        my $c = $class{ $labels[$row] } // next;
        next if $had{$c}++ >= $most;
        put(kind => 'sample', id => sprintf('%s/%05d', $split, $row), file => "$file-images-idx3-ubyte.gz", row => $row, y => $c, split => $split);
        $count++;
    }
}
put(kind => 'end', count => $count, digest => undef);
