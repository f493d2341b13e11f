from __future__ import annotations

import socket

import pytest

from receiver.guard import Guard


@pytest.mark.parametrize(
    "host",
    ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "192.168.1.7", "receiver:80", "call.me:80"],
)
def test_its_own_names_are_welcome(host: str) -> None:
    guard = Guard(["call.me"])
    assert guard.complaint("POST", host, None) is None
    assert guard.complaint("POST", host, f"http://{host}") is None


def test_this_machine_is_known_by_its_name() -> None:
    assert Guard([]).complaint("GET", f"{socket.gethostname()}.local:8080", None) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "", "[::1", "127.0.0.1.evil.io"]
)
def test_names_that_others_control_are_refused(host: str) -> None:
    assert "HEADCALL_ALLOWED_HOSTS" in (Guard([]).complaint("GET", host, None) or "")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:9999"])
def test_pages_of_other_origins_may_not_act(origin: str) -> None:
    for method in ("POST", "DELETE", "PATCH"):
        assert "another origin" in (Guard([]).complaint(method, "localhost:8080", origin) or "")
