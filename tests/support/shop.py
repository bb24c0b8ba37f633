"""The demo target as processes of this machine."""

import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import psutil

from tests.support.checkout import ROOT
from tests.support.http import answers
from tests.support.ports import free_port
from tests.support.process import start
from tests.support.waiting import wait_until

# How long connections of clients that were killed may take to end.
SETTLE_S = 1.0


class Shop:
    """Starts when it is first wanted; who uses it after another finds it as if it were new."""

    def __init__(self, address: str, log: Path) -> None:
        self.log = log
        self._bind = f"{address}:{free_port(address)}"
        self.url = f"http://{self._bind}"
        self._process: subprocess.Popen[bytes] | None = None

    def renew(self) -> None:
        """Have it run, with all counts at 0 and no request under way that would count later."""
        if self._process is not None and not self._is_idle():
            self.close()
        if self._process is None:
            self._process = self._start()
        urlopen(Request(f"{self.url}/stats/reset", method="POST"), timeout=5).close()

    def close(self) -> None:
        if self._process is not None:
            family = self._family(self._process)
            for one in family:
                one.kill()
            psutil.wait_procs(family)
            self._process.wait()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        command = (
            *(sys.executable, "-m", "gunicorn", "--config", ROOT / "conf" / "gunicorn_demo.py"),
            *("--bind", self._bind, "locust_fleet.demo:create_app()"),
        )
        process = start(command, self.log)
        wait_until(lambda: answers(f"{self.url}/health"), "the demo target answering")
        return process

    def _is_idle(self) -> bool:
        deadline = time.monotonic() + SETTLE_S
        while self._has_clients():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _has_clients(self) -> bool:
        assert self._process is not None
        return any(
            connection.status != psutil.CONN_LISTEN
            for process in self._family(self._process)
            for connection in process.net_connections("tcp")
        )

    @staticmethod
    def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """Return gunicorn and its worker, the one first that would start the other again."""
        master = psutil.Process(process.pid)
        return [master, *master.children(recursive=True)]
