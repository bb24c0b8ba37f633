"""A process without one of its vital loops ends, and says which and why."""

import subprocess
import sys

import pytest

from locust_fleet.runtime.supervision import BROKEN

LIVES = "it went on"
PROGRAM = """
import logging, gevent
from locust_fleet.runtime import supervision as module
from locust_fleet.runtime.supervision import vital

logging.basicConfig()
module.ORDERLY_END_TIMEOUT_S = module.RESTART_PAUSE_S = 0.05
ending = []

def fail(): raise ValueError("a bad thing")
def end(): pass
def sleep(): gevent.sleep(60)

def watch(loop, farewell=lambda error: None):
    return gevent.spawn(vital("messages", loop, lambda: bool(ending), farewell))

{program}
gevent.sleep(0.5)
print("it went on")
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(program=program)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("program", ["watch(fail)", "watch(end)", "watch(sleep)"])
def test_a_process_ends_with_its_vital_loop(program: str) -> None:
    done = run(f"one = {program}; gevent.sleep(0); one.kill()")

    assert (done.returncode, done.stdout) == (BROKEN, "")
    assert "the loop 'messages' has ended" in done.stderr


def test_what_ended_the_loop_is_in_the_log() -> None:
    done = run("watch(fail)")

    assert "Traceback" in done.stderr
    assert "ValueError: a bad thing" in done.stderr


def test_a_process_that_ends_in_order_may_end_its_loops() -> None:
    done = run("ending.append(1); watch(end); one = watch(sleep); gevent.sleep(0); one.kill()")

    assert (done.returncode, done.stdout.strip()) == (0, LIVES)


def test_a_loop_that_is_killed_just_before_an_orderly_end_ends_nothing() -> None:
    done = run("one = watch(sleep); gevent.sleep(0); one.kill(); ending.append(1)")

    assert (done.returncode, done.stdout.strip()) == (0, LIVES)


def test_a_scenario_that_exits_is_no_broken_loop() -> None:
    done = run("watch(lambda: exit(3))")

    assert done.returncode == 3


def test_a_loop_that_only_shows_something_is_restarted() -> None:
    done = run(
        "from locust_fleet.runtime.supervision import persistent; tries = []\n"
        "def show(): tries.append(1); 1 / (len(tries) - 1)\n"
        "gevent.spawn(persistent('charts', show)).join(); print(len(tries))"
    )

    assert done.stdout.split() == ["2", *LIVES.split()]
    assert "the loop 'charts' failed" in done.stderr


def test_a_process_ends_even_if_its_farewell_fails() -> None:
    said = run("watch(fail, lambda error: print('last words', error, flush=True))")
    failed = run("watch(fail, lambda error: 1 / 0)")

    assert "last words a bad thing" in said.stdout
    assert failed.returncode == BROKEN
