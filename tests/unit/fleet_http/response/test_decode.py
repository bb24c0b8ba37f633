"""Encoded responses are decoded whatever parts they come in, and no further than allowed."""

import gzip
import sys
import zlib
from collections.abc import Callable

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_http.errors import BadContent, ResponseTooLarge
from fleet_http.response.decode import KINDS, ContentDecoder, decoded

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "two members": ("x-gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
    "padded gzip": ("gzip", lambda data: gzip.compress(data) + bytes(8)),
    "zlib": ("deflate", zlib.compress),
    "raw deflate": ("Deflate", raw_deflate),
    "brotli": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
    "two frames": ("zstd", lambda data: zstd.compress(data[:9]) + zstd.compress(data[9:])),
    "twice": ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
}
EACH = pytest.mark.parametrize(("encoding", "encode"), ENCODERS.values(), ids=list(ENCODERS))


@EACH
@given(st.binary(max_size=500), st.integers(1, 40))
def test_content_is_decoded_in_any_parts(
    encoding: str, encode: Callable[[bytes], bytes], content: bytes, size: int
) -> None:
    body = encode(content)
    decoder = ContentDecoder(encoding, 1000)

    parts = [decoder.feed(body[start : start + size]) for start in range(0, len(body), size)]
    decoder.end()

    assert b"".join(parts) == decoded(body, encoding, 1000) == content
    # With room for whatever it may become, it is decoded at once.
    assert decoded(body, encoding, 10_000_000) == content


@EACH
def test_a_bomb_is_stopped_where_it_is_too_large(
    encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(ResponseTooLarge):
        decoded(encode(bytes(3_000_000)), encoding, 2_000_000)


@pytest.mark.parametrize("encoding", [*KINDS])
def test_content_that_is_something_else_is_a_failure(encoding: str) -> None:
    with pytest.raises(BadContent, match=f"is not {encoding}"):
        decoded(b"\x07 nothing of the kind", encoding, 1000)


@EACH
def test_content_that_ends_too_early_is_a_failure(
    encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(BadContent):
        decoded(encode(bytes(range(256)) * 4)[:20], encoding, 10_000)


def test_a_wrong_checksum_is_a_failure() -> None:
    body = bytearray(gzip.compress(b"content"))
    body[-5] ^= 1

    with pytest.raises(BadContent):
        decoded(bytes(body), "gzip", 1000)


def test_an_encoding_that_nobody_knows_stays() -> None:
    assert decoded(b"as it is", "rot13", 1000) == b"as it is"


@pytest.mark.parametrize("encoding", [*KINDS])
def test_no_content_is_no_failure(encoding: str) -> None:
    assert decoded(b"", encoding, 1000) == b""
