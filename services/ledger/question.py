"""Questions, who asks them, and the answers they get."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from services.ledger.allocation import MILLION
from services.ledger.errors import QuestionImpossible
from services.ledger.times import Day
from services.ledger.words import Allocation, Identity, Lens

Row = TypeVar("Row")

MANY_UNKNOWN: Final = "MANY_UNKNOWN"
MANY_UNKNOWN_SHARE: Final = 0.2
FEW_EXCHANGES: Final = 5
"""Under this many directed exchanges no share and no word is given."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Who asks, and so what they may see. In open mode everybody sees everything."""

    organization_id: str = ""
    sees_all: bool = True


ALL: Final = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one programme, by whom. The window is [from_day, to_day); None is open."""

    programme_id: str
    scope: Scope = ALL
    lens: Lens = Lens.COUNT
    allocation: Allocation = Allocation.SPLIT
    from_day: Day | None = None
    to_day: Day | None = None
    organization_ids: tuple[str, ...] = ()
    identity: Identity = Identity.AS_NOW
    as_of_day: Day = 0

    def places(self, first: Day) -> bool:
        """Whether a period that begins on day `first` lies in the window; its beginning decides."""
        return (self.from_day is None or first >= self.from_day) and (
            self.to_day is None or first < self.to_day
        )

    def cuts(self, first: Day, end: Day) -> bool:
        """Whether the period [first, end) lies partly in the window and partly outside."""
        from_day = first if self.from_day is None else self.from_day
        to_day = end if self.to_day is None else self.to_day
        inside = max(first, from_day) < min(end, to_day)
        return inside and (first < from_day or end > to_day)

    def require_totals(self) -> None:
        """Raises QuestionImpossible where an allocation has no organization totals."""
        if self.allocation is Allocation.FULL:
            raise QuestionImpossible(
                "allocation full lays the whole amount on every edge, so it has no totals; "
                "ask for split or once, or for pairs"
            )

    def require_edges(self) -> None:
        """Raises QuestionImpossible where an allocation has no edges."""
        if self.allocation is Allocation.ONCE:
            raise QuestionImpossible(
                "allocation once lays amounts on organizations, so there are no pairs; "
                "ask for split or full, or for balances"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an organization gave and received, in millionths; None is absent."""

    organization_id: str
    given: int | None = 0
    received: int | None = 0
    directed_count: int = 0
    exchange_count: int = 0
    given_unknown_count: int = 0
    received_unknown_count: int = 0
    joint_count: int = 0
    has_net: bool = True

    @property
    def net(self) -> int | None:
        if self.given is None or self.received is None or not self.has_net:
            return None
        return self.given - self.received

    @property
    def net_share(self) -> float | None:
        """net / (given + received); None without a net, an amount, or enough exchanges."""
        net = self.net
        total = (self.given or 0) + (self.received or 0)
        if net is None or total == 0 or self.directed_count < FEW_EXCHANGES:
            return None
        return net / total


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What two organizations gave each other, in millionths; the giver gave more."""

    giver_id: str
    receiver_id: str
    given: int
    received: int
    given_count: int
    received_count: int
    given_days: int
    received_days: int
    undated_count: int

    @property
    def direction_differs(self) -> bool:
        """The contact days point the other way than the lens."""
        return self.given_days < self.received_days and self.given > self.received


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much an answer rests on; counts of exchanges are of those that stand in the window."""

    roster_count: int = 0
    recorded_count: int = 0
    exchange_count: int = 0
    unknown_minutes_count: int = 0
    joint_count: int = 0
    straddling_count: int = 0


@dataclass(frozen=True, slots=True)
class Answer(Generic[Row]):
    """Rows sorted by id, what they rest on, and what to keep in mind."""

    rows: Sequence[Row]
    coverage: Coverage
    warnings: tuple[str, ...] = field(default=())


def warnings_for(question: Question, coverage: Coverage) -> tuple[str, ...]:
    """MANY_UNKNOWN when a lens of minutes rests on too few known ones."""
    directed = coverage.exchange_count - coverage.joint_count
    if (
        question.lens is not Lens.COUNT
        and coverage.unknown_minutes_count > MANY_UNKNOWN_SHARE * directed
    ):
        return (MANY_UNKNOWN,)
    return ()


def to_units(millionths: int) -> float:
    """Millionths as the double that stands on the wire."""
    return millionths / MILLION
