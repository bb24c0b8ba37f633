"""What our user cannot yet; each is an error as soon as it can."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import pytest

# Names of scenarios and attacks, ``*`` for any text.
FAULTS = {
    "encoded_members": "reads a second member of gzip twice",
    "answer_chunk_extensions": "takes no blank before an extension",
    "redirects_to_a_file": "raises in the scenario",
    "redirects_to_words": "raises in the scenario",
    "redirects_to_no_port": "raises in the scenario",
    "redirects_to_half_an_address": "raises in the scenario",
    "redirects_to_an_empty_label": "raises in the scenario",
    "length_of_its_own": "sends two lengths",
    "query_that_is_empty": "sends the question mark",
    "next_of_a_redirect": "has no such attributes",
    **dict.fromkeys(
        (
            *("tls_of_the_session", "params_of_the_session", "proxy_of_the_session"),
            *("headers_of_the_session_are_replaced", "host_of_the_session_is_changed"),
        ),
        "ignores what is set on its client",
    ),
    **dict.fromkeys(
        (
            *("data_as_*file*", "data_from_a_generator", "data_from_a_generator_of_text"),
            *("file_*", "files_and_a_form", "files_and_pairs", "files_as_pairs"),
            *("files_of_nothing", "redirect_of_a_file", "redirect_of_a_generator"),
            *("redirect_of_an_open_file", "data_as_a_bytearray", "proxy_*"),
        ),
        "is not there yet",
    ),
}


def with_faults(names: Iterable[str]) -> list[Any]:
    """Return the names as parameters; where a fault is known, the test must fail."""
    return [pytest.param(name, marks=marks(name)) for name in names]


def marks(name: str) -> list[pytest.MarkDecorator]:
    reasons = [reason for pattern, reason in FAULTS.items() if fnmatchcase(name, pattern)]
    return [pytest.mark.xfail(strict=True, reason=reasons[0])] if reasons else []
