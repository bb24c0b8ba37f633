"""Files as bodies: opened once for all users, and never in memory as a whole.

They are not mapped: a file that becomes shorter while it is sent would end the process.
"""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

from fleet_http.connection.tls_transport import TlsTransport
from fleet_http.connection.transport import PART, Transport

# Files that stay open; the one that was not used for longest goes first.
KEPT = 64
# What sendfile is asked for at once: it returns when the socket is full anyway.
MOST = 1 << 30


class SharedFile:
    """A regular file, by a descriptor of its own; closed when nobody sends it any more."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = os.dup(descriptor)
        self.size = size

    def send(self, link: Transport, start: int) -> None:
        """Send all from ``start`` on, which the kernel does itself unless it must be encrypted."""
        size = self.size - start
        if isinstance(link, TlsTransport):
            for place in range(start, self.size, PART):
                part = os.pread(self._descriptor, min(PART, self.size - place), place)
                link.send(part)
                self._check(len(part) == min(PART, self.size - place))
            return
        source, sink = self._descriptor, link.fileno()

        def send(done: int) -> int:
            sent = os.sendfile(sink, source, start + done, min(size - done, MOST))
            self._check(sent > 0)
            return sent

        link.send_by(send, size)

    @staticmethod
    def _check(whole: bool) -> None:
        if not whole:
            raise OSError("the file became shorter while it was sent")

    def __del__(self) -> None:
        os.close(self._descriptor)


_shared: OrderedDict[tuple[int, ...], SharedFile] = OrderedDict()


def shared(file: Any) -> tuple[SharedFile, int] | None:
    """Return the shared file of a Path or of a file opened for bytes, and where to begin.

    None for what is no regular file, which has to be read. Raises OSError.
    """
    if isinstance(file, Path):
        with file.open("rb") as opened:
            return _of(opened.fileno()), 0
    if not isinstance(file, (io.BufferedReader, io.BufferedRandom, io.FileIO)):
        return None
    try:
        descriptor, start = file.fileno(), file.tell()
    except OSError:
        return None
    if not os.path.isfile(descriptor):  # noqa: PTH113
        return None
    found = _of(descriptor)
    # Beyond the end when the file became shorter since it was read.
    return found, min(start, found.size)


def content_of(file: Any) -> bytes:
    """Return what is left of a file, or the bytes or text that stand for one."""
    content = file.read() if hasattr(file, "read") else file
    if isinstance(content, int):
        # For bytes() it would be a length.
        content = str(content)
    return content.encode("utf-8") if isinstance(content, str) else bytes(content)


def _of(descriptor: int) -> SharedFile:
    about = os.fstat(descriptor)
    key = about.st_dev, about.st_ino, about.st_mtime_ns, about.st_size
    found = _shared.get(key)
    if found is None:
        found = _shared[key] = SharedFile(descriptor, about.st_size)
        if len(_shared) > KEPT:
            _shared.popitem(last=False)
    else:
        _shared.move_to_end(key)
    return found
