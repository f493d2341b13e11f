"""Which call an offer belongs to, and what does not pass for a proof."""

from __future__ import annotations

import pytest

from shared.claim import (
    JOIN_HEADER,
    RESUME_HEADER,
    Claim,
    new_join_id,
    new_resume_token,
)
from shared.sdp import SignallingError


def test_a_claim_survives_its_headers() -> None:
    for claim in (
        Claim(),
        Claim(new_join_id()),
        Claim.of(new_join_id(), new_resume_token(), "v=0"),
    ):
        assert Claim.from_headers(claim.headers()) == claim


def test_a_proof_is_of_one_offer_and_one_token() -> None:
    token = new_resume_token()
    claim = Claim.of(new_join_id(), token, "v=0\r\n")
    assert claim.is_proven(token, "v=0\r\n")
    assert not claim.is_proven(token, "v=0\r\na=x")
    assert not claim.is_proven(new_resume_token(), "v=0\r\n")
    assert not Claim(claim.join_id).is_proven(token, "v=0\r\n")


def test_nobody_shares_an_empty_id() -> None:
    mine = Claim(new_join_id())
    assert mine.is_same_try(Claim(mine.join_id))
    assert not mine.is_same_try(Claim(new_join_id()))
    assert not mine.is_same_try(Claim())
    assert not Claim().is_same_try(Claim())


@pytest.mark.parametrize(
    "headers",
    [
        {JOIN_HEADER: "short"},
        {JOIN_HEADER: "x" * 65},
        {JOIN_HEADER: "naïve-" * 5},
        {RESUME_HEADER: "0" * 63},
        {RESUME_HEADER: "G" * 64},
    ],
)
def test_malformed_headers_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(SignallingError) as caught:
        Claim.from_headers(headers)
    assert caught.value.status == 400
