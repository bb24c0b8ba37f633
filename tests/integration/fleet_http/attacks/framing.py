"""Where an answer ends, and answers that do not end there."""

from __future__ import annotations

from tests.integration.fleet_http.attacks.danger import (
    CHUNKED,
    EITHER,
    EVIL,
    FAILS,
    LINE,
    WORKS,
    sends,
)
from tests.integration.fleet_http.hostile import FINE

# Ends too early.
HEAD = LINE + b"Content-Length: 5\r\nX-Header: value\r\n\r\n"
for place, data in {
    "before_the_head": b"",
    "in_the_status_line": b"HTTP/1.",
    "after_the_status_line": LINE,
    "in_the_head": HEAD[:-12],
    "before_the_end_of_the_head": HEAD[:-2],
    "after_the_head": HEAD,
    "in_the_body": HEAD + b"he",
    "before_a_chunk": CHUNKED,
    "in_a_chunk_size": CHUNKED + b"1",
    "in_a_chunk": CHUNKED + b"10\r\nhalf",
    "after_a_chunk": CHUNKED + b"4\r\nhalf\r\n",
    "in_the_last_chunk": CHUNKED + b"4\r\nhalf\r\n0\r\n",
    "in_a_trailer": CHUNKED + b"4\r\nhalf\r\n0\r\nX-Trai",
}.items():
    sends(f"closes_{place}", FAILS, data)
    sends(f"resets_{place}", FAILS, data, then="reset")
    sends(f"hangs_{place}", FAILS, data, then="wait")
sends("resets_a_body_without_a_length", FAILS, LINE + b"\r\nhalf", then="reset")
sends("closes_a_body_without_a_length", WORKS, LINE + b"\r\nfine")

# Chunks.
for name, size in {
    "no_number": b"zz",
    "a_sign": b"-5",
    "plus": b"+5",
    "a_prefix": b"0x5",
    "nothing": b"",
    "all_bits": b"ffffffffffffffff",
    "more_than_64_bits": b"fffffffffffffffff",
    "a_gigantic_number": b"f" * 1000,
}.items():
    sends(f"chunk_size_of_{name}", FAILS, CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n")
sends("chunk_longer_than_it_says", FAILS, CHUNKED + b"2\r\nhello\r\n0\r\n\r\n")
sends("chunk_of_terabytes", FAILS, CHUNKED + b"ffffffffff\r\n" + b"x" * 100)
sends("chunk_line_feeds", EITHER, CHUNKED + b"5\nhello\n0\n\n")

# Lengths.
for name, value in {
    "below_zero": b"-1",
    "no_number": b"abc",
    "hexadecimal": b"0x5",
    "plus": b"+5",
    "with_a_blank": b"5 6",
    "two_in_one": b"5, 6",
    "nothing": b"",
    "more_than_64_bits": b"9" * 30,
}.items():
    sends(f"length_of_{name}", FAILS, LINE + b"Content-Length: " + value + b"\r\n\r\nhello")
two = LINE + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"
sends("two_lengths", FAILS, two, then="")
both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"
sends("length_and_chunks", EITHER, LINE + both, then="")
sends("length_too_long", FAILS, LINE + b"Content-Length: 50\r\n\r\nhello")
sends("length_too_long_and_open", FAILS, LINE + b"Content-Length: 50\r\n\r\nhello", then="wait")
# The rest stays on the connection: it must not be the answer to what is asked next.
sends("smuggles_after_a_length", WORKS, FINE + EVIL, then="")
sends("smuggles_after_chunks", WORKS, CHUNKED + b"4\r\nfine\r\n0\r\n\r\n" + EVIL, then="")
sends("smuggles_after_204", WORKS, b"HTTP/1.1 204 No Content\r\n\r\n" + EVIL, then="")
sends("smuggles_after_304", WORKS, b"HTTP/1.1 304 Not Modified\r\n\r\n" + EVIL, then="")
sends("smuggles_bytes", WORKS, FINE + b"garbage", then="")
sends("smuggles_half_a_head", WORKS, FINE + b"HTTP/1.1 200 OK\r\nX-Evil: ", then="")
smuggled = b"Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\nfine"
sends("unknown_transfer_encoding", EITHER, LINE + smuggled, then="")
chunked_twice = LINE + b"Transfer-Encoding: chunked, chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"
sends("chunked_twice", EITHER, chunked_twice)
