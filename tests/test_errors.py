"""The errors a person can mend, and the exit codes the design promises."""

from __future__ import annotations

import pytest

from shared.errors import BAD_INPUT, UNREACHABLE, BadInputError, HeadCallError, UnreachableError


def test_exit_codes_are_the_designs() -> None:
    assert (BAD_INPUT, UNREACHABLE) == (2, 3)
    assert BadInputError.exit_code == 2
    assert UnreachableError.exit_code == 3
    assert HeadCallError.exit_code == 2


@pytest.mark.parametrize("kind", [BadInputError, UnreachableError])
def test_one_handler_catches_them_all_and_has_the_sentence(kind: type[HeadCallError]) -> None:
    with pytest.raises(HeadCallError) as caught:
        raise kind("there is no camera 3")
    assert str(caught.value) == "there is no camera 3"
    assert caught.value.exit_code == kind.exit_code


def test_they_do_not_hide_a_defect() -> None:
    assert not issubclass(HeadCallError, ValueError | OSError | RuntimeError)
