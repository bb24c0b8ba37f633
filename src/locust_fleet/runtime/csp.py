"""The Content-Security-Policy of Locust's own pages, which have inline scripts.

Each inline script that a page was made with is allowed by its hash. So handlers in attributes
and scripts that come to the page later do not run; that no value can become a script while the
page is made is up to its template, which writes values as JSON.
"""

from __future__ import annotations

import base64
import hashlib
import re

INLINE_SCRIPT = re.compile(
    r"<script\b(?P<attributes>[^>]*)>(?P<body>.*?)</script>", re.DOTALL | re.IGNORECASE
)


def policy_for(html: str) -> str:
    """Return the policy that lets a page of Locust's work and nothing else.

    Styles stay inline because Locust's UI makes its style sheets in the browser.
    """
    scripts = sorted(
        {
            _source(match["body"])
            for match in INLINE_SCRIPT.finditer(html)
            if "src=" not in match["attributes"]
        }
    )
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src", "'self'", *scripts)),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def _source(script: str) -> str:
    # A browser hashes the script with its line ends normalised.
    text = script.replace("\r\n", "\n").replace("\r", "\n")
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
