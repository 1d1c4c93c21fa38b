"""How long a call may wait before it has to answer."""

from typing import Final

from services.adapters.grpc.server import Context, get_remaining_seconds

_REPLY_SECONDS: Final = 0.2
"""Reserved at the end of the caller's deadline, so that our error arrives before gRPC's own
DEADLINE_EXCEEDED, which names no reason."""


def limit_wait(context: Context, default_seconds: float) -> float:
    """Seconds until the call has to answer; `default_seconds` for a call without a deadline."""
    remaining = get_remaining_seconds(context)
    return default_seconds if remaining is None else max(0.0, remaining - _REPLY_SECONDS)
