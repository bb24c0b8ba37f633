"""TLS over a link: one context for all users that ask for the same, one session for each user.

OpenSSL works on memory here, so a request is one system call and so is its answer, however many
TLS records it has.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import certifi

from fleet_http.connection.transport import PART, Transport
from fleet_http.errors import BadRequest

# The most that a TLS record holds.
RECORD = 16384


class TlsConfig(NamedTuple):
    """What requests calls ``verify`` and ``cert``."""

    verify: bool | str = True
    cert: str | tuple[str, str] | None = None


class Ticket(NamedTuple):
    """A TLS session, which is of use with its own context only."""

    context: ssl.SSLContext
    session: ssl.SSLSession


@lru_cache(maxsize=64)
def context_of(trust: TlsConfig) -> ssl.SSLContext:
    """Return the context; OSError names a file that is missing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trust.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        where = certifi.where() if trust.verify is True else trust.verify
        if not Path(where).exists():
            raise OSError(f"there is no CA bundle at {where}; give verify= another path")
        folder = Path(where).is_dir()
        context.load_verify_locations(None if folder else where, where if folder else None)
    if trust.cert:
        cert, key = (trust.cert, None) if isinstance(trust.cert, str) else trust.cert
        for path in filter(None, (cert, key)):
            if not Path(path).exists():
                raise OSError(f"there is no certificate or key at {path}; give cert= another path")
        context.load_cert_chain(cert, key, _no_password)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> str:
    """OpenSSL would ask at the terminal, and all users would wait for an answer."""
    raise OSError("the key that cert= names is encrypted; give one without a password")


class TlsTransport(Transport):
    """TLS as the client sees it; call ``shake_hands`` first."""

    __slots__ = ("_incoming", "_outgoing", "_tls")

    def __init__(
        self, link: Transport, context: ssl.SSLContext, host: str, ticket: Ticket | None = None
    ) -> None:
        """Take over a link; raises BadRequest for a host that TLS has no name for."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = ticket.session if ticket and ticket.context is context else None
        try:
            self._tls = context.wrap_bio(
                self._incoming, self._outgoing, server_hostname=host, session=session
            )
        except ValueError as error:
            raise BadRequest(f"{host!r} is no name of a host") from error
        super().__init__(link.detach())

    def shake_hands(self) -> None:
        """Raises ssl.SSLError, ResponseTimeout, OSError."""
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
        """With which the same user may come back for less."""
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
        if len(data) <= PART:
            self._tls.write(data)
            self._flush()
            return
        view = memoryview(data)
        for start in range(0, len(view), PART):
            self._tls.write(view[start : start + PART])
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
        """Return what can be read now, None if that is nothing."""
        parts = []
        try:
            while True:
                part = self._tls.read(RECORD)
                if not part:
                    break
                parts.append(part)
                if not (self._incoming.pending or self._tls.pending()):
                    return part if len(parts) == 1 else b"".join(parts)
        except ssl.SSLWantReadError:
            # The other side may have been asked for something, such as new keys.
            self._flush()
            return b"".join(parts) if parts else None
        except ssl.SSLEOFError:
            # Closed without a word: whether something is missing, the framing of HTTP tells.
            pass
        return b"".join(parts)

    def on_idle_bytes(self) -> None:
        """A ticket or new keys are no answer; anything else closes the connection."""
        sock = self._socket
        if sock is None:
            return
        try:
            raw = sock.recv(PART)
            if raw:
                self._incoming.write(raw)
                self._tls.read(1)
        except ssl.SSLWantReadError:
            return
        except OSError:
            pass
        self.close()
