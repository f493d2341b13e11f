"""Every default of the program in one typed place.

Each value can be set by an environment variable, ``HEADCALL_`` and the field's name.
"""

from __future__ import annotations

from functools import lru_cache

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.latency import Latency


class Settings(BaseSettings):
    """Defaults shared by both ends; command-line options override them."""

    model_config = SettingsConfigDict(env_prefix="HEADCALL_", frozen=True)

    host: str = Field("127.0.0.1", description="Address the receiver listens on.")
    port: int = Field(8080, ge=1, le=65535, description="Port the receiver listens on.")
    picture_size: int = Field(256, description="Side of the rebuilt picture, pixels.")
    max_fps: float = Field(25.0, gt=0, description="Frames a second the sender captures at most.")
    connect_timeout_s: float = Field(30.0, gt=0, description="How long joining a call may take.")
    latency: Latency = Field(
        Latency.NORMAL, description="How long frames may wait for one another."
    )
    preset: str = Field("lite", description="Generator preset the receiver runs.")
    engine: str = Field("auto", description="Engine that runs the generator.")


@lru_cache
def settings() -> Settings:
    """Return the settings, read from the environment once."""
    return Settings()
