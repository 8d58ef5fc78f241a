# A tracking server with faults, for t67-mlflow.sh: perl mlflow-server.pl STATE PORTFILE [PORT]
# It keeps what comes in STATE (a file, so it may be killed and started again) and, unlike MLflow's SQL store, takes a metric twice when it is sent twice.
# Before each request it reads the file `fault` beside it: "KIND WHICH", WHICH a number (of the request from then on) or a part of a path; once it
# has struck the file is removed, unless a third word says "stay". KINDs are below. GET /dump tells what there is, /reset forgets it.
use strict; use warnings; use IO::Socket::INET; use JSON::PP; use Storable qw(store retrieve); use Time::HiRes qw(sleep);
$SIG{PIPE} = 'IGNORE'; $SIG{CHLD} = 'IGNORE';
my ($state, $portfile, $want) = @ARGV;
my $json = JSON::PP->new->canonical->utf8;
my %new = (experiments => [], runs => [], files => {}, log => []);
my $s = -e $state ? retrieve($state) : { %new };
my $l = IO::Socket::INET->new(Listen => 50, LocalAddr => '127.0.0.1', LocalPort => $want || 0, ReuseAddr => 1) or die "no port: $!";
my $port = $l->sockport;
open my $p, '>', "$portfile.part" or die; print $p $port; close $p; rename "$portfile.part", $portfile;
my ($count, @held) = (0);
sub save { store($s, "$state.part"); rename "$state.part", $state }
sub run { my $id = shift; (grep { $_->{info}{run_id} eq $id } @{$s->{runs}})[0] }
sub info { my $r = shift; { info => $r->{info}, data => { metrics => [map { $r->{latest}{$_} } sort keys %{$r->{latest}}], params => [map { { key => $_, value => $r->{params}{$_} } } sort keys %{$r->{params}}], tags => [map { { key => $_, value => $r->{tags}{$_} } } sort keys %{$r->{tags}}] } } }
sub missing { (404, { error_code => 'RESOURCE_DOES_NOT_EXIST', message => "no $_[0]" }) }
sub answer { # METHOD PATH QUERY BODY -> status, object
    my ($method, $path, $q, $body) = @_;
    if ($path =~ m{^(?:/prefix)?/api/2.0/mlflow-artifacts/artifacts/(.*)}) { $s->{files}{$1} = length $body; return (200, '') } # MLflow says nothing here
    $path =~ s{^(?:/prefix)?/api/2.0/mlflow/}{} or return (404, undef);
    my $in = $method eq 'POST' ? eval { $json->decode($body) } : $q;
    return (400, { error_code => 'BAD_REQUEST', message => 'no JSON' }) unless $in;
    if ($path eq 'experiments/get-by-name') {
        my ($e) = grep { $_->{name} eq $in->{experiment_name} } @{$s->{experiments}};
        return $e ? (200, { experiment => $e }) : missing('experiment');
    }
    if ($path eq 'experiments/create') {
        return (400, { error_code => 'RESOURCE_ALREADY_EXISTS', message => 'there' }) if grep { $_->{name} eq $in->{name} } @{$s->{experiments}};
        push @{$s->{experiments}}, { experiment_id => '' . (1 + @{$s->{experiments}}), name => $in->{name}, lifecycle_stage => 'active' };
        return (200, { experiment_id => '' . @{$s->{experiments}} });
    }
    if ($path eq 'runs/create') {
        my $id = sprintf 'run%03d', 1 + @{$s->{runs}};
        my %t = map { $_->{key} => $_->{value} } @{$in->{tags}};
        return (400, { error_code => 'INVALID_PARAMETER_VALUE', message => 'two names' }) if $in->{run_name} ne $t{'mlflow.runName'};
        push @{$s->{runs}}, { info => { run_id => $id, experiment_id => $in->{experiment_id}, status => 'RUNNING', start_time => $in->{start_time}, artifact_uri => "mlflow-artifacts:/$in->{experiment_id}/$id/artifacts", lifecycle_stage => 'active' }, tags => \%t, params => {}, metrics => [], latest => {} };
        return (200, { run => info(run($id)) });
    }
    if ($path eq 'runs/search') {
        my ($k, $v) = $in->{filter} =~ /^tags\.`(.*?)` = '(.*)'$/ or return (400, { error_code => 'INVALID_PARAMETER_VALUE', message => 'filter' });
        return (200, { runs => [map { info($_) } grep { $_->{info}{lifecycle_stage} eq 'active' && ($_->{tags}{$k} // '') eq $v } @{$s->{runs}}] });
    }
    my $r = run($in->{run_id} // '') or return missing('run');
    if ($path eq 'runs/get') { return (200, { run => info($r) }) }
    if ($path eq 'runs/delete') { $r->{info}{lifecycle_stage} = 'deleted'; return (200, {}) }
    if ($path eq 'runs/update') { $r->{info}{status} = $in->{status}; $r->{info}{end_time} = $in->{end_time}; return (200, { run_info => $r->{info} }) }
    if ($path eq 'metrics/get-history') { # in pages of three
        my @m = grep { $_->{key} eq $in->{metric_key} } @{$r->{metrics}};
        my $at = $in->{page_token} || 0;
        my @page = grep { defined } @m[$at .. $at + 2];
        return (200, { metrics => \@page, $at + 3 < @m ? (next_page_token => '' . ($at + 3)) : () });
    }
    if ($path eq 'runs/log-batch') {
        my ($m, $p, $t) = map { $in->{$_} || [] } qw(metrics params tags);
        return (400, { error_code => 'INVALID_PARAMETER_VALUE', message => 'too many' }) if @$m > 1000 || @$p > 100 || @$t > 100 || length $body > 1000000;
        for (@$m, @$p, @$t) { return (400, { error_code => 'INVALID_PARAMETER_VALUE', message => "key '$_->{key}'" }) if $_->{key} !~ m{^[/\w.\- ]{1,250}$}a || $_->{key} =~ m{^/|//|/$} }
        for (@$p) {
            return (400, { error_code => 'INVALID_PARAMETER_VALUE', message => "Param value has length too large" }) if length $_->{value} > 6000;
            return (400, { error_code => 'INVALID_PARAMETER_VALUE', message => "param '$_->{key}' changed" }) if exists $r->{params}{$_->{key}} && $r->{params}{$_->{key}} ne $_->{value};
            $r->{params}{$_->{key}} = $_->{value};
        }
        $r->{tags}{$_->{key}} = $_->{value} for @$t;
        for (@$m) { push @{$r->{metrics}}, $_; my $o = $r->{latest}{$_->{key}}; $r->{latest}{$_->{key}} = $_ if !$o || $o->{step} <= $_->{step} }
        return (200, {});
    }
    return (404, undef);
}
sub dump_it { # a line each, of runs that are not deleted
    my @o = map { "experiment $_->{name}" } @{$s->{experiments}};
    for my $r (grep { $_->{info}{lifecycle_stage} eq 'active' } @{$s->{runs}}) {
        my $n = $r->{tags}{'mlflow.runName'};
        push @o, "run $n $r->{info}{status}", map { "metric $n $_->{key} $_->{step} $_->{value} $_->{timestamp}" } @{$r->{metrics}};
        push @o, map { "param $n $_ $r->{params}{$_}" } sort keys %{$r->{params}};
        push @o, map { "tag $n $_ $r->{tags}{$_}" } sort keys %{$r->{tags}};
        push @o, map { "file $n $1 $s->{files}{$_}" if m{^\Q$r->{info}{experiment_id}/$r->{info}{run_id}\E/artifacts/(.*)} } sort keys %{$s->{files}};
    }
    return join "\n", grep({ $_ } @o), '';
}
while (my $c = $l->accept) {
    my ($method, $path, $n, $auth) = ('', '', 0, '-');
    while (my $h = <$c>) {
        $h =~ s/\r?\n//; last if $h eq '';
        ($method, $path) = ($1, $2) if $h =~ /^([A-Z]+) (\S+) HTTP/; $n = $1 if $h =~ /^Content-Length: (\d+)/i; $auth = $1 if $h =~ /^Authorization: (.*)/i;
    }
    my $body = '';
    read $c, $body, $n if $n;
    next if length $body < $n; # it left
    my $send = sub { my ($status, $text, @h) = @_; print $c join("\r\n", "HTTP/1.1 $status X", 'Content-Length: ' . length $text, 'Connection: close', @h, '', ''), $text; close $c };
    if ($path eq '/dump') { $send->(200, dump_it()); next }
    if ($path eq '/reset') { $s = { experiments => [], runs => [], files => {}, log => [] }; $count = 0; save(); $send->(200, ''); next }
    if ($path eq '/log') { $send->(200, join '', map { "$_\n" } @{$s->{log}}); next }
    $count++;
    my ($plain, $query) = split /\?/, $path, 2;
    my %q = map { map { s/\+/ /gr =~ s/%(..)/chr hex $1/ger } split /=/, $_, 2 } split /&/, $query // '';
    $plain =~ s/%(..)/chr hex $1/ge;
    push @{$s->{log}}, "$method $path $auth";
    my ($kind, $which, $stay) = ('', '', '');
    if (open my $f, '<', 'fault') { ($kind, $which, $stay) = split ' ', <$f> // ''; close $f }
    $stay //= '';
    my $hit = $kind && ($which =~ /^\d+$/ ? $count == $which : index($path, $which) >= 0);
    $kind = '' unless $hit;
    unlink 'fault' if $hit && $stay ne 'stay';
    if    ($kind eq '500')        { save(); $send->(500, 'oops'); next }
    elsif ($kind eq '503')        { save(); $send->(503, $json->encode({ error_code => 'TEMPORARILY_UNAVAILABLE', message => 'later' })); next }
    elsif ($kind eq '401')        { save(); $send->(401, ''); next }
    elsif ($kind eq '403')        { save(); $send->(403, 'Invalid Host header - possible DNS rebinding attack detected'); next }
    elsif ($kind eq '404')        { save(); $send->(404, '<html>not here</html>'); next }
    elsif ($kind eq 'redirect')   { save(); $send->(302, '', "Location: http://localhost:$port/elsewhere"); next }
    elsif ($kind eq 'wrong')      { save(); $send->(200, '{"surprise":[1,2]}'); next }
    elsif ($kind eq 'close')      { save(); close $c; next }
    elsif ($kind eq 'hold')       { save(); push @held, $c; next }
    elsif ($kind eq 'slow')       { sleep 0.15 }
    my ($status, $o) = answer($method, $plain, \%q, $body);
    save();
    my $text = !defined $o ? 'not found' : ref $o ? $json->encode($o) : $o;
    if    ($kind eq 'done500')      { $send->(500, 'oops') }
    elsif ($kind eq 'doneclose')    { close $c }
    elsif ($kind eq 'donehold')     { push @held, $c }
    elsif ($kind eq 'donenonsense') { $send->(200, '{"run": {"info": ') }
    elsif ($kind eq 'donehtml')     { $send->(200, '<html>welcome</html>', 'Content-Type: text/html') }
    elsif ($kind eq 'donecut')      { print $c "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n$text"; close $c }
    elsif ($kind eq 'doneloris')    { if (!fork) { print $c "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"; $c->autoflush(1); for (1 .. 25) { print $c ' '; sleep 0.2 } exit } close $c }
    else                            { $send->($status, $text) }
}
