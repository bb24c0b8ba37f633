"""What a scenario sends arrives whole, with one length, and files are never read into memory."""

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.models import PreparedRequest
from tests.unit.fleet_http.conftest import OK, Wire

from fleet_http.request import files
from fleet_http.request.body import body_of
from locust_fleet.users import FleetHttpUser

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "load.bin"
    path.write_bytes(CONTENT)
    return path


def prepared(**arguments: Any) -> PreparedRequest:
    """Return what requests would send."""
    return requests.Request("POST", "http://shop/", **arguments).prepare()


def without_boundary(body: bytes) -> bytes:
    boundary = re.match(rb"--([0-9a-f]{32})\r\n", body)
    assert boundary
    return body.replace(boundary[1], b"BOUNDARY")


@pytest.mark.parametrize(
    "data",
    [
        b"bytes",
        bytearray(b"bytes"),
        "text \u20ac",
        {"a": "b c", "d": ["1", "2"], "e": None},
        [("a", "1"), ("a", "2")],
    ],
    ids=str,
)
def test_data_is_sent_as_requests_does(user: FleetHttpUser, wire: Wire, data: Any) -> None:
    user.client.post("/", data=data)

    expected = prepared(data=data)
    body = expected.body if isinstance(expected.body, bytes) else str(expected.body).encode()
    assert wire.bodies[-1] == (bytes(data) if isinstance(data, bytearray) else body)
    assert wire.headers().get("content-type") == expected.headers.get("Content-Type")


def test_parts_are_written_as_requests_does(user: FleetHttpUser, wire: Wire, path: Path) -> None:
    def arguments(file: Any) -> dict[str, Any]:
        files = {
            "plain": file,
            "named": ("other name.txt", "text \u20ac", "text/plain", {"X-Part": "1"}),
            "bytes": b"\0\1",
        }
        return {"data": {"a": "1", "b": ["2", "3"]}, "files": files}

    with path.open("rb") as file:
        user.client.post("/", **arguments(file))
        expected = prepared(**arguments(file))

    assert isinstance(expected.body, bytes)
    assert without_boundary(wire.bodies[-1]) == without_boundary(expected.body)
    assert wire.headers()["content-length"] == expected.headers["Content-Length"]
    assert wire.headers()["content-type"].startswith("multipart/form-data; boundary=")


def test_a_file_is_sent_from_where_it_was_read_to(
    user: FleetHttpUser, wire: Wire, path: Path
) -> None:
    with path.open("rb") as file:
        file.seek(100)
        user.client.post("/", data=file)
        user.client.post("/", data=file)

    assert wire.bodies == [CONTENT[100:], CONTENT[100:]]


def test_a_path_is_the_file_that_is_there(user: FleetHttpUser, wire: Wire, path: Path) -> None:
    user.client.put("/", data=path)

    assert wire.bodies == [CONTENT]


def test_one_descriptor_serves_all_who_send_a_file(path: Path) -> None:
    with path.open("rb") as one, path.open("rb") as other:
        first, second = files.shared(one), files.shared(other)

    assert first
    assert second
    assert first[0] is second[0]


def test_a_file_that_changed_is_another(path: Path) -> None:
    first = files.shared(path)
    path.write_bytes(b"new")
    second = files.shared(path)

    assert first
    assert second
    assert (first[0] is second[0], second[0].size) == (False, 3)


def test_a_file_that_becomes_shorter_while_it_is_sent_is_a_failure(
    user: FleetHttpUser, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = files.shared(path)
    assert about
    about[0].size += 1
    monkeypatch.setattr(files, "_shared_file", lambda _: about[0])

    response = user.client.post("/", data=path)

    assert "became shorter" in str(response.error)


def test_what_is_no_file_is_read(user: FleetHttpUser, wire: Wire) -> None:
    user.client.post("/", data=io.BytesIO(b"bytes"))
    user.client.post("/", data=io.StringIO("text"))

    assert wire.bodies == [b"bytes", b"text"]


def test_a_body_that_is_made_as_it_goes_is_sent_in_chunks(user: FleetHttpUser, wire: Wire) -> None:
    def parts() -> Iterator[bytes]:
        yield b"one"
        yield b""
        yield b"two"

    wire.answers(OK)
    user.client.post("/", data=parts())

    assert wire.headers()["transfer-encoding"] == "chunked"
    assert "content-length" not in wire.headers()
    assert wire.bodies == [b"onetwo"]


def test_the_length_is_that_of_the_body(user: FleetHttpUser, wire: Wire) -> None:
    user.client.post("/", data=b"abc", headers={"Content-Length": "5"})

    assert wire.heads[-1].lower().count("content-length") == 1
    assert wire.bodies == [b"abc"]


def test_a_body_waits_if_it_is_told_to(user: FleetHttpUser, wire: Wire) -> None:
    wire.waits = True
    wire.answers(OK)

    response = user.client.post("/", data=b"abc", headers={"Expect": "100-continue"})

    assert (response.text, wire.bodies) == ("ok", [b"abc"])


def test_a_body_that_is_not_wanted_is_not_sent(user: FleetHttpUser, wire: Wire) -> None:
    wire.refuses = b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"

    response = user.client.post("/", data=b"abc", headers={"Expect": "100-continue"})

    assert (response.status_code, wire.bodies) == (417, [])


def test_what_json_has_no_word_for_is_a_failed_request(user: FleetHttpUser) -> None:
    response = user.client.post("/", json={"a": float("nan")})

    assert "not JSON" in str(response.error)


def test_an_empty_body_is_none() -> None:
    assert body_of(b"", None) is None
    assert body_of({}, None) is None


def test_a_file_that_is_shorter_than_it_was_read_to_is_sent_as_nothing(
    user: FleetHttpUser, wire: Wire, path: Path
) -> None:
    with path.open("rb") as file:
        file.read()
        os.truncate(path, 10)
        user.client.post("/", data=file)
        user.client.post("/", files={"file": ("load.bin", file)})
        expected = prepared(files={"file": ("load.bin", b"")})

    assert wire.headers(0)["content-length"] == "0"
    assert isinstance(expected.body, bytes)
    assert without_boundary(wire.bodies[-1]) == without_boundary(expected.body)
    assert wire.connections == 1


def test_a_number_as_a_file_is_its_digits(user: FleetHttpUser, wire: Wire) -> None:
    user.client.post("/", files={"id": (None, 7)})

    assert b"\r\n\r\n7\r\n--" in wire.bodies[-1]


@pytest.mark.parametrize(
    "given",
    [{"json": {"a": 1}}, {"data": {"a": 1}}, {"data": "text \u20ac"}, {"data": b"bytes"}, {}],
    ids=str,
)
def test_a_function_that_signs_sees_what_requests_would_show_it(
    user: FleetHttpUser, wire: Wire, given: dict[str, Any]
) -> None:
    seen: list[tuple[Any, Any]] = []

    def sign(request: Any) -> Any:
        seen.append((request.body, request.headers.get("Content-Type")))
        request.headers["X-Signature"] = "signed"
        return request

    user.client.post("/", auth=sign, **given)
    prepared(auth=sign, **given)

    assert seen[0] == seen[1]
    assert wire.headers()["x-signature"] == "signed"


def test_a_function_that_signs_in_the_url_is_a_failed_request(user: FleetHttpUser) -> None:
    def sign(request: Any) -> Any:
        request.url += "?signature=1"
        return request

    response = user.client.get("/", auth=sign)

    assert str(response.error) == "auth= changed more than headers; use HttpUser for it"
