"""Who reported which exchange: its recorder, where that is a party, and the side that reported.

The side that reported is the one that is named, else the one that the recorder is on. All of its
organizations count as reporting.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from services.ledger.enums import Side
from services.network.column_table import ColumnTable, Flags, Ints
from services.network.columns import Columns
from services.network.ties import ExchangeMembers

_BLOCK: Final = 1 << 16


class PartyRecorders(ColumnTable):
    """One row an exchange: the organization that recorded it as a party to it; 0 is nobody."""

    TYPES: ClassVar = {"organization": np.intp}
    organization: Ints


@dataclass(frozen=True, slots=True)
class Reporters:
    """The reports of the first exchanges of some columns, seen through an identity."""

    recorders: PartyRecorders
    other_reporters: ExchangeMembers
    """Organizations that reported with, or instead of, the recorder."""
    is_reporter: Flags
    """By number of the organization, who is in either."""

    @property
    def nbytes(self) -> int:
        return self.recorders.nbytes + self.other_reporters.nbytes

    def extend(self, columns: Columns, organization: Ints) -> "Reporters":
        """Those of all exchanges; `organization` is that of each party."""
        begin = self.recorders.length
        exchanges = columns.exchanges
        recorder = exchanges.recorder[begin:]
        who = np.where(recorder >= 0, organization[recorder], 0) if len(organization) else recorder
        legs = columns.legs
        new = slice(int(np.searchsorted(legs.exchange, begin)), None)
        of_leg, leads = legs.exchange[new] - begin, legs.leads[new]
        is_party = np.zeros(len(who), dtype=np.bool_)
        reported_by, beside = exchanges.reported_by[begin:], []
        for side, party, bit in ((Side.GIVER, legs.giver, 1), (Side.RECEIVER, legs.receiver, 2)):
            member = organization[party[new]]
            recorded = np.zeros(len(who), dtype=np.bool_)
            recorded[of_leg[member == who[of_leg]]] = True
            is_party |= recorded
            reported = (reported_by == side) | ((reported_by == Side.UNSPECIFIED) & recorded)
            # The recorder itself has its place among the recorders.
            other = reported[of_leg] & (leads & bit > 0) & (member != who[of_leg])
            beside.append((of_leg[other] + begin, member[other]))
        joint = slice(int(np.searchsorted(columns.joint.exchange, begin)), None)
        of_joint = columns.joint.exchange[joint] - begin
        member = organization[columns.joint.party[joint]]
        is_party[of_joint[member == who[of_joint]]] = True
        itself = np.where(is_party, who, 0)
        rows, members = map(np.concatenate, zip(*beside, strict=True))
        reporters = np.zeros(organization.max(initial=0) + 1, dtype=np.bool_)
        reporters[np.flatnonzero(self.is_reporter)] = True
        reporters[itself] = reporters[members] = True
        return Reporters(
            self.recorders.extend(itself), self.other_reporters.extend(rows, members), reporters
        )

    def count_reporters(self, inside: Flags, wanted: Flags) -> int:
        """How many of the organizations wanted reported an exchange of the mask."""
        wanted = wanted.copy()
        wanted[: len(self.is_reporter)] &= self.is_reporter
        wanted[len(self.is_reporter) :] = False
        reported = np.zeros(len(wanted), dtype=np.bool_)
        for who in self._found(inside):
            reported[who] = True
            if reported[wanted].all():
                break
        return int(np.count_nonzero(reported & wanted))

    def _found(self, inside: Flags) -> Iterator[Ints]:
        """Who reported, block by block: most organizations report often, and are soon found."""
        recorders, beside = self.recorders.organization, self.other_reporters
        for start in range(0, len(recorders), _BLOCK):
            block = slice(start, start + _BLOCK)
            yield recorders[block][inside[block]]
        for start in range(0, beside.length, _BLOCK):
            block = slice(start, start + _BLOCK)
            yield beside.member[block][inside[beside.exchange[block]]]


NO_REPORTERS: Final = Reporters(
    PartyRecorders.empty(), ExchangeMembers.empty(), np.zeros(0, dtype=np.bool_)
)
