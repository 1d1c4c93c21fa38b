"""Pairs in which one side gave on more days than chance explains, and what was paid back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mutua.v1.analysis_service_pb2 import PairAsymmetry
from mutua.v1.query_service_pb2 import Pair
from services.report.text import Names

_NAMED: Final = 1
MAX_Q: Final = 0.05
"""Pairs up to this q are listed as one-sided: of them, at most this part is so by chance alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSidedPair:
    """One pair with evidence. `paid_back` is None when the two gave equally much."""

    giver: str
    receiver: str
    given: float
    received: float
    days_one_way: int
    contact_days: int
    p_value: float | None
    q_value: float | None
    interval: tuple[float, float] | None
    paid_back: float | None
    path: tuple[str, ...]
    """The organizations through which it came back."""
    remark: str

    @property
    def way(self) -> tuple[str, ...]:
        """The first of them, and how many others there are."""
        if len(self.path) <= _NAMED + 1:
            return self.path
        return (*self.path[:_NAMED], f"{len(self.path) - _NAMED} others")


@dataclass(frozen=True, slots=True)
class OneSidedPairs:
    """The most one-sided pairs, and how many have evidence.

    `family_count` pairs have enough contact days, `one_sided_count` of them a q of at most MAX_Q.
    """

    rows: tuple[OneSidedPair, ...]
    family_count: int
    one_sided_count: int
    pair_count: int


def list_one_sided_pairs(
    asymmetries: Sequence[PairAsymmetry], pairs: Sequence[Pair], names: Names
) -> OneSidedPairs:
    """The rows up to MAX_Q, in the order of the evidence; counts are over all pairs."""
    family = [pair.q_value for pair in pairs if pair.HasField("q_value")]
    return OneSidedPairs(
        tuple(_make_row(each, names) for each in asymmetries if each.q_value <= MAX_Q),
        len(family),
        sum(q <= MAX_Q for q in family),
        len(pairs),
    )


def _make_row(row: PairAsymmetry, names: Names) -> OneSidedPair:
    remarks = ["contact days point the other way"] if row.direction_differs else []
    remarks += ["many minutes are unknown"] if "MANY_UNKNOWN" in row.reasons else []
    has_interval = row.HasField("interval_low")
    return OneSidedPair(
        giver=names[row.giver_id],
        receiver=names[row.receiver_id],
        given=row.given,
        received=row.received,
        days_one_way=max(row.given_days, row.received_days),
        contact_days=row.contact_days,
        p_value=row.p_value if row.HasField("p_value") else None,
        q_value=row.q_value if row.HasField("q_value") else None,
        interval=(row.interval_low, row.interval_high) if has_interval else None,
        paid_back=row.paid_back.amount if row.HasField("paid_back") else None,
        path=tuple(names[each] for each in row.paid_back.path_ids[1:-1]),
        remark="; ".join(remarks),
    )
