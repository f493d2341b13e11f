from __future__ import annotations

import pytest

from benchmarks.patterns import Way
from benchmarks.profiles import NAMES, profile
from shared.errors import BadInputError


def test_the_names_are_those_of_the_contract() -> None:
    assert NAMES == (
        "clean",
        "moderate",
        "international",
        "spiky",
        "loss10",
        "loss20",
        "loss30",
        "thin50",
        "thin25",
        "cut5",
        "cut20",
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_says_what_it_is(name: str) -> None:
    made = profile(name, 60)
    assert made.name == name
    assert made.about
    assert (made.up == Way()) == (name == "clean")
    assert made.up == made.down


def test_cuts_lie_in_the_middle() -> None:
    assert profile("cut5", 30).up.cuts == ((12.5, 17.5),)
    assert profile("cut20", 30).down.cuts == ((5.0, 25.0),)


def test_every_other_ten_seconds_is_lossy() -> None:
    assert profile("spiky", 60).up.lossy == ((10.0, 20.0), (30.0, 40.0), (50.0, 60.0))
    # A call too short for a spike has none, and not one all the time.
    assert profile("spiky", 10).up.loss == 0.0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadInputError, match="no profile awful; take one of: clean"):
        profile("awful", 30)
    with pytest.raises(BadInputError, match="--seconds 24"):
        profile("cut20", 20)
