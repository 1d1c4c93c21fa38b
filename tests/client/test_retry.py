import pytest
from grpc import StatusCode

from mutua.retry import AttemptOutcome, classify_failure, max_delay_seconds

FINAL, NOTHING_DONE, UNKNOWN = (
    AttemptOutcome.FINAL,
    AttemptOutcome.NOTHING_DONE,
    AttemptOutcome.UNKNOWN,
)


@pytest.mark.parametrize(
    ("code", "reason", "write", "read"),
    [
        (StatusCode.UNAVAILABLE, "", UNKNOWN, NOTHING_DONE),
        (StatusCode.UNAVAILABLE, "LOG_DOWN", NOTHING_DONE, NOTHING_DONE),
        (StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN", UNKNOWN, NOTHING_DONE),
        (StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", NOTHING_DONE, FINAL),
        (StatusCode.RESOURCE_EXHAUSTED, "", FINAL, FINAL),
        (StatusCode.DEADLINE_EXCEEDED, "", UNKNOWN, FINAL),
        (StatusCode.DEADLINE_EXCEEDED, "POSITION_NOT_REACHED", UNKNOWN, FINAL),
        (StatusCode.CANCELLED, "", UNKNOWN, NOTHING_DONE),
        (StatusCode.INVALID_ARGUMENT, "INVALID_FACT", FINAL, FINAL),
        (StatusCode.FAILED_PRECONDITION, "LOG_FULL", FINAL, FINAL),
        (StatusCode.PERMISSION_DENIED, "NOT_ALLOWED", FINAL, FINAL),
        (StatusCode.UNIMPLEMENTED, "", FINAL, FINAL),
        (StatusCode.INTERNAL, "", FINAL, FINAL),
        (StatusCode.UNKNOWN, "", FINAL, FINAL),
    ],
)
def test_classify_failure_of_write_and_read(
    code: StatusCode, reason: str, write: AttemptOutcome, read: AttemptOutcome
) -> None:
    assert classify_failure(code, reason, is_write=True) is write
    assert classify_failure(code, reason, is_write=False) is read


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(0, 0.1), (1, 0.2), (2, 0.4), (4, 1.6), (5, 3.0), (10_000, 3.0)]
)
def test_delays_double_up_to_a_limit(attempt: int, seconds: float) -> None:
    assert max_delay_seconds(attempt) == pytest.approx(seconds)
