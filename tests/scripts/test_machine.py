"""What the machine lacks is said before anything is changed."""

import socket
from pathlib import Path

import pytest

from tests.scripts.conftest import ADDRESS, Checkout
from tests.support.ports import free_port


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    return tmp_path / "meminfo"


def test_too_little_memory_is_refused_with_what_is_needed(
    checkout: Checkout, meminfo: Path
) -> None:
    meminfo.write_text("MemTotal:        1048576 kB\nMemFree: 1 kB\n")

    assert checkout.call("memory_problem", meminfo, 3) == (
        "this machine has 1024 MB of memory; 3 workers and the rest need 1260 MB:"
        " add memory, or use fewer workers"
    )


def test_little_memory_is_no_reason_to_refuse(checkout: Checkout, meminfo: Path) -> None:
    meminfo.write_text("MemTotal:        2097152 kB\n")

    assert checkout.call("memory_problem", meminfo, 3) == ""


def test_too_little_disk_is_refused(checkout: Checkout) -> None:
    assert checkout.call("disk_problem", "/data", 4999) == (
        "/data has 4999 MB of free disk; at least 5000 MB are needed: free some"
    )


def test_free_disk_is_that_of_the_nearest_folder_that_exists(
    checkout: Checkout, tmp_path: Path
) -> None:
    assert int(checkout.call("free_mb", tmp_path / "not" / "yet")) > 0


def test_more_cores_than_the_machine_has_are_refused(checkout: Checkout) -> None:
    checkout.configure(MASTER_CPUS="1.5")
    file = checkout.folder / ".env"

    assert checkout.call("cpus_problem", file, 1).startswith("MASTER_CPUS is 1.5; use at most 1")
    assert checkout.call("cpus_problem", file, 2) == ""


def test_a_taken_port_is_named_with_its_setting(checkout: Checkout) -> None:
    port = free_port(ADDRESS)
    checkout.configure(HTTPS_PORT=str(port))
    file = checkout.folder / ".env"
    table = ("/proc/net/tcp", "/proc/net/tcp6")

    with socket.create_server((ADDRESS, port)):
        problem = checkout.call("port_problem", file, "HTTPS_PORT", ADDRESS, *table)

    assert problem.startswith(f"port {port} is taken by another program")
    assert "HTTPS_PORT (.env line" in problem


@pytest.mark.parametrize(
    ("listening", "wanted", "taken"),
    [
        ("0100007F:01BB", "127.0.0.1", "yes"),
        ("0100007F:01BB", "0.0.0.0", "yes"),
        ("00000000:01BB", "127.0.0.1", "yes"),
        ("00000000000000000000000000000000:01BB", "127.0.0.1", "yes"),
        ("0000000000000000FFFF00000100007F:01BB", "127.0.0.1", "yes"),
        ("0200007F:01BB", "127.0.0.1", "no"),
        ("0100007F:01BC", "127.0.0.1", "no"),
    ],
)
def test_a_port_is_taken_on_its_own_address_or_on_all(
    checkout: Checkout, tmp_path: Path, listening: str, wanted: str, taken: str
) -> None:
    table = tmp_path / "tcp"
    table.write_text(f"  sl  local_address rem_address   st\n   0: {listening} 0:0 0A 0:0\n")
    script = 'if is_listening "$@"; then echo yes; else echo no; fi'

    assert checkout.call("eval", script.replace('"$@"', f"{wanted} 443 {table}")) == taken


def test_a_connection_is_not_a_listener(checkout: Checkout, tmp_path: Path) -> None:
    table = tmp_path / "tcp"
    table.write_text("  sl  local_address rem_address   st\n   0: 0100007F:01BB 0:0 01 0:0\n")

    assert checkout.call("eval", f"is_listening 127.0.0.1 443 {table} || echo no") == "no"


@pytest.mark.parametrize(
    ("kernel", "machine", "problem"),
    [
        ("Linux", "x86_64", ""),
        ("Linux", "aarch64", ""),
        ("Darwin", "arm64", "this is Darwin; Locust Fleet needs Linux"),
        ("Linux", "riscv64", "this is a riscv64 processor; Locust Fleet needs x86_64 or aarch64"),
    ],
)
def test_another_platform_is_named(
    checkout: Checkout, kernel: str, machine: str, problem: str
) -> None:
    assert checkout.call("platform_problem", kernel, machine) == problem


def test_an_address_of_another_host_is_named(checkout: Checkout) -> None:
    checkout.configure(BIND_ADDRESS="192.0.2.1")

    problem = checkout.call("address_problem", checkout.folder / ".env", "/proc/net/fib_trie")

    assert problem.startswith("BIND_ADDRESS is 192.0.2.1, which this host does not have")
