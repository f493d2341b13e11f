"""Defaults and the environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from shared.config import Settings, settings
from shared.latency import Latency


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HEADCALL_{name.upper()}", raising=False)
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_defaults_are_a_call_on_this_machine() -> None:
    defaults = Settings()
    assert (defaults.host, defaults.port) == ("127.0.0.1", 8080)
    assert (defaults.preset, defaults.engine) == ("lite", "auto")
    assert defaults.picture_size == 256
    assert defaults.max_fps == 25


def test_every_field_can_be_set_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "host": "0.0.0.0",
        "port": 9000,
        "picture_size": 128,
        "max_fps": 12.5,
        "connect_timeout_s": 3.0,
        "latency": Latency.ECONOMY,
        "preset": "full",
        "engine": "onnxruntime",
    }
    assert set(values) == set(Settings.model_fields)
    for name, value in values.items():
        monkeypatch.setenv(f"HEADCALL_{name.upper()}", str(value))
    assert Settings().model_dump() == values


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "0"), ("PORT", "65536"), ("PORT", "web"), ("MAX_FPS", "0"), ("MAX_FPS", "-1"),
     ("CONNECT_TIMEOUT_S", "0")],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"HEADCALL_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_settings_do_not_change_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    first = settings()
    monkeypatch.setenv("HEADCALL_PORT", "9001")
    assert settings() is first
    with pytest.raises(ValidationError, match="frozen"):
        first.port = 9002


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())
