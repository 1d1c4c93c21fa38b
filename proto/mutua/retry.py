"""When a failed request is worth sending again, and when."""

from enum import Enum

from grpc import StatusCode


class AttemptOutcome(Enum):
    """What a failed attempt left behind. All but FINAL are worth the identical request again."""

    FINAL = "it would fail again"
    NOTHING_DONE = "nothing was appended"
    UNKNOWN = "facts may stand; the identical request counts them once"


def classify_failure(code: StatusCode, reason: str, *, is_write: bool) -> AttemptOutcome:
    """Decides by code and reason ("" when the error is not mutua's own).

    RESOURCE_EXHAUSTED without a reason is gRPC's own, a message too large: it would fail again.
    """
    if not is_write:
        # Cut off by a server that ended: another one answers.
        passing = code in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED)
        return AttemptOutcome.NOTHING_DONE if passing else AttemptOutcome.FINAL
    match code:
        case StatusCode.RESOURCE_EXHAUSTED if reason:
            return AttemptOutcome.NOTHING_DONE
        case StatusCode.UNAVAILABLE if reason == "LOG_DOWN":
            return AttemptOutcome.NOTHING_DONE
        case StatusCode.UNAVAILABLE | StatusCode.DEADLINE_EXCEEDED | StatusCode.CANCELLED:
            return AttemptOutcome.UNKNOWN
        case _:
            return AttemptOutcome.FINAL


def max_delay_seconds(attempt: int) -> float:
    """The upper end of the random delay after `attempt` (0 is the first): doubles up to 3 s.

    The delay is drawn from the whole of [0, this], so that clients that failed together do not
    return together.
    """
    return float(min(0.1 * 2.0 ** min(attempt, 10), 3.0))
