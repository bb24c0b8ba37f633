"""nginx's configuration: read by nginx itself, and its settings by the shell that sources them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.support.certificates import self_signed
from tests.support.checkout import ROOT

from locust_fleet.console.access.sessions import COOKIE

NGINX = ROOT / "nginx"
SETTINGS = NGINX / "10-settings.envsh"


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    # pytest's own folders are closed to others, and nginx is one.
    tmp_path.chmod(0o755)
    for name in ("front_secret", "tls_cert.pem", "tls_key.pem"):
        (tmp_path / name).write_text("0123456789abcdef\n")
    return tmp_path


def source(secrets: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Source the settings as the entrypoint does and print what it exports."""
    return subprocess.run(
        ["sh", "-ec", f". {SETTINGS}; env"],
        env={"PATH": os.environ["PATH"], "SECRETS_DIR": str(secrets)} | settings,
        capture_output=True,
        text=True,
        check=False,
    )


def exported(done: subprocess.CompletedProcess[str], name: str) -> str:
    assert done.returncode == 0, done.stderr
    found = re.search(rf"^{name}=((?:.|\n(?!\w+=))*)$", done.stdout, re.MULTILINE)
    assert found
    return found[1].strip()


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        ("*", "default 1;"),
        ("", "default 1;"),
        ("a.example,*", "default 1;"),
        ("Load.Example", "load.example 1;\nnginx 1;"),
        (" b.example , a.example,b.example", "a.example 1;\nb.example 1;\nnginx 1;"),
        ("*.example.org", "*.example.org 1;\nnginx 1;"),
        ("10.0.0.1,under_score-1", "10.0.0.1 1;\nnginx 1;\nunder_score-1 1;"),
    ],
)
def test_allowed_hosts_become_the_lines_of_a_map(secrets: Path, names: str, lines: str) -> None:
    assert exported(source(secrets, ALLOWED_HOSTS=names), "FRONT_HOSTS") == lines


@pytest.mark.parametrize(
    "name",
    ["a.example:443", "*example", "a.*", "*.", "a;b", "${x}", "https://a", "a..b", ".a", "ä"],
)
def test_a_name_that_is_none_stops_nginx_and_is_named(secrets: Path, name: str) -> None:
    done = source(secrets, ALLOWED_HOSTS=f"good.example,{name}")
    assert done.returncode == 1
    assert f"ALLOWED_HOSTS holds '{name.lower()}'" in done.stderr


@pytest.mark.parametrize(
    ("port", "suffix"), [("443", ""), ("", ""), ("8443", ":8443"), ("1", ":1")]
)
def test_only_another_port_than_443_is_named_in_redirects(
    secrets: Path, port: str, suffix: str
) -> None:
    assert exported(source(secrets, HTTPS_PORT=port), "FRONT_HTTPS_PORT") == suffix


def test_a_port_that_is_none_stops_nginx_and_is_named(secrets: Path) -> None:
    done = source(secrets, HTTPS_PORT="https")
    assert (done.returncode, "HTTPS_PORT is 'https'" in done.stderr) == (1, True)


@pytest.mark.parametrize("name", ["front_secret", "tls_cert.pem", "tls_key.pem"])
def test_a_missing_secret_stops_nginx_and_is_named(secrets: Path, name: str) -> None:
    (secrets / name).unlink()
    done = source(secrets)
    assert (done.returncode, f"secrets/{name} is missing" in done.stderr) == (1, True)


@pytest.mark.parametrize("content", ["", "\n", 'a"; evil', "a b", "$x"])
def test_a_front_secret_that_nginx_would_misread_is_refused(secrets: Path, content: str) -> None:
    (secrets / "front_secret").write_text(content)
    done = source(secrets)
    assert (done.returncode, "front_secret" in done.stderr) == (1, True)


def test_the_templates_use_what_is_exported_and_all_of_it(secrets: Path) -> None:
    template = (NGINX / "templates/settings.conf.template").read_text()
    used = set(re.findall(r"\$\{(\w+)\}", template))
    done = source(secrets)
    made = set(re.findall(r"^(FRONT_\w+)=", done.stdout, re.MULTILINE))
    assert used == made
    assert exported(done, "NGINX_ENVSUBST_FILTER") == "^FRONT_"


def test_nothing_overrides_the_headers_and_pages_of_the_whole_server() -> None:
    """One add_header or error_page in a location would silently drop all others there."""
    text = "\n".join(file.read_text() for file in [NGINX / "nginx.conf", *NGINX.glob("snippets/*")])
    locations = re.findall(r"^ *location ([^{;]+) {\n(.*?)\n *}\n", text, re.DOTALL | re.MULTILINE)
    assert len(locations) > 10
    overriding = {
        name
        for name, body in locations
        if re.search(r"^\s*(add_header|error_page)\b", body, re.MULTILINE)
    }
    # The question to the console keeps the server's pages out on purpose.
    assert overriding == {"= /internal/auth"}


def test_limits_are_counted_by_the_cookie_that_the_console_sets() -> None:
    assert f"{COOKIE}=" in (NGINX / "snippets/limits.conf").read_text()


def test_pages_need_nothing_from_elsewhere_and_no_script() -> None:
    for page in (NGINX / "pages").glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert re.findall(r'(?:src|href)="([^"]*)"', text)[0] == "/front.css"
        assert "<script" not in text
        assert "style=" not in text
        assert "<style" not in text
        assert "//" not in re.sub("<code>//</code>", "", text)


@pytest.mark.docker
def test_nginx_itself_accepts_the_configuration(secrets: Path) -> None:
    certificate, key = self_signed("localhost")
    (secrets / "tls_cert.pem").write_text(certificate)
    (secrets / "tls_key.pem").write_text(key)
    (secrets / "tls_key.pem").chmod(0o444)
    mounts = {
        secrets: "/run/secrets",
        NGINX / "nginx.conf": "/etc/nginx/nginx.conf",
        NGINX / "templates": "/etc/nginx/templates",
        NGINX / "snippets": "/etc/nginx/snippets",
        SETTINGS: "/docker-entrypoint.d/10-settings.envsh",
    }
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--user", "101:101", "--network", "none"),
            *(option for path in mounts for option in ("--volume", f"{path}:{mounts[path]}:ro")),
            *("--tmpfs", "/etc/nginx/conf.d:uid=101,gid=101,mode=700"),
            *("--tmpfs", "/var/cache/nginx:uid=101,gid=101,mode=700"),
            *("--tmpfs", "/run:uid=101,gid=101,mode=755"),
            os.environ.get("NGINX_IMAGE", "locust-fleet/nginx:packages"),
            *("nginx", "-t"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "test is successful" in done.stderr, done.stderr
    assert "[warn]" not in done.stderr
