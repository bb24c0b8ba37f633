"""A worker weighs as much as the cores that it may use."""

import os
from pathlib import Path

import pytest

from locust_fleet.worker.capacity import usable_cpus


@pytest.mark.parametrize(("quota", "cpus"), [("50000 100000", 0.5), ("100000 100000", 1.0)])
def test_a_container_weighs_its_cpu_quota(tmp_path: Path, quota: str, cpus: float) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota}\n")

    assert usable_cpus(tmp_path) == cpus


@pytest.mark.parametrize("quota", ["max 100000", "6400000 100000", ""])
def test_without_a_lower_limit_it_weighs_the_cores_it_may_run_on(
    tmp_path: Path, quota: str
) -> None:
    (tmp_path / "cpu.max").write_text(quota)

    assert usable_cpus(tmp_path) == len(os.sched_getaffinity(0))


def test_without_such_a_file_it_weighs_the_same(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path) == len(os.sched_getaffinity(0))
