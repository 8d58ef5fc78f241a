#!/bin/sh
# fetch: downloads from a server of ours: digests, redirects, tokens, cuts, and the hub's cache
. "${0%/*}/lib.sh"

have perl sha256sum || skip_all 'no perl or no sha256sum'
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY HF_TOKEN HUGGING_FACE_HUB_TOKEN HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_TOKEN_PATH
unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE TORCH_HOME XDG_CACHE_HOME HF_ENDPOINT
HF_HOME=$T/hf HOME=$T/home
export HF_HOME HOME
commit=0123456789abcdef0123456789abcdef01234567

cp "$FIXTURES/weights/views.pt" weights.pt
cp "$FIXTURES/weights/types.safetensors" weights.safetensors
sum=$(sha256sum <weights.pt | cut -c 1-64)
stsum=$(sha256sum <weights.safetensors | cut -c 1-64)

# A server for one request at a time. Each line of requests.log: path, host, Authorization.
cat >server.pl <<'EOF'
use strict; use IO::Socket::INET;
$SIG{PIPE} = 'IGNORE';
my ($commit, $sum, $stsum) = @ARGV;
sub slurp { open my $f, '<:raw', shift or die; local $/; <$f> }
my $pt = slurp('weights.pt'); my $st = slurp('weights.safetensors');
my $s = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die;
my $port = $s->sockport;
open my $p, '>', 'port.part'; print $p $port; close $p; rename 'port.part', 'port';
while (my $c = $s->accept) {
    my ($path, $host, $auth) = ('', '', '-');
    while (my $l = <$c>) {
        $l =~ s/\r?\n//; last if $l eq '';
        $path = $1 if $l =~ /^GET (\S+)/; $host = $1 if $l =~ /^Host: (\S+)/i; $auth = $1 if $l =~ /^Authorization: (.*)/i;
    }
    open my $log, '>>', 'requests.log'; print $log "$path $host $auth\n"; close $log;
    my $send = sub { my ($status, $body, @h) = @_; print $c join("\r\n", "HTTP/1.1 $status", 'Content-Length: ' . length $body, 'Connection: close', @h, '', ''), $body };
    my $repo = "X-Repo-Commit: $commit";
    if    ($path eq '/weights.pt' || $path eq '/models/net-' . substr($sum, 0, 8) . '.pth') { $send->('200 OK', $pt, 'ETag: "abc"') }
    elsif ($path eq '/models/net-00000000.pth') { $send->('200 OK', $pt) }
    elsif ($path eq '/away') { $send->('302 Found', '', "Location: http://localhost:$port/weights.pt") }
    elsif ($path eq '/here') { $send->('302 Found', '', 'Location: /weights.pt') }
    elsif ($path eq '/loop') { $send->('302 Found', '', 'Location: /loop') }
    elsif ($path eq '/file') { $send->('302 Found', '', 'Location: file:///etc/passwd') }
    elsif ($path eq '/cut')  { print $c "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nonly this" }
    elsif ($path eq '/hang') { print $c "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nwait"; if (!fork) { sleep 30; exit } }
    elsif ($path eq '/login') { $send->('401 Unauthorized', 'no') }
    elsif ($path =~ m{^/timm/tiny.a1/resolve/main/model.safetensors$}) { $send->('302 Found', 'moved', $repo, "X-Linked-ETag: \"$stsum\"", 'X-Linked-Size: ' . length $st, 'ETag: "other"', "Location: http://localhost:$port/cdn/st") }
    elsif ($path eq '/cdn/st') { $send->('200 OK', $st, 'ETag: "cdn"') }
    elsif ($path =~ m{^/timm/old/resolve/v1/pytorch_model.bin$}) { $send->('200 OK', $pt, $repo, 'ETag: W/"0011223344556677889900112233445566778899"') }
    elsif ($path =~ m{^/timm/old/}) { $send->('404 Not Found', 'no', $repo, 'X-Error-Code: EntryNotFound', 'X-Error-Message: Entry not found') }
    elsif ($path =~ m{^/timm/lie/resolve/main/model.safetensors$}) { $send->('200 OK', $pt, $repo, "X-Linked-ETag: \"$stsum\"") }
    elsif ($path =~ m{^/timm/gated/}) { $send->('403 Forbidden', 'no', 'X-Error-Message: Access to this model is restricted') }
    elsif ($path =~ m{^/timm/climb/resolve/main/model.safetensors$}) { $send->('200 OK', $pt, 'X-Repo-Commit: ../../../../../../tmp/x', 'ETag: "../../x"') }
    else { $send->('404 Not Found', 'no') }
    close $c;
}
EOF
perl server.pl "$commit" "$sum" "$stsum" &
server=$!
trap 'kill $server 2>/dev/null; cd /; rm -rf "$T"' EXIT
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -s port ] && break; sleep 0.2; done
[ -s port ] || skip_all 'the server does not start'
url=http://127.0.0.1:$(cat port)
HF_ENDPOINT=$url
export HF_ENDPOINT url commit sum stsum

