"""Questions, their scope, and the rows, coverage and warnings of answers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, NamedTuple, TypeVar

from services.ledger.allocation import MILLION
from services.ledger.enums import Allocation, Formality, Identity, Kind, Lens, Population
from services.ledger.errors import ImpossibleQuestionError
from services.ledger.organization import Organization, get_attribute
from services.ledger.times import Day

Row = TypeVar("Row")

MANY_UNKNOWN: Final = "MANY_UNKNOWN"
POSSIBLE_DOUBLE_REPORTS: Final = "POSSIBLE_DOUBLE_REPORTS"
"""Some exchanges may count twice, because two sides reported them; see `ledger.doubles`."""
TOPICS_OVERLAP: Final = "TOPICS_OVERLAP"
"""Figures by topic do not add up, because an exchange counts under each of its topics."""
UNBOUND_NAMES: Final = "UNBOUND_NAMES"
"""An unregistered party is spelled like a registered organization, so both count."""
NO_KNOWN_AMOUNT: Final = "NO_KNOWN_AMOUNT"
TOO_FEW_EXCHANGES: Final = "TOO_FEW_EXCHANGES"
NOT_BORNE: Final = "NOT_BORNE"
NOTHING_SEEN: Final = "NOTHING_SEEN"
NONE_OF_THESE: Final = "NONE_OF_THESE"
MANY_UNKNOWN_DIVISOR: Final = 5
"""Unknowns are many over one part in this many: over 20 %, or over 20 points apart."""
MIN_DIRECTED_EXCHANGES: Final = 5
"""Minimum number of directed exchanges for a share or a measure of concentration."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Who asks. In open mode every caller sees everything."""

    organization_id: str = ""


