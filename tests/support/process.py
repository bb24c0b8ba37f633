"""Programs that tests start, talk to, interrupt and end."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from tests.support.checkout import ROOT
from tests.support.waiting import START_TIMEOUT_S

# The command of the package, which is not installed.
LOCUST_FLEET = (sys.executable, "-c", "from locust_fleet.cli.entry import main; main()")
# A shell cannot trap a signal that was ignored when it started, as in what a script runs in the
# background; the tests may be such a thing.
INTERRUPTIBLE = ("env", "--default-signal=INT,TERM,HUP")


def start(
    command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program whose output goes to the end of a file."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=env,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program as long as the block."""
    process = start(command, log, env)
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[Any], timeout_s: float = 30) -> None:
    """Ask a program to end, and kill it when it does not."""
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def start_script(
    script: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a script of a checkout in a process group of its own; what it tells is a pipe."""
    return subprocess.Popen(
        (*INTERRUPTIBLE, script, *arguments),
        cwd=script.parents[1],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_words(process: subprocess.Popen[str], words: str) -> None:
    """Read what a script tells until it says these words, or ends."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return


def interrupt(process: subprocess.Popen[str], sign: signal.Signals) -> tuple[int, str]:
    """Send a signal to all of a script's group, as a terminal does; return exit code and words."""
    os.killpg(process.pid, sign)
    _, words = process.communicate(timeout=200)
    return process.returncode, words


class Helper:
    """A module of the tests in a process of its own, which answers lines of JSON with such lines.

    Importing Locust makes waiting gevent's, which pytest-xdist does not survive, so whoever needs
    it and runs beside other tests does it in such a process.
    """

    def __init__(self, module: str, *arguments: str, log: Path | None = None) -> None:
        self._module, self._log = module, log
        self._unread = b""
        with log.open("ab") if log else nullcontext() as output:
            self.process = subprocess.Popen(
                (sys.executable, "-m", module, *arguments),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
            )

    def say(self, value: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(value).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self, what: str = "its start", timeout_s: float = START_TIMEOUT_S) -> Any:
        """Return the next line; end the process and fail when none comes in time."""
        assert self.process.stdout
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._unread:
            left_s = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self.process.stdout], [], [], left_s)
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                self.end()
                told = self._log.read_text()[-2000:] if self._log else "none is kept"
                raise AssertionError(f"{self._module} hung or died in {what}; its log: {told}")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            # What was said last, and never read.
            with suppress(BrokenPipeError):
                pipe.close()
