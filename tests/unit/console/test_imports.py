import subprocess
import sys


def test_the_console_imports_without_locust() -> None:
    program = (
        "import sys; sys.modules['locust'] = None\n"
        "from locust_fleet.console import app, commands\n"
        "from locust_fleet.notify import commands\n"
        "loaded = [name for name in sys.modules if name.startswith('locust_fleet.')]\n"
        "parts = {name.split('.')[1] for name in loaded}\n"
        "assert not parts & {'master', 'worker', 'bootstrap'}, loaded"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_the_command_line_does_not_load_the_web_part() -> None:
    program = "import sys, locust_fleet.console.commands; assert 'flask' not in sys.modules"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
