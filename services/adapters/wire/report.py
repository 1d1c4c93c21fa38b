"""Facts about reports on the wire."""

from mutua.v1 import event_pb2 as pb
from services.adapters.wire.values import tidy, to_text
from services.ledger.report import (
    ExchangeConfirmed,
    ExchangeDisputed,
)


def tidy_statement(fact: pb.ExchangeConfirmed | pb.ExchangeDisputed) -> None:
    fact.exchange_id = fact.exchange_id.strip().lower()
    fact.party = tidy(fact.party)
    if fact.note.plain:
        fact.note.plain = tidy(fact.note.plain)


def sort_statement(fact: pb.ExchangeConfirmed | pb.ExchangeDisputed) -> None:
    """Has no sets."""


def to_exchange_confirmed(fact: pb.ExchangeConfirmed) -> ExchangeConfirmed:
    return ExchangeConfirmed(
        exchange_id=fact.exchange_id, party=fact.party, note=to_text(fact.note)
    )


def to_exchange_disputed(fact: pb.ExchangeDisputed) -> ExchangeDisputed:
    return ExchangeDisputed(exchange_id=fact.exchange_id, party=fact.party, note=to_text(fact.note))
