"""The receiver's own defaults, beside those both ends share."""

from __future__ import annotations

from functools import lru_cache

from pydantic import Field

from shared.config import Settings


class ReceiverSettings(Settings):
    """Defaults of the receiver; ``HEADCALL_`` and the field's name sets one."""

    # Half a frame at 25 fps: takes up the wobble of the tracker and mends two packets that changed
    # places, and is too short for people in talk to notice. Where frames come less evenly the
    # playout holds them longer by itself.
    playout_delay_ms: float = Field(20.0, ge=0, le=200, description="Least jitter delay.")
    max_watchers: int = Field(4, ge=1, le=64, description="Watchers of the picture at most.")
    allowed_hosts: str = Field(
        "", description="Host names the page may be opened under, comma separated."
    )


@lru_cache
def receiver_settings() -> ReceiverSettings:
    """Return the receiver's settings, read from the environment once."""
    return ReceiverSettings()
