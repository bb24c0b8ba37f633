import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from locust_fleet.logs import JsonLines, no_context

# What a process of ours does, with an error of each kind that nobody catches.
PROCESS = """
import logging, os, threading, warnings
import gevent
from locust_fleet import logs
from locust_fleet.settings.fleet import LogSettings
logs.configure(LogSettings.from_env(os.environ), "process")
logging.getLogger("x").info("line %d", 1)
warnings.warn("old")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
gevent.spawn(lambda: [][1]).join()
{}["key"]
"""


def run(**env: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROCESS],
        env={"PYTHONPATH": "src", **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_half_a_surrogate_pair_does_not_lose_the_line() -> None:
    record = logging.LogRecord(
        "shop", logging.ERROR, "/x/shop.py", 7, "cut \ud83d \N{CRAB}", (), None
    )

    line = JsonLines(no_context).format(record)

    assert json.loads(line.encode())["message"] == "cut \ud83d \N{CRAB}"


def test_each_line_is_json_with_the_time_the_place_and_the_context() -> None:
    record = logging.LogRecord(
        "shop", logging.WARNING, "/x/shop.py", 7, "slow: %s", ("a\nb",), None
    )
    record.funcName, record.created = "buy", 1_700_000_000.25

    line = JsonLines(lambda: {"run_id": "r1"}).format(record)

    assert "\n" not in line
    assert json.loads(line) == {
        "timestamp": "2023-11-14T22:13:20.250Z",
        "level": "WARNING",
        "logger": "shop",
        "message": "slow: a\nb",
        "module": "shop",
        "function": "buy",
        "line": 7,
        "run_id": "r1",
    }


def test_an_exception_is_a_field_of_its_line() -> None:
    try:
        raise ValueError("no such product")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "failed", (), sys.exc_info())

    line = json.loads(JsonLines(no_context).format(record))

    assert line["exception"].endswith("ValueError: no such product")


def test_what_nobody_catches_is_logged_like_everything_else() -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in run()]

    assert lines[0]["message"] == "line 1"
    assert "UserWarning: old" in lines[1]["message"]
    errors = [line["exception"].splitlines()[-1].split(":")[0] for line in lines[2:]]
    assert errors == ["ZeroDivisionError", "IndexError", "KeyError"]


def test_text_is_for_people() -> None:
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO x: line 1"

    assert re.fullmatch(pattern, run(LOG_FORMAT="text")[0])


def test_a_file_gets_the_same_lines_when_it_is_asked_for(tmp_path: Path) -> None:
    lines = run(LOG_FILE="true", LOG_DIR=str(tmp_path))

    [file] = tmp_path.glob("process-*.log")
    assert file.read_text().splitlines() == lines


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    lines = run(LOG_FILE="true", LOG_DIR=str(tmp_path / "file"))

    assert json.loads(lines[0])["message"].startswith("no log file in ")
    assert json.loads(lines[1])["message"] == "line 1"
