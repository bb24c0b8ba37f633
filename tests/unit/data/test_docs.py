"""The example of docs/test-data.md works."""

import re
import subprocess
import sys
from pathlib import Path

TEXT = (Path(__file__).parents[3] / "docs" / "test-data.md").read_text(encoding="utf-8")


def test_the_example_lends_accounts_and_counts_orders(tmp_path: Path) -> None:
    found = re.search("```python\n(.*?)```", TEXT, re.DOTALL)
    assert found
    (tmp_path / "example.py").write_text(found[1])
    (tmp_path / "accounts.csv").write_text("user,password\nanna,a\n")

    # Nobody listens there: what is asked is whether the scenario itself is right.
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", str(tmp_path / "example.py"), "--headless"),
            *("--host", "http://127.0.0.83:9", "-u", "3", "-r", "3", "-t", "6"),
        ],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )

    assert "Traceback" not in done.stderr
    assert '"accounts": {"records": 1,' in done.stderr
    assert '"orders": ' in done.stderr


def test_every_name_that_a_scenario_may_use_is_explained() -> None:
    from locust_fleet import data

    explained = set(re.findall(r"data\.(\w+)", TEXT))
    assert set(data.__all__) - {"Lease"} <= explained
