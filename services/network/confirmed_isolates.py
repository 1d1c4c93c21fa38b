"""Isolates that said so: they had nothing to report in every month of the window."""

from collections.abc import Iterable, Sequence

from services.ledger.identity import resolve
from services.ledger.organization import Organization
from services.ledger.question import Question
from services.ledger.times import Month, date_to_day, first_day_of, month_of
from services.network.identity_view import IdentityView


def find_confirmed_isolates(
    view: IdentityView,
    question: Question,
    isolates: Sequence[str],
    reports: Iterable[tuple[str, Month]],
) -> tuple[str, ...]:
    """The isolates with a report of nothing for every month of the window.

    `reports` are recorded ids with months. The window has the months that are over on the day of
    the question, at the earliest from the first exchange of the programme on, as far as the
    organization was open. Nobody is confirmed in a window without such a month.
    """
    reported_months: dict[str, set[Month]] = {}
    for recorded_id, month in reports:
        reported_months.setdefault(resolve(view.aliases, recorded_id), set()).add(month)
    return tuple(
        name
        for name in isolates
        if (months := _list_months(view, question, view.roster.get(name, ())))
        and reported_months.get(name, set()).issuperset(months)
    )


def _list_months(view: IdentityView, question: Question, records: Sequence[Organization]) -> range:
    """The months of the window, cut to the days on which an organization was open."""
    starts, ends = [], [first_day_of(month_of(question.as_of_day + 1))]
    if question.from_day is not None:
        starts.append(question.from_day)
    elif len(view.columns.is_standing):
        starts.append(view.columns.day_range[0])
    if question.to_day is not None:
        ends.append(question.to_day)
    opened = [record.open_date for record in records if record.open_date]
    if opened and len(opened) == len(records):
        starts.append(date_to_day(min(opened)))
    closed = [record.close_date for record in records if record.close_date]
    if closed and len(closed) == len(records):
        ends.append(date_to_day(max(closed)))
    start, end = max(starts, default=0), min(ends)
    return range(month_of(start), month_of(end - 1) + 1) if starts and start < end else range(0)
