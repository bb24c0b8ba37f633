"""Write a run's reports when it stops.

Locust writes its own only when the process exits, and not at all on SIGTERM.
"""

from __future__ import annotations

from locust.env import Environment
from locust.html import get_html_report
from locust.stats import PERCENTILES_TO_REPORT, StatsCSV

import csv
from pathlib import Path
from shutil import rmtree


def write_reports(environment: Environment, folder: Path) -> None:
    """Write report.html and the CSV files of the present statistics into a folder, all or none.

    Raises OSError when the disk is full or the folder's parent cannot be written.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    html = get_html_report(environment, show_download_link=False)
    # Its icons, from where they are relative to Locust's own page of the report.
    html = html.replace("../../assets/", "/assets/")
    (partial / "report.html").write_text(html, encoding="utf-8")
    tables = StatsCSV(environment, PERCENTILES_TO_REPORT)
    for name, write in (
        ("requests.csv", tables.requests_csv),
        ("failures.csv", tables.failures_csv),
        ("exceptions.csv", tables.exceptions_csv),
    ):
        with (partial / name).open("w", encoding="utf-8", newline="") as file:
            write(csv.writer(file))
    rmtree(folder, ignore_errors=True)
    partial.replace(folder)
