#!/usr/bin/perl
# Small PNG pictures whose colour and stripes follow their class, for tests with a user's own folders. Lines of standard input:
#   PATH WIDTH HEIGHT CLASS SEED [rgb|gray|la|rgba|rgb16|gray16]
use strict;
use warnings;
use Compress::Zlib;

my %kinds = (gray => [0, 1, 8], rgb => [2, 3, 8], la => [4, 2, 8], rgba => [6, 4, 8], gray16 => [0, 1, 16], rgb16 => [2, 3, 16]);

sub chunk { my ($type, $data) = @_; return pack('N', length $data) . $type . $data . pack('N', crc32($type . $data)) }

while (<STDIN>) {
    my ($path, $w, $h, $class, $seed, $kind) = split;
    my ($type, $channels, $bits) = @{ $kinds{ $kind || 'rgb' } or die "unknown kind '$kind'\n" };
    my $x = $seed * 7919 + 1; # a small generator: the same pictures everywhere
    my $raw = '';
    for my $row (0 .. $h - 1) {
        $raw .= "\0";
        for my $column (0 .. $w - 1) {
            for my $c (0 .. $channels - 1) {
                $x = ($x * 1103515245 + 12345) % 2147483648;
                my $v = $channels % 2 == 0 && $c == $channels - 1 ? 255 : 60 + 110 * ($channels > 2 ? $c == $class % 3 : $class / 4) + (($column >> 2) + $class * ($row >> 2)) % 2 * 30 + ($x >> 16) % 30;
                $raw .= $bits == 16 ? pack 'n', $v * 257 : chr $v;
            }
        }
    }
    open my $f, '>:raw', $path or die "$path: $!\n";
    print $f "\x89PNG\r\n\x1a\n" . chunk('IHDR', pack 'NNC5', $w, $h, $bits, $type, 0, 0, 0) . chunk('IDAT', compress($raw)) . chunk('IEND', '');
    close $f or die "$path: $!\n";
}