OPEN_SCOPE: Final = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The filters of a read in one programme. The window is [from_day, to_day); None is open.

    An exchange matches one of the kinds, one of the formalities and one of the topics; () is all.
    """

    programme_id: str
    scope: Scope = OPEN_SCOPE
    lens: Lens = Lens.COUNT
    allocation: Allocation = Allocation.SPLIT
    from_day: Day | None = None
    to_day: Day | None = None
    kinds: tuple[Kind, ...] = ()
    formalities: tuple[Formality, ...] = ()
    topics: tuple[str, ...] = ()
    organization_ids: tuple[str, ...] = ()
    identity: Identity = Identity.AS_NOW
    population: Population = Population.UNSPECIFIED
    where: tuple[tuple[str, str], ...] = ()
    """Attributes and values that organizations have; values of one attribute are alternatives."""
    as_of_day: Day = 0
    half_life_days: int | None = None
    """See `half_life`; None: amounts do not decay."""

    def has_attributes(self, organization: Organization) -> bool:
        """Whether an organization has the attributes of `where`."""
        accepted: dict[str, set[str]] = {}
        for attribute, value in self.where:
            accepted.setdefault(attribute, set()).add(value)
        return all(
            get_attribute(organization, attribute) in values
            for attribute, values in accepted.items()
        )

    def matches(self, kind: Kind, formality: Formality, topics: Collection[str]) -> bool:
        """Whether the filters match an exchange of this kind, formality and these topics."""
        return (
            (not self.kinds or kind in self.kinds)
            and (not self.formalities or formality in self.formalities)
            and (not self.topics or any(topic in self.topics for topic in topics))
        )

    @property
    def has_content_filters(self) -> bool:
        """Whether filters leave out exchanges of the window."""
        return bool(self.kinds or self.formalities or self.topics)

    def remove_content_filters(self) -> "Question":
        """Returns the same question without filters on kind, formality and topic."""
        return replace(self, kinds=(), formalities=(), topics=())

    def is_in_window(self, first: Day) -> bool:
        """Whether a period counts in the window, which its first day decides."""
        return (self.from_day is None or first >= self.from_day) and (
            self.to_day is None or first < self.to_day
        )

    def is_straddled_by(self, first: Day, end: Day) -> bool:
        """Whether the period [first, end) is partly in the window and partly outside."""
        from_day = first if self.from_day is None else self.from_day
        to_day = end if self.to_day is None else self.to_day
        inside = max(first, from_day) < min(end, to_day)
        return inside and (first < from_day or end > to_day)

    def require_totals(self) -> None:
        """Raises ImpossibleQuestionError when the allocation has no totals of organizations."""
        if self.allocation is Allocation.FULL:
            raise ImpossibleQuestionError(
                "allocation full lays the whole amount on every edge, so it has no totals",
                remedy="ask for split or once, or for pairs",
            )

    def require_split(self) -> None:
        """Raises ImpossibleQuestionError when edges do not add up to totals of organizations."""
        if self.allocation is not Allocation.SPLIT:
            raise ImpossibleQuestionError(
                "analyses need amounts that add up, which allocation "
                f"{self.allocation.name.lower()} does not have",
                remedy="ask for split",
            )

    def require_edges(self) -> None:
        """Raises ImpossibleQuestionError when the allocation has no edges."""
        if self.allocation is Allocation.ONCE:
            raise ImpossibleQuestionError(
                "allocation once lays amounts on organizations, so there are no pairs",
                remedy="ask for split or full, or for balances",
            )


class Balance(NamedTuple):
    """What an organization gave and received, in millionths; None is absent."""

    organization_id: str
    given: int | None = 0
    received: int | None = 0
    given_count: int = 0
    """Directed exchanges in which it gave; it receives in none of them."""
    received_count: int = 0
    given_unknown_count: int = 0
    received_unknown_count: int = 0
    joint_count: int = 0
    has_net: bool = True
    answer_is_vague: bool = False
    """Whether the answer of this row has the warning MANY_UNKNOWN."""
    isolate: bool = False
    """Whether it is in the population and party to no exchange of any kind in the window."""

    @property
    def directed_count(self) -> int:
        return self.given_count + self.received_count

    @property
    def exchange_count(self) -> int:
        return self.directed_count + self.joint_count

    @property
    def net(self) -> int | None:
        if self.given is None or self.received is None or not self.has_net:
            return None
        return self.given - self.received

    @property
    def net_share(self) -> float | None:
        """net / (given + received); None where `reasons` says why."""
        net, total = self.net, self._total
        return None if net is None or self.reasons else net / total

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why there is no net_share, then why there is no exchange; () where there is a share."""
        if not self.has_net:
            absent: tuple[str, ...] = (NOT_BORNE,)
        else:
            few = self.directed_count < MIN_DIRECTED_EXCHANGES
            vague = self.answer_is_vague or has_many_unknown(
                (self.given_count, self.given_unknown_count),
                (self.received_count, self.received_unknown_count),
            )
            absent = (
                (NO_KNOWN_AMOUNT,) * (self._total == 0)
                + (TOO_FEW_EXCHANGES,) * few
                + (MANY_UNKNOWN,) * vague
            )
        return absent + explain_no_exchange(self.exchange_count, isolate=self.isolate)

    @property
    def _total(self) -> int:
        return (self.given or 0) + (self.received or 0)


