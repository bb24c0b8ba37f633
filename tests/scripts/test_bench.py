"""tests/bench/run.sh knows every benchmark, and says what it does not know."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

BENCH = ROOT / "tests" / "bench"
RUN = BENCH / "run.sh"
# Programs that are parts of others.
PARTS = {"collect", "simulated"}


def listed(name: str) -> list[str]:
    found = re.search(rf"readonly -a {name}=\((.*?)\)\n", RUN.read_text(), re.DOTALL)
    assert found
    return re.findall(r'"(\w+)', found[1])


def test_every_benchmark_is_run() -> None:
    programs = {
        file.stem for file in BENCH.glob("*.py") if 'if __name__ == "__main__"' in file.read_text()
    }

    assert {*listed("usual"), *listed("with_docker")} == programs - PARTS
    assert listed("quick") == listed("usual")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--only", "nothing"), "there is no benchmark 'nothing'; use one of: http_users "),
        (("--only",), "--only needs a value"),
        (("--fast",), "unknown argument '--fast'"),
    ],
)
def test_what_it_does_not_know_is_refused(arguments: tuple[str, ...], words: str) -> None:
    done = subprocess.run([RUN, *arguments], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert words in done.stderr


def test_one_benchmark_becomes_a_page_and_a_file(tmp_path: Path) -> None:
    arguments = ("--quick", "--only", "plan", "--output", str(tmp_path))

    done = subprocess.run([RUN, *arguments], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "### CPU of dividing users among workers" in done.stdout
    assert '"processor"' in (tmp_path / "results.json").read_text()
