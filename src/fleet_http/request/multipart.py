"""Multipart bodies for ``files=``, encoded as requests does, except that files stay files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from requests.utils import guess_filename, to_key_val_list
from urllib3.fields import RequestField

from fleet_http.request.files import SharedFile, content_of, shared

# Bytes, or a file and the offset to send it from.
Segment = bytes | tuple[SharedFile, int]


def multipart(data: Any, files: Any) -> tuple[list[Segment], str]:
    """Return the body for ``data`` and ``files`` of requests, and its Content-Type.

    Raises ValueError, OSError.
    """
    if isinstance(data, (str, bytes)):
        raise ValueError("data= is a string beside files=; give its fields as a dict")
    boundary = os.urandom(16).hex()
    segments: list[Segment] = []
    # Everything between two files is one segment.
    text = b""
    for head, content in _parts(data, files):
        text += b"--%b\r\n%b" % (boundary.encode(), head)
        if isinstance(content, bytes):
            text += content
        else:
            segments += [text, content]
            text = b""
        text += b"\r\n"
    segments.append(b"%b--%b--\r\n" % (text, boundary.encode()))
    return segments, f"multipart/form-data; boundary={boundary}"


def _parts(data: Any, files: Any) -> Iterator[tuple[bytes, Segment]]:
    for name, given in to_key_val_list(data or {}):
        values = (
            given if hasattr(given, "__iter__") and not isinstance(given, (str, bytes)) else [given]
        )
        for value in values:
            if value is not None:
                field = RequestField(name=_text(name), data=b"")
                field.make_multipart()
                yield (
                    _head(field),
                    value if isinstance(value, bytes) else str(value).encode("utf-8"),
                )
    for name, given in to_key_val_list(files or {}):
        filename, file, kind, headers = _file(name, given)
        if file is None:
            continue
        field = RequestField(name=name, data=b"", filename=filename, headers=headers)
        field.make_multipart(content_type=kind)
        yield _head(field), shared(file) or content_of(file)


def _file(name: str, given: Any) -> tuple[Any, Any, str | None, Mapping[str, str] | None]:
    """Return file name, file, Content-Type and headers of one entry of requests' ``files``."""
    if isinstance(given, (tuple, list)):
        filename, file, *more = given
        kind, headers, *_ = (*more, None, None)
        return filename, file, kind, headers
    own = given.name if isinstance(given, Path) else guess_filename(given)
    return own or name, given, None, None


def _head(field: RequestField) -> bytes:
    return field.render_headers().encode("utf-8")


def _text(name: Any) -> str:
    return name.decode("utf-8") if isinstance(name, bytes) else str(name)
