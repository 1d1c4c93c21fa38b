"""Exchanges that needed no folding as rows; `rows` says the same of those that did."""

from collections.abc import Sequence
from typing import Any, Final

from services.adapters.sql_store.numbers import Dictionary
from services.adapters.tables import ExchangeRow, FactRow, JointPartyRow, LegRow, ReadModel
from services.ledger.allocation import Leg
from services.ledger.fresh import Fresh
from services.ledger.times import DAY, period_days
from services.ledger.words import Precision, State

Row = tuple[Any, ...]

_RECORDED: Final = int(State.RECORDED)


def fresh_rows(
    dictionary: Dictionary, fresh: Sequence[tuple[Fresh, list[Leg]]]
) -> dict[type[ReadModel], list[Row]]:
    """The rows of new exchanges, in the order of the tables' columns, all they name numbered."""
    programme, party = dictionary.programme, dictionary.party.numbers
    facts: list[Row] = []
    exchanges: list[Row] = []
    legs: list[Row] = []
    joint: list[Row] = []
    for each, shared in fresh:
        number = each.offset
        facts.append((programme, each.event_id, number, each.digest))
        legs += [(programme, number, party[leg[0]], party[leg[1]], *leg[2:]) for leg in shared]
        if each.party_ids:
            joint += [(programme, number, party[member]) for member in each.party_ids]
        exchanges.append(_exchange(dictionary, each))
    return {FactRow: facts, ExchangeRow: exchanges, LegRow: legs, JointPartyRow: joint}


def _exchange(dictionary: Dictionary, fresh: Fresh) -> Row:
    dated = fresh.occur_precision <= Precision.DAY
    if dated:  # which most are
        first_day = fresh.occur_time // DAY
        end_day = first_day + 1
    else:
        first_day, end_day = period_days(fresh.occur_time, Precision(fresh.occur_precision))
    return (
        dictionary.programme,
        fresh.offset,
        0,
        fresh.event_id,
        fresh.event_id,
        fresh.offset,
        None,
        fresh.record_time,
        fresh.report_time,
        _RECORDED,
        fresh.occur_time,
        first_day,
        end_day,
        1 if dated else 0,
        fresh.kind,
        fresh.formality,
        fresh.reported_by,
        dictionary.topic_set.numbers[fresh.topics],
        dictionary.party.numbers[fresh.recorded_by] if fresh.recorded_by else None,
        fresh.giver_minutes,
        fresh.receiver_minutes,
        fresh.benefit_minutes,
        1 if fresh.party_ids else 0,
        fresh.visibility,
        fresh.recorded_by,
        fresh.batch,
        fresh.generation,
        fresh.value,
    )
