"""Calls within a machine that has no network: aioice offers no loopback addresses by itself.

A laptop in a train should still run the demo. Where there is any other address nothing changes:
browsers do not offer loopback either. This file wraps one function of aioice.
"""

from __future__ import annotations

from aioice import ice

_addresses = ice.get_host_addresses


def _addresses_or_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    found = _addresses(use_ipv4, use_ipv6)
    if found or not use_ipv4:
        return found
    return ["127.0.0.1"]


def allow_loopback() -> None:
    """Let connections made from now on use the loopback address where there is no other."""
    ice.get_host_addresses = _addresses_or_loopback
