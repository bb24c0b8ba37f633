"""Files as bodies: opened once for all users, and never read into memory as a whole.

They are not mapped into memory: a file that becomes shorter while it is sent would end the process.
"""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

from fleet_http.connection.tls_transport import TlsTransport
from fleet_http.connection.transport import PART_BYTES, Transport

# Files that stay open; the least recently used one is closed first.
MAX_OPEN_FILES = 64
# For one call of sendfile, which returns when the socket is full anyway.
MAX_SENDFILE_BYTES = 1 << 30


class SharedFile:
    """A regular file with a file descriptor of its own, closed when nobody sends it any more."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = os.dup(descriptor)
        self.size = size

    def send(self, transport: Transport, start: int) -> None:
        """Send the bytes from ``start`` on, by the kernel unless they must be encrypted.

        Raises OSError, also when the file has become shorter.
        """
        size = self.size - start
        if isinstance(transport, TlsTransport):
            for place in range(start, self.size, PART_BYTES):
                part = os.pread(self._descriptor, min(PART_BYTES, self.size - place), place)
                transport.send(part)
                self._check(len(part) == min(PART_BYTES, self.size - place))
            return
        source, target = self._descriptor, transport.fileno()

        def send(done: int) -> int:
            sent = os.sendfile(target, source, start + done, min(size - done, MAX_SENDFILE_BYTES))
            self._check(sent > 0)
            return sent

        transport.send_by(send, size)

    @staticmethod
    def _check(whole: bool) -> None:
        if not whole:
            raise OSError("the file became shorter while it was sent")

    def __del__(self) -> None:
        os.close(self._descriptor)


# One for the process, because users that send the same file share its descriptor.
_open_files: OrderedDict[tuple[int, ...], SharedFile] = OrderedDict()


def shared(file: Any) -> tuple[SharedFile, int] | None:
    """Return the shared file of a Path or of a file opened for bytes, and the offset to send from.

    None for anything but a regular file, which has to be read. Raises OSError.
    """
    if isinstance(file, Path):
        with file.open("rb") as opened:
            return _shared_file(opened.fileno()), 0
    if not isinstance(file, (io.BufferedReader, io.BufferedRandom, io.FileIO)):
        return None
    try:
        descriptor, start = file.fileno(), file.tell()
    except OSError:
        return None
    if not os.path.isfile(descriptor):  # noqa: PTH113
        return None
    found = _shared_file(descriptor)
    # The position is beyond the end if the file became shorter since it was read.
    return found, min(start, found.size)


def content_of(file: Any) -> bytes:
    """Return the rest of a file, or the bytes or text that are given instead of one."""
    content = file.read() if hasattr(file, "read") else file
    if isinstance(content, int):
        # bytes() would take it for a length.
        content = str(content)
    return content.encode("utf-8") if isinstance(content, str) else bytes(content)


def _shared_file(descriptor: int) -> SharedFile:
    about = os.fstat(descriptor)
    key = about.st_dev, about.st_ino, about.st_mtime_ns, about.st_size
    found = _open_files.get(key)
    if found is None:
        found = _open_files[key] = SharedFile(descriptor, about.st_size)
        if len(_open_files) > MAX_OPEN_FILES:
            _open_files.popitem(last=False)
    else:
        _open_files.move_to_end(key)
    return found
