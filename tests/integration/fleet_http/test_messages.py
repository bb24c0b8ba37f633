"""Whatever HTTP/1.1 allows is understood as http.client understands it, however it is cut."""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.fleet_http.messages import Message, messages, nonsense, strange_heads
from tests.integration.fleet_http.player import Player
from tests.integration.fleet_http.speaker import Speaker
from tests.support.fuzz import examples

METHODS = ("GET", "HEAD", "POST")
# All of it at once: interim answers, header fields of all kinds, chunks, and trailers.
WHOLE = Message(
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 200 All is  well\r\nX-One:1\r\nX-None:\r\nX-One: \t2 \r\nX-L: J\xfcrgen\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
    b"5;a=b\r\nhello\r\n00A\r\n\r\n0\r\n\r\n123\r\n0\r\nX-Sum: 9\r\n\r\n",
    stays=True,
)


class Listener:
    """Our user before a server that speaks."""

    def __init__(self, speaker: Speaker, player: Player) -> None:
        self._speaker = speaker
        self._player = player

    def hears(
        self, message: Message, cuts: list[int], method: str, follow: bool = False
    ) -> dict[str, Any]:
        """Return what the user understood; then it asks for something else."""
        self._speaker.says(message, cuts)
        places = {"unix": str(self._speaker.path)}
        return self._player.do(places, listen=method, follow=follow)


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory, victim: Player) -> Iterator[Listener]:
    speaker = Speaker(tmp_path_factory.mktemp("speaker") / "socket")
    yield Listener(speaker, victim)
    speaker.close()


class FakeSocket:
    """What http.client reads from."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def makefile(self, _mode: str) -> io.BytesIO:
        return self._file


def understood_by_python(message: Message, method: str) -> dict[str, Any]:
    response = http.client.HTTPResponse(
        cast(socket.socket, FakeSocket(message.data)), method=method
    )
    response.begin()
    headers: dict[str, list[str]] = {}
    for name, value in response.headers.items():
        headers.setdefault(name.lower(), []).append(value.strip(" \t"))
    return {
        "status": response.status,
        "reason": response.reason.strip(" \t"),
        "headers": {name: ", ".join(values) for name, values in headers.items()},
        "content": response.read().decode("latin-1"),
        "text": "str",
        "reported": 1,
        "afterwards": "fine",
        "failures": 0 if response.status < 400 else 1,
    }


@given(data=st.data(), cuts=st.lists(st.integers(0, 2000), max_size=8))
@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_answer_is_understood_as_python_does(
    listener: Listener, data: st.DataObject, cuts: list[int], method: str
) -> None:
    message = data.draw(messages(method))

    assert listener.hears(message, cuts, method) == understood_by_python(message, method)


@pytest.mark.parametrize("cut", range(1, len(WHOLE.data)))
def test_an_answer_in_two_parts_is_the_same(listener: Listener, cut: int) -> None:
    assert listener.hears(WHOLE, [cut], "GET") == understood_by_python(WHOLE, "GET")


def test_an_answer_byte_by_byte_is_the_same(listener: Listener) -> None:
    cuts = list(range(len(WHOLE.data)))

    assert listener.hears(WHOLE, cuts, "GET") == understood_by_python(WHOLE, "GET")


@given(message=nonsense(), cuts=st.lists(st.integers(0, 2000), max_size=3))
@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nonsense_is_one_request_and_the_user_goes_on(
    listener: Listener, message: Message, cuts: list[int]
) -> None:
    outcome = listener.hears(message, cuts, "GET", follow=True)

    assert (outcome["reported"], outcome["afterwards"]) == (1, "fine")


@given(message=strange_heads())
@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_header_breaks_a_user(listener: Listener, message: Message) -> None:
    outcome = listener.hears(message, [], "GET", follow=True)

    assert (outcome["reported"], outcome["text"], outcome["afterwards"]) == (1, "str", "fine")
