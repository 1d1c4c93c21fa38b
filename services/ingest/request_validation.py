"""Validates a request as a whole and serializes its events into records."""

from collections.abc import Collection, Iterable

from mutua.limits import MAX_REQUEST_EVENTS
from mutua.v1 import event_pb2 as pb
from mutua.v1 import ingest_service_pb2 as rpc
from mutua.v1 import types_pb2
from services.adapters.wire.event import sort_sets, tidy, to_event
from services.adapters.wire.values import InvalidFieldError
from services.ingest.fast_path import count_plain_legs
from services.ledger.errors import (
    InvalidFactError,
    MixedProgrammesError,
    NewerSchemaError,
    RequestTooLargeError,
    Violation,
)
from services.ledger.exchange import MAX_TOTAL_LEGS
from services.ledger.fact_registry import validate_fact
from services.ledger.question import Scope
from services.ledger.times import Instant
from services.ledger.validation import Violations, check_id


def to_records(
    request: rpc.RecordEventsRequest | rpc.RecordStreamRequest,
    *,
    scope: Scope,
    now: Instant,
    unsupported_fact_kinds: Collection[str] = (),
) -> tuple[str, list[bytes]]:
    """The programme of a request and its records; either every event is valid or none is returned.

    `unsupported_fact_kinds` are fields of Event that the read models cannot project yet. Raises
    RequestTooLargeError, MixedProgrammesError, InvalidFactError (which names every invalid field)
    or NewerSchemaError.
    """
    _check_size(request)
    violations: Violations = []
    if scope.organization_id:
        check_id(scope.organization_id, "metadata.mutua-organization", violations)
    legs = 0
    for index, event in enumerate(request.events):
        plain_legs = count_plain_legs(event, now)
        legs += _count_legs(event) if plain_legs is None else plain_legs
        if plain_legs is None:
            violations.extend(
                violation.prefix_field(f"events[{index}].") for violation in _check(event, now)
            )
    programmes = sorted({event.programme_id for event in request.events})
    if legs > MAX_TOTAL_LEGS:
        raise RequestTooLargeError(
            f"the request has {legs:,} pairs of a giver and a receiver",
            remedy=f"send at most {MAX_TOTAL_LEGS:,}",
        )
    if len(programmes) > 1:
        raise MixedProgrammesError(
            f"the request mixes programmes ({', '.join(programmes[:3])})",
            remedy="send one request for each",
        )
    if violations:
        raise InvalidFactError(_summarize(violations, len(request.events)), tuple(violations))
    if unsupported_fact_kinds:
        _require_supported_kinds(request.events, unsupported_fact_kinds)
    return programmes[0], [_serialize(event, scope) for event in request.events]


def _check_size(request: rpc.RecordEventsRequest | rpc.RecordStreamRequest) -> None:
    count = len(request.events)
    if count == 0:
        raise InvalidFactError(
            "the request has no events",
            (Violation("events", "is empty; send 1 to 1,000 events"),),
        )
    if count > MAX_REQUEST_EVENTS:
        raise RequestTooLargeError(
            f"the request has {count:,} events", remedy=f"send at most {MAX_REQUEST_EVENTS:,}"
        )


def _require_supported_kinds(
    events: Iterable[pb.Event], unsupported_fact_kinds: Collection[str]
) -> None:
    for index, event in enumerate(events):
        if (kind := event.WhichOneof("fact")) in unsupported_fact_kinds:
            raise NewerSchemaError(
                f"events[{index}].{kind} is of a kind that the read models do not know yet, and "
                "nothing was recorded",
                remedy="upgrade projectors and query first",
            )


def _check(message: pb.Event, now: Instant) -> list[Violation]:
    """Tidies the texts of an event and returns what is invalid in it."""
    try:
        # Sets are sorted later, so that field paths match the order in which the caller sent them.
        tidy(message)
        event = to_event(message)
    except InvalidFieldError as error:
        return list(error.violations)
    violations = validate_fact(event, now=now)
    if event.recorded_by:
        violations.append(
            Violation("recorded_by", "is set by the server from the call's mutua-organization")
        )
    if message.assurance:
        violations.append(Violation("assurance", "is set by the server; leave it out"))
    if event.record_time is not None:
        violations.append(Violation("record_time", "is set by the log; leave it out"))
    return violations


def _serialize(message: pb.Event, scope: Scope) -> bytes:
    sort_sets(message)
    message.recorded_by = scope.organization_id
    message.assurance = types_pb2.ASSURANCE_OPEN
    return message.SerializeToString(deterministic=True)


def _count_legs(message: pb.Event) -> int:
    recorded, corrected = message.exchange_recorded.exchange, message.exchange_corrected.exchange
    return len(recorded.giver_ids) * len(recorded.receiver_ids) + (
        len(corrected.giver_ids) * len(corrected.receiver_ids)
    )


def _summarize(violations: Violations, count: int) -> str:
    first = violations[0]
    more = f" (and {len(violations) - 1:,} more)" if len(violations) > 1 else ""
    facts = "the fact was" if count == 1 else f"none of the {count:,} facts was"
    return (
        f"{facts} {'not ' if count == 1 else ''}recorded: {first.field} {first.description}{more}"
    )
