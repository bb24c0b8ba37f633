"""Over TLS, through proxies and unix sockets: the same requests, and nobody is trusted unasked."""

import gc
import subprocess
import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gevent
import pytest
import requests.exceptions
from gevent import ssl
from gevent.server import StreamServer
from gevent.socket import AF_UNIX, SOCK_STREAM, create_connection, socket
from tests.unit.fleet_http.conftest import ADDRESS, OK, NewUser, Wire

from fleet_http.connection.proxy import proxy_for
from fleet_http.errors import ConnectionTimeout, ProxyRefused
from fleet_http.hooks import HOOKS
from locust_fleet.users import FleetHttpUser


class Held:
    """Something that a scenario has at hand while it asks."""


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each name have an address that refuses connections, as ::1 often does, before its own."""
    look_up = gevent.get_hub().resolver.getaddrinfo
    with closing(socket()) as nobody:
        nobody.bind((ADDRESS, 0))
        (refusing,) = look_up(ADDRESS, nobody.getsockname()[1], 0, SOCK_STREAM)

        def getaddrinfo(*args: Any) -> list[Any]:
            return [refusing, *look_up(*args)]

        monkeypatch.setattr(gevent.get_hub().resolver, "getaddrinfo", getaddrinfo)
        yield


@pytest.mark.usefixtures("two_addresses")
@pytest.mark.parametrize("answers", [True, False])
def test_an_address_that_refuses_keeps_nothing_of_who_asked(
    new_user: NewUser, wire: Wire, answers: bool
) -> None:
    host = wire.url if answers else f"http://{ADDRESS}:1"
    client = new_user(host=host).client

    def ask() -> weakref.ref[Held]:
        held = Held()
        assert client.get("/").status_code == (200 if answers else 0)
        return weakref.ref(held)

    gc.collect()
    gc.disable()
    try:
        assert ask()() is None
    finally:
        gc.enable()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate of the address with its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        " -keyout key -out cert"
    )
    subprocess.run(
        [*command.split(), "-subj", "/CN=x", "-addext", f"subjectAltName=IP:{ADDRESS}"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_text((folder / "cert").read_text() + (folder / "key").read_text())
    return both


@pytest.fixture
def secure(certificate: Path) -> Iterator[Wire]:
    """Return a wire that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Wire(context)
    yield server
    server.stop()


@pytest.fixture
def trusting(new_user: NewUser, secure: Wire, certificate: Path) -> FleetHttpUser:
    return new_user(host=secure.url, verify=str(certificate))


def test_tls_is_spoken_where_the_url_says_so(trusting: FleetHttpUser, secure: Wire) -> None:
    responses = [trusting.client.get("/") for _ in range(3)]

    assert [response.text for response in responses] == ["ok"] * 3
    assert secure.connections == 1
    assert responses[0].timings.tls_s > 0
    assert responses[1].timings[:2] == (0, 0)


def test_large_bodies_go_both_ways_over_tls(trusting: FleetHttpUser, secure: Wire) -> None:
    content = bytes(range(256)) * 8192
    secure.answers(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))

    response = trusting.client.post("/", data=content)

    assert secure.bodies == [content]
    assert response.content == content


def test_files_go_over_tls(trusting: FleetHttpUser, secure: Wire, tmp_path: Path) -> None:
    path = tmp_path / "load"
    path.write_bytes(bytes(range(256)) * 1000 + b"end")

    trusting.client.post("/", data=path)

    assert secure.bodies == [path.read_bytes()]


def test_a_user_comes_back_with_its_tls_session(trusting: FleetHttpUser, secure: Wire) -> None:
    secure.answers([OK, None], OK)

    trusting.client.get("/")
    gevent.sleep(0.1)
    trusting.client.get("/")

    assert secure.resumed == [False, True]


def test_an_unknown_certificate_is_a_failure(new_user: NewUser, secure: Wire) -> None:
    response = new_user(host=secure.url).client.get("/")

    assert isinstance(response.error, ssl.SSLCertVerificationError)
    assert not secure.heads


def test_certificates_are_not_checked_if_the_scenario_says_so(
    new_user: NewUser, secure: Wire
) -> None:
    user = new_user(host=secure.url)

    assert user.client.get("/", verify=False).ok
    user.client.verify = False
    assert user.client.get("/").ok


def test_a_server_that_does_not_shake_hands_is_a_failure_in_time(
    new_user: NewUser, wire: Wire
) -> None:
    user = new_user(host=wire.url.replace("http:", "https:"), verify=False, connection_timeout=0.3)

    assert isinstance(user.client.get("/").error, ConnectionTimeout)


def test_a_ca_bundle_that_is_missing_is_named(new_user: NewUser, secure: Wire) -> None:
    response = new_user(host=secure.url, verify="/no/such/ca.pem").client.get("/")

    assert "no CA bundle at /no/such/ca.pem" in str(response.error)


