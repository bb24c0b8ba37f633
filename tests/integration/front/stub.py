"""Stand in for the console and the master behind nginx, and tell what arrived.

Run in a container with nothing but Python: ``stub.py console``, and so on for each of KINDS. Most
paths answer with what was received, as JSON; a few behave like the part of the real service that
matters to nginx.
"""

from __future__ import annotations

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

SESSION = "__Host-fleet_session"
# What the console was asked at /auth, so that a test can look at the question itself.
questions: list[dict[str, object]] = []


class Handler(BaseHTTPRequestHandler):
    """What both have in common."""

    protocol_version = "HTTP/1.1"
    role = ""

    def received(self) -> dict[str, object]:
        length = int(self.headers.get("Content-Length") or 0)
        return {
            "role": self.role,
            "method": self.command,
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body": self.rfile.read(length).decode(),
        }

    def answer(
        self, status: int, body: str | bytes = b"", *, kind: str = "text/plain", **headers: str
    ) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if status != 204 and self.command != "HEAD":
            self.wfile.write(content)

    def echo(self, status: int = 200, **headers: str) -> None:
        self.answer(status, json.dumps(self.received()), kind="application/json", **headers)

    def serve(self) -> None:
        raise NotImplementedError

    # http.server looks for one method per HTTP method.
    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


class Console(Handler):
    """Lets a session `viewer.x`, `operator.x` or `admin.x` in, and a token of the same form."""

    role = "console"

    def serve(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/auth":
            self.judge()
        elif path == "/refused":
            self.refuse()
        elif path == "/console/seen":
            self.answer(200, json.dumps(questions[-1]), kind="application/json")
        elif path == "/ready":
            self.answer(200, '{"ready": true}', kind="application/json")
        elif path == "/console/sign-in" and self.command == "POST":
            self.received()
            self.answer(
                303, Location="/", Set_Cookie="__Host-fleet_session=viewer.1; Secure; HttpOnly"
            )
        else:
            self.echo()

    def judge(self) -> None:
        question = self.received()
        uri = unquote((self.headers.get("X-Original-URI") or "").partition("?")[0])
        if uri != "/console/seen":
            questions[:] = [question]
        secret = f"{self.headers.get('Cookie')} {self.headers.get('Authorization')}"
        role = re.search(r"(viewer|operator|admin)\.", secret)
        writes = self.headers.get("X-Original-Method") not in ("GET", "HEAD")
        if uri == "/console/sign-in" or uri.startswith("/console/static/"):
            self.answer(204)
        elif role is None:
            self.answer(401, X_Fleet_Refusal="sign in first")
        elif uri == "/forbidden" or (writes and role[1] == "viewer"):
            self.answer(403, X_Fleet_Refusal="a viewer may not do that", X_Fleet_User="ann")
        elif uri == "/confused":
            self.answer(500)
        elif uri == "/led":
            self.answer(204, X_Fleet_User="ann", X_Fleet_Leader="other-master")
        else:
            self.answer(204, X_Fleet_User="ann", X_Fleet_Role=role[1])

    def refuse(self) -> None:
        status = int(self.headers.get("X-Fleet-Refusal-Status") or 500)
        if status == 401 and "text/html" in (self.headers.get("Accept") or ""):
            self.answer(302, Location="/console/sign-in?next=x")
        else:
            self.echo(status)


class Master(Handler):
    """Answers a few paths as the real one does, and badly where nginx has to put it right."""

    role = "master"

    def serve(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/cors":
            self.received()
            self.answer(
                200,
                Access_Control_Allow_Origin="https://evil.example",
                Access_Control_Allow_Credentials="true",
                X_Powered_By="a framework",
                X_Frame_Options="ALLOWALL",
                Set_Cookie=f"{SESSION}=mine",
                Cache_Control="public, max-age=1000",
            )
        elif path == "/own-policy":
            self.answer(200, "<p>hello", kind="text/html", Content_Security_Policy="script-src 'x'")
        elif path == "/moved":
            self.answer(308, Location=f"http://{self.headers['Host']}/moved/?a=b")
        elif path.startswith("/assets/"):
            self.answer(404 if "missing" in path else 200, "x" * 200_000, kind="text/javascript")
        elif path.startswith("/status/"):
            headers = {"Retry_After": "77"} if "?later" in self.path else {}
            status = int(path.rpartition("/")[2])
            self.answer(status, '{"mine": true}', kind="application/json", **headers)
        elif path == "/socket":
            self.upgrade()
        else:
            self.echo()

    def upgrade(self) -> None:
        if self.headers.get("Upgrade") != "websocket":
            self.echo()
            return
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.write(self.rfile.read(4)[::-1])
        self.close_connection = True


class OtherMaster(Master):
    """The one that leads where the console says so."""

    role = "other master"


class Prometheus(Handler):
    """Says what arrived, and tries to set a cookie."""

    role = "prometheus"

    def serve(self) -> None:
        self.echo(Set_Cookie=f"{SESSION}=mine")


class Grafana(Prometheus):
    """Brings a policy of its own."""

    role = "grafana"

    def serve(self) -> None:
        self.echo(Set_Cookie=f"{SESSION}=mine", Content_Security_Policy="script-src 'nonce-x'")


KINDS = {
    "console": (Console, 8000),
    "master": (Master, 8089),
    "other": (OtherMaster, 8089),
    "prometheus": (Prometheus, 9090),
    "grafana": (Grafana, 3000),
}

if __name__ == "__main__":
    kind, port = KINDS[sys.argv[1]]
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("0.0.0.0", port), kind).serve_forever()
