"""Reporters of exchanges: the recorder where it is a party, and the side that reported.

That side is the named one, else the one that the recorder is on. All of its organizations count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from services.ledger.enums import Side
from services.network.column_table import ColumnTable, Flags, Ints
from services.network.columns import BLOCK_ROWS, Columns
from services.network.ties import ExchangeMembers


class PartyRecorders(ColumnTable):
    """One row per exchange: the party that recorded it, 0 when no party did; the sides that report.

    `sides` has GIVER_SIDE or RECEIVER_SIDE where that side reports with all its organizations.
    """

    TYPES: ClassVar = {"organization": np.intp, "sides": np.uint8}
    organization: Ints
    sides: Ints


GIVER_SIDE: Final = 1
RECEIVER_SIDE: Final = 2


@dataclass(frozen=True, slots=True)
class Reporters:
    """The reporters of the first exchanges of some columns, under an identity."""

    recorders: PartyRecorders
    other_reporters: ExchangeMembers
    """Organizations that reported together with, or instead of, the recorder."""
    is_reporter: Flags
    """By number, the organizations in either."""

    @property
    def nbytes(self) -> int:
        return self.recorders.nbytes + self.other_reporters.nbytes

    def extend(self, columns: Columns, organization: Ints) -> "Reporters":
        """Returns the reporters of all exchanges; `organization` has that of each party."""
        begin = self.recorders.length
        exchanges = columns.exchanges
        recorder = exchanges.recorder[begin:]
        recorder_organization = (
            np.where(recorder >= 0, organization[recorder], 0) if len(organization) else recorder
        )
        legs = columns.legs
        new = slice(int(np.searchsorted(legs.exchange, begin)), None)
        of_leg, leads = legs.exchange[new] - begin, legs.leads[new]
        is_party = np.zeros(len(recorder_organization), dtype=np.bool_)
        sides = np.zeros(len(recorder_organization), dtype=np.uint8)
        reported_by, other_reporters = exchanges.reported_by[begin:], []
        for side, party, bit in (
            (Side.GIVER, legs.giver, GIVER_SIDE),
            (Side.RECEIVER, legs.receiver, RECEIVER_SIDE),
        ):
            member = organization[party[new]]
            recorded = np.zeros(len(recorder_organization), dtype=np.bool_)
            recorded[of_leg[member == recorder_organization[of_leg]]] = True
            is_party |= recorded
            reported = (reported_by == side) | ((reported_by == Side.UNSPECIFIED) & recorded)
            sides |= reported.astype(np.uint8) * np.uint8(bit)
            # The recorder itself is in `recorders`.
            other = reported[of_leg] & (leads & bit > 0) & (member != recorder_organization[of_leg])
            other_reporters.append((of_leg[other] + begin, member[other]))
        joint = slice(int(np.searchsorted(columns.joint.exchange, begin)), None)
        of_joint = columns.joint.exchange[joint] - begin
        member = organization[columns.joint.party[joint]]
        is_party[of_joint[member == recorder_organization[of_joint]]] = True
        itself = np.where(is_party, recorder_organization, 0)
        rows, members = map(np.concatenate, zip(*other_reporters, strict=True))
        reporters = np.zeros(organization.max(initial=0) + 1, dtype=np.bool_)
        reporters[np.flatnonzero(self.is_reporter)] = True
        reporters[itself] = reporters[members] = True
        return Reporters(
            self.recorders.extend(itself, sides),
            self.other_reporters.extend(rows, members),
            reporters,
        )

    def find_leg_reporters(
        self, exchange: Ints, giver: Ints, receiver: Ints
    ) -> tuple[Flags, Flags]:
        """Flags the legs whose giver, and those whose receiver, reported the exchange."""
        recorder, sides = self.recorders.organization[exchange], self.recorders.sides[exchange]
        return (
            (recorder == giver) | (sides & GIVER_SIDE > 0),
            (recorder == receiver) | (sides & RECEIVER_SIDE > 0),
        )

    def count_reporters(self, mask: Flags, candidates: Flags) -> int:
        """Returns how many of the candidates reported an exchange in a mask."""
        candidates = candidates.copy()
        candidates[: len(self.is_reporter)] &= self.is_reporter
        candidates[len(self.is_reporter) :] = False
        reported = np.zeros(len(candidates), dtype=np.bool_)
        for recorder_organization in self._iterate_reporters(mask):
            reported[recorder_organization] = True
            if reported[candidates].all():
                break
        return int(np.count_nonzero(reported & candidates))

    def _iterate_reporters(self, mask: Flags) -> Iterator[Ints]:
        """Yields reporters in blocks, because most organizations report often and appear soon."""
        recorders, other_reporters = self.recorders.organization, self.other_reporters
        for start in range(0, len(recorders), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            yield recorders[block][mask[block]]
        for start in range(0, other_reporters.length, BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            yield other_reporters.member[block][mask[other_reporters.exchange[block]]]


NO_REPORTERS: Final = Reporters(
    PartyRecorders.empty(), ExchangeMembers.empty(), np.zeros(0, dtype=np.bool_)
)
