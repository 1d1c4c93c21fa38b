"""The fast path of validation: recognizes new exchanges that are obviously valid.

Validating and serializing such an event takes 0.40 of the processor time of the full path
(2026-11-30, `tests/bench/README.md`). The rules themselves are in `ledger` alone: any event that is
not obviously valid takes the full path, and `tests/services/test_fast_path.py` holds the two
together.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1 import event_pb2 as pb
from mutua.v1 import types_pb2
from services.adapters.wire.event import PRECISIONS, VISIBILITIES
from services.adapters.wire.exchange import FORMALITIES, KINDS, SIDES
from services.adapters.wire.values import tidy
from services.ledger.enums import Precision
from services.ledger.exchange import MAX_LEGS, MAX_MINUTES, MAX_TOPICS, STAFF_KINDS
from services.ledger.times import DAY, SECOND, Instant, is_period_start
from services.ledger.validation import (
    EARLIEST_INSTANT,
    MAX_ITEMS,
    MAX_NOTE_LENGTH,
    NIL_UUID,
    UUID,
    Violations,
    check_id,
    check_label,
    check_programme,
    check_topic,
)

_CACHE_SIZE: Final = 100_000
"""Cached texts of each kind, because the same few organizations occur in most events."""
_KINDS: Final = frozenset(KINDS) - {0} - STAFF_KINDS
_UUID: Final = UUID.fullmatch
_EXACT: Final = Precision.EXACT


# decision 0025: new exchanges take a fast path
def count_plain_legs(message: pb.Event, now: Instant) -> int | None:
    """The number of legs of a plain new exchange; None if the event needs the full path.

    A plain exchange is valid at `now`, needs no tidying, and sets no field that the server sets.
    """
    if (
        message.WhichOneof("fact") != "exchange_recorded"
        or message.recorded_by
        or message.assurance
        or message.HasField("record_time")
        or message.visibility not in VISIBILITIES
        or not _is_programme(message.programme_id)
        or not _UUID(message.event_id)
        or message.event_id == NIL_UUID
        or not _has_plain_times(message, now)
        or (message.HasField("source") and not _is_plain_source(message.source))
    ):
        return None
    content = message.exchange_recorded.exchange
    if not _is_plain_content(content):
        return None
    givers, receivers = content.giver_ids, content.receiver_ids
    if len(givers) == 1 == len(receivers):
        giver, receiver = givers[0], receivers[0]
        if giver != receiver and _is_id(giver) and _is_id(receiver):
            return None if len(content.party_ids) else 1
        return None
    return _count_directed_legs(content) if len(givers) else _count_joint_legs(content)


def _has_plain_times(message: pb.Event, now: Instant) -> bool:
    precision = PRECISIONS.get(message.occur_precision)
    occurred = _instant(message.occur_time)  # 1970 if it is absent
    if precision is None or not EARLIEST_INSTANT <= occurred <= now + DAY:
        return False
    if precision is _EXACT:
        if not message.HasField("occur_time"):
            return False
    elif not _starts_period(occurred, precision) or not message.HasField("occur_time"):
        return False
    if not message.HasField("report_time"):
        return True
    reported = _instant(message.report_time)
    return occurred // DAY * DAY - DAY <= reported <= now + DAY


def _instant(time: Timestamp) -> Instant:
    """The time in microseconds; before EARLIEST_INSTANT if it is invalid or has nanoseconds."""
    seconds, nanos = time.seconds, time.nanos
    if not 0 <= nanos < 10**9 or nanos % 1000:
        return EARLIEST_INSTANT - 1
    return seconds * SECOND + nanos // 1000


def _is_plain_source(source: types_pb2.Source) -> bool:
    reference = source.reference
    return (
        source.generation >= 0
        and _is_label(source.client)
        and _is_label(source.batch)
        and (not reference or _is_label_uncached(reference))  # unique: not worth caching
    )


def _is_plain_content(content: pb.ExchangeContent) -> bool:
    if (
        content.kind not in _KINDS
        or content.formality not in FORMALITIES
        or content.reported_by not in SIDES
        or (len(content.participants) and not _are_plain_groups(content.participants))
        or not _is_id_or_none(content.asset_id)
        or not _is_id_or_none(content.network_id)
        or not _is_id_or_none(content.arose_from_id)
        or not _is_id_or_none(content.answers_request_id)
        or (content.HasField("note") and not _is_plain_note(content.note))
    ):
        return False
    topics, brokers = content.topics, content.brokered_by_ids
    if len(topics) and not _are_plain(topics, _is_topic, MAX_TOPICS):
        return False
    if len(brokers) and not _are_plain(brokers, _is_id, MAX_ITEMS):
        return False
    # Absent minutes are 0. Benefit may exceed the limit, and then takes the full path.
    return (
        0 <= content.giver_minutes <= MAX_MINUTES
        and 0 <= content.receiver_minutes <= MAX_MINUTES
        and 0 <= content.benefit_minutes <= MAX_MINUTES
    )


def _count_directed_legs(content: pb.ExchangeContent) -> int | None:
    givers, receivers = content.giver_ids, content.receiver_ids
    if len(content.party_ids) or not _are_plain(givers, _is_id, MAX_ITEMS):
        return None
    if not _are_plain(receivers, _is_id, MAX_ITEMS) or not set(givers).isdisjoint(receivers):
        return None
    legs = len(givers) * len(receivers)
    return legs if 0 < legs <= MAX_LEGS else None


def _count_joint_legs(content: pb.ExchangeContent) -> int | None:
    if (
        len(content.receiver_ids)
        or len(content.party_ids) < 2
        or not _are_plain(content.party_ids, _is_id, MAX_ITEMS)
        or content.HasField("receiver_minutes")
        or content.HasField("benefit_minutes")
    ):
        return None
    return 0


def _are_plain_groups(groups: Sequence[pb.ParticipantGroup]) -> bool:
    return (
        len(groups) == 1
        and groups[0].participant_count >= 1
        and _is_label(groups[0].role_group)
        and _is_label(groups[0].profession)
    )


def _is_plain_note(note: types_pb2.Text) -> bool:
    text = note.plain
    return (
        not note.sealed
        and len(text) <= MAX_NOTE_LENGTH
        and text.isprintable()
        and text == tidy(text)
    )


def _are_plain(values: Sequence[str], is_plain: Callable[[str], bool], limit: int) -> bool:
    """Whether a set is within the limit, has no duplicates, and every member is plain."""
    if len(values) == 1:
        return is_plain(values[0])
    members = values[:]
    if len(members) > limit or len(members) > len(set(members)):
        return False
    return all(map(is_plain, members))


@lru_cache(maxsize=1_000)
def _is_programme(text: str) -> bool:
    violations: Violations = []
    check_programme(text, violations)
    return not violations


@lru_cache(maxsize=_CACHE_SIZE)
def _is_id(text: str) -> bool:
    violations: Violations = []
    check_id(text, "", violations)
    return not violations and text == tidy(text)


@lru_cache(maxsize=_CACHE_SIZE)
def _is_id_or_none(text: str) -> bool:
    return not text or _is_id(text)


@lru_cache(maxsize=_CACHE_SIZE)
def _is_topic(text: str) -> bool:
    violations: Violations = []
    check_topic(text, "", violations)
    return not violations


def _is_label_uncached(text: str) -> bool:
    violations: Violations = []
    check_label(text, "", violations)
    return not violations and text == tidy(text)


_is_label = lru_cache(maxsize=_CACHE_SIZE)(_is_label_uncached)
_starts_period = lru_cache(maxsize=_CACHE_SIZE)(is_period_start)
