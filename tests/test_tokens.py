"""Tokens: who is let in with which, and for how long."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import jwt
import pytest

from receiver.tokens import TOKEN_LIMIT, Role, TokenError, Tokens


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now_s


def bearer(token: str) -> str:
    return f"Bearer {token}"


@pytest.mark.parametrize("role", Role)
def test_a_token_lets_in_until_it_expires(role: Role) -> None:
    clock = Clock()
    tokens = Tokens(clock)
    header = bearer(tokens.issue(role, 600))
    tokens.check(role, header)
    clock.now_s += 599
    tokens.check(role, header)
    clock.now_s += 1
    with pytest.raises(TokenError, match="expired"):
        tokens.check(role, header)


def test_a_role_is_not_the_other() -> None:
    tokens = Tokens()
    with pytest.raises(TokenError, match="not one to call with"):
        tokens.check(Role.CALL, bearer(tokens.issue(Role.WATCH, 600)))
    with pytest.raises(TokenError, match="not one to watch with"):
        tokens.check(Role.WATCH, bearer(tokens.issue(Role.CALL, 600)))


def unsigned(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, None, "none")


def resigned(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, bytes(32), "HS256")


def stripped(token: str) -> str:
    return token.rpartition(".")[0] + "."


def prolonged(token: str) -> str:
    head, claims, signature = token.split(".")
    values = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    longer = json.dumps(values | {"exp": values["exp"] + 10_000}).encode()
    return ".".join([head, base64.urlsafe_b64encode(longer).decode().rstrip("="), signature])


def another(_: str) -> str:
    return Tokens().issue(Role.CALL, 600)


def padded(token: str) -> str:
    return token + "x" * TOKEN_LIMIT


@pytest.mark.parametrize("forge", [unsigned, resigned, stripped, prolonged, another, padded])
def test_forged_and_foreign_tokens_are_refused(forge: Callable[[str], str]) -> None:
    tokens = Tokens()
    good = tokens.issue(Role.CALL, 600)
    tokens.check(Role.CALL, bearer(good))
    with pytest.raises(TokenError, match="not one of this receiver's"):
        tokens.check(Role.CALL, bearer(forge(good)))


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi"])
def test_no_token_is_told_so(header: str | None) -> None:
    with pytest.raises(TokenError, match="whole link"):
        Tokens().check(Role.CALL, header)


def test_a_token_is_good_for_one_call_and_all_its_tries() -> None:
    clock = Clock()
    tokens = Tokens(clock)
    header = bearer(tokens.issue(Role.CALL, 600))
    first = tokens.check(Role.CALL, header)  # several tries race
    tokens.check(Role.CALL, header)
    tokens.used(first)
    clock.now_s += 10_000
    tokens.check(Role.CALL, header)  # the call is on: it may be joined again, also late
    tokens.over(True)
    with pytest.raises(TokenError, match="a call that is over"):
        tokens.check(Role.CALL, header)


def test_a_token_of_a_call_that_is_over_is_refused() -> None:
    tokens = Tokens()
    header = bearer(tokens.issue(Role.CALL, 600))
    other = bearer(tokens.issue(Role.CALL, 600))
    tokens.used(tokens.check(Role.CALL, header))
    tokens.over(True)
    with pytest.raises(TokenError, match="a call that is over"):
        tokens.check(Role.CALL, header)
    tokens.check(Role.CALL, other)


def test_a_call_that_never_came_about_leaves_its_token_good() -> None:
    tokens = Tokens()
    header = bearer(tokens.issue(Role.CALL, 600))
    tokens.used(tokens.check(Role.CALL, header))
    tokens.over(False)
    tokens.check(Role.CALL, header)


def test_only_unexpired_tokens_are_remembered() -> None:
    clock = Clock()
    tokens = Tokens(clock)
    for _ in range(5):
        tokens.used(tokens.check(Role.CALL, bearer(tokens.issue(Role.CALL, 60))))
        tokens.over(True)
        clock.now_s += 61
    assert len(tokens._spent) == 1
