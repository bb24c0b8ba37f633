"""The settings file is read as it is, and changed only where it has to be."""

from pathlib import Path

import pytest

from tests.scripts.conftest import Checkout

MARK = "# --- written by deploy.sh, do not edit below ---"


@pytest.fixture
def file(checkout: Checkout) -> Path:
    return checkout.folder / "settings"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("A=a b=c#d", "a b=c#d"),
        ("A=$(touch /nowhere) `x` $HOME", "$(touch /nowhere) `x` $HOME"),
        ("A= 1 ", "1"),
        ("B=1", ""),
        ("A=1\nA=2", "2"),
        ("#A=1", ""),
    ],
)
def test_a_value_is_read_and_never_expanded(
    checkout: Checkout, file: Path, line: str, value: str
) -> None:
    file.write_text(line)

    assert checkout.call("env_get", file, "A") == value


def test_one_line_is_changed_and_no_other(checkout: Checkout, file: Path) -> None:
    file.write_text(f"# why\nA=1\n\nB=2\n{MARK}\nC=3\n")

    checkout.call("env_set", file, "A", "new value")

    assert file.read_text() == f"# why\nA=new value\n\nB=2\n{MARK}\nC=3\n"


def test_a_line_that_is_not_there_is_added_above_the_block(checkout: Checkout, file: Path) -> None:
    file.write_text(f"A=1\n{MARK}\nC=3\n")

    checkout.call("env_set", file, "B", "2")

    assert file.read_text() == f"A=1\nB=2\n{MARK}\nC=3\n"


def test_the_block_is_replaced_and_the_rest_stays(checkout: Checkout, file: Path) -> None:
    file.write_text(f"# why\nA=1\n\n{MARK}\nVERSION=old\nNOFILE=1\n")

    checkout.call("write_block", file, "VERSION=new")

    assert file.read_text() == f"# why\nA=1\n\n{MARK}\nVERSION=new\n"


def test_a_line_that_was_added_below_the_block_is_kept(checkout: Checkout, file: Path) -> None:
    file.write_text(f"A=1\n\n{MARK}\nVERSION=old\nSCENARIO_A=1\n")

    checkout.call("write_block", file, "VERSION=new")

    assert file.read_text() == f"A=1\n\nSCENARIO_A=1\n\n{MARK}\nVERSION=new\n"


def test_a_file_without_block_gets_one(checkout: Checkout, file: Path) -> None:
    file.write_text("A=1")

    checkout.call("write_block", file, "VERSION=new")

    assert file.read_text() == f"A=1\n\n{MARK}\nVERSION=new\n"


def test_a_changed_file_keeps_its_mode(checkout: Checkout, file: Path) -> None:
    file.write_text("A=1\n")
    file.chmod(0o640)

    checkout.call("env_set", file, "A", "2")

    assert file.stat().st_mode & 0o777 == 0o640
    assert not file.with_name("settings.new").exists()


def test_compose_expands_nothing_in_scenario_settings(checkout: Checkout, file: Path) -> None:
    file.write_text('SCENARIO_A=a b\nOTHER=1\nSCENARIO_B=it\'s \\ "x"\n')

    assert checkout.call("scenario_lines", file).splitlines() == [
        "SCENARIO_A='a b'",
        'SCENARIO_B="it\'s \\\\ \\"x\\""',
    ]
