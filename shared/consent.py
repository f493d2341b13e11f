"""How often a connection asks whether the other side still wants it (RFC 7675).

Each check costs 440 bytes, asked and answered in both directions. The RFC's period of 5 seconds is
a default ("should"); consent itself holds for 30 seconds, which stays. Whether a call is alive is
known much sooner from its own messages. This file sets two numbers of aioice.
"""

from __future__ import annotations

from aioice import ice

PERIOD_S = 10
HOLDS_S = 30  # RFC 7675, section 5.1


def ask_rarely() -> None:
    """Let connections made from now on check consent every ten seconds."""
    ice.CONSENT_INTERVAL = PERIOD_S
    ice.CONSENT_FAILURES = HOLDS_S // PERIOD_S
