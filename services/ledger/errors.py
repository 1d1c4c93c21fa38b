"""Errors: one base class, one child for each reason of the contract."""

from dataclasses import dataclass
from typing import ClassVar, Self


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field of a request, and what to do. `field` is a contract path."""

    field: str
    description: str

    def prefix_field(self, prefix: str) -> "Violation":
        return Violation(f"{prefix}{self.field}", self.description)


class MutuaError(Exception):
    """Any refusal or failure of mutua, with a message for its user.

    `code` is the gRPC status. `reason` is the contract's UPPER_SNAKE reason, "" where it has none.
    `retry_seconds` is the delay after which the same request may succeed, None where it cannot.
    `message`, also str(), is `problem` and, after a semicolon, `remedy`, "" where there is none.
    """

    code: ClassVar = "INTERNAL"
    reason: ClassVar = ""
    retry_seconds: ClassVar[float | None] = None

    def __init__(
        self, problem: str, violations: tuple[Violation, ...] = (), *, remedy: str = ""
    ) -> None:
        self.message = f"{problem}; {remedy}" if remedy else problem
        super().__init__(self.message)
        self.problem = problem
        self.remedy = remedy
        self.violations = violations


class InvalidArgumentError(MutuaError):
    """The caller has to change the request."""

    code = "INVALID_ARGUMENT"

    @classmethod
    def for_field(cls, field: str, problem: str, remedy: str = "") -> Self:
        description = f"{problem}; {remedy}" if remedy else problem
        return cls(f"{field} {problem}", (Violation(field, description),), remedy=remedy)


class InvalidFactError(InvalidArgumentError):
    reason = "INVALID_FACT"


class MixedProgrammesError(InvalidArgumentError):
    reason = "MIXED_PROGRAMMES"


class RequestTooLargeError(InvalidArgumentError):
    reason = "REQUEST_TOO_LARGE"


class InvalidPageTokenError(InvalidArgumentError):
    reason = "PAGE_TOKEN_INVALID"


class InvalidResumeTokenError(InvalidArgumentError):
    reason = "RESUME_TOKEN_INVALID"


class InvalidPositionError(InvalidArgumentError):
    reason = "POSITION_INVALID"


class ImpossibleQuestionError(InvalidArgumentError):
    """The question has no answer, whatever is recorded."""

    reason = "QUESTION_IMPOSSIBLE"


class UnimplementedError(MutuaError):
    """The contract declares a filter that this version cannot apply; it never ignores one."""

    code = "UNIMPLEMENTED"


class NotFoundError(MutuaError):
    code = "NOT_FOUND"


class OverloadedError(MutuaError):
    """Nothing was done, because too much waits or is computed already; try again."""

    code = "RESOURCE_EXHAUSTED"
    reason = "OVERLOADED"
    retry_seconds = 0.5


class LogUnavailableError(MutuaError):
    """Nothing was appended, because the log accepts no facts at the moment."""

    code = "UNAVAILABLE"
    reason = "LOG_DOWN"
    retry_seconds = 1.0


class UnusableTopicError(LogUnavailableError):
    """Nothing was appended, because the Kafka topic is missing or its settings are wrong."""


class OutcomeUnknownError(MutuaError):
    """Any part may be on the log; the identical request completes it."""

    code = "UNAVAILABLE"
    reason = "OUTCOME_UNKNOWN"
    retry_seconds = 0.5


class FailedPreconditionError(MutuaError):
    """Something outside the request has to change first."""

    code = "FAILED_PRECONDITION"


class LogFullError(FailedPreconditionError):
    """Nothing was appended, because the disk is full."""

    reason = "LOG_FULL"


class ForeignPositionError(FailedPreconditionError):
    """The position belongs to another log."""

    reason = "POSITION_OF_ANOTHER_LOG"


class DataInUseError(FailedPreconditionError):
    """Another process has the data directory open."""

    reason = "DATA_IN_USE"


class ForeignDataError(FailedPreconditionError):
    """The data, or a part of them, were not written by this mutua."""

    reason = "DATA_FOREIGN"


class NewerSchemaError(FailedPreconditionError):
    """The data, stored or to be recorded, need a newer mutua."""

    reason = "SCHEMA_AHEAD"


class PositionNotReachedError(MutuaError):
    code = "DEADLINE_EXCEEDED"
    reason = "POSITION_NOT_REACHED"


class StoreBusyError(MutuaError):
    """Nothing was written, because the read models are locked, away or full; try again."""

    code = "UNAVAILABLE"


class FencedWriterError(FailedPreconditionError):
    """Another writer moved the read models, so this one has to stop."""


class SupersededReadModelsError(FencedWriterError):
    """Other read models are active now, so these are no longer written."""


class UnknownFactKindError(FailedPreconditionError):
    """A record has a fact of a newer kind, so the log can only be read up to it."""

    def __init__(self, kind: int, offset: int) -> None:
        super().__init__(
            f"fact kind {kind} at offset {offset} is newer than this mutua", remedy="upgrade it"
        )