nothing_left() { ! ls -A out/ | grep . ; }
mkdir out

check 'a file arrives whole' 'glovita-fetch "$url/weights.pt" out/a && same out/a weights.pt && rm out/a && nothing_left'
check 'its digest is checked, whole or in part' 'glovita-fetch --sha256 "$sum" "$url/weights.pt" out/a && glovita-fetch --sha256 "$(echo "$sum" | cut -c 1-8)" "$url/weights.pt" out/a && rm out/a'
check 'another digest is status 3, and no file appears' '
	exits 3 glovita-fetch --sha256 00000000 "$url/weights.pt" out/a 2>err && grep "SHA-256" err && nothing_left'
check 'a file that stood there stays' '
	echo old >out/a && exits 3 glovita-fetch --sha256 00000000 "$url/weights.pt" out/a 2>err && [ "$(cat out/a)" = old ] && rm out/a'
check '404 is status 3 and named' 'exits 3 glovita-fetch "$url/nothing" out/a 2>err && grep "/nothing. answered 404" err && nothing_left'
check '401 speaks of HF_TOKEN' 'exits 3 glovita-fetch "$url/login" out/a 2>err && grep HF_TOKEN err && nothing_left'
check 'a cut body is status 3' 'exits 3 glovita-fetch "$url/cut" out/a 2>err && grep "was cut after 9 bytes" err && nothing_left'
check 'a server that is not there is status 4' 'exits 4 glovita-fetch http://127.0.0.1:1/x out/a 2>err && grep "http://127.0.0.1:1/x" err && nothing_left'
check 'a folder that is not there is status 4' 'exits 4 glovita-fetch "$url/weights.pt" nowhere/a 2>err && grep "nowhere/a" err'
check 'only http and https' 'exits 4 glovita-fetch file:///etc/passwd out/a 2>err && nothing_left'
check 'also after a redirect' 'exits 4 glovita-fetch "$url/file" out/a 2>err && nothing_left'
check 'a loop of redirects ends' 'exits 4 glovita-fetch "$url/loop" out/a 2>err && nothing_left'
check 'the token goes along on the same host' '
	: >requests.log; GLOVITA_FETCH_TOKEN=secret glovita-fetch "$url/here" out/a && [ "$(grep -c "Bearer secret" requests.log)" = 2 ] && rm out/a'
check 'and not to another' '
	: >requests.log; GLOVITA_FETCH_TOKEN=secret glovita-fetch "$url/away" out/a && same out/a weights.pt && rm out/a &&
	grep "^/away .*Bearer secret" requests.log && grep "^/weights.pt localhost:[0-9]* -$" requests.log'
check 'SIGTERM ends it with 75 and leaves nothing' '
	glovita-fetch "$url/hang" out/a 2>err & p=$!
	sleep 1; kill -TERM $p; wait $p; [ $? = 75 ] && nothing_left'
check 'a disk that takes no more is status 4' '
	exits 4 sh -c "trap \"\" XFSZ; ulimit -f 1; exec glovita-fetch $url/weights.pt out/a" 2>err && grep "out/a.: cannot write" err && nothing_left'
check 'misuse is status 2' '
	exits 2 glovita-fetch 2>err && exits 2 glovita-fetch --what 2>err && grep "unknown option .--what." err &&
	exits 2 glovita-fetch --sha256 xyz "$url/weights.pt" out/a 2>err && grep "8 to 64" err && exits 2 glovita-fetch --hub "../up" 2>err && exits 0 glovita-fetch --help >help'

hub=$T/hf/hub
check 'a repository is fetched into the hub cache, and its path printed' '
	: >requests.log; HF_TOKEN=secret glovita-fetch --hub timm/tiny.a1 >path &&
	[ "$(cat path)" = "$hub/models--timm--tiny.a1/snapshots/$commit/model.safetensors" ] && same "$(cat path)" weights.safetensors'