class Tunnel:
    """A proxy that opens tunnels."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.response = b"HTTP/1.1 200 Connection established\r\n\r\n"
        self._server = StreamServer((ADDRESS, 0), self._serve)
        self._server.start()
        self.url = f"http://me:pass@{ADDRESS}:{self._server.server_port}"

    def _serve(self, sock: socket, _: Any) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1000)
        self.heads.append(head)
        sock.sendall(self.response)
        if b" 200 " not in self.response:
            return
        host, port = head.split(b" ")[1].decode().split(":")
        with create_connection((host, int(port))) as there:
            gevent.spawn(self._carry, there, sock)
            self._carry(sock, there)

    def _carry(self, source: socket, sink: socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(1)
        except OSError:
            pass

    def stop(self) -> None:
        self._server.stop(timeout=0)


@pytest.fixture
def tunnel() -> Iterator[Tunnel]:
    server = Tunnel()
    yield server
    server.stop()


def test_a_proxy_is_told_the_whole_url(new_user: NewUser, wire: Wire) -> None:
    user = new_user(host="http://shop.test", proxies={"http": f"http://me:pass@{wire.url[7:]}"})

    response = user.client.get("/a?b=1")

    assert response.text == "ok"
    assert wire.line() == "GET http://shop.test/a?b=1 HTTP/1.1"
    assert wire.headers()["host"] == "shop.test"
    assert wire.headers()["proxy-authorization"] == "Basic bWU6cGFzcw=="


def test_tls_goes_through_a_tunnel(trusting: FleetHttpUser, secure: Wire, tunnel: Tunnel) -> None:
    response = trusting.client.get("/", proxies={"https": tunnel.url})

    assert response.text == "ok"
    assert tunnel.heads[0].startswith(f"CONNECT {ADDRESS}:{secure.port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic bWU6cGFzcw==" in tunnel.heads[0]
    assert "proxy-authorization" not in secure.headers()


def test_a_proxy_that_opens_no_tunnel_is_a_failure(trusting: FleetHttpUser, tunnel: Tunnel) -> None:
    tunnel.response = b"HTTP/1.1 407 Who are you\r\n\r\n"

    response = trusting.client.get("/", proxies={"https": tunnel.url})

    assert isinstance(response.error, ProxyRefused)
    assert "407" in str(response.error)


def test_a_proxy_of_another_kind_is_refused_in_words(user: FleetHttpUser) -> None:
    response = user.client.get("/", proxies={"http": "socks5://127.0.0.1:1080"})

    assert "use http://host:port" in str(response.error)


def test_the_environment_names_no_proxy(
    user: FleetHttpUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert user.client.get("/").ok


def test_a_proxy_is_chosen_by_host_before_scheme() -> None:
    proxies = {"http": "http://a:1", "http://shop": "http://b:2"}

    chosen = [proxy_for(f"http://{host}/", proxies) for host in ("shop", "other")]

    assert [proxy.host for proxy in chosen if proxy] == ["b", "a"]


def test_a_unix_socket_takes_the_place_of_the_host(
    new_user: NewUser, wire: Wire, tmp_path: Path
) -> None:
    path = str(tmp_path / "shop.sock")
    listener = socket(AF_UNIX)
    listener.bind(path)
    listener.listen()
    server = StreamServer(listener, wire.serve)
    server.start()
    user = new_user(host="http://shop.test", unix_socket=path)

    response = user.client.get("/")

    server.stop(timeout=0)
    assert (response.text, wire.headers()["host"]) == ("ok", "shop.test")


class HostProgram:
    """Refuses what it is told to, and notes what it is asked about."""

    def __init__(self, *refused: str) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self._refused = refused

    def may_connect(self, scheme: str, host: str, port: int) -> None:
        self.asked.append((scheme, host, port))
        if host in self._refused:
            raise ConnectionRefusedError(f"{host} is refused")


@pytest.mark.parametrize("refused", ["shop.test", ADDRESS])
def test_the_host_program_may_refuse_an_origin_and_a_proxy(
    new_user: NewUser, wire: Wire, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    monkeypatch.setattr(HOOKS, "may_connect", HostProgram(refused).may_connect)

    response = new_user(host="http://shop.test", proxies={"http": wire.url}).client.get("/")

    assert str(response.error) == f"{refused} is refused"
    assert wire.connections == 0


def test_the_host_program_may_refuse_a_unix_socket(
    new_user: NewUser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = str(tmp_path / "s")
    host_program = HostProgram(path)
    monkeypatch.setattr(HOOKS, "may_connect", host_program.may_connect)

    response = new_user(host="http://shop.test", unix_socket=path).client.get("/")

    assert str(response.error) == f"{path} is refused"
    assert host_program.asked == [("http", "shop.test", 80), ("unix", path, 0)]


def test_a_host_that_does_not_answer_is_a_failure_in_time(
    new_user: NewUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A listener whose backlog is full takes no more connections.
    listener = socket()
    listener.bind((ADDRESS, 0))
    listener.listen(0)
    host, port = listener.getsockname()
    waiting = [create_connection((host, port))]
    user = new_user(host=f"http://{host}:{port}", connection_timeout=0.3)

    errors = [user.client.get("/", timeout=(0.3, 0.3)).error for _ in range(3)]

    assert isinstance(errors[-1], ConnectionTimeout)
    assert isinstance(errors[-1], requests.exceptions.ConnectTimeout)
    for sock in (*waiting, listener):
        sock.close()


def test_a_certificate_that_is_missing_is_named(new_user: NewUser, secure: Wire) -> None:
    user = new_user(host=secure.url, verify=False, cert="/not/there.pem")

    assert "/not/there.pem" in str(user.client.get("/").error)


def test_nobody_is_asked_for_the_password_of_a_key(
    new_user: NewUser, secure: Wire, certificate: Path, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    command = f"openssl pkey -in {certificate} -aes256 -passout pass:secret -out {key}"
    subprocess.run(command.split(), check=True, capture_output=True)
    user = new_user(host=secure.url, verify=False, cert=(str(certificate), str(key)))

    assert "is encrypted" in str(user.client.get("/").error)
