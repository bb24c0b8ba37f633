"""Write the files of a run when it stops: report.html and CSV tables.

Locust writes its own only when the process exits, and on SIGTERM not at all.
"""

from __future__ import annotations

from locust.env import Environment
from locust.html import get_html_report
from locust.stats import PERCENTILES_TO_REPORT, StatsCSV

import csv
from pathlib import Path
from shutil import rmtree


def write_reports(environment: Environment, folder: Path) -> None:
    """Write report.html and CSV files of the present statistics into a new folder, all or none.

    Raises OSError when the disk is full, or the parent of the folder is not writable.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    html = get_html_report(environment, show_download_link=False)
    # Icons have addresses relative to Locust's own page of the report.
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
