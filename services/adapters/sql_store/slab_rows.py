"""Rows of the tables from the changes of a programme."""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from services.adapters.sql_store.dictionary import ProgrammeDictionary
from services.adapters.sql_store.tables import (
    AliasRow,
    BatchRow,
    ExchangeRow,
    FactRow,
    JointPartyRow,
    LegRow,
    NothingToReportRow,
    OrganizationMonthRow,
    OrganizationVersionRow,
    PairingRow,
    PartyRow,
    ProgrammeConfigurationRow,
    ProgrammeRow,
    QuarantineRow,
    ReadModelRow,
    RetractedPartyRow,
    StatementRow,
    TopicRow,
    WaitingRow,
)
from services.ledger.allocation import Leg
from services.ledger.changes import ProgrammeChanges
from services.ledger.enums import Precision, RevisionState, Side
from services.ledger.exchange import Exchange
from services.ledger.facts import Event, Source
from services.ledger.monthly_sums import SUM_FIELDS as MONTH_FIELDS
from services.ledger.new_exchange import NewExchange
from services.ledger.nothing_to_report import NothingToReport, find_month
from services.ledger.pairing import PairingEnded, PairingFormed, make_statement
from services.ledger.programme import ProgrammeConfigured
from services.ledger.state import ExchangeHistory, Journal, Revision
from services.ledger.times import DAY, find_period

Row = tuple[Any, ...]

_RECORDED: Final = int(RevisionState.RECORDED)
_DAY: Final = int(Precision.DAY)


def _make_sums(table: str, names: Iterable[str]) -> str:
    return ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in names)


UPDATES: Final[Mapping[type[ReadModelRow], str]] = {
    ProgrammeRow: "last_offset = excluded.last_offset",
    OrganizationMonthRow: _make_sums("organization_month", MONTH_FIELDS),
    BatchRow: _make_sums("batch", [name for name in BatchRow.model_fields if "_count" in name])
    + "".join(
        f", {name} = CASE WHEN excluded.{name} {order} batch.{name} THEN excluded.{name} "
        f"ELSE batch.{name} END"
        for name, order in (("first_record_time", "<"), ("last_record_time", ">"))
    ),
}
"""Tables where a row may exist already, and how it is updated then."""
IS_EMPTY_MONTH: Final = " AND ".join(
    f"organization_month.{name} = 0"
    for name in ("given_exchange_count", "received_exchange_count", "joint_count")
)


# decision 0070: both databases share their SQL
def make_slab_rows(
    dictionary: ProgrammeDictionary, changes: ProgrammeChanges
) -> dict[type[ReadModelRow], list[Row]]:
    """Makes the rows that a slab adds, by table, in the order of the tables' columns.

    Rows of `organization_month` and `batch` are increments to existing rows.
    """
    if _has_new_names(dictionary, changes.journal):
        _assign_numbers(dictionary, changes)
    try:
        new_rows = _make_new_exchange_rows(dictionary, changes.new_exchanges)
    except KeyError:  # cheaper than a check of every name, because names are seldom new
        _assign_numbers(dictionary, changes)
        new_rows = _make_new_exchange_rows(dictionary, changes.new_exchanges)
    rows = _make_exchange_rows(dictionary, changes) | _make_fact_rows(
        dictionary.programme, changes.journal
    )
    for model, added in new_rows.items():
        rows[model] += added
    programme, party = dictionary.programme, dictionary.parties.numbers
    rows[OrganizationMonthRow] = [
        (programme, party[organization_id], month, *sums)
        for (organization_id, month), sums in changes.months.items()
        if any(sums)
    ]
    rows[BatchRow] = [
        (
            programme,
            name,
            generation,
            recorded_by,
            batch.client,
            batch.first_record_time,
            batch.last_record_time,
            batch.exchange_count,
            batch.retracted_count,
            batch.undone_count,
            batch.correction_count,
            batch.organization_count,
            batch.pairing_count,
        )
        for (name, generation, recorded_by), batch in changes.batches.items()
    ]
    rows[PartyRow] = [(programme, *named) for named in dictionary.parties.take_new()]
    rows[TopicRow] = [
        (programme, number, topic)
        for number, topics in dictionary.topic_sets.take_new()
        for topic in topics
    ]
    return rows


