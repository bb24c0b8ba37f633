"""A POST carries what its address says."""

from base64 import b64decode
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from locust_fleet.notify.channels.http import post_json


def test_name_and_password_of_an_address_are_sent() -> None:
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        post_json(f"http://jo:p%40ss@127.0.0.1:{server.server_port}/hook", {})
        thread.join()

    assert b64decode(seen[0].removeprefix("Basic ")) == b"jo:p@ss"
