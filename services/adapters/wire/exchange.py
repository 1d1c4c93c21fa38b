"""Facts about exchanges on the wire."""

from collections.abc import MutableSequence
from typing import Final

from mutua.v1 import event_pb2 as pb
from mutua.v1 import types_pb2
from services.adapters.wire.values import (
    EnumNumbers,
    InvalidFieldError,
    sort_set,
    tidy,
    tidy_set,
    to_set,
    to_text,
)
from services.ledger.enums import Formality, Kind, Side
from services.ledger.exchange import (
    Exchange,
    ExchangeCorrected,
    ExchangeRecorded,
    ExchangeRetracted,
    Participants,
)
from services.ledger.facts import Text

_NAMES = ("asset_id", "network_id", "arose_from_id", "answers_request_id")
_NO_TEXT = Text()
KINDS: Final = EnumNumbers(Kind, "kind")
FORMALITIES: Final = EnumNumbers(Formality, "formality")
SIDES: Final = EnumNumbers(Side, "reported_by")


def tidy_exchange_recorded(fact: pb.ExchangeRecorded) -> None:
    _tidy_exchange(fact.exchange)


def sort_exchange_recorded(fact: pb.ExchangeRecorded) -> None:
    _order_exchange(fact.exchange)


def to_exchange_recorded(fact: pb.ExchangeRecorded) -> ExchangeRecorded:
    return ExchangeRecorded(exchange=_to_exchange(fact.exchange, "exchange_recorded.exchange."))


def tidy_exchange_corrected(fact: pb.ExchangeCorrected) -> None:
    fact.exchange_id = fact.exchange_id.strip().lower()
    fact.replaces_event_id = fact.replaces_event_id.strip().lower()
    _tidy_exchange(fact.exchange)


def sort_exchange_corrected(fact: pb.ExchangeCorrected) -> None:
    _order_exchange(fact.exchange)


def to_exchange_corrected(fact: pb.ExchangeCorrected) -> ExchangeCorrected:
    return ExchangeCorrected(
        exchange_id=fact.exchange_id,
        exchange=_to_exchange(fact.exchange, "exchange_corrected.exchange."),
        replaces_event_id=fact.replaces_event_id,
    )


def tidy_exchange_retracted(fact: pb.ExchangeRetracted) -> None:
    fact.exchange_id = fact.exchange_id.strip().lower()
    _tidy_text(fact.reason)


def sort_exchange_retracted(fact: pb.ExchangeRetracted) -> None:
    """Has no sets."""


def to_exchange_retracted(fact: pb.ExchangeRetracted) -> ExchangeRetracted:
    return ExchangeRetracted(exchange_id=fact.exchange_id, reason=to_text(fact.reason))


def _sets(content: pb.ExchangeContent) -> tuple[MutableSequence[str], ...]:
    return (
        content.giver_ids,
        content.receiver_ids,
        content.party_ids,
        content.topics,
        content.brokered_by_ids,
    )


def _tidy_exchange(content: pb.ExchangeContent) -> None:
    for ids in _sets(content):
        tidy_set(ids)
    for name in _NAMES:
        if value := getattr(content, name):
            setattr(content, name, tidy(value))
    if content.HasField("note"):
        _tidy_text(content.note)
    for group in content.participants:
        group.role_group = tidy(group.role_group)
        group.profession = tidy(group.profession)


def _order_exchange(content: pb.ExchangeContent) -> None:
    for ids in _sets(content):
        if len(ids) > 1:  # checked here, because most have one member and every fact passes
            sort_set(ids)
    if len(content.participants) > 1:
        content.participants.sort(key=lambda group: group.SerializeToString(deterministic=True))


def _tidy_text(text: types_pb2.Text) -> None:
    if text.plain:
        text.plain = tidy(text.plain)


def _to_exchange(content: pb.ExchangeContent, path: str) -> Exchange:
    """Returns the content in the order of the fields of `Exchange`."""
    has = content.HasField
    try:
        return Exchange(
            KINDS[content.kind],
            to_set(content.giver_ids, "giver_ids"),
            to_set(content.receiver_ids, "receiver_ids"),
            to_set(content.party_ids, "party_ids"),
            FORMALITIES[content.formality],
            to_set(content.topics, "topics"),
            content.giver_minutes if has("giver_minutes") else None,
            content.receiver_minutes if has("receiver_minutes") else None,
            content.benefit_minutes if has("benefit_minutes") else None,
            SIDES[content.reported_by],
            content.asset_id,
            content.network_id,
            to_set(content.brokered_by_ids, "brokered_by_ids"),
            content.arose_from_id,
            content.answers_request_id,
            to_text(content.note) if has("note") else _NO_TEXT,
            tuple(map(_to_participants, content.participants)) if content.participants else (),
        )
    except InvalidFieldError as error:
        raise error.prefix_field(path) from None


def _to_participants(group: pb.ParticipantGroup) -> Participants:
    return Participants(
        role_group=group.role_group,
        profession=group.profession,
        participant_count=group.participant_count,
    )
