"""What comes back: bodies, lengths, encodings, text."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tests.integration.fleet_http.answers import ENCODED, WIRE
from tests.integration.fleet_http.table import Differences, Stage, scenario


def wire(name: str, *, fast: str | Differences = "", fleet: str | Differences = "") -> None:
    """Ask for bytes that no library would make, and once more, on the same connection or not."""

    def play(stage: Stage) -> Any:
        return [stage.client.get(f"/{name}"), stage.client.get("/afterwards").status_code]

    play.__name__ = f"answer_{name.replace('-', '_')}"
    scenario(fast=fast, fleet=fleet)(play)


def encoded(name: str, *, fast: str | Differences = "", fleet: str | Differences = "") -> None:
    def play(stage: Stage) -> Any:
        return stage.client.get(f"/encoded/{name}")

    play.__name__ = f"encoded_{name.replace('-', '_')}"
    scenario(fast=fast, fleet=fleet)(play)


FAST_WIRE: dict[str, str | Differences] = {
    "chunk-extensions": "takes no blank before an extension",
    "early-hints": "is right: requests takes the first head for the last",
    "twice": "shows the last one",
    "strange-code": "fails codes that it does not know",
    "same-length": "takes no second length",
}
FLEET_WIRE: dict[str, str | Differences] = {
    "early-hints": "is right: requests takes the first head for the last",
    "same-length": "takes no second length, as RFC 9112 (6.3) lets it",
    "blanks": {"got.0.headers.x-tab": "takes blanks off at both ends, as RFC 9112 (5.1) has it"},
}
for one in WIRE:
    if not one.startswith("head"):
        wire(one, fast=FAST_WIRE.get(one, ""), fleet=FLEET_WIRE.get(one, ""))

FAST_ENCODED: dict[str, str | Differences] = {
    "x-gzip": "raises",
    "members": "reads the first one",
    "zstd": "raises",
    "two": "raises",
    "empty": "fails",
    "unknown": "raises",
}
FLEET_ENCODED: dict[str, str | Differences] = {}
for one in ENCODED:
    encoded(one, fast=FAST_ENCODED.get(one, ""), fleet=FLEET_ENCODED.get(one, ""))


@scenario()
def head_with_a_length(stage: Stage) -> Any:
    return [stage.client.head("/head"), stage.client.get("/afterwards").status_code]


@scenario()
def head_with_chunks(stage: Stage) -> Any:
    return [stage.client.head("/head-chunked"), stage.client.get("/afterwards").status_code]


@scenario()
def json_that_is_some(stage: Stage) -> Any:
    return stage.client.get("/json")


@scenario()
def big_answer(stage: Stage) -> Any:
    return len(stage.client.get("/big?n=3000000").content)


def text(name: str, kind: str, body: bytes, *, fast: str | Differences = "") -> None:
    def play(stage: Stage) -> Any:
        response = stage.client.get("/typed?" + urlencode({"type": kind, "hex": body.hex()}))
        return [response, response.text]

    play.__name__ = f"text_{name}"
    scenario(fast=fast)(play)


text("in_utf_8", "text/plain; charset=utf-8", "süß 你好".encode())
text("in_latin_1", "text/plain; charset=ISO-8859-1", "süß".encode("latin-1"))
text("in_windows", "text/plain; charset=windows-1252", "süß €".encode("cp1252"))
text("without_a_charset", "text/plain", "süß".encode("latin-1"))
text("in_quotes", 'text/html; charset="utf-8"', "süß".encode())
text("that_is_wrong", "text/plain; charset=utf-8", b"a\xff\xfeb")
text("of_unknown_charset", "text/plain; charset=klingon", "süß".encode(), fast="raises")
text("json_in_utf_8", "application/json", '{"a": "süß"}'.encode())
text("json_in_utf_16", "application/json", '{"a": "süß"}'.encode("utf-16"))
text("json_with_a_mark", "application/json", '{"a": 1}'.encode("utf-8-sig"))
text("json_that_is_none", "application/json", b"{nothing")
text("of_no_type", "", "süß, und das ist lang genug, um es zu erraten".encode())
guessed = "guesses, and gives up"
text("of_bytes", "application/octet-stream", bytes(range(256)), fast=guessed)
text("that_is_empty", "text/plain; charset=utf-8", b"")


@scenario()
def encoding_that_is_set(stage: Stage) -> Any:
    response = stage.client.get("/typed?" + urlencode({"type": "text/plain", "hex": "c3bc"}))
    response.encoding = "utf-8"
    return response.text


@scenario(fast="has a list where a header comes twice")
def headers_of_an_answer(stage: Stage) -> Any:
    headers = stage.client.get("/twice").headers
    return [
        headers["CONTENT-TYPE"],
        headers.get("x-none"),
        headers.get("X-None", "default"),
        "content-length" in headers,
        headers["x-twice"],
    ]


@scenario(fast="fails what is neither known nor below 300")
def every_status(stage: Stage) -> Any:
    codes = (200, 201, 202, 203, 206, 207, 208, 226, 299, 300, 305, 306, 400, 404, 418, 429, 500)
    return [stage.client.get(f"/status/{code}") for code in (*codes, 503, 599)]


@scenario(fast="is always true")
def truth_of_an_answer(stage: Stage) -> Any:
    return [bool(stage.client.get(f"/status/{code}")) for code in (200, 404, 500)]


@scenario()
def stream_by_parts(stage: Stage) -> Any:
    response = stage.client.get("/big?n=10000", stream=True)
    parts = [len(part) for part in response.iter_content(4096)]
    return [parts, stage.client.get("/afterwards").status_code]


@scenario(fast="has no such method")
def stream_by_lines(stage: Stage) -> Any:
    response = stage.client.get("/encoded/identity", stream=True)
    return [len(line) for line in response.iter_lines()]


@scenario(fast="does not decode it")
def stream_of_gzip(stage: Stage) -> Any:
    response = stage.client.get("/encoded/gzip", stream=True)
    return b"".join(response.iter_content(100))


@scenario()
def stream_read_at_once(stage: Stage) -> Any:
    return stage.client.get("/encoded/gzip", stream=True)


@scenario(fast="has no such method")
def stream_closed_early(stage: Stage) -> Any:
    response = stage.client.get("/big?n=3000000", stream=True)
    response.close()
    return [response.status_code, stage.client.get("/afterwards").status_code]


@scenario()
def stream_forgotten(stage: Stage) -> Any:
    stage.client.get("/big?n=3000000", stream=True)
    return stage.client.get("/afterwards").status_code


@scenario(fast="cannot be iterated in a block")
def stream_in_a_with_block(stage: Stage) -> Any:
    with stage.client.get("/big?n=100", stream=True, catch_response=True) as response:
        return b"".join(response.iter_content(64))
