"""What the hostile server does."""

from tests.integration.users.attacks import content, framing, pace
from tests.integration.users.attacks.connections import MORE, PROXIES
from tests.integration.users.attacks.danger import DANGERS, Verdict

__all__ = ["DANGERS", "MORE", "PROXIES", "Verdict", "content", "framing", "pace"]
