"""Pairings: organizations that the programme binds together, and the facts about them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import IntEnum
from typing import ClassVar, NamedTuple

from services.ledger.errors import Violation
from services.ledger.facts import Event, Fact, LoggedRecord
from services.ledger.identity import resolve
from services.ledger.state import AppliedVerdict, Journal, Ledger, Verdict
from services.ledger.times import Day, date_to_day
from services.ledger.validation import Violations, check_id


class PairingChoice(IntEnum):
    """Who brought the organizations of a pairing together; unspecified is unknown."""

    UNSPECIFIED = 0
    THEMSELVES = 1
    CENTRE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingFormed(Fact):
    """Two organizations are bound on [from_date, to_date); None is until it is ended."""

    FIELD: ClassVar = "pairing_formed"
    a: str
    b: str
    from_date: date | None
    to_date: date | None = None
    chosen_by: PairingChoice = PairingChoice.UNSPECIFIED


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingEnded(Fact):
    """Two organizations are no longer bound from `to_date` on."""

    FIELD: ClassVar = "pairing_ended"
    a: str
    b: str
    to_date: date | None


def check_pairing_formed(event: Event, fact: PairingFormed, violations: Violations) -> None:
    _check_organizations(fact.a, fact.b, "pairing_formed", violations)
    if fact.from_date is None:
        violations.append(Violation("pairing_formed.from_date", "is missing"))
    elif fact.to_date is not None and fact.to_date <= fact.from_date:
        violations.append(Violation("pairing_formed.to_date", "must be after from_date"))


def check_pairing_ended(event: Event, fact: PairingEnded, violations: Violations) -> None:
    _check_organizations(fact.a, fact.b, "pairing_ended", violations)
    if fact.to_date is None:
        violations.append(Violation("pairing_ended.to_date", "is missing"))


def _check_organizations(a: str, b: str, path: str, violations: Violations) -> None:
    check_id(a, f"{path}.a", violations)
    check_id(b, f"{path}.b", violations)
    if a and a == b:
        violations.append(Violation(f"{path}.b", "is the same organization as a"))


def accept_pairing_fact(
    ledger: Ledger, journal: Journal, logged: LoggedRecord, fact: Fact, at: int
) -> Verdict:
    """Always applies, because `find_pairings` relates the facts to each other."""
    return AppliedVerdict()


class PairingStatement(NamedTuple):
    """A fact about a pairing as stored; days are None where the fact has none.

    A statement without `from_day` ends a pairing on `to_day`.
    """

    a: str
    b: str
    from_day: Day | None
    to_day: Day | None
    chosen_by: PairingChoice
    event_id: str
    batch: str
    recorded_by: str


def make_statement(event: Event, fact: PairingFormed | PairingEnded) -> PairingStatement:
    from_date, chosen_by = None, PairingChoice.UNSPECIFIED
    if isinstance(fact, PairingFormed):
        from_date, chosen_by = fact.from_date, fact.chosen_by
    return PairingStatement(
        a=fact.a,
        b=fact.b,
        from_day=None if from_date is None else date_to_day(from_date),
        to_day=None if fact.to_date is None else date_to_day(fact.to_date),
        chosen_by=chosen_by,
        event_id=event.event_id,
        batch=event.source.batch,
        recorded_by=event.recorded_by,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Two organizations, a before b, bound on [from_day, to_day); None is without an end."""

    a: str
    b: str
    from_day: Day
    to_day: Day | None
    chosen_by: PairingChoice
    event_id: str
    batch: str
    recorded_by: str

    def is_bound_in(self, from_day: Day | None, to_day: Day | None) -> bool:
        """Whether the two are bound on a day of a window."""
        begins = to_day is None or self.from_day < to_day
        return begins and (self.to_day is None or from_day is None or self.to_day > from_day)


def find_pairings(
    statements: Iterable[PairingStatement], aliases: Mapping[str, str]
) -> list[Pairing]:
    """Returns the pairings after these statements, which are in log order, by a, b and from_day.

    Organizations are compared after aliases; a pairing of one with itself is left out, and so is
    one that ends on its first day.
    """
    # Organizations -> first day -> pairing, and the ends that come before what they end.
    pairings: dict[tuple[str, str], dict[Day, Pairing]] = {}
    early_ends: dict[tuple[str, str], list[Day]] = {}
    for each in statements:
        a, b = sorted((resolve(aliases, each.a), resolve(aliases, each.b)))
        formed = pairings.setdefault((a, b), {})
        ends = early_ends.setdefault((a, b), [])
        if each.from_day is not None:
            to_day = each.to_day
            if fitting := [end for end in ends if end >= each.from_day]:
                to_day = fitting[0]
                ends.remove(to_day)
            formed[each.from_day] = Pairing(
                a=a,
                b=b,
                from_day=each.from_day,
                to_day=to_day,
                chosen_by=each.chosen_by,
                event_id=each.event_id,
                batch=each.batch,
                recorded_by=each.recorded_by,
            )
        elif each.to_day is not None:
            starts = [
                start
                for start, pairing in formed.items()
                if start <= each.to_day and pairing.to_day != start
            ]
            if starts:
                formed[max(starts)] = replace(formed[max(starts)], to_day=each.to_day)
            else:
                ends.append(each.to_day)
    return [
        formed[start]
        for (a, b), formed in sorted(pairings.items())
        for start in sorted(formed)
        if a != b and formed[start].to_day != start
    ]
