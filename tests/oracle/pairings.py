"""The oracle's pairings, by a scan of all earlier facts; written independently of the product."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mutua.v1.types_pb2 import Date
from tests.oracle.fold import OracleLedger

OraclePairing = tuple[str, str, date, date | None, int]
"""Both organizations, first day, first day after, choice."""


@dataclass(slots=True)
class _Row:
    organizations: tuple[str, ...]
    start: date
    end: date | None
    choice: int


def list_pairings(ledger: OracleLedger) -> list[OraclePairing]:
    rows: list[_Row] = []
    unused_ends: list[tuple[tuple[str, ...], date]] = []
    for event in ledger.pairing_facts:
        is_end = event.HasField("pairing_ended")
        fact = event.pairing_ended if is_end else event.pairing_formed
        organizations = tuple(sorted(ledger.resolve(each) for each in (fact.a, fact.b)))
        end = _day(fact.to_date) if fact.HasField("to_date") else None
        if is_end:
            assert end is not None
            open_rows = [
                row
                for row in rows
                if row.organizations == organizations and row.start <= end and row.end != row.start
            ]
            if open_rows:
                max(open_rows, key=lambda row: row.start).end = end
            else:
                unused_ends.append((organizations, end))
            continue
        start = _day(event.pairing_formed.from_date)
        rows = [row for row in rows if (row.organizations, row.start) != (organizations, start)]
        for waiting in unused_ends:
            if waiting[0] == organizations and waiting[1] >= start:
                end = waiting[1]
                unused_ends.remove(waiting)
                break
        rows.append(_Row(organizations, start, end, event.pairing_formed.chosen_by))
    return sorted(
        (
            (row.organizations[0], row.organizations[-1], row.start, row.end, row.choice)
            for row in rows
            if row.start != row.end and row.organizations[0] != row.organizations[-1]
        ),
        key=lambda row: row[:3],
    )


def _day(day: Date) -> date:
    return date(day.year, day.month, day.day)
