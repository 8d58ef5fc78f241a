#!/usr/bin/env python3
"""A terminal for tests: runs a command on a pty of its own.

  terminal.py run [--cols N] [--in FILE] COMMAND...   what it writes goes to stdout as it came; its status is the status
  terminal.py keys COMMAND...                         types into an interactive shell: each line of stdin is `KEYS => WANTED`.
      KEYS are typed with a Tab behind them, then Ctrl-T, which the shell must have bound to printing <its line>; the line must be
      WANTED. \\t in KEYS is another Tab. Nothing waits for a time: a line that never comes fails after 30 s.
"""
import fcntl, os, pty, re, select, signal, struct, sys, termios, time


def start(command, cols):
    pid, fd = pty.fork()
    if pid == 0:
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, cols, 0, 0))
    return pid, fd


def read(fd, seconds):
    """Some bytes; b"" at the end or when none came."""
    if not select.select([fd], [], [], seconds)[0]:
        return b""
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""


def run(command, cols):
    # The size must stand before the command asks for it.
    go, went = os.pipe()
    pid, fd = pty.fork()
    if pid == 0:
        os.close(went)
        os.read(go, 1)
        os.close(go)
        os.execvp(command[0], command)
    os.close(go)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, cols, 0, 0))
    os.close(went)
    while True:
        try:
            some = os.read(fd, 65536)
        except OSError:
            break
        if not some:
            break
        os.write(1, some)
    status = os.waitpid(pid, 0)[1]
    return os.waitstatus_to_exitcode(status)


def keys(command):
    pid, fd = start(command, 200)
    seen, bad = "", 0

    def wait(pattern):
        nonlocal seen
        end = time.monotonic() + 30
        while True:
            found = re.search(pattern, seen, re.S)
            if found:
                seen = seen[found.end():]
                return found
            if time.monotonic() > end:
                return None
            seen += read(fd, 0.2).decode("utf-8", "replace")

    if not wait("READY> "):
        print("the shell never became ready:", repr(seen))
        bad = 1
    for line in sys.stdin.read().splitlines() if not bad else []:
        typed, wanted = line.split(" =>", 1)
        wanted = wanted.removeprefix(" ")
        os.write(fd, typed.replace("\\t", "\t").encode() + b"\t\x14")
        found = wait(r"<([^<>]*)>")
        got = found.group(1) if found else "nothing"
        if got != wanted:
            print(f"'{typed}' and Tab gave '{got}', not '{wanted}'", "" if found else repr(seen))
            bad = 1
            if not found:
                break
        os.write(fd, b"\x15")
    os.kill(pid, signal.SIGKILL)
    os.close(fd)
    os.waitpid(pid, 0)
    return bad


def main():
    words = sys.argv[2:]
    cols = 80
    if words and words[0] == "--cols":
        cols = int(words[1])
        words = words[2:]
    sys.exit(run(words, cols) if sys.argv[1] == "run" else keys(words))


main()
