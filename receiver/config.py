"""The receiver's own defaults, beside those both ends share."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from pydantic import Field

from shared.config import Settings

MOST_CALLS = 16


class ReceiverSettings(Settings):
    """Defaults of the receiver; ``HEADCALL_`` and the field's name sets one."""

    # Half a frame at 25 fps: takes up the wobble of the tracker and mends two packets that changed
    # places, and is too short for people in talk to notice. Where frames come less evenly the
    # playout holds them longer by itself.
    playout_delay_ms: float = Field(20.0, ge=0, le=200, description="Least jitter delay.")
    max_watchers: int = Field(4, ge=1, le=64, description="Watchers of a caller at most.")
    calls: int = Field(
        1, ge=1, le=MOST_CALLS, description="Calls at once, each in a room of its own."
    )
    allowed_hosts: str = Field(
        "", description="Host names the page may be opened under, comma separated."
    )
    tokens: Literal["auto", "always"] = Field(
        "auto", description="auto: calling and watching need a link when others can reach us."
    )
    public_url: str = Field(
        "", description="The address of a proxy in front of us, for the links; needs tokens."
    )
    call_link_minutes: float = Field(30.0, gt=0, description="How long a link to call is good.")
    watch_link_minutes: float = Field(720.0, gt=0, description="How long one to watch is good.")


@lru_cache
def receiver_settings() -> ReceiverSettings:
    """Return the receiver's settings, read from the environment once."""
    return ReceiverSettings()
