"""A given certificate is checked before it is used; without one, a self-signed one is made."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.scripts.conftest import Checkout


def openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def make(folder: Path, name: str, *options: str) -> tuple[str, str]:
    """Make a certificate and its key; returns their paths."""
    cert, key = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-subj", f"/CN={name}", "-keyout", key, "-out", cert, *options)
    return cert, key


def problem(checkout: Checkout, cert: str, key: str) -> str:
    checkout.configure(SSL_CERT_PATH=cert, SSL_KEY_PATH=key)
    return checkout.call("certificate_problems", checkout.folder / ".env")


def test_a_pair_that_fits_is_no_problem(checkout: Checkout, tmp_path: Path) -> None:
    assert problem(checkout, *make(tmp_path, "a", "-days", "90")) == ""


def test_a_key_of_another_certificate_is_named(checkout: Checkout, tmp_path: Path) -> None:
    cert, _ = make(tmp_path, "a")
    _, key = make(tmp_path, "b")

    assert problem(checkout, cert, key).startswith(
        "the key in SSL_KEY_PATH does not belong to the certificate in SSL_CERT_PATH (.env line"
    )


def test_an_expired_certificate_is_named_with_its_date(checkout: Checkout, tmp_path: Path) -> None:
    checkout.program(
        "openssl",
        f'case "$*" in *"-checkend 0") exit 1;; *) exec {shutil.which("openssl")} "$@";; esac',
    )

    assert problem(checkout, *make(tmp_path, "a")).startswith(
        "the certificate in SSL_CERT_PATH expired on "
    )


@pytest.mark.parametrize(("missing", "name"), [(0, "SSL_CERT_PATH"), (1, "SSL_KEY_PATH")])
def test_a_file_that_cannot_be_read_is_named(
    checkout: Checkout, tmp_path: Path, missing: int, name: str
) -> None:
    paths = make(tmp_path, "a")
    Path(paths[missing]).unlink()

    assert problem(checkout, *paths).startswith(
        f"{name} is {paths[missing]}, which is not a readable file (.env line"
    )


def test_a_file_that_is_no_certificate_is_named(checkout: Checkout, tmp_path: Path) -> None:
    cert, key = make(tmp_path, "a")
    Path(cert).write_text("hello")

    assert "which is not a PEM certificate" in problem(checkout, cert, key)


def test_a_key_with_a_password_is_named(checkout: Checkout, tmp_path: Path) -> None:
    cert, key = make(tmp_path, "a")
    openssl("pkey", "-in", key, "-aes128", "-passout", "pass:word", "-out", f"{key}.locked")

    assert "which is not a PEM key without a password" in problem(checkout, cert, f"{key}.locked")


def test_a_file_of_private_authorities_must_be_pem(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("hello")
    checkout.configure(TARGET_CA_PATH=str(tmp_path / "ca"))

    problem = checkout.call("certificate_problems", checkout.folder / ".env")

    assert problem.startswith(f"TARGET_CA_PATH is {tmp_path}/ca, which is not a readable PEM file")


def test_a_self_signed_certificate_has_the_names_of_the_host(checkout: Checkout) -> None:
    names = checkout.call("subject_names", "load.example.org, *.example.org,192.0.2.7")
    hostname = Path("/proc/sys/kernel/hostname").read_text().strip()

    assert names.split(",") == [
        "DNS:localhost",
        "DNS:load.example.org",
        "DNS:*.example.org",
        "IP:192.0.2.7",
        f"DNS:{hostname}",
        "IP:127.0.0.1",
    ]


def test_a_self_signed_certificate_is_made_once(configured: Checkout) -> None:
    (configured.folder / "secrets").mkdir()
    file = configured.folder / ".env"

    first = configured.call("install_certificate", file)
    before = configured.state()
    second = configured.call("install_certificate", file)

    assert (first, second) == ("changed", "")
    assert configured.state() == before


def test_half_a_pair_is_made_again(configured: Checkout, tmp_path: Path) -> None:
    secrets = configured.folder / "secrets"
    secrets.mkdir()
    file = configured.folder / ".env"
    configured.call("install_certificate", file)
    _, other = make(tmp_path, "other")
    configured.call("put_secret", "tls_key.pem", stdin=Path(other).read_text())

    assert configured.call("install_certificate", file) == "changed"
    cert = openssl("x509", "-in", str(secrets / "tls_cert.pem"), "-noout", "-pubkey")
    assert cert == openssl("pkey", "-in", str(secrets / "tls_key.pem"), "-pubout")


def test_a_renewed_certificate_is_reloaded_without_a_new_container(
    checkout: Checkout, tmp_path: Path
) -> None:
    cert, key = make(tmp_path, "a")
    checkout.configure(SSL_CERT_PATH=cert, SSL_KEY_PATH=key)
    assert checkout.deploy().returncode == 0
    installed = checkout.folder / "secrets" / "tls_cert.pem"
    before = installed.stat().st_ino
    make(tmp_path, "a")

    done = checkout.deploy()

    assert done.returncode == 0, done.stderr
    assert installed.read_text() == Path(cert).read_text()
    assert installed.stat().st_ino == before
    assert checkout.calls().count("compose exec -T nginx nginx -s reload") == 2
