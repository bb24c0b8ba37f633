"""Heads, encodings, texts and redirects."""

from __future__ import annotations

import gzip
import zlib

from tests.integration.fleet_http.attacks.danger import (
    EITHER,
    FAILS,
    LINE,
    WORKS,
    Verdict,
    sends,
)
from tests.integration.fleet_http.hostile import FINE

# Heads.
sends("head_of_100000_lines", FAILS, LINE + b"X-A: b\r\n" * 100_000 + b"\r\n")
sends("head_of_one_long_line", FAILS, LINE + b"X-A: " + b"b" * 10_000_000 + b"\r\n\r\n")
sends("head_with_a_zero", FAILS, LINE + b"X-A: \x00\r\nContent-Length: 4\r\n\r\nfine")
sends("head_with_a_carriage_return", EITHER, LINE + b"X-A: a\rb\r\nContent-Length: 4\r\n\r\nfine")
sends("head_of_line_feeds", EITHER, FINE.replace(b"\r\n", b"\n"), then="wait")
sends("head_without_a_colon", EITHER, LINE + b"nonsense\r\nContent-Length: 4\r\n\r\nfine")
sends("head_with_a_blank_name", EITHER, LINE + b": x\r\nContent-Length: 4\r\n\r\nfine")
sends("head_with_a_blank_before", EITHER, LINE + b"Content-Length : 4\r\n\r\nfine")
sends("head_in_two_lines", EITHER, LINE + b"X-A: a\r\n b\r\nContent-Length: 4\r\n\r\nfine")
sends("head_of_no_text", WORKS, LINE + b"X-A: \xff\xfe\xc3\r\nContent-Length: 4\r\n\r\nfine")
cookie = b"Set-Cookie: \xff\xfe=\xc3; Path=\xff; Expires=\xff\r\nSet-Cookie: =;;=\r\n"
sends("cookie_of_no_text", WORKS, LINE + cookie + b"Content-Length: 4\r\n\r\nfine")
sends("100000_interim_answers", FAILS, b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000)
sends("switches_unasked", EITHER, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhello")

# Status lines.
for name, line in {
    "words": b"hello world",
    "nothing": b"",
    "no_number": b"HTTP/1.1 OK 200",
    "too_many_digits": b"HTTP/1.1 99999 OK",
    "no_status": b"HTTP/1.1",
    "a_sign": b"HTTP/1.1 -20 OK",
    "another_version": b"HTTP/9.9 200 OK",
    "two_digits": b"HTTP/1.1 20 OK",
    "binary": bytes(range(14, 256)),
}.items():
    sends(f"status_line_of_{name}", FAILS, line + b"\r\nContent-Length: 4\r\n\r\nfine")
sends("status_line_of_mail", FAILS, b"220 mail.example ESMTP\r\n", then="wait")
sends("status_line_of_http_2", FAILS, b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18)

# Encodings.
PACKED = gzip.compress(b"fine" * 1000, mtime=0)


def encoded(name: str, verdict: Verdict, encoding: bytes, body: bytes) -> None:
    head = b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body))
    sends(name, verdict, LINE + head + body, then="")


def bomb(mebibytes: int) -> bytes:
    """Return gzip of zeros, without the sum at its end: nobody should get there."""
    make = zlib.compressobj(9, wbits=-15)
    part = make.compress(bytes(2**20)) + make.flush(zlib.Z_FULL_FLUSH)
    return PACKED[:10] + part * mebibytes


encoded("gzip_that_is_none", FAILS, b"gzip", b"hello")
encoded("gzip_cut_off", FAILS, b"gzip", PACKED[:-20])
encoded("gzip_with_a_wrong_sum", FAILS, b"gzip", PACKED[:-8] + b"\x00" * 8)
encoded("gzip_and_more", EITHER, b"gzip", PACKED + b"garbage")
encoded("gzip_bomb", FAILS, b"gzip", bomb(1024))
encoded("deflate_that_is_none", FAILS, b"deflate", b"hello")
encoded("brotli_that_is_none", FAILS, b"br", b"hello")
encoded("brotli_cut_off", FAILS, b"br", bytes.fromhex("1b4b04f82d0eeca61fd3736ebb2cad57"))
encoded("zstd_that_is_none", FAILS, b"zstd", b"hello")
encoded("gzip_a_thousand_times", FAILS, b", ".join([b"gzip"] * 1000), PACKED)

# Text.
kind = LINE + b"Content-Length: 4\r\nContent-Type: text/plain; charset="
sends("text_of_no_text", WORKS, kind + b"utf-8\r\n\r\n\xff\xfe\xc3f", then="")
sends("charset_that_is_none", WORKS, kind + b"klingon\r\n\r\nfine", then="")
sends("charset_of_no_text", WORKS, kind + b"\xff\xfe\r\n\r\nfine", then="")
sends("charset_with_a_tab", EITHER, kind + b"utf\x0b8\r\n\r\nfine", then="")
sends("charset_that_is_no_text", WORKS, kind + b"hex\r\n\r\nfine", then="")

# Redirects.
for name, where in {
    "itself": b"/redirects_to_itself",
    "a_file": b"file:///etc/passwd",
    "no_host": b"http://",
    "no_host_but_a_path": b"http:///path",
    "no_port": b"http://127.0.0.1:99999/",
    "half_an_address": b"http://[::1",
    "nobody": b"http://127.0.0.1:1/",
    "no_name": b"http://nobody.invalid/",
    "a_label_too_long": b"http://" + b"a" * 300 + b".test/",
    "an_empty_label": b"http://a..b/",
    "words": b"javascript:alert(1)",
    "no_text": b"http://\xff\xfe/",
    "a_long_path": b"/" + b"a" * 60_000,
}.items():
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + where
    verdict = EITHER if name in ("a_long_path", "no_host_but_a_path") else FAILS
    sends(f"redirects_to_{name}", verdict, head + b"\r\n\r\n", then="")
