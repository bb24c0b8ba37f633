"""What is sent: data, json, files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.integration.fleet_http.table import REFUSED, Stage, scenario


@scenario(fast="writes lists and None as Python shows them")
def form_as_a_dict(stage: Stage) -> Any:
    return stage.client.post("/", data={"name": "Jürgen", "n": 1, "list": ["a", "b"], "no": None})


@scenario(fast="takes no pairs")
def form_as_pairs(stage: Stage) -> Any:
    return stage.client.post("/", data=[("a", "1"), ("a", "2 & 3")])


@scenario()
def form_of_nothing(stage: Stage) -> Any:
    return stage.client.post("/", data={})


@scenario()
def form_with_a_type(stage: Stage) -> Any:
    return stage.client.post("/", data={"a": 1}, headers={"Content-Type": "application/x-mine"})


@scenario()
def data_as_text(stage: Stage) -> Any:
    return stage.client.post("/", data="a=1")


@scenario()
def data_of_other_alphabets(stage: Stage) -> Any:
    return stage.client.post("/", data="süß 你好 🚀")


@scenario()
def data_as_bytes(stage: Stage) -> Any:
    return stage.client.post("/", data=bytes(range(256)))


@scenario(fast="takes no bytearray")
def data_as_a_bytearray(stage: Stage) -> Any:
    return stage.client.post("/", data=bytearray(b"array"))


@scenario()
def data_of_no_bytes(stage: Stage) -> Any:
    return stage.client.post("/", data=b"")


@scenario(fast="sends chunks")
def data_as_a_file(stage: Stage) -> Any:
    return stage.client.post("/", data=io.BytesIO(b"file " * 1000))


@scenario()
def data_as_a_real_file(stage: Stage) -> Any:
    with Path(stage.places["authority"]).open("rb") as file:
        return stage.client.put("/", data=file)


@scenario(fast="sends chunks")
def data_as_a_file_read_in_part(stage: Stage) -> Any:
    file = io.BytesIO(b"read rest")
    file.read(5)
    return stage.client.post("/", data=file)


@scenario(fast="sends chunks")
def data_as_a_file_of_text(stage: Stage) -> Any:
    return stage.client.post("/", data=io.StringIO("text"))


@scenario()
def data_from_a_generator(stage: Stage) -> Any:
    def parts() -> Iterator[bytes]:
        yield b"one "
        yield b""
        yield b"two"

    return stage.client.post("/", data=parts())


@scenario()
def data_from_a_generator_of_text(stage: Stage) -> Any:
    return stage.client.post("/", data=(part for part in ("süß", "x")))


@scenario()
def data_from_a_generator_that_fails(stage: Stage) -> Any:
    def parts() -> Iterator[bytes]:
        yield b"one"
        raise ZeroDivisionError("in the generator")

    try:
        return stage.client.post("/", data=parts()).status_code
    finally:
        stage.client.get("/afterwards")


@scenario()
def data_of_a_megabyte(stage: Stage) -> Any:
    return stage.client.post("/", data=b"m" * 2**20)


@scenario()
def json_of_a_dict(stage: Stage) -> Any:
    return stage.client.post("/", json={"name": "Jürgen", "list": [1, None, True, 1.5]})


@scenario()
def json_of_a_list(stage: Stage) -> Any:
    return stage.client.put("/", json=[1, 2])


@scenario()
def json_of_nothing(stage: Stage) -> Any:
    return [stage.client.post("/", json={}), stage.client.post("/", json=[])]


@scenario()
def json_that_is_false(stage: Stage) -> Any:
    return [stage.client.post("/", json=False), stage.client.post("/", json=0)]


@scenario()
def json_of_none(stage: Stage) -> Any:
    return stage.client.post("/", json=None)


@scenario()
def json_and_data(stage: Stage) -> Any:
    return stage.client.post("/", data={"a": 1}, json={"b": 2})


@scenario()
def json_with_a_type(stage: Stage) -> Any:
    return stage.client.post("/", json={"a": 1}, headers={"content-type": "application/hal+json"})


@scenario()
def json_that_cannot_be(stage: Stage) -> Any:
    return stage.client.post("/", json={"a": object()})


@scenario(fast="sends what is no JSON", fleet=REFUSED)
def json_of_no_number(stage: Stage) -> Any:
    return stage.client.post("/", json={"a": float("nan")})


@scenario()
def file_with_a_name(stage: Stage) -> Any:
    return stage.client.post("/", files={"file": ("a.txt", b"content")})


@scenario()
def file_with_a_type(stage: Stage) -> Any:
    return stage.client.post("/", files={"file": ("a.txt", "content", "text/plain")})


@scenario()
def file_with_headers(stage: Stage) -> Any:
    file = ("a.csv", b"1;2", "text/csv", {"Expires": "0"})
    return stage.client.post("/", files={"file": file})


@scenario()
def file_that_is_open(stage: Stage) -> Any:
    with Path(stage.places["authority"]).open("rb") as file:
        return stage.client.post("/", files={"file": file})


@scenario()
def file_in_memory(stage: Stage) -> Any:
    return stage.client.post("/", files={"file": io.BytesIO(b"memory")})


@scenario()
def file_of_bytes(stage: Stage) -> Any:
    return stage.client.post("/", files={"file": b"bytes", "text": "text"})


@scenario()
def file_without_a_name(stage: Stage) -> Any:
    return stage.client.post("/", files={"field": (None, "value")})


@scenario()
def file_read_in_part(stage: Stage) -> Any:
    file = io.BytesIO(b"read rest")
    file.read(5)
    return stage.client.post("/", files={"file": ("a", file)})


@scenario()
def file_that_is_empty(stage: Stage) -> Any:
    return stage.client.post("/", files={"file": ("empty", b"")})


@scenario()
def files_and_a_form(stage: Stage) -> Any:
    data = {"name": "Jürgen", "list": ["a", "b"], "n": 1}
    return stage.client.post("/", data=data, files={"file": ("a.txt", b"content")})


@scenario()
def files_and_pairs(stage: Stage) -> Any:
    return stage.client.post("/", data=[("a", "1"), ("a", "2")], files={"file": ("a", b"c")})


@scenario()
def files_as_pairs(stage: Stage) -> Any:
    files = [("file", ("a.txt", b"one")), ("file", ("b.txt", b"two"))]
    return stage.client.post("/", files=files)


@scenario()
def files_and_text(stage: Stage) -> Any:
    return stage.client.post("/", data="text", files={"file": ("a", b"c")})


@scenario()
def files_of_nothing(stage: Stage) -> Any:
    return stage.client.post("/", data={"a": 1}, files={})


@scenario()
def file_names_of_other_alphabets(stage: Stage) -> Any:
    return stage.client.post("/", files={"größe": ("süß 你好.txt", b"content")})


@scenario()
def file_names_with_signs(stage: Stage) -> Any:
    return stage.client.post("/", files={'a"b': ('c"d\\e;f.txt', b"content")})


@scenario(fast="writes the line feed")
def file_names_with_a_line_feed(stage: Stage) -> Any:
    return stage.client.post("/", files={"a": ("b\r\nX-Evil: 1", b"content")})


@scenario(fast="replaces the type")
def file_with_a_type_of_the_request(stage: Stage) -> Any:
    headers = {"Content-Type": "multipart/form-data; boundary=mine"}
    return stage.client.post("/", files={"file": ("a", b"c")}, headers=headers)


@scenario()
def length_of_its_own(stage: Stage) -> Any:
    return stage.client.post("/", data=b"12345", headers={"Content-Length": "5"})


@scenario()
def asks_before_it_sends(stage: Stage) -> Any:
    return stage.client.post("/", data=b"body", headers={"Expect": "100-continue"})
