"""The organizations that recorded ids mean under an identity, by number and by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.ledger.enums import BOUNDARY_ROLE
from services.ledger.identity import resolve
from services.ledger.organization import Organization
from services.ledger.question import Question
from services.ledger.spelling import find_unbound_names
from services.ledger.times import date_to_day
from services.network.column_table import Flags, Ints
from services.network.columns import Columns

_NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationIndex:
    """Organizations are numbered from 1 in order of appearance; 0 is nobody."""

    numbers: Mapping[str, int]
    ids: NDArray[Any]
    """By number."""
    rank: Ints
    """The place of each number's name in ascending order of code points."""
    organization: Ints
    """The number that each party means."""
    is_alias: Flags
    """By party, whether its recorded id is not that of its organization."""
    roster: Mapping[str, list[Organization]]
    member: Ints
    """The numbers of the registered, boundary ones aside, with the days they are in force."""
    open_day: Ints
    close_day: Ints
    is_unbound: Flags
    """By number, whether it is unregistered and spelled like a registered organization."""
    sources: tuple[int, Mapping[str, Organization], Mapping[str, str]]
    """How many parties, which organizations, and which aliases it knows."""

    def extend(self, columns: Columns, aliases: Mapping[str, str]) -> "OrganizationIndex":
        """With all parties and organizations of the columns, under the same aliases."""
        made_of = (len(columns.ids), columns.organizations, columns.aliases)
        if made_of[0] == self.sources[0] and all(
            one is other for one, other in zip(made_of[1:], self.sources[1:], strict=True)
        ):
            return self
        numbers = dict(self.numbers)
        mapped = [resolve(aliases, recorded) for recorded in columns.ids]
        roster: dict[str, list[Organization]] = {}
        for organization in columns.organizations.values():
            name = resolve(aliases, organization.organization_id)
            roster.setdefault(name, []).append(organization)
        for name in (*mapped, *roster):
            numbers.setdefault(name, len(numbers))
        rank = np.empty(len(numbers), dtype=np.intp)
        rank[[numbers[name] for name in sorted(numbers)]] = np.arange(len(numbers))
        members = [
            (numbers[name], *_days_in_force(organization))
            for name, organizations in roster.items()
            for organization in organizations
            if organization.role != BOUNDARY_ROLE
        ]
        unbound = find_unbound_names(columns.organizations.values(), columns.aliases, numbers)
        is_unbound = [name in unbound for name in numbers]
        member, open_day, close_day = np.array(members, dtype=np.int64).reshape(-1, 3).T
        return OrganizationIndex(
            numbers=numbers,
            ids=np.array(list(numbers), dtype=object),
            rank=rank,
            organization=np.array([numbers[name] for name in mapped], dtype=np.intp),
            is_alias=np.array([recorded in aliases for recorded in columns.ids], dtype=np.bool_),
            roster=roster,
            member=member,
            open_day=open_day,
            close_day=close_day,
            is_unbound=np.array(is_unbound, dtype=np.bool_),
            sources=made_of,
        )

    def find_in_force(self, question: Question) -> Flags:
        """By number, who of the roster is in force on a day of the window."""
        in_force = self.open_day < self.close_day
        if question.to_day is not None:
            in_force &= self.open_day < question.to_day
        if question.from_day is not None:
            in_force &= self.close_day > question.from_day
        return self.make_flags(self.member[in_force])

    def make_flags(self, numbers: Any) -> Flags:
        """By number, whether it is one of these."""
        flags = np.zeros(len(self.numbers), dtype=np.bool_)
        flags[numbers] = True
        return flags


def _days_in_force(organization: Organization) -> tuple[int, int]:
    opened, closed = organization.open_date, organization.close_date
    return (
        -_NEVER if opened is None else date_to_day(opened),
        _NEVER if closed is None else date_to_day(closed),
    )


EMPTY_INDEX: Final = OrganizationIndex(
    numbers={"": 0},
    ids=np.array([""], dtype=object),
    rank=np.zeros(1, dtype=np.intp),
    organization=np.empty(0, dtype=np.intp),
    is_alias=np.empty(0, dtype=np.bool_),
    roster={},
    member=np.empty(0, dtype=np.int64),
    open_day=np.empty(0, dtype=np.int64),
    close_day=np.empty(0, dtype=np.int64),
    is_unbound=np.zeros(1, dtype=np.bool_),
    sources=(0, {}, {}),
)
