"""Rows of exchanges that need no folding; `slab_rows` makes those of all others."""

from collections.abc import Sequence
from typing import Any, Final

from services.adapters.sql_store.dictionary import ProgrammeDictionary
from services.adapters.sql_store.tables import (
    ExchangeRow,
    FactRow,
    JointPartyRow,
    LegRow,
    ReadModelRow,
)
from services.ledger.allocation import Leg
from services.ledger.enums import Precision, RevisionState
from services.ledger.new_exchange import NewExchange
from services.ledger.times import DAY, find_period

Row = tuple[Any, ...]

_RECORDED: Final = int(RevisionState.RECORDED)
_DAY: Final = int(Precision.DAY)


# decision 0025: new exchanges take a fast path
def make_new_exchange_rows(
    dictionary: ProgrammeDictionary, new_exchanges: Sequence[tuple[NewExchange, list[Leg]]]
) -> dict[type[ReadModelRow], list[Row]]:
    """Makes the rows of new exchanges, in the order of the tables' columns.

    Raises KeyError when the dictionary lacks a number.
    """
    programme, party = dictionary.programme, dictionary.parties.numbers
    topic_set = dictionary.topic_sets.numbers
    facts: list[Row] = []
    exchanges: list[Row] = []
    legs: list[Row] = []
    joint: list[Row] = []
    for exchange, exchange_legs in new_exchanges:
        number, event_id = exchange.offset, exchange.event_id
        facts.append((programme, event_id, number, exchange.digest))
        for giver, receiver, *shares in exchange_legs:
            legs.append((programme, number, party[giver], party[receiver], *shares))
        if exchange.party_ids:
            joint += [(programme, number, party[member]) for member in exchange.party_ids]
        is_dated = exchange.occur_precision <= _DAY
        first_day = end_day = exchange.occur_time // DAY
        if is_dated:  # the common case
            end_day += 1
        else:
            _, end_day = find_period(exchange.occur_time, Precision(exchange.occur_precision))
        exchanges.append(
            (
                programme,
                number,
                0,
                event_id,
                event_id,
                number,
                None,
                exchange.record_time,
                exchange.report_time,
                _RECORDED,
                exchange.occur_time,
                first_day,
                end_day,
                is_dated,
                exchange.kind,
                exchange.formality,
                exchange.reported_by,
                topic_set[exchange.topics],
                party[exchange.recorded_by] if exchange.recorded_by else None,
                exchange.giver_minutes,
                exchange.receiver_minutes,
                exchange.benefit_minutes,
                bool(exchange.party_ids),
                exchange.visibility,
                exchange.recorded_by,
                exchange.batch,
                exchange.generation,
                exchange.value,
            )
        )
    return {FactRow: facts, ExchangeRow: exchanges, LegRow: legs, JointPartyRow: joint}
