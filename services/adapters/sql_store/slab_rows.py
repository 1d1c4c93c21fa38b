"""Changes of a programme as rows of its tables."""

from operator import itemgetter
from typing import Any

from services.adapters.sql_store.dictionary import ProgrammeDictionary
from services.adapters.sql_store.new_exchange_rows import make_new_exchange_rows
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
    PartyRow,
    ProgrammeConfigurationRow,
    QuarantineRow,
    ReadModelRow,
    RetractedPartyRow,
    TopicRow,
    WaitingRow,
)
from services.ledger.changes import ProgrammeChanges
from services.ledger.enums import Precision, RevisionState, Side
from services.ledger.exchange import Exchange
from services.ledger.new_exchange import NewExchange
from services.ledger.nothing_to_report import NothingToReport, find_month
from services.ledger.programme import ProgrammeConfigured
from services.ledger.state import ExchangeHistory, Journal, Revision
from services.ledger.times import find_period

Row = tuple[Any, ...]


# decision 0070: both databases share their SQL
def make_slab_rows(
    dictionary: ProgrammeDictionary, changes: ProgrammeChanges
) -> dict[type[ReadModelRow], list[Row]]:
    """The rows that a slab adds, by table, each in the order of the table's columns.

    `organization_month` and `batch` hold differences, to be added to what is there.
    """
    if _names_new(dictionary, changes.journal):
        _number(dictionary, changes)
    try:
        fresh = make_new_exchange_rows(dictionary, changes.new_exchanges)
    except KeyError:  # cheaper than to look at all that they name, which is seldom new
        _number(dictionary, changes)
        fresh = make_new_exchange_rows(dictionary, changes.new_exchanges)
    rows = _of_exchanges(dictionary, changes) | _of_facts(dictionary.programme, changes.journal)
    for model, added in fresh.items():
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


def _names_new(dictionary: ProgrammeDictionary, journal: Journal) -> bool:
    """Whether an exchange that was folded names what has no number: it may do so in no row."""
    party, topic_set = dictionary.parties.numbers.keys(), dictionary.topic_sets.numbers
    return any(
        not party >= {*revision.exchange.list_party_ids()}
        or (revision.content_event.recorded_by and revision.content_event.recorded_by not in party)
        or revision.exchange.topics not in topic_set
        for _, revision in journal.revisions
    )


def _number(dictionary: ProgrammeDictionary, changes: ProgrammeChanges) -> None:
    """Gives numbers in log order, so that they do not depend on how the log was cut."""
    told: list[tuple[int, Exchange | NewExchange, str]] = [
        (each.offset, each, each.recorded_by) for each, _ in changes.new_exchanges
    ]
    if changes.journal.revisions:
        told += [
            (revision.from_offset, revision.exchange, revision.content_event.recorded_by)
            for _, revision in changes.journal.revisions
        ]
        told.sort(key=itemgetter(0))
    for _, exchange, recorder in told:
        dictionary.parties.assign(exchange.giver_ids)
        dictionary.parties.assign(exchange.receiver_ids)
        dictionary.parties.assign(exchange.party_ids)
        if recorder:
            dictionary.parties.assign((recorder,))
        dictionary.topic_sets.assign((exchange.topics,))


def _of_exchanges(
    dictionary: ProgrammeDictionary, changes: ProgrammeChanges
) -> dict[type[ReadModelRow], list[Row]]:
    programme, party = dictionary.programme, dictionary.parties.numbers
    revisions = changes.journal.revisions
    return {
        ExchangeRow: [_revision(dictionary, history, revision) for history, revision in revisions],
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
            for side, members in _sides(revision.exchange)
            for member in members
        ],
    }


def _sides(exchange: Exchange) -> tuple[tuple[Side, tuple[str, ...]], ...]:
    return (
        (Side.GIVER, exchange.giver_ids),
        (Side.RECEIVER, exchange.receiver_ids),
        (Side.UNSPECIFIED, exchange.party_ids),
    )


def _of_facts(programme: int, journal: Journal) -> dict[type[ReadModelRow], list[Row]]:
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
            (programme, alias, organization_id, logged.offset)
            for alias, organization_id, logged in journal.aliases
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


def _revision(dictionary: ProgrammeDictionary, history: ExchangeHistory, revision: Revision) -> Row:
    said, exchange, first = revision.content_event, revision.exchange, history.revisions[0].source
    assert said.occur_time is not None
    first_day, end_day = find_period(said.occur_time, said.occur_precision)
    return (
        dictionary.programme,
        history.number,
        revision.number,
        history.exchange_id,
        revision.event_id,
        revision.from_offset,
        None,
        revision.record_time,
        said.report_time,
        revision.state,
        said.occur_time,
        first_day,
        end_day,
        said.occur_precision in (Precision.EXACT, Precision.DAY),
        exchange.kind,
        exchange.formality,
        exchange.reported_by,
        dictionary.topic_sets.numbers[exchange.topics],
        dictionary.parties.numbers[said.recorded_by] if said.recorded_by else None,
        exchange.giver_minutes,
        exchange.receiver_minutes,
        exchange.benefit_minutes,
        bool(exchange.party_ids),
        said.visibility,
        revision.recorded_by,
        first.batch,
        first.generation,
        revision.value,
    )
