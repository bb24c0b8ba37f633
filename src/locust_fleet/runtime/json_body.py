"""Read JSON that somebody sent; whatever it is, the result is a value or BadInput. Pure."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from locust_fleet.errors import BadInput
from locust_fleet.policy.limits import shown

# In bytes, of a request to the console or the master; their largest form is far smaller.
LARGEST_BODY = 64 * 1024


def read_json(body: bytes | str) -> Any:
    """Return the value of a body; BadInput where two readers of the JSON could differ."""
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
    read: dict[str, Any] = {}
    for name, value in pairs:
        if name in read:
            raise BadInput(f"The field {shown(name)} is given twice; send it once.")
        read[name] = value
    return read


def _refuse(constant: str) -> NoReturn:
    raise BadInput(f"{constant} is not JSON; send a number.")
