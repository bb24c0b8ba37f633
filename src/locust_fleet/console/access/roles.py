"""Decide who may call which path. Pure: routes/auth.py asks for every request that nginx gets.

A path that is not listed is refused: Locust's UI has no access control of its own, and a later
version may add a route that nobody here has considered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote_to_bytes

LONGEST_PATH = 2000
# Of a path that was decoded once: one that needs a second decoding still has a "%" and is refused.
PLAIN_PATH = re.compile(rb"/|(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+/?", re.ASCII)
READING = ("GET", "HEAD")


class Role(Enum):
    """What somebody may do; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, needed: Role) -> bool:
        """Tell whether this role may do what the other one may."""
        return RANK[self] >= RANK[needed]


RANK = {role: rank for rank, role in enumerate(Role)}
ANYONE = None
ANY_METHOD = ("GET", "POST", "PUT", "PATCH", "DELETE")

# The least role (ANYONE: no sign-in needed), method, path. "<x>" is one segment, "*" any number.
RULES: tuple[tuple[Role | None, str, str], ...] = (
    (ANYONE, "GET", "/console/sign-in"),
    (ANYONE, "POST", "/console/sign-in"),
    (ANYONE, "GET", "/console/static/*"),
    # Locust's UI
    (Role.VIEWER, "GET", "/"),
    (Role.VIEWER, "GET", "/assets/*"),
    (Role.VIEWER, "GET", "/favicon.ico"),
    (Role.VIEWER, "GET", "/stats/requests"),
    (Role.VIEWER, "GET", "/stats/requests/csv"),
    (Role.VIEWER, "GET", "/stats/requests_full_history/csv"),
    (Role.VIEWER, "GET", "/stats/failures/csv"),
    (Role.VIEWER, "GET", "/stats/report"),
    (Role.VIEWER, "GET", "/exceptions"),
    (Role.VIEWER, "GET", "/exceptions/csv"),
    (Role.VIEWER, "GET", "/tasks"),
    (Role.VIEWER, "GET", "/logs"),
    (Role.VIEWER, "GET", "/worker-count"),
    (Role.OPERATOR, "POST", "/swarm"),
    (Role.OPERATOR, "POST", "/stop"),
    (Role.OPERATOR, "POST", "/stats/reset"),
    (Role.OPERATOR, "POST", "/user"),
    # The console
    (Role.VIEWER, "GET", "/console"),
    (Role.VIEWER, "GET", "/console/"),
    (Role.VIEWER, "GET", "/console/runs"),
    (Role.VIEWER, "GET", "/console/runs/<id>"),
    (Role.VIEWER, "GET", "/console/reports/<id>/<file>"),
    (Role.VIEWER, "GET", "/console/account"),
    (Role.VIEWER, "POST", "/console/account"),
    (Role.VIEWER, "POST", "/console/sign-out"),
    (Role.ADMIN, "GET", "/console/admin"),
    (Role.ADMIN, "GET", "/console/admin/*"),
    (Role.ADMIN, "POST", "/console/admin"),
    (Role.ADMIN, "POST", "/console/admin/*"),
    # The API
    (Role.VIEWER, "GET", "/api/v1/run"),
    (Role.VIEWER, "GET", "/api/v1/runs"),
    (Role.VIEWER, "GET", "/api/v1/runs/<id>"),
    (Role.VIEWER, "GET", "/api/v1/workers"),
    (Role.OPERATOR, "POST", "/api/v1/runs"),
    (Role.OPERATOR, "POST", "/api/v1/runs/<id>/stop"),
    (Role.ADMIN, "GET", "/api/v1/audit"),
    # Monitoring: Grafana gets the role and has rules of its own; the others have no users.
    *((Role.VIEWER, method, f"/grafana{path}") for path in ("/", "/*") for method in ANY_METHOD),
    (Role.VIEWER, "GET", "/grafana"),
    (Role.ADMIN, "GET", "/prometheus"),
    (Role.ADMIN, "GET", "/prometheus/"),
    (Role.ADMIN, "GET", "/prometheus/*"),
    (Role.ADMIN, "POST", "/prometheus/api/v1/*"),
    (Role.ADMIN, "GET", "/alertmanager"),
    (Role.ADMIN, "GET", "/alertmanager/"),
    (Role.ADMIN, "GET", "/alertmanager/*"),
    (Role.ADMIN, "POST", "/alertmanager/api/v2/silences"),
    (Role.ADMIN, "DELETE", "/alertmanager/api/v2/silence/<id>"),
)


