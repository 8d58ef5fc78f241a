# Shell tests: TAP from claims and commands. Sourced first thing:
#
#   . "${0%/*}/lib.sh"
#   check 'a misspelt option stops with status 2' '
#       exits 2 glovita-augment --training.sede=4 </dev/null 2>err &&
#       grep "unknown option .--training.sede." err
#   '
#   done_testing
#
# The test runs in a directory of its own ($T, gone at exit); $ROOT is the source tree, $FIXTURES its tests/fixtures.
# Each claim runs in a subshell: files stay from one to the next, variables do not. What a failing claim printed is shown.
# From tests/pipe: . "${0%/*}/../cli/lib.sh".

ROOT=$(cd "${0%/*}/../.." && pwd) || exit 2
FIXTURES=$ROOT/tests/fixtures
PATH=${GLOVITA_BIN:-$ROOT/bin}:$PATH
LC_ALL=C
export ROOT FIXTURES PATH LC_ALL
unset GLOVITA_EVENTS GLOVITA_LOG GV_FAIL NO_COLOR CLICOLOR_FORCE
unset MAKEFLAGS MFLAGS MAKELEVEL # of the make that runs the tests: recipes of theirs are not to be silent, or to share its jobs
GLOVITA_KERNELS= # kernels by the rules, whatever was measured on this machine
export GLOVITA_KERNELS
T=$(mktemp -d "${TMPDIR:-/tmp}/glovita-test.XXXXXX") || exit 2
trap 'cd /; chmod -R u+w "$T" 2>/dev/null; rm -rf "$T"' EXIT
trap 'exit 130' HUP INT TERM
cd "$T" || exit 2
tap_n=0 tap_bad=0

# check CLAIM COMMANDS: ok when the commands end with 0.
check() {
    tap_n=$((tap_n + 1))
    if (eval "$2") >"$T/.said" 2>&1; then
        printf '%s\n' "ok $tap_n - $1"
    else
        printf '%s\n' "not ok $tap_n - $1 (status $?)"
        tap_bad=$((tap_bad + 1))
        head -n 60 "$T/.said" | sed 's/^/# /'
    fi
}

# exits STATUS COMMAND...: true when the command ends with that status; says what it ended with otherwise.
exits() {
    want=$1
    shift
    "$@"
    got=$?
    [ $got = "$want" ] || { echo "wanted status $want, got $got: $*" >&2; false; }
}

# within SECONDS COMMAND...: true as soon as the command is, asked again and again for at most that long. What a test waits for is a
# state that can be seen, never a time: machines differ by a hundred.
within() {
    within_end=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt $within_end ] || return 1
        sleep 0.01
    done
}

# same FILE FILE: true when the bytes are equal.
same() { cmp "$1" "$2"; }

# skip CLAIM REASON: counts as skipped, aloud.
skip() {
    tap_n=$((tap_n + 1))
    printf '%s\n' "ok $tap_n - $1 # SKIP $2"
}

# skip_all REASON: ends the test.
skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}

# have COMMAND...: true when all of them are there.
have() {
    for c do command -v "$c" >/dev/null 2>&1 || return 1; done
}

# python MODULE...: sets PY to an interpreter that has these modules ($PYTHON, build/venv, python3), or returns 1.
python() {
    mods=$(echo "$*" | sed 's/ /, /g')
    for PY in "${PYTHON:-}" "$ROOT/build/venv/bin/python" python3; do
        [ -n "$PY" ] && "$PY" -c "import sys${mods:+, $mods}" >/dev/null 2>&1 && return 0
    done
    return 1
}

done_testing() {
    echo "1..$tap_n"
    [ $tap_bad -eq 0 ] || exit 1
    exit 0
}
