"""An authority of our own, and certificates that it signed; made anew for each run."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAMES = "DNS:localhost,DNS:*.test,IP:127.0.0.1,IP:::1"


@dataclass(frozen=True)
class Certificates:
    """Where they are; those with a key have it in the same file."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def server(self) -> Path:
        return self.folder / "server.pem"

    @property
    def other_name(self) -> Path:
        """A server that is called otherwise than it is asked."""
        return self.folder / "other_name.pem"

    @property
    def client(self) -> Path:
        return self.folder / "client.pem"

    def context(self, certificate: Path, *, ask_client: bool = False) -> ssl.SSLContext:
        """Return what a server needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.authority)
        return context


def make(folder: Path) -> Certificates:
    """Make an authority and what it signs."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    authority, secret = folder / "authority.pem", folder / "authority.key"
    openssl = ("openssl", "req", "-x509", *key)
    where = ("-keyout", secret, "-out", authority)
    run(*openssl, "-subj", "/CN=Authority of a test", *where, "-addext", "keyUsage=keyCertSign")
    signed = ("-CA", authority, "-CAkey", secret)
    for name, names in (
        ("server", NAMES),
        ("other_name", "DNS:elsewhere.example"),
        ("client", "DNS:client"),
    ):
        one, its_key = folder / f"{name}.pem", folder / f"{name}.key"
        subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={names}")
        leaf = ("-addext", "basicConstraints=critical,CA:FALSE")
        run(*openssl, *signed, *subject, *leaf, "-keyout", its_key, "-out", one)
        one.write_bytes(one.read_bytes() + its_key.read_bytes())
    return Certificates(folder)


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
