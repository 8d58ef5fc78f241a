#!/usr/bin/perl
# records.pl wandb|tfevents FILE: what is in a .wandb file or an event file of TensorBoard, a line a record, checked sums and all. Written from the
# formats, not from our writers; core Perl alone. wandb: "KIND key=JSON …"; tfevents: "STEP TAG value|plugin".
use strict;
use warnings;
my ($kind, $file) = @ARGV;
open my $f, '<:raw', $file or die "$file: $!\n";
local $/;
my $d = <$f>;
my @ieee = table(0xedb88320);
my @castagnoli = table(0x82f63b78);

sub table { my $p = shift; map { my $c = $_; $c = $c & 1 ? ($c >> 1) ^ $p : $c >> 1 for 1 .. 8; $c } 0 .. 255 }
sub crc { my ($t, $s) = @_; my $c = 0xffffffff; $c = $t->[($c ^ $_) & 255] ^ ($c >> 8) for unpack 'C*', $s; $c ^ 0xffffffff }
sub varint { my ($s, $at) = @_; my ($v, $k) = (0, 0); while (1) { my $b = ord substr $$s, $$at++, 1; $v |= ($b & 127) << $k; $k += 7; return $v if $b < 128 } }

# [field, value] of a message: numbers and bytes
sub fields {
    my $s = shift;
    my ($at, @f) = (0);
    while ($at < length $s) {
        my $tag = varint(\$s, \$at);
        my $w = $tag & 7;
        my $v = $w == 0 ? varint(\$s, \$at) : undef;
        my $n = $w == 1 ? 8 : $w == 5 ? 4 : $w == 2 ? varint(\$s, \$at) : 0;
        die "wire type $w\n" if $w == 3 || $w == 4 || $w > 5;
        if ($w) { die "a field is cut\n" if $at + $n > length $s; $v = substr $s, $at, $n; $at += $n }
        push @f, [ $tag >> 3, $v ];
    }
    return @f;
}
sub all { my ($n, @f) = @_; map { $_->[1] } grep { $_->[0] == $n } @f }
sub one { my @v = all(@_); $v[0] }
sub items { my ($n, $s) = @_; map { my @i = fields($_); my @k = (all(1, @i), all(2, @i)); join('.', @k) . '=' . (one(16, @i) // '') } all($n, fields($s)) }

sub wandb {
    die "no .wandb file\n" unless substr($d, 0, 7) eq ":W&B\xe1\xbe\0";
    my %name = (2 => 'history', 3 => 'summary', 5 => 'config', 6 => 'files', 7 => 'stats', 8 => 'artifact', 12 => 'metric', 13 => 'output', 17 => 'run', 18 => 'exit', 21 => 'header');
    my ($at, $b, $n) = (7, undef, 0);
    while ($at < length $d) {
        my $left = 32768 - $at % 32768;
        if ($left < 7) { die "no zeros at $at\n" if substr($d, $at, $left) =~ /[^\0]/; $at += $left; next }
        my ($crc, $len, $type) = unpack 'VvC', substr $d, $at, 7;
        my $p = substr $d, $at + 7, $len;
        die "a chunk is cut at $at\n" if length $p < $len || $len + 7 > $left;
        die "wrong sum at $at\n" if crc(\@ieee, chr($type) . $p) != $crc;
        $at += 7 + $len;
        die "chunk of type $type at $at\n" if defined $b ? $type < 3 : $type != 1 && $type != 2;
        $b = ($b // '') . $p;
        next if $type == 2 || $type == 3;
        my @f = fields($b);
        $b = undef;
        die 'record ' . one(1, @f) . " where $n was before\n" if one(1, @f) != ++$n;
        my ($r) = grep { $_->[0] != 1 } @f;
        my ($k, $s) = ($name{ $r->[0] } // $r->[0], $r->[1]);
        my @show = $k eq 'history' || $k eq 'summary' ? items(1, $s) : $k eq 'stats' ? items(3, $s) : $k eq 'output' ? one(3, fields($s)) =~ s/\n$//r
            : $k eq 'files' ? map { one(1, fields($_)) } all(1, fields($s)) : $k eq 'exit' ? one(1, fields($s)) : $k eq 'metric' ? one(1, fields($s)) : ();
        @show = ((map { $_->[0] . '=' . ($_->[0] == 21 ? join ' ', map { $_->[1] } fields($_->[1]) : $_->[1]) } grep { $_->[0] != 4 && $_->[0] != 17 } fields($s)), items(1, one(4, fields($s)))) if $k eq 'run';
        @show = map { "$_->[0]=$_->[1]" } grep { $_->[0] != 12 && $_->[0] < 15 } fields($s) if $k eq 'artifact';
        print join("\t", $k, @show), "\n";
    }
    die "the last record is cut\n" if defined $b;
}

sub tfevents {
    my $at = 0;
    my $masked = sub { my $c = crc(\@castagnoli, shift); (($c >> 15 | $c << 17 & 0xffffffff) + 0xa282ead8) & 0xffffffff };
    while ($at < length $d) {
        my ($len, $crc) = unpack 'Q<V', substr $d, $at, 12;
        die "a record is cut at $at\n" if !defined $crc || $at + 16 + $len > length $d;
        my $p = substr $d, $at + 12, $len;
        die "wrong sum at $at\n" if $masked->(substr $d, $at, 8) != $crc || $masked->($p) != unpack 'V', substr $d, $at + 12 + $len, 4;
        $at += 16 + $len;
        my @f = fields($p);
        print join("\t", one(2, @f) // 0, 'version', one(3, @f)), "\n" if defined one(3, @f);
        for my $v (map { [ fields($_) ] } map { all(1, fields($_)) } all(5, @f)) {
            my $plugin = join ',', map { one(1, fields($_)) } map { all(1, fields($_)) } all(9, @$v);
            my $scalar = one(2, @$v);
            my $image = one(4, @$v);
            my @i = defined $image ? fields($image) : ();
            print join("\t", one(2, @f) // 0, one(1, @$v), defined $scalar ? sprintf('%.4g', unpack 'f<', $scalar) : defined $image ? 'image ' . one(2, @i) . 'x' . one(1, @i) : "plugin $plugin"), "\n";
        }
    }
}

{ wandb => \&wandb, tfevents => \&tfevents }->{$kind}->();
