"""Undo Content-Encoding, step by step, so that a small answer cannot become all of the memory."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli

from fleet_http.errors import BadContent, ResponseTooLarge

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# How much is decoded at once, in bytes.
STEP = 1 << 20
# Deflate makes at most so many bytes of one.
MOST_RATIO = 1032
# zlib's sign for a gzip header.
GZIP = 16 + zlib.MAX_WBITS
GZIP_MAGIC = b"\x1f\x8b"
FAILURES = (zlib.error, brotli.error, zstd.ZstdError)


class Decoder(Protocol):
    """Decodes one stream, given part by part."""

    @property
    def finished(self) -> bool:
        """Whether the stream is complete."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Return what can be decoded now in parts of at most about STEP bytes."""


class Inflater:
    """gzip, also several after one another, and both things that are called deflate."""

    def __init__(self, gzip: bool) -> None:
        self.finished = False
        self._gzip = gzip
        self._stream = zlib.decompressobj(GZIP if gzip else zlib.MAX_WBITS)
        self._first = self._rest = b""
        self._began = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._gzip and not self._began:
            self._first = data = self._first + data
            if len(data) < 2:
                return
            # RFC 9110 means zlib's format; some servers send what is inside of it.
            if data[0] & 15 != 8 or (data[0] << 8 | data[1]) % 31:
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._began = self._began or bool(data)
        while True:
            if self.finished:
                data, self._rest = self._rest + data, b""
                if not self._gzip:
                    return
                if len(data) < len(GZIP_MAGIC):
                    self._rest = data
                    return
                if not data.startswith(GZIP_MAGIC):
                    # Padding, which nobody minds.
                    return
                self._stream, self.finished = zlib.decompressobj(GZIP), False
            part = self._stream.decompress(data, STEP)
            data = self._stream.unconsumed_tail
            if part:
                yield part
            if self._stream.eof:
                self.finished, data = True, self._stream.unused_data
            elif not data and len(part) < STEP:
                return


class Unbrotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def finished(self) -> bool:
        return bool(self._stream.is_finished())

    def feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            part = self._stream.process(data, output_buffer_limit=STEP)
            data = b""
            if part:
                yield part
            if self._stream.is_finished() or self._stream.can_accept_more_data():
                return


class Unzstd:
    def __init__(self) -> None:
        self.finished = False
        self._stream = zstd.ZstdDecompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data or not self._stream.needs_input:
            if self.finished:
                self._stream, self.finished = zstd.ZstdDecompressor(), False
            part = self._stream.decompress(data, STEP)
            data = b""
            if part:
                yield part
            if self._stream.eof:
                self.finished = True
                data = self._stream.unused_data
                if not data:
                    return


KINDS: dict[str, Callable[[], Decoder]] = {
    "gzip": lambda: Inflater(gzip=True),
    "x-gzip": lambda: Inflater(gzip=True),
    "deflate": lambda: Inflater(gzip=False),
    "br": Unbrotli,
    "zstd": Unzstd,
}
ACCEPTED = "gzip, deflate, br, zstd"


class Decoding:
    """Undoes all that Content-Encoding names, the last one first; what it does not know stays."""

    def __init__(self, encoding: str, limit: int) -> None:
        names = [name.strip().lower() for name in encoding.split(",")]
        self._decoders = [KINDS[name]() for name in reversed(names) if name in KINDS]
        self._encoding = encoding
        self._left = self._limit = limit
        self._fed = False

    def feed(self, data: bytes) -> bytes:
        """Return what the next part of the body means; raises BadContent, ResponseTooLarge."""
        self._fed = self._fed or bool(data)
        try:
            return b"".join(self._counted(data, 0))
        except FAILURES as error:
            raise BadContent(f"the content is not {self._encoding}: {error}") from error

    def end(self) -> None:
        """The body is complete; raises BadContent if what it holds is not."""
        if self._fed and not all(decoder.finished for decoder in self._decoders):
            raise BadContent(f"the content is not {self._encoding}: it ends too early")

    def _counted(self, data: bytes, level: int) -> Iterator[bytes]:
        if level == len(self._decoders):
            self._left -= len(data)
            if self._left < 0:
                raise ResponseTooLarge(f"a decoded answer of more than {self._limit} bytes")
            yield data
            return
        for part in self._decoders[level].feed(data):
            yield from self._counted(part, level + 1)


def decoded(body: bytes, encoding: str, limit: int) -> bytes:
    """Return what a whole body means; raises BadContent, ResponseTooLarge."""
    if encoding == "gzip" and len(body) * MOST_RATIO <= limit:
        content = _gunzipped(body)
        if content is not None:
            return content
    decoding = Decoding(encoding, limit)
    content = decoding.feed(body)
    decoding.end()
    return content


def _gunzipped(body: bytes) -> bytes | None:
    """Return the content of one gzip member, as most are; None for whatever needs a closer look."""
    stream = zlib.decompressobj(GZIP)
    try:
        content = stream.decompress(body)
    except zlib.error:
        return None
    return content if stream.eof and not stream.unused_data else None
