"""Servers from settings, and coturn's credentials."""

from __future__ import annotations

import pytest

from shared.errors import BadInputError
from shared.ice_servers import ice_servers, turn_credentials
from shared.link_config import LinkSettings, link_settings

NOW_S = 1_700_000_000.0


def test_credentials_are_what_coturn_computes() -> None:
    # echo -n "1700043200:headcall" | openssl dgst -sha1 -hmac north-wind -binary | base64
    username, password = turn_credentials("north-wind", NOW_S + 43_200)
    assert username == "1700043200:headcall"
    assert password == "5vvGUK8y57HmMfZQa8q74pQnn3Y="


def test_no_servers_by_default() -> None:
    assert ice_servers(LinkSettings()) == []


def test_a_secret_makes_credentials_for_turn_only() -> None:
    settings = LinkSettings(
        ice_servers=("stun:stun.example.org", "turn:turn.example.org:3478?transport=tcp"),
        turn_secret="north-wind",
        turn_minutes=10,
    )
    stun, turn = ice_servers(settings, NOW_S)
    assert (stun.urls, stun.username, stun.credential) == ("stun:stun.example.org", None, None)
    assert turn.username == "1700000600:headcall"
    assert (turn.username, turn.credential) == turn_credentials("north-wind", NOW_S + 600)


def test_credentials_made_elsewhere_are_used() -> None:
    settings = LinkSettings(
        ice_servers=("turns:turn.example.org",), turn_username="1:x", turn_password="secret"
    )
    (turn,) = ice_servers(settings)
    assert (turn.username, turn.credential) == ("1:x", "secret")


def test_secrets_are_not_shown() -> None:
    assert "north-wind" not in repr(
        LinkSettings(turn_secret="north-wind", turn_password="north-wind")
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HEADCALL_LINK_ICE_SERVERS", '["http://example.org"]'),
        ("HEADCALL_LINK_ICE_SERVERS", '["turn:"]'),
        ("HEADCALL_LINK_ICE_SERVERS", "turn:example.org"),
        ("HEADCALL_LINK_TURN_MINUTES", "soon"),
    ],
)
def test_a_bad_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    link_settings.cache_clear()
    try:
        with pytest.raises(BadInputError, match="HEADCALL_LINK_"):
            link_settings()
    finally:
        link_settings.cache_clear()
