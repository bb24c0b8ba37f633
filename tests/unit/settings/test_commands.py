"""Settings of commands that are no service."""

from pathlib import Path

from locust_fleet.settings.commands import LocustfileSettings, api_token, target_ca_file


def test_a_locustfile_and_its_spool_are_named_by_the_environment() -> None:
    env = {"LOCUST_LOCUSTFILE": "/locustfiles/shop.py", "SPOOL_DIR": "/spool"}

    settings = LocustfileSettings.from_env(env)

    assert settings == LocustfileSettings(Path("/locustfiles/shop.py"), Path("/spool"))


def test_a_file_of_private_cas_that_is_missing_counts_as_not_set(tmp_path: Path) -> None:
    cas = tmp_path / "cas.pem"
    cas.write_text("")

    assert target_ca_file({}) is None
    assert target_ca_file({"TARGET_CA_FILE": str(tmp_path / "none.pem")}) is None
    assert target_ca_file({"TARGET_CA_FILE": str(cas)}) == cas


def test_a_caller_without_a_token_has_an_empty_one() -> None:
    assert api_token({}) == ""
