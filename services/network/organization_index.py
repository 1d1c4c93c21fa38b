"""Numbers of organizations under an identity, and the organization of every recorded id."""

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
from services.ledger.times import DAY, date_to_day
from services.network.column_table import Flags, Ints
from services.network.columns import Columns

_NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationIndex:
    """Organizations numbered from 1 in order of appearance; 0 is nobody."""

    numbers: Mapping[str, int]
    ids: NDArray[Any]
    """By number."""
    rank: Ints
    """By number, the place of its id in ascending order of code points."""
    organization: Ints
    """By party, the number of its organization."""
    is_alias: Flags
    """By party, whether its recorded id is not that of its organization."""
    roster: Mapping[str, list[Organization]]
    member: Ints
    """Numbers of registered organizations but boundary ones, with their days in force."""
    open_day: Ints
    close_day: Ints
    is_unbound: Flags
    """By number, whether it is unregistered and spelled like a registered organization."""
    sources: tuple[int, Mapping[str, Organization], Mapping[str, str]]
    """Number of parties, organizations and aliases that this index was built from."""

    def extend(self, columns: Columns, aliases: Mapping[str, str]) -> "OrganizationIndex":
        """Returns an index of all parties and organizations of columns under the same aliases."""
        sources = (len(columns.ids), columns.organizations, columns.aliases)
        if sources[0] == self.sources[0] and all(
            one is other for one, other in zip(sources[1:], self.sources[1:], strict=True)
        ):
            return self
        numbers = dict(self.numbers)
        organization_ids = [resolve(aliases, recorded_id) for recorded_id in columns.ids]
        roster: dict[str, list[Organization]] = {}
        for organization in columns.organizations.values():
            name = resolve(aliases, organization.organization_id)
            roster.setdefault(name, []).append(organization)
        for name in (*organization_ids, *roster):
            numbers.setdefault(name, len(numbers))
        rank = np.empty(len(numbers), dtype=np.intp)
        rank[[numbers[name] for name in sorted(numbers)]] = np.arange(len(numbers))
        members = [
            (numbers[name], *_days_in_force(organization))
            for name, organizations in roster.items()
            for organization in organizations
            if organization.role != BOUNDARY_ROLE
        ]
        unbound_ids = find_unbound_names(columns.organizations.values(), columns.aliases, numbers)
        is_unbound = [name in unbound_ids for name in numbers]
        member, open_day, close_day = np.array(members, dtype=np.int64).reshape(-1, 3).T
        return OrganizationIndex(
            numbers=numbers,
            ids=np.array(list(numbers), dtype=object),
            rank=rank,
            organization=np.array([numbers[name] for name in organization_ids], dtype=np.intp),
            is_alias=np.array(
                [recorded_id in aliases for recorded_id in columns.ids], dtype=np.bool_
            ),
            roster=roster,
            member=member,
            open_day=open_day,
            close_day=close_day,
            is_unbound=np.array(is_unbound, dtype=np.bool_),
            sources=sources,
        )

    def find_in_force(self, question: Question) -> Flags:
        """Returns by number the roster in force on a day of the window."""
        in_force = self.open_day < self.close_day
        if question.to_day is not None:
            in_force &= self.open_day < question.to_day
        if question.from_day is not None:
            in_force &= self.close_day > question.from_day
        return self.make_flags(self.member[in_force])

    def find_close_instants(self) -> Ints:
        """Returns by number when an organization closed, in microseconds; the largest is never.

        An organization that is registered more than once closed with the last of them.
        """
        close_day = np.full(len(self.numbers), -_NEVER)
        np.maximum.at(close_day, self.member, self.close_day)
        return np.where(np.abs(close_day) == _NEVER, _NEVER, close_day * DAY)

    def make_flags(self, numbers: Any) -> Flags:
        """Returns flags by number, set for these numbers."""
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
