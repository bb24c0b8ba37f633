"""The Content-Security-Policy of Locust's own pages, which have inline scripts.

The hash of each inline script that the page was made with allows it. So handlers in attributes and
scripts that are added later do not run. That no value becomes a script while the page is made is up
to its template, which writes values as JSON.
"""

from __future__ import annotations

import base64
import hashlib
import re

INLINE_SCRIPT = re.compile(
    r"<script\b(?P<attributes>[^>]*)>(?P<body>.*?)</script>", re.DOTALL | re.IGNORECASE
)


def policy_for(html: str) -> str:
    """Return the header value that allows a page of Locust to work, and nothing more.

    Inline styles are allowed, because Locust's UI makes its style sheets in the browser.
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
    # Browsers normalise line ends before they hash a script.
    text = script.replace("\r\n", "\n").replace("\r", "\n")
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
