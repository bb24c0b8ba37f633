"""What a test needs follows from its users, and what would be in its way is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from locust_fleet.cli import main
from locust_fleet.sizing import Cost, Load, Machine, size
from locust_fleet.sizing.command import link_of
from locust_fleet.sizing.quantities import BITS, BYTES, SECONDS, bits, quantity, size_of

UPLOADS = Load(users=500, file_bytes=17_500_000, interval_s=30)
COST = Cost(cpu_s=0.005, user_bytes=34_000)
LARGE = Machine(cores=16, memory_bytes=64_000_000_000, link_bits_per_s=10e9)


def warnings(
    load: Load = UPLOADS, per_worker: int = 150, cost: Cost = COST, machine: Machine = LARGE
) -> tuple[str, ...]:
    return size(load, per_worker, cost, machine).warnings


def test_five_hundred_uploads_need_four_workers_and_a_quarter_of_ten_gigabit() -> None:
    needed = size(UPLOADS, 150, COST, LARGE)

    assert (needed.workers, needed.users_of_worker) == (4, 125)
    assert bits(needed.bits_per_s) == "2.3 Gbit/s"
    assert bits(needed.bits_per_s_of_worker) == "583 Mbit/s"
    assert needed.cores == 2
    assert needed.warnings == ()


@pytest.mark.parametrize(("users", "workers"), [(1, 1), (150, 1), (151, 2), (600, 4), (601, 5)])
def test_no_worker_has_more_users_than_it_may(users: int, workers: int) -> None:
    needed = size(Load(users, 0, 1), 150, COST, LARGE)

    assert needed.workers == workers
    assert needed.users_of_worker <= 150


def test_memory_does_not_grow_with_the_file_times_the_users() -> None:
    small = size(Load(500, 0, 30), 150, COST, LARGE)
    large = size(UPLOADS, 150, COST, LARGE)

    assert large.memory_bytes - small.memory_bytes == 4 * UPLOADS.file_bytes


def test_a_worker_is_given_as_many_users_as_keep_it_busy_for_six_tenths() -> None:
    assert Cost(0.01, 0).most_users(interval_s=1) == 60
    assert Cost(5, 0).most_users(interval_s=1) == 1


@pytest.mark.parametrize(
    ("link", "warned"), [(2.8e9, True), (3e9, False), (None, False), (1e9, True)]
)
def test_above_four_fifths_of_the_link_is_warned_about(link: float | None, warned: bool) -> None:
    found = warnings(machine=Machine(16, 64_000_000_000, link))

    assert any("of the link" in warning for warning in found) is warned


def test_a_worker_that_would_be_too_busy_is_warned_about() -> None:
    [warning] = warnings(Load(users=150, file_bytes=0, interval_s=0.9))

    assert warning.startswith("each worker would be 83% busy")


def test_a_machine_with_too_few_cores_is_warned_about() -> None:
    load = Load(users=600, file_bytes=0, interval_s=2)

    found = warnings(load, machine=Machine(3, 64_000_000_000, None))

    assert found == ("2.5 of 3 cores would be busy; put workers on more machines",)
    assert warnings(load, machine=Machine(4, 64_000_000_000, None)) == ()


def test_a_machine_with_too_little_memory_is_warned_about() -> None:
    [warning] = warnings(machine=Machine(16, 1_500_000_000, None))

    assert warning.startswith("1.5 GB of 1.5 GB of memory would be in use")


@pytest.mark.parametrize(
    ("text", "units", "value"),
    [
        ("17.5MB", BYTES, 17_500_000),
        ("1 MiB", BYTES, 1_048_576),
        ("30s", SECONDS, 30),
        ("1.5m", SECONDS, 90),
        ("10Gbit", BITS, 10e9),
    ],
)
def test_quantities_are_read_as_people_write_them(
    text: str, units: dict[str, float], value: float
) -> None:
    assert quantity(text, units) == value


@pytest.mark.parametrize("text", ["17.5", "MB", "17,5MB", "17.5mb", "-1MB", "1e3MB", "٣MB"])
def test_what_is_no_quantity_is_refused_with_the_units(text: str) -> None:
    with pytest.raises(ValueError, match=r"use a number and one of B, kB, MB"):
        quantity(text, BYTES)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (17.5e6, "17.5 MB"), (1.53e9, "1.5 GB")]
)
def test_sizes_are_written_as_people_read_them(count: float, text: str) -> None:
    assert size_of(count) == text


def test_the_link_is_that_of_a_card_and_not_of_a_cable_into_a_container(tmp_path: Path) -> None:
    for name, speed, card in (("eth0", "1000", True), ("veth1", "10000", False)):
        folder = tmp_path / "class" / "net" / name
        folder.mkdir(parents=True)
        (folder / "speed").write_text(f"{speed}\n")
        if card:
            (folder / "device").mkdir()

    assert link_of(tmp_path) == 1e9


@pytest.mark.parametrize("speed", ["-1\n", ""])
def test_a_card_of_unknown_speed_is_left_out(tmp_path: Path, speed: str) -> None:
    folder = tmp_path / "class" / "net" / "eth0"
    (folder / "device").mkdir(parents=True)
    (folder / "speed").write_text(speed)

    assert link_of(tmp_path) is None


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("--users", "9" * 400),
        ("--users", "9" * 5000),
        ("--users-per-worker", "9" * 400),
        ("--file-size", f"{'9' * 400}MB"),
        ("--interval", f"{'9' * 400}s"),
        ("--interval", "0.0001ms"),
        ("--link", f"{'9' * 400}Gbit"),
        ("--seconds", "nan"),
        ("--seconds", "inf"),
        ("--seconds", "0"),
    ],
)
def test_a_quantity_that_nobody_means_is_named(
    argument: str,
    value: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sane = ["--users", "5", "--file-size", "1MB", "--interval", "1s", "--measure"]
    monkeypatch.setattr("sys.argv", ["locust-fleet", "plan", *sane, argument, value])
    monkeypatch.setattr("locust_fleet.sizing.command._cpu_s", lambda *_: pytest.fail("measured"))
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert (ended.value.code, f"{argument} is" in capsys.readouterr().err) == (2, True)