class Pair(NamedTuple):
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
    given_unknown_count: int = 0
    received_unknown_count: int = 0
    informants: int | None = None
    """How many of the two reported any of its exchanges, 1 or 2; None unless both gave."""
    p_value: float | None = None
    """This and what follows: see `measures.pair_evidence`; None outside the family."""
    q_value: float | None = None
    interval_low: float | None = None
    interval_high: float | None = None

    @property
    def contact_days(self) -> int:
        """Contact days in both directions; a day on which both gave counts twice."""
        return self.given_days + self.received_days

    @property
    def direction_differs(self) -> bool:
        """Whether contact days point the other way than the amounts."""
        return self.given_days < self.received_days and self.given > self.received

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why its reciprocity cannot be judged; () when it can."""
        vague = has_many_unknown(
            (self.given_count, self.given_unknown_count),
            (self.received_count, self.received_unknown_count),
        )
        return (MANY_UNKNOWN,) if vague else ()


class Edge(NamedTuple):
    """What one organization gave another; the weight in millionths."""

    giver_id: str
    receiver_id: str
    weight: int
    exchange_count: int
    unknown_count: int


class Node(NamedTuple):
    """An organization of the network; amounts in millionths, None where there are no totals."""

    organization_id: str
    given: int | None
    received: int | None
    exchange_count: int
    isolate: bool = False

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why there is no exchange; () when there is one."""
        return explain_no_exchange(self.exchange_count, isolate=self.isolate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much an answer rests on; exchanges are standing ones of the window.

    Internal exchanges are neither directed nor joint; see `identity.is_internal`.
    """

    roster_count: int = 0
    recorded_count: int = 0
    exchange_count: int = 0
    unknown_minutes_count: int = 0
    joint_count: int = 0
    straddling_count: int = 0
    internal_count: int = 0
    possible_double_count: int = 0
    straddling_counted_count: int = 0
    straddling_month_count: int = 0
    straddling_quarter_count: int = 0

    @property
    def directed_count(self) -> int:
        """Number of exchanges that enter measures of direction."""
        return self.exchange_count - self.joint_count - self.internal_count


@dataclass(frozen=True, slots=True)
class Answer(Generic[Row]):
    """Rows sorted by id, their coverage and warnings."""

    rows: Sequence[Row]
    coverage: Coverage
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Network(Answer[Edge]):
    """Edges by giver and receiver id, and nodes by id."""

    nodes: Sequence[Node] = ()


def has_many_unknown(given: tuple[Any, Any], received: tuple[Any, Any]) -> Any:
    """Whether too many minutes are unknown to compare two directions.

    Each direction is its number of exchanges, and how many of these have no known minutes: whole
    numbers, or arrays of them. Too many are over 20 % of both directions together, or shares that
    lie over 20 points apart.
    """
    (given_count, given_unknown), (received_count, received_unknown) = given, received
    unknown = (
        MANY_UNKNOWN_DIVISOR * (given_unknown + received_unknown) > given_count + received_count
    )
    # Shares of unknowns by cross-multiplication: a direction without exchanges has none.
    apart = abs(given_unknown * received_count - received_unknown * given_count)
    return unknown | (MANY_UNKNOWN_DIVISOR * apart > given_count * received_count)


def explain_no_exchange(exchange_count: int, *, isolate: bool) -> tuple[str, ...]:
    """Returns why an organization has no exchange in an answer; () when it has one.

    NONE_OF_THESE: it has exchanges, but they are internal or the question leaves them out.
    """
    if exchange_count:
        return ()
    return (NOTHING_SEEN,) if isolate else (NONE_OF_THESE,)


def find_warnings(
    question: Question, coverage: Coverage, *, topics_overlap: bool, has_unbound: bool
) -> tuple[str, ...]:
    """Returns the warnings of an answer, sorted.

    MANY_UNKNOWN when a lens of minutes rests on too few known ones; POSSIBLE_DOUBLE_REPORTS when
    two sides may have reported one exchange; TOPICS_OVERLAP when the question has topics and a
    counted exchange has several (`topics_overlap`); UNBOUND_NAMES when a party to a counted
    exchange is one of `spelling.find_unbound_names` (`has_unbound`).
    """
    many = MANY_UNKNOWN_DIVISOR * coverage.unknown_minutes_count > coverage.directed_count
    unknown = question.lens is not Lens.COUNT and many
    overlap = bool(question.topics) and topics_overlap
    applies = {
        MANY_UNKNOWN: unknown,
        POSSIBLE_DOUBLE_REPORTS: coverage.possible_double_count > 0,
        TOPICS_OVERLAP: overlap,
        UNBOUND_NAMES: has_unbound,
    }
    return tuple(warning for warning, is_so in applies.items() if is_so)


def to_units(millionths: int) -> float:
    """Returns millionths as the double of the contract."""
    return millionths / MILLION
