"""What a request carries: bytes of a known length and kind."""

from __future__ import annotations

import json as library
from typing import Any, NamedTuple

from requests.exceptions import InvalidJSONError
from requests.models import PreparedRequest

FORM = "application/x-www-form-urlencoded"
# As requests: what JSON has no word for is an error and not sent as NaN.
_encode = library.JSONEncoder(allow_nan=False).encode


class Body(NamedTuple):
    """A body; ``kind`` is its Content-Type, if it is to be told."""

    data: bytes
    kind: str | None


def body_of(data: Any, json: Any) -> Body | None:
    """Return the body for what requests calls data and json; raises InvalidJSONError."""
    if not data:
        return _json_body(json) if json is not None else None
    if isinstance(data, bytes):
        return Body(data, None)
    if isinstance(data, str):
        return Body(data.encode("utf-8"), None)
    form = PreparedRequest._encode_params(data)  # type: ignore[attr-defined]
    return Body(form if isinstance(form, bytes) else form.encode("utf-8"), FORM)


def _json_body(value: Any) -> Body:
    try:
        return Body(_encode(value).encode("utf-8"), "application/json")
    except ValueError as error:
        raise InvalidJSONError(f"not JSON: {error}") from error