def _has_new_names(dictionary: ProgrammeDictionary, journal: Journal) -> bool:
    """Whether a folded exchange has a name without a number, perhaps in no row."""
    party, topic_set = dictionary.parties.numbers.keys(), dictionary.topic_sets.numbers
    return any(
        not party >= {*revision.exchange.list_party_ids()}
        or (revision.content_event.recorded_by and revision.content_event.recorded_by not in party)
        or revision.exchange.topics not in topic_set
        for _, revision in journal.revisions
    )


def _assign_numbers(dictionary: ProgrammeDictionary, changes: ProgrammeChanges) -> None:
    """Assigns numbers in log order, so they do not depend on the size of slabs."""
    exchanges: list[tuple[int, Exchange | NewExchange, str]] = [
        (exchange.offset, exchange, exchange.recorded_by) for exchange, _ in changes.new_exchanges
    ]
    if changes.journal.revisions:
        exchanges += [
            (revision.from_offset, revision.exchange, revision.content_event.recorded_by)
            for _, revision in changes.journal.revisions
        ]
        exchanges.sort(key=itemgetter(0))
    for _, exchange, recorder in exchanges:
        dictionary.parties.assign(exchange.giver_ids)
        dictionary.parties.assign(exchange.receiver_ids)
        dictionary.parties.assign(exchange.party_ids)
        if recorder:
            dictionary.parties.assign((recorder,))
        dictionary.topic_sets.assign((exchange.topics,))


def _make_exchange_rows(
    dictionary: ProgrammeDictionary, changes: ProgrammeChanges
) -> dict[type[ReadModelRow], list[Row]]:
    programme, party = dictionary.programme, dictionary.parties.numbers
    revisions = changes.journal.revisions
    return {
        ExchangeRow: [
            _make_revision_row(dictionary, history, revision) for history, revision in revisions
        ],
        LegRow: [
            (programme, history.number, party[leg.giver_id], party[leg.receiver_id], *leg[2:])
            for history, _, shared in changes.standing_exchanges
            for leg in shared
        ],
        JointPartyRow: [
            (programme, history.number, party[member])
            for history, revision, _ in changes.standing_exchanges
            for member in revision.exchange.party_ids
        ],
        RetractedPartyRow: [
            (programme, history.number, party[member], side)
            for history, revision in revisions
            if revision.state is RevisionState.RETRACTED
            for side, members in _list_sides(revision.exchange)
            for member in members
        ],
    }


def _list_sides(exchange: Exchange) -> tuple[tuple[Side, tuple[str, ...]], ...]:
    return (
        (Side.GIVER, exchange.giver_ids),
        (Side.RECEIVER, exchange.receiver_ids),
        (Side.UNSPECIFIED, exchange.party_ids),
    )


