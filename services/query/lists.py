"""The rows of lists that are not flows: exchanges with their revisions, organizations."""

from collections import defaultdict

import numpy as np

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import from_organization
from services.adapters.wire.values import tidy
from services.ledger.errors import QuestionImpossible, Violation
from services.ledger.identity import resolve
from services.ledger.organization import Organization
from services.ledger.ports import ExchangeFilter
from services.ledger.question import Question
from services.ledger.times import Day
from services.network.frame import Frame
from services.query.paging import MAX_SIZE


def exchange_filter(
    frame: Frame, question: Question, request: pb.ListExchangesRequest
) -> ExchangeFilter:
    """Which exchanges are asked for; an organization finds those under its aliases too.

    Raises QuestionImpossible for more exchange ids than one page holds.
    """
    if len(request.exchange_ids) > MAX_SIZE:
        limit = f"has {len(request.exchange_ids):,} ids; at most {MAX_SIZE:,}"
        raise QuestionImpossible(f"exchange_ids {limit}", (Violation("exchange_ids", limit),))
    chosen = frame.chosen(question)
    under_alias = {each for each in frame.columns.ids if resolve(frame.aliases, each) in chosen}
    return ExchangeFilter(
        from_day=question.from_day,
        to_day=question.to_day,
        parties=tuple(sorted(under_alias)) if chosen else None,
        batch=tidy(request.batch),
        exchange_ids=tuple(each.strip().lower() for each in request.exchange_ids),
    )


def organizations(frame: Frame, question: Question) -> list[pb.Organization]:
    """The roster and every other party of a standing exchange of the window, by id."""
    days = _days(frame, question)
    chosen = frame.chosen(question)
    aliases = defaultdict(list)
    for alias in sorted(frame.columns.aliases):
        aliases[resolve(frame.columns.aliases, alias)].append(alias)
    rows = []
    for name in frame.names:
        known = frame.roster.get(name)
        if (known is None and name not in days) or (chosen and name not in chosen):
            continue
        first_day, last_day = days.get(name, (None, None))
        rows.append(
            from_organization(
                known[-1] if known else Organization(organization_id=name),
                registered=known is not None,
                aliases=aliases[name],
                first_day=first_day,
                last_day=last_day,
            )
        )
    return rows


def organization_count(frame: Frame, question: Question) -> int:
    """How many organizations are registered or named in a standing exchange."""
    return len({*frame.roster, *_days(frame, question)})


def _days(frame: Frame, question: Question) -> dict[str, tuple[Day, Day]]:
    """First and last day with an exchange, of each party of the window."""
    parties = frame.parties
    kept = frame.inside(question)[parties.exchange]
    organization = parties.organization[kept]
    day = frame.columns.exchanges.first_day[parties.exchange[kept]]
    first = np.full(frame.size, np.iinfo(np.int64).max)
    last = np.full(frame.size, np.iinfo(np.int64).min)
    np.minimum.at(first, organization, day)
    np.maximum.at(last, organization, day)
    return {
        frame.names[index]: (int(first[index]), int(last[index]))
        for index in np.unique(organization).tolist()
    }
