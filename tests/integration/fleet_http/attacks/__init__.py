"""What the hostile server does."""

from tests.integration.fleet_http.attacks import content, framing, pace
from tests.integration.fleet_http.attacks.connections import MORE, PROXIES
from tests.integration.fleet_http.attacks.danger import DANGERS, Verdict

__all__ = ["DANGERS", "MORE", "PROXIES", "Verdict", "content", "framing", "pace"]