def _make_fact_rows(programme: int, journal: Journal) -> dict[type[ReadModelRow], list[Row]]:
    return {
        FactRow: [
            (programme, logged.event.event_id, logged.offset, logged.digest)
            for logged in journal.facts
            if logged.event is not None
        ],
        OrganizationVersionRow: [
            (
                programme,
                version.organization.organization_id,
                version.number,
                version.from_offset,
                version.event_id,
                version.value,
            )
            for version in journal.versions
        ],
        AliasRow: [
            (programme, alias, organization_id, from_offset)
            for alias, organization_id, from_offset in journal.aliases
        ],
        NothingToReportRow: [
            (
                programme,
                event.fact.organization_id,
                find_month(event),
                logged.offset,
                event.recorded_by,
            )
            for logged in journal.facts
            if (event := logged.event) and isinstance(event.fact, NothingToReport)
        ],
        PairingRow: [
            (programme, logged.offset, *make_statement(event, event.fact))
            for logged in journal.facts
            if (event := logged.event) and isinstance(event.fact, PairingFormed | PairingEnded)
        ],
        StatementRow: [
            (programme, exchange, *statement) for exchange, statement in journal.statements
        ],
        ProgrammeConfigurationRow: [
            (programme, logged.offset, event.event_id, logged.value)
            for logged in journal.facts
            if (event := logged.event) and isinstance(event.fact, ProgrammeConfigured)
        ],
        WaitingRow: [
            (programme, event_id, key, logged.offset, logged.record_time, logged.value)
            for event_id, (key, logged) in journal.waiting_changes.items()
            if key
        ],
        QuarantineRow: [
            (
                programme,
                offset,
                reason,
                detail,
                logged.event.event_id if logged.event is not None else "",
                logged.record_time,
                logged.value,
            )
            for offset, (reason, detail, logged) in journal.quarantine.items()
        ],
    }


# decision 0025: new exchanges take a fast path
def _make_new_exchange_rows(
    dictionary: ProgrammeDictionary, new_exchanges: Sequence[tuple[NewExchange, list[Leg]]]
) -> dict[type[ReadModelRow], list[Row]]:
    """Makes the rows of new exchanges. Raises KeyError when the dictionary lacks a number."""
    programme, party = dictionary.programme, dictionary.parties.numbers
    facts: list[Row] = []
    exchanges: list[Row] = []
    legs: list[Row] = []
    joint: list[Row] = []
    for new, new_legs in new_exchanges:
        number, event_id = new.offset, new.event_id
        facts.append((programme, event_id, number, new.digest))
        exchanges.append(
            _make_exchange_row(
                dictionary, number, 0, event_id, number, _RECORDED, new, new, new, new
            )
        )
        for giver, receiver, *shares in new_legs:
            legs.append((programme, number, party[giver], party[receiver], *shares))
        if new.party_ids:
            joint += [(programme, number, party[member]) for member in new.party_ids]
    return {FactRow: facts, ExchangeRow: exchanges, LegRow: legs, JointPartyRow: joint}


def _make_revision_row(
    dictionary: ProgrammeDictionary, history: ExchangeHistory, revision: Revision
) -> Row:
    return _make_exchange_row(
        dictionary,
        history.number,
        revision.number,
        history.exchange_id,
        revision.from_offset,
        revision.state,
        revision,
        revision.content_event,
        revision.exchange,
        history.revisions[0].source,
    )


def _make_exchange_row(
    dictionary: ProgrammeDictionary,
    number: int,
    revision_number: int,
    exchange_id: str,
    from_offset: int,
    state: int,
    revision: Revision | NewExchange,
    event: Event | NewExchange,
    exchange: Exchange | NewExchange,
    first_source: Source | NewExchange,
) -> Row:
    """Makes the row of a revision; a new exchange is revision, event, content and source in one."""
    occurred, recorder = event.occur_time, event.recorded_by
    assert occurred is not None
    first_day = end_day = occurred // DAY
    is_dated = event.occur_precision <= _DAY
    if is_dated:  # the common case
        end_day += 1
    else:
        _, end_day = find_period(occurred, Precision(event.occur_precision))
    return (
        dictionary.programme,
        number,
        revision_number,
        exchange_id,
        revision.event_id,
        from_offset,
        None,
        revision.record_time,
        event.report_time,
        state,
        occurred,
        first_day,
        end_day,
        is_dated,
        exchange.kind,
        exchange.formality,
        exchange.reported_by,
        dictionary.topic_sets.numbers[exchange.topics],
        dictionary.parties.numbers[recorder] if recorder else None,
        exchange.giver_minutes,
        exchange.receiver_minutes,
        exchange.benefit_minutes,
        bool(exchange.party_ids),
        event.visibility,
        revision.recorded_by,
        first_source.batch,
        first_source.generation,
        revision.value,
    )
