"""TLS over a transport: users with the same TlsConfig share a context, each has its own session.

OpenSSL reads from and writes to memory, so a request is one system call and so is its response,
however many TLS records they have.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import certifi

from fleet_http.connection.transport import PART_BYTES, Transport
from fleet_http.errors import BadRequest

# What a TLS record holds at most.
MAX_RECORD_BYTES = 16384


class TlsConfig(NamedTuple):
    """``verify`` and ``cert`` as in requests."""

    verify: bool | str = True
    cert: str | tuple[str, str] | None = None


class Ticket(NamedTuple):
    """A TLS session, and the only context that can resume it."""

    context: ssl.SSLContext
    session: ssl.SSLSession


@lru_cache(maxsize=64)
def context_of(tls_config: TlsConfig) -> ssl.SSLContext:
    """Return the SSL context; raises OSError, which names a file that is missing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls_config.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        path = certifi.where() if tls_config.verify is True else tls_config.verify
        if not Path(path).exists():
            raise OSError(f"there is no CA bundle at {path}; give verify= another path")
        is_folder = Path(path).is_dir()
        context.load_verify_locations(None if is_folder else path, path if is_folder else None)
    if tls_config.cert:
        cert, key = (tls_config.cert, None) if isinstance(tls_config.cert, str) else tls_config.cert
        for file in filter(None, (cert, key)):
            if not Path(file).exists():
                raise OSError(f"there is no certificate or key at {file}; give cert= another path")
        context.load_cert_chain(cert, key, _no_password)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> str:
    """Raise OSError; OpenSSL would ask for the password at the terminal and block all users."""
    raise OSError("the key in cert= is encrypted; give one without a password")


class TlsTransport(Transport):
    """The client side of a TLS connection; call ``shake_hands`` first."""

    __slots__ = ("_incoming", "_outgoing", "_tls")

    def __init__(
        self, transport: Transport, context: ssl.SSLContext, host: str, ticket: Ticket | None = None
    ) -> None:
        """Take over a transport; raises BadRequest for a host name that TLS cannot carry."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = ticket.session if ticket and ticket.context is context else None
        try:
            self._tls = context.wrap_bio(
                self._incoming, self._outgoing, server_hostname=host, session=session
            )
        except ValueError as error:
            raise BadRequest(f"{host!r} is not a host name") from error
        super().__init__(transport.detach())

    def shake_hands(self) -> None:
        """Complete the TLS handshake; raises ssl.SSLError, ResponseTimeout, OSError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            else:
                self._flush()
                return

    @property
    def ticket(self) -> Ticket | None:
        """What the user's next connection resumes this TLS session with."""
        session = self._tls.session
        return Ticket(self._tls.context, session) if session else None

    def receive(self) -> bytes:
        """Return what comes next, b"" at the end of the stream."""
        if self._incoming.pending or self._tls.pending():
            data = self._decrypted()
            if data is not None:
                return data
        while True:
            self._feed()
            data = self._decrypted()
            if data is not None:
                return data

    def send(self, data: bytes | memoryview) -> None:
        """Encrypt and send all of it."""
        if not self.open:
            raise ConnectionResetError("the connection is closed")
        if len(data) <= PART_BYTES:
            self._tls.write(data)
            self._flush()
            return
        view = memoryview(data)
        for start in range(0, len(view), PART_BYTES):
            self._tls.write(view[start : start + PART_BYTES])
            self._flush()

    def _feed(self) -> None:
        raw = super().receive()
        if raw:
            self._incoming.write(raw)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            super().send(data)

    def _decrypted(self) -> bytes | None:
        """Return what can be decrypted now, b"" at the end of the stream, None for nothing yet."""
        parts = []
        try:
            while True:
                part = self._tls.read(MAX_RECORD_BYTES)
                if not part:
                    break
                parts.append(part)
                if not (self._incoming.pending or self._tls.pending()):
                    return part if len(parts) == 1 else b"".join(parts)
        except ssl.SSLWantReadError:
            # OpenSSL may have something to send, such as new keys.
            self._flush()
            return b"".join(parts) if parts else None
        except ssl.SSLEOFError:
            # Closed without close_notify; the framing of HTTP shows whether something is missing.
            pass
        return b"".join(parts)

    def on_idle_bytes(self) -> None:
        """Read a session ticket or new keys; close on anything else, which nobody asked for."""
        sock = self._socket
        if sock is None:
            return
        try:
            raw = sock.recv(PART_BYTES)
            if raw:
                self._incoming.write(raw)
                self._tls.read(1)
        except ssl.SSLWantReadError:
            return
        except OSError:
            pass
        self.close()
