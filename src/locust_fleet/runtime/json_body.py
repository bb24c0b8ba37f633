"""Read the JSON that somebody sent: whatever it is, a value or a sentence. Pure."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from locust_fleet.errors import BadInput
from locust_fleet.policy.limits import shown

# Of a request to us; the largest form of ours is far smaller.
LARGEST_BODY = 64 * 1024


def read_json(body: bytes | str) -> Any:
    """Return what a body means to every reader of it; BadInput says why it has no such meaning."""
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except BadInput:
        raise
    except RecursionError:
        raise BadInput("The body is nested too deeply; send a flat JSON object.") from None
    except ValueError as error:
        raise BadInput(f"The body is not JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for name, value in pairs:
        if name in known:
            raise BadInput(f"The field {shown(name)} stands twice; send it once.")
        known[name] = value
    return known


def _refuse(constant: str) -> NoReturn:
    raise BadInput(f"{constant} is not JSON; send a number.")
