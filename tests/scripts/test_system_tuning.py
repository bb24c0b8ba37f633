"""What would throttle a test is said; the kernel is tuned, and as it was after --undo."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.scripts.conftest import Checkout

SCRIPT = "system_tuning.sh"
SYSCTL = "etc/sysctl.d/90-locust-fleet.conf"
# As on a small Debian 13.
USUAL = {
    "fs.file-max": "2466170",
    "fs.file-nr": "3000\t0\t2466170",
    "fs.nr_open": "1048576",
    "net.core.somaxconn": "4096",
    "net.ipv4.ip_local_port_range": "32768\t60999",
    "net.ipv4.tcp_keepalive_time": "7200",
    "net.ipv4.tcp_max_syn_backlog": "2048",
    "net.ipv4.tcp_mem": "287898\t383867\t575796",
    "net.ipv4.tcp_rmem": "4096\t131072\t33554432",
    "net.ipv4.tcp_syncookies": "1",
    "net.ipv4.tcp_tw_reuse": "2",
    "net.ipv4.tcp_wmem": "4096\t16384\t4194304",
    "net.netfilter.nf_conntrack_max": "262144",
}


class Machine:
    """Folders that stand for /etc and /proc."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "etc").mkdir(parents=True)
        for key, value in USUAL.items():
            self.set(key, value)

    def file(self, key: str) -> Path:
        return self.folder / "proc/sys" / key.replace(".", "/")

    def set(self, key: str, value: str) -> None:
        self.file(key).parent.mkdir(parents=True, exist_ok=True)
        self.file(key).write_text(f"{value}\n")

    def values(self) -> dict[str, list[str]]:
        return {key: self.file(key).read_text().split() for key in USUAL}

    def written(self) -> dict[str, str]:
        files = sorted((self.folder / "etc").rglob("*"))
        return {str(file): file.read_text() for file in files if file.is_file()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


def tune(checkout: Checkout, machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    return checkout.run(SCRIPT, *arguments, "--root", str(machine.folder))


def low(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Which values are said to throttle."""
    return [line.split()[1].rstrip(",") for line in done.stdout.splitlines() if " LOW: " in line]


def test_what_throttles_is_named_and_nothing_is_changed(
    checkout: Checkout, machine: Machine
) -> None:
    before = machine.values()

    done = tune(checkout, machine, "--users", "1000")

    assert done.returncode == 1
    assert low(done) == ["net.ipv4.ip_local_port_range"]
    assert "1 of these would throttle a test of 1000 users" in done.stderr
    assert (machine.values(), machine.written()) == (before, {})


def test_a_small_test_is_not_throttled(checkout: Checkout, machine: Machine) -> None:
    done = tune(checkout, machine, "--check", "--users", "100")

    assert done.returncode == 0, done.stdout
    assert low(done) == []


def test_without_a_size_it_is_the_one_that_the_start_form_proposes(
    checkout: Checkout, machine: Machine
) -> None:
    assert "a test of 1000 users" in tune(checkout, machine).stderr


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("net.netfilter.nf_conntrack_max", "65536"),
        ("net.core.somaxconn", "128"),
        ("fs.file-max", "4000"),
        ("net.ipv4.tcp_mem", "3000\t4000\t6000"),
    ],
)
def test_each_bound_is_looked_at(
    checkout: Checkout, machine: Machine, key: str, value: str
) -> None:
    machine.set("net.ipv4.tcp_tw_reuse", "1")
    machine.set(key, value)

    done = tune(checkout, machine, "--users", "1000")

    assert done.returncode == 1
    assert low(done) == [key]


def test_the_queue_of_half_open_connections_counts_only_without_cookies(
    checkout: Checkout, machine: Machine
) -> None:
    machine.set("net.ipv4.tcp_tw_reuse", "1")
    machine.set("net.ipv4.tcp_max_syn_backlog", "128")
    assert low(tune(checkout, machine, "--users", "1000")) == []

    machine.set("net.ipv4.tcp_syncookies", "0")
    assert low(tune(checkout, machine, "--users", "1000")) == ["net.ipv4.tcp_max_syn_backlog"]


def test_what_counts_for_workers_is_looked_at_in_a_worker(
    deployed: Checkout, machine: Machine
) -> None:
    deployed.fake("run", "10240\t65535\n1\n4096\n4096")

    done = tune(deployed, machine, "--users", "2000")

    assert done.returncode == 0, done.stdout
    assert "locust-worker" in done.stdout
    assert low(tune(deployed, machine, "--users", "9000")) == [
        "net.netfilter.nf_conntrack_max",
        "open",
        "net.core.somaxconn",
    ]


def test_it_is_tuned_and_says_what_was_there_before(checkout: Checkout, machine: Machine) -> None:
    done = tune(checkout, machine, "--apply")

    assert done.returncode == 0, done.stderr
    now = machine.values()
    assert now["net.ipv4.ip_local_port_range"] == ["10240", "65535"]
    assert now["net.ipv4.tcp_tw_reuse"] == ["1"]
    assert now["net.core.somaxconn"] == ["65535"]
    assert "32768 60999 -> 10240 65535" in done.stdout
    assert "net.core.somaxconn = 65535" in (machine.folder / SYSCTL).read_text()
    assert low(tune(checkout, machine, "--users", "5000")) == []


def test_tuning_twice_is_tuning_once(checkout: Checkout, machine: Machine) -> None:
    tune(checkout, machine, "--apply")
    once = machine.values(), machine.written()

    assert tune(checkout, machine, "--apply").returncode == 0
    assert (machine.values(), machine.written()) == once


def test_nothing_is_made_smaller(checkout: Checkout, machine: Machine) -> None:
    machine.set("net.netfilter.nf_conntrack_max", "9000000")
    machine.set("net.ipv4.ip_local_port_range", "1024\t60000")
    machine.set("net.ipv4.tcp_keepalive_time", "60")

    tune(checkout, machine, "--apply")

    now = machine.values()
    assert now["net.netfilter.nf_conntrack_max"] == ["9000000"]
    assert now["net.ipv4.ip_local_port_range"] == ["1024", "65535"]
    assert now["net.ipv4.tcp_keepalive_time"] == ["60"]
    assert "nf_conntrack_max =" not in (machine.folder / SYSCTL).read_text()


def test_what_somebody_made_larger_since_is_not_made_smaller_again(
    checkout: Checkout, machine: Machine
) -> None:
    tune(checkout, machine, "--apply")
    machine.set("net.netfilter.nf_conntrack_max", "9000000")

    tune(checkout, machine, "--apply")

    assert machine.values()["net.netfilter.nf_conntrack_max"] == ["9000000"]
    assert "nf_conntrack_max =" not in (machine.folder / SYSCTL).read_text()


def test_what_the_kernel_does_not_know_is_left_out_with_a_word(
    checkout: Checkout, machine: Machine
) -> None:
    machine.file("net.ipv4.tcp_tw_reuse").unlink()

    done = tune(checkout, machine, "--apply")

    assert done.returncode == 0, done.stderr
    assert "skipped: net.ipv4.tcp_tw_reuse, which this kernel does not know" in done.stderr
    assert "tcp_tw_reuse" not in (machine.folder / SYSCTL).read_text()


def test_undo_brings_back_what_was_there(checkout: Checkout, machine: Machine) -> None:
    before = machine.values()
    tune(checkout, machine, "--apply")
    tune(checkout, machine, "--apply")

    done = tune(checkout, machine, "--undo")

    assert done.returncode == 0, done.stderr
    assert (machine.values(), machine.written()) == (before, {})
    assert tune(checkout, machine, "--undo").returncode == 0


def test_undo_leaves_what_somebody_else_changed(checkout: Checkout, machine: Machine) -> None:
    tune(checkout, machine, "--apply")
    machine.set("net.core.somaxconn", "20000")

    done = tune(checkout, machine, "--undo")

    assert machine.values()["net.core.somaxconn"] == ["20000"]
    assert "left alone: net.core.somaxconn is 20000" in done.stderr


def test_what_is_no_longer_wanted_is_taken_back_at_the_next_time(
    checkout: Checkout, machine: Machine
) -> None:
    tune(checkout, machine, "--apply")
    conf = checkout.folder / "conf/sysctl.conf"
    conf.write_text(conf.read_text().replace("net.core.somaxconn", "# net.core.somaxconn"))

    tune(checkout, machine, "--apply")

    assert machine.values()["net.core.somaxconn"] == ["4096"]
    assert "somaxconn" not in (machine.folder / SYSCTL).read_text()


def test_open_files_of_logins_stay_where_more_would_refuse_them(
    checkout: Checkout, machine: Machine
) -> None:
    machine.set("fs.nr_open", "20000")

    done = tune(checkout, machine, "--apply")

    assert done.returncode == 0, done.stderr
    assert "skipped: open files of a login" in done.stderr
    assert not [name for name in machine.written() if "limits.d" in name]


@pytest.mark.parametrize(("hard", "raised"), [(4096, True), (524288, False)])
def test_a_hard_limit_that_is_larger_stays(checkout: Checkout, hard: int, raised: bool) -> None:
    limits = checkout.call("login_limits", hard)

    assert "* soft nofile 65536" in limits
    assert "root soft nofile 65536" in limits
    assert ("hard nofile" in limits) is raised


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--users", "0"), "--users needs a number"),
        (("--root", "/nowhere"), "--root needs a folder"),
        (("--now",), "unknown argument '--now'"),
    ],
)
def test_bad_arguments_are_refused(
    checkout: Checkout, arguments: tuple[str, ...], words: str
) -> None:
    done = checkout.run(SCRIPT, *arguments)

    assert done.returncode == 2
    assert words in done.stderr


def test_a_real_kernel_is_tuned_and_as_it_was_after_undo(
    checkout: Checkout, tmp_path: Path
) -> None:
    """In a network of its own, so that this machine stays as it is."""
    # Where this network may not set it, that is said, and fails.
    conf = checkout.folder / "conf/sysctl.conf"
    conf.write_text(conf.read_text().replace("net.netfilter", "# net.netfilter"))
    machine = tmp_path / "machine"
    (machine / "etc").mkdir(parents=True)
    (machine / "proc").symlink_to("/proc")
    script = checkout.folder / "scripts" / SCRIPT
    steps = """
        look() { cd /proc/sys/net; cat core/somaxconn ipv4/tcp_tw_reuse ipv4/ip_local_port_range; }
        echo 4096 >/proc/sys/net/core/somaxconn
        (look)
        "$1" --apply --root "$2" >&2 && (look)
        "$1" --undo --root "$2" >&2 && (look)
    """
    own = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    outside = Path("/proc/sys/net/core/somaxconn").read_text()

    done = subprocess.run(
        [*own, "sh", "-ec", steps, "sh", str(script), str(machine)],
        env=checkout.env(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    before, tuned, after = words[:4], words[4:8], words[8:]
    assert tuned == ["65535", "1", "10240", "65535"]
    assert before == after != tuned
    assert Path("/proc/sys/net/core/somaxconn").read_text() == outside
