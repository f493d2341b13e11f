"""The two ends of a call over WebRTC data channels; docs/architecture.md states the protocol."""

from shared.call_receiver import CallHandler, CallReceiver
from shared.call_sender import CallSender
from shared.link_stats import LinkStats

__all__ = ["CallHandler", "CallReceiver", "CallSender", "LinkStats"]