check 'in the layout of huggingface_hub' '
	cd "$hub/models--timm--tiny.a1" && [ "$(readlink "snapshots/$commit/model.safetensors")" = "../../blobs/$stsum" ] && [ -f "blobs/$stsum" ] &&
	[ "$(cat refs/main)" = "$commit" ] && [ "$(wc -c <refs/main)" = 40 ] && [ "$(ls -A blobs)" = "$stsum" ]'
check 'the token goes to the endpoint alone' 'grep "^/timm/.*Bearer secret" requests.log && grep "^/cdn/st localhost:[0-9]* -$" requests.log'
check 'a token may stand in a file' '
	: >requests.log; printf "filed\n" >"$T/hf/token"; glovita-fetch --hub timm/tiny.a1 >path && grep "^/timm/.*Bearer filed$" requests.log && rm "$T/hf/token"'
check 'the first usual file that is there is taken, and what is not is remembered' '
	glovita-fetch --hub timm/old --revision v1 >path && same "$(cat path)" weights.pt &&
	cd "$hub/models--timm--old" && [ -f ".no_exist/$commit/model.safetensors" ] && [ "$(cat refs/v1)" = "$commit" ] && [ -f blobs/0011223344556677889900112233445566778899 ]'
check 'a repository without weights is status 3' 'exits 3 glovita-fetch --hub timm/none 2>err && grep "no weights in .timm/none." err'
check 'what the server promised is checked' 'exits 3 glovita-fetch --hub timm/lie 2>err && grep SHA-256 err && [ -z "$(ls -A "$hub/models--timm--lie/blobs")" ]'
check 'a gated repository says why' 'exits 3 glovita-fetch --hub timm/gated 2>err && grep "Access to this model is restricted" err && grep HF_TOKEN err'
check 'a commit or tag that would climb is refused' 'exits 3 glovita-fetch --hub timm/climb 2>err && grep "no place in the cache" err && [ -z "$(ls -A "$hub/models--timm--climb/blobs")" ]'
check 'HF_HUB_OFFLINE forbids it' 'HF_HUB_OFFLINE=1; export HF_HUB_OFFLINE; exits 2 glovita-fetch --hub timm/tiny.a1 2>err && grep HF_HUB_OFFLINE err'

prog=$(ls -t "$ROOT"/build/*/tests/unit/weights_locate 2>/dev/null | head -n 1)
if [ -n "$prog" ]; then
	export prog
	check 'programs find what was fetched, without asking again' '
		: >requests.log; "$prog" timm/tiny.a1 - - >path && [ "$(cat path)" = "$hub/models--timm--tiny.a1/snapshots/$commit/model.safetensors" ] && [ ! -s requests.log ]'
	check 'and fetch what is not there' 'rm -rf "$hub"; "$prog" timm/tiny.a1 - - >path && same "$(cat path)" weights.safetensors'
	name=net-$(echo "$sum" | cut -c 1-8).pth
	export name
	check 'an address goes into the torch hub cache, checked by the digits in its name' '
		"$prog" - - "$url/models/$name" >path && [ "$(cat path)" = "$HOME/.cache/torch/hub/checkpoints/$name" ] && same "$(cat path)" weights.pt'
	check 'a wrong digest is refused' 'exits 3 "$prog" - - "$url/models/net-00000000.pth" >said && grep SHA-256 said && ! ls "$HOME/.cache/torch/hub/checkpoints" | grep net-00000000'
	check 'the address stands in for the repository' 'rm -rf "$HOME/.cache/torch"; "$prog" timm/none - "$url/models/$name" >path && same "$(cat path)" weights.pt'
	check 'when both fail, both are named' 'exits 3 "$prog" timm/none - "$url/models/x.pth" >said && grep "timm/none" said && grep "x.pth. answered 404" said'
else
	skip 'programs find what was fetched' 'build/*/tests/unit/weights_locate is not built'
fi

if python huggingface_hub; then
	check 'huggingface_hub finds what was fetched' '
		"$PY" -c "
import huggingface_hub, os
p = huggingface_hub.try_to_load_from_cache(\"timm/tiny.a1\", \"model.safetensors\")
assert isinstance(p, str) and open(p, \"rb\").read() == open(\"weights.safetensors\", \"rb\").read(), p"'
else
	skip 'huggingface_hub finds what was fetched' 'no Python with huggingface_hub'
fi
done_testing
