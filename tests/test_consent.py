"""Consent checks: as rare as they may be, and still there."""

from __future__ import annotations

import inspect

import pytest
from aioice import ice

from shared.consent import HOLDS_S, PERIOD_S, ask_rarely


def test_checks_become_rare_and_consent_holds_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "CONSENT_INTERVAL", ice.CONSENT_INTERVAL)
    monkeypatch.setattr(ice, "CONSENT_FAILURES", ice.CONSENT_FAILURES)
    ask_rarely()
    assert ice.CONSENT_INTERVAL == PERIOD_S
    assert ice.CONSENT_INTERVAL * ice.CONSENT_FAILURES <= HOLDS_S


def test_aioice_still_reads_both_numbers() -> None:
    source = inspect.getsource(ice.Connection)
    assert "CONSENT_INTERVAL" in source
    assert "CONSENT_FAILURES" in source
