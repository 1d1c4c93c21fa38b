"""Exchanges that needed no folding as rows; `rows` says the same of those that did."""

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
    dictionary: ProgrammeDictionary, fresh: Sequence[tuple[NewExchange, list[Leg]]]
) -> dict[type[ReadModelRow], list[Row]]:
    """The rows of new exchanges, in the order of the tables' columns, all they name numbered."""
    programme, party = dictionary.programme, dictionary.parties.numbers
    topic_set = dictionary.topic_sets.numbers
    facts: list[Row] = []
    exchanges: list[Row] = []
    legs: list[Row] = []
    joint: list[Row] = []
    for each, shared in fresh:
        number, event_id = each.offset, each.event_id
        facts.append((programme, event_id, number, each.digest))
        for giver, receiver, *shares in shared:
            legs.append((programme, number, party[giver], party[receiver], *shares))
        if each.party_ids:
            joint += [(programme, number, party[member]) for member in each.party_ids]
        dated = each.occur_precision <= _DAY
        first_day = end_day = each.occur_time // DAY
        if dated:  # which most are
            end_day += 1
        else:
            _, end_day = find_period(each.occur_time, Precision(each.occur_precision))
        exchanges.append(
            (
                programme,
                number,
                0,
                event_id,
                event_id,
                number,
                None,
                each.record_time,
                each.report_time,
                _RECORDED,
                each.occur_time,
                first_day,
                end_day,
                dated,
                each.kind,
                each.formality,
                each.reported_by,
                topic_set[each.topics],
                party[each.recorded_by] if each.recorded_by else None,
                each.giver_minutes,
                each.receiver_minutes,
                each.benefit_minutes,
                bool(each.party_ids),
                each.visibility,
                each.recorded_by,
                each.batch,
                each.generation,
                each.value,
            )
        )
    return {FactRow: facts, ExchangeRow: exchanges, LegRow: legs, JointPartyRow: joint}