@dataclass(frozen=True)
class Question:
    """A request that nginx asks about: what it wants, from which site, by whom.

    ``uri`` is as the client sent it, ``host`` the Host header; ``role`` is None without a sign-in.
    """

    method: str
    uri: str
    host: str = ""
    origin: str | None = None
    fetch_site: str | None = None
    role: Role | None = None
    has_cookie: bool = False
    by_token: bool = False

    @property
    def writes(self) -> bool:
        """Tell whether the request may change something."""
        return self.method not in READING


@dataclass(frozen=True)
class Decision:
    """The status for nginx: 204 to pass, 401 or 403 with an ASCII sentence that says why not."""

    status: int
    sentence: str = ""

    @property
    def allow(self) -> bool:
        """Tell whether the request goes through."""
        return self.status == 204


ALLOW = Decision(204)
SIGN_IN = Decision(401, "Sign in first.")
UNKNOWN = Decision(403, "There is nothing at this address.")
CROSS_SITE = Decision(403, "This request came from another site, so nothing was changed.")


def decide(question: Question) -> Decision:
    """Decide about a request: 401 where a sign-in is needed, 403 for what is not allowed."""
    path = plain_path(question.uri)
    rule = rule_for(question.method, path) if path is not None else None
    if rule is None:
        return UNKNOWN if question.role else SIGN_IN
    needed = rule.role
    if needed is not ANYONE:
        if question.role is None:
            return SIGN_IN
        if not question.role.covers(needed):
            return Decision(403, _missing_role(question.role, needed))
    if question.writes and not comes_from_here(question):
        return CROSS_SITE
    return ALLOW


def comes_from_here(question: Question) -> bool:
    """Tell whether a write comes from a page of this stack or from a program, not another site."""
    if question.by_token and not question.has_cookie:
        return True
    if question.origin is not None:
        return _same_place(question.origin, question.host)
    if question.fetch_site is not None:
        return question.fetch_site in ("same-origin", "none")
    return question.by_token


def plain_path(uri: str) -> str | None:
    """Return the decoded path of a raw request URI, None when it is not plain.

    nginx, the console and Locust must read the same path. So dots, double slashes and control
    characters, which the three might read differently, make a path that is refused.
    """
    raw = uri.partition("?")[0]
    if len(raw) > LONGEST_PATH:
        return None
    path = unquote_to_bytes(raw)
    return path.decode("ascii") if PLAIN_PATH.fullmatch(path) else None


@dataclass(frozen=True)
class Rule:
    """The least role for a request; ANYONE for none at all."""

    role: Role | None


def rule_for(method: str, path: str) -> Rule | None:
    """Return the rule for a plain path, None when the path is not listed."""
    if method == "HEAD":
        method = "GET"
    exact = _EXACT.get((method, path))
    if exact:
        return exact
    for listed, pattern, rule in _PATTERNS:
        if listed == method and pattern.fullmatch(path):
            return rule
    return None


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub("<[a-z]+>", "[^/]+", path).replace("*", ".+"))


_EXACT = {(method, path): Rule(role) for role, method, path in RULES if not re.search("[<*]", path)}
_PATTERNS = tuple(
    (method, _pattern(path), Rule(role)) for role, method, path in RULES if re.search("[<*]", path)
)


def _missing_role(role: Role, needed: Role) -> str:
    return f"This needs the role {needed.value}; you have the role {role.value}."


def _same_place(origin: str, host: str) -> bool:
    """Compare host and port; browsers leave out the default port of the scheme."""
    scheme, separator, place = origin.lower().partition("://")
    port = {"http": ":80", "https": ":443"}.get(scheme)
    if not separator or port is None:
        return False
    return place.removesuffix(port) == host.lower().removesuffix(port) != ""
