"""Undo Content-Encoding in steps, so that a small response cannot fill the memory."""

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

# Bytes that are decoded at once.
STEP_BYTES = 1 << 20
# Deflate expands one byte to at most 1032 (zlib Technical Details, Maximum Compression Factor).
MAX_DEFLATE_RATIO = 1032
# The window bits with which zlib expects a gzip header.
GZIP = 16 + zlib.MAX_WBITS
GZIP_MAGIC = b"\x1f\x8b"
FAILURES = (zlib.error, brotli.error, zstd.ZstdError)


class Decoder(Protocol):
    """Decodes one stream part by part."""

    @property
    def finished(self) -> bool:
        """Whether the stream is complete."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what can be decoded now, in parts of about STEP_BYTES at most."""


class Inflater:
    """gzip, also several members in sequence, and both formats that are called deflate."""

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
            # RFC 9110 means the zlib format; some servers send raw deflate.
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
                    # Padding after the last member is ignored.
                    return
                self._stream, self.finished = zlib.decompressobj(GZIP), False
            part = self._stream.decompress(data, STEP_BYTES)
            data = self._stream.unconsumed_tail
            if part:
                yield part
            if self._stream.eof:
                self.finished, data = True, self._stream.unused_data
            elif not data and len(part) < STEP_BYTES:
                return


class BrotliDecoder:
    """Brotli."""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def finished(self) -> bool:
        return bool(self._stream.is_finished())

    def feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            part = self._stream.process(data, output_buffer_limit=STEP_BYTES)
            data = b""
            if part:
                yield part
            if self._stream.is_finished() or self._stream.can_accept_more_data():
                return


class ZstdDecoder:
    """Zstandard, also several frames in sequence."""

    def __init__(self) -> None:
        self.finished = False
        self._stream = zstd.ZstdDecompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data or not self._stream.needs_input:
            if self.finished:
                self._stream, self.finished = zstd.ZstdDecompressor(), False
            part = self._stream.decompress(data, STEP_BYTES)
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
    "br": BrotliDecoder,
    "zstd": ZstdDecoder,
}
ACCEPTED = "gzip, deflate, br, zstd"


class ContentDecoder:
    """Undoes the encodings of Content-Encoding, the last one first; unknown ones are ignored."""

    def __init__(self, encoding: str, limit: int) -> None:
        names = [name.strip().lower() for name in encoding.split(",")]
        self._decoders = [KINDS[name]() for name in reversed(names) if name in KINDS]
        self._encoding = encoding
        self._left = self._limit = limit
        self._fed = False

    def feed(self, data: bytes) -> bytes:
        """Return the next part of the body, decoded; raises BadContent, ResponseTooLarge."""
        self._fed = self._fed or bool(data)
        try:
            return b"".join(self._counted(data, 0))
        except FAILURES as error:
            raise BadContent(f"the body is not {self._encoding}: {error}") from error

    def end(self) -> None:
        """Note that the body is complete; raises BadContent if its encoded content is not."""
        if self._fed and not all(decoder.finished for decoder in self._decoders):
            raise BadContent(f"the body is not {self._encoding}: it ends too early")

    def _counted(self, data: bytes, level: int) -> Iterator[bytes]:
        if level == len(self._decoders):
            self._left -= len(data)
            if self._left < 0:
                raise ResponseTooLarge(f"a decoded response of more than {self._limit} bytes")
            yield data
            return
        for part in self._decoders[level].feed(data):
            yield from self._counted(part, level + 1)


def decoded(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a whole body, decoded.

    Raises BadContent, and ResponseTooLarge for more than ``limit`` decoded bytes.
    """
    if encoding == "gzip" and len(body) * MAX_DEFLATE_RATIO <= limit:
        content = _gunzipped(body)
        if content is not None:
            return content
    decoder = ContentDecoder(encoding, limit)
    content = decoder.feed(body)
    decoder.end()
    return content


def _gunzipped(body: bytes) -> bytes | None:
    """Return the content of a body that is one gzip member, as most are; None for others."""
    stream = zlib.decompressobj(GZIP)
    try:
        content = stream.decompress(body)
    except zlib.error:
        return None
    return content if stream.eof and not stream.unused_data else None
