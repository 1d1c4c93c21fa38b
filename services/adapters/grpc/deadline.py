"""How long a call may wait before it has to answer."""

from typing import Final

from services.adapters.call_context import CallContext

_REPLY_SECONDS: Final = 0.2
"""Reserved at the end of the caller's deadline, so that our error arrives before gRPC's own
DEADLINE_EXCEEDED, which names no reason."""


def limit_wait(context: CallContext, default_seconds: float) -> float:
    """Seconds until the call has to answer; `default_seconds` for a call without a deadline."""
    remaining = context.time_remaining()
    return default_seconds if remaining is None else max(0.0, remaining - _REPLY_SECONDS)
