"""One error base; its children carry a reason of the contract and whether a retry helps."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field, and what to do. `field` is a path of the contract."""

    field: str
    description: str

    def prefix_field(self, prefix: str) -> "Violation":
        return Violation(f"{prefix}{self.field}", self.description)


class MutuaError(Exception):
    """Everything mutua refuses or fails at, in words for the person who meets it."""

    code: ClassVar = "INTERNAL"
    reason: ClassVar = ""
    retry_seconds: ClassVar[float | None] = None

    def __init__(self, message: str, violations: tuple[Violation, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.violations = violations


class InvalidArgumentError(MutuaError):
    """The caller has to mend the request."""

    code = "INVALID_ARGUMENT"


class InvalidFactError(InvalidArgumentError):
    reason = "INVALID_FACT"


class MixedProgrammesError(InvalidArgumentError):
    reason = "MIXED_PROGRAMMES"


class RequestTooLargeError(InvalidArgumentError):
    reason = "REQUEST_TOO_LARGE"


class InvalidPageTokenError(InvalidArgumentError):
    reason = "PAGE_TOKEN_INVALID"


class InvalidPositionError(InvalidArgumentError):
    reason = "POSITION_INVALID"


class ImpossibleQuestionError(InvalidArgumentError):
    reason = "QUESTION_IMPOSSIBLE"


class UnimplementedError(MutuaError):
    """A filter the contract declares and this version does not answer; never ignored."""

    code = "UNIMPLEMENTED"


class NotFoundError(MutuaError):
    code = "NOT_FOUND"


class OverloadedError(MutuaError):
    """Nothing was appended; try again."""

    code = "RESOURCE_EXHAUSTED"
    reason = "OVERLOADED"
    retry_seconds = 0.5


class LogUnavailableError(MutuaError):
    """Nothing was appended; the log does not take facts at the moment."""

    code = "UNAVAILABLE"
    reason = "LOG_DOWN"
    retry_seconds = 1.0


class UnusableTopicError(LogUnavailableError):
    """Nothing was appended; the topic has to be made or mended first, as the message says."""


class OutcomeUnknownError(MutuaError):
    """Any part may be on the log; the identical request completes it."""

    code = "UNAVAILABLE"
    reason = "OUTCOME_UNKNOWN"
    retry_seconds = 0.5


class FailedPreconditionError(MutuaError):
    """Something outside the request has to change first."""

    code = "FAILED_PRECONDITION"


class LogFullError(FailedPreconditionError):
    """Nothing was appended; the disk has no room."""

    reason = "LOG_FULL"


class ForeignPositionError(FailedPreconditionError):
    reason = "POSITION_OF_ANOTHER_LOG"


class DataInUseError(FailedPreconditionError):
    reason = "DATA_IN_USE"


class ForeignDataError(FailedPreconditionError):
    """The data directory, or a part of it, is not what this mutua wrote."""

    reason = "DATA_FOREIGN"


class NewerSchemaError(FailedPreconditionError):
    """The data are of a newer mutua: those that are there, or those that were to be recorded."""

    reason = "SCHEMA_AHEAD"


class PositionNotReachedError(MutuaError):
    code = "DEADLINE_EXCEEDED"
    reason = "POSITION_NOT_REACHED"


class PermissionDeniedError(MutuaError):
    code = "PERMISSION_DENIED"
    reason = "NOT_ALLOWED"
