"""Certificates that sign themselves."""

import subprocess


def self_signed(name: str, *options: str) -> tuple[str, str]:
    """Return a certificate for a name, and its key, both as PEM; options are those of openssl."""
    done = subprocess.run(
        (
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-keyout", "-", "-out", "-", *options),
        ),
        check=True,
        capture_output=True,
        text=True,
    )
    key, begin, rest = done.stdout.partition("-----BEGIN CERTIFICATE-----")
    return begin + rest, key
