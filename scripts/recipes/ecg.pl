#!/usr/bin/perl
# ecg.pl DIR COUNT: electrocardiograms by the equations of McSharry et al. 2003 (IEEE Trans. Biomed. Eng. 50:289), made up, four kinds of heart:
#
#   normal         waves P Q R S T of their table 1
#   ischaemia      the T wave is inverted
#   fibrillation   no P wave, beats at irregular times, a flutter of 6 Hz
#   block          Q, R and S twice as wide (a bundle branch does not conduct)
#
# The phase of the heart runs round once a beat; a wave of height a and width b stands at its angle th:
#   dz/dt = - sum a w d exp(-d^2 / 2 b^2) - (z - z0), d the angle from th, w the speed, z0 the baseline that breathing moves by 0.05; 4 z are millivolts.
# Waves differ by up to a quarter from heart to heart; the rate is 50 to 110 a minute; noise of 0.1 mV is added, about a twelfth of R.
# A file for each: columns time (s) and mv, 4 s at 250 Hz; labels.json, and splits.json with a fifth in val and a fifth in test.
use strict;
use warnings;
my ($dir, $count) = @ARGV;
my $pi = atan2(0, -1);
my @wave = ([-$pi / 3, 1.2, 0.25], [-$pi / 12, -5, 0.1], [0, 30, 0.1], [$pi / 12, -7.5, 0.1], [$pi / 2, 0.75, 0.4]); # P Q R S T
srand 2003;

sub spread { 1 + (rand(2) - 1) * $_[0] }
sub normal { sqrt(-2 * log(1 - rand)) * cos(2 * $pi * rand) }

sub heart { # the file of one heart
    my ($file, $kind) = @_;
    my @w = map { [$_->[0], $_->[1] * spread(0.25), $_->[2] * spread(0.25)] } @wave;
    $w[4][1] *= -1 if $kind == 1;
    $w[0][1] = 0 if $kind == 2;
    if ($kind == 3) { $_->[2] *= 2, $_->[1] /= 2 for @w[1 .. 3] }
    my ($dt, $rate, $th, $z, $start) = (1 / 500, 50 + rand 60, (rand(2) - 1) * $pi, 0, rand 10);
    my $speed = 2 * $pi * $rate / 60;
    my $now = $speed;
    open my $out, '>', $file or die "$file: $!";
    print $out "time,mv\n";
    for my $i (0 .. 2999) { # the first 2 s bring the curve to its course
        my $t = $i * $dt;
        my $dz = -($z - 0.05 * sin(2 * $pi * 0.25 * ($t + $start)));
        for (@w) {
            my $d = $th - $_->[0];
            $d -= 2 * $pi if $d > $pi;
            $d += 2 * $pi if $d < -$pi;
            $dz -= $_->[1] * $now * $d * exp(-$d * $d / (2 * $_->[2] * $_->[2])) if abs $d < 6 * $_->[2];
        }
        $z += $dz * $dt;
        $th += $now * $dt;
        if ($th > $pi) {
            $th -= 2 * $pi;
            $now = $speed * ($kind == 2 ? spread(0.35) : spread(0.03));
        }
        next if $i < 1000 || $i % 2;
        my $flutter = $kind == 2 ? 0.05 * sin(2 * $pi * 6 * ($t + $start)) : 0;
        printf $out "%.3f,%.4f\n", ($i - 1000) * $dt, 4 * $z + $flutter + 0.1 * normal();
    }
    close $out or die "$file: $!";
}

my (@label, @split);
mkdir "$dir/series";
for my $i (0 .. $count - 1) {
    my $id = sprintf "heart%04d", $i;
    heart("$dir/series/$id.csv", $i % 4);
    push @label, sprintf '"%s":"%s"', $id, ('normal', 'ischaemia', 'fibrillation', 'block')[$i % 4];
    push @{$split[(0, 0, 0, 1, 2)[int($i / 4) % 5]]}, qq("$id");
}
sub put { my ($name, $text) = @_; open my $f, '>', "$dir/$name" or die "$name: $!"; print $f $text; close $f or die "$name: $!" }
put('labels.json', '{' . join(',', @label) . "}\n");
put('splits.json', sprintf "{\"train\":[%s],\"val\":[%s],\"test\":[%s]}\n", map { join ',', @{$_ // []} } @split[0 .. 2]);
