"""Every default of the link between the two ends in one typed place.

Each can be set by an environment variable, ``HEADCALL_LINK_`` and the field's name.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from aiortc.rtcicetransport import parse_stun_turn_uri
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from shared.errors import BadInputError


class LinkSettings(BaseSettings):
    """How the two ends reach each other, and when each gives up."""

    model_config = SettingsConfigDict(env_prefix="HEADCALL_LINK_", frozen=True)

    ice_servers: tuple[str, ...] = Field(
        (), description="STUN or TURN servers, as a JSON list of addresses; none by default."
    )
    turn_secret: SecretStr = Field(
        SecretStr(""), description="The TURN server's static-auth-secret; makes credentials."
    )
    turn_username: str = Field("", description="Credentials made elsewhere: the user name.")
    turn_password: SecretStr = Field(SecretStr(""), description="And the password.")
    turn_minutes: float = Field(720.0, gt=0, description="How long made credentials are good.")
    ca_file: Path | None = Field(
        None,
        description="PEM file of an authority to trust beside the usual ones.",
    )
    stalled_bytes: int = Field(
        200, ge=0, description="Unsent bytes on the params channel above which frames are skipped."
    )
    ping_s: float = Field(30.0, gt=0, description="Seconds between two signs of life.")
    first_ping_s: float = Field(
        0.25, gt=0, description="Seconds between the first few, so that the clocks are known soon."
    )
    idle_s: float = Field(
        1.0, gt=0, description="Longest that a sender sends nothing, so that nobody has to ask."
    )
    probe_s: float = Field(
        1.1, gt=0, description="Silence after which the other side is asked for a sign of life."
    )
    probe_every_s: float = Field(
        0.2, gt=0, description="Seconds between two such questions, until silence_s."
    )
    silence_s: float = Field(
        1.5, gt=0, description="Silence after which other connections are tried."
    )
    give_up_s: float = Field(60.0, gt=0, description="Silence after which the call is over.")
    drain_s: float = Field(1.0, ge=0, description="How long closing waits for unsent bytes.")
    malformed_limit: int = Field(
        20, ge=0, description="Malformed session messages after which a peer is sent away."
    )
    join_s: float = Field(
        15.0, gt=0, description="How long a caller may take from the answer to its hello."
    )
    attempt_every_s: float = Field(
        1.0, gt=0, description="Seconds after which another connection is tried beside one."
    )
    attempts: int = Field(
        4, ge=1, le=16, description="Connections tried at the same time; the oldest gives way."
    )

    @field_validator("ice_servers")
    @classmethod
    def _addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            parse_stun_turn_uri(address)  # a ValueError of its own
        return addresses


@lru_cache
def link_settings() -> LinkSettings:
    """Return the settings, read from the environment once.

    Raises:
        BadInputError: a variable holds what it cannot.
    """
    try:
        return LinkSettings()
    except ValidationError as error:
        item = error.errors()[0]
        name = "HEADCALL_LINK_" + str(item["loc"][0]).upper()
        raise BadInputError(f"the environment variable {name}: {item['msg']}") from error
    except SettingsError as error:
        raise BadInputError(f"an environment variable HEADCALL_LINK_…: {error}") from error
