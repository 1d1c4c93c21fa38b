"""What analyses answer: frozen dataclasses whose fields have the names of the contract.

w_ij is what organization i gave organization j, in the lens of the question; W is the sum of all.
A measure that is undefined is None, and `reasons` says why where there is more than one cause.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from functools import cache, partial
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from mutua import frames
from mutua.enum_words import read_enum_word
from mutua.v1.query_service_pb2 import Coverage, Question
from mutua.v1.types_pb2 import Date

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class YardstickBand:
    """What chance would return: weighted reciprocity under a yardstick, over 200 draws."""

    expected: float
    """Spread: of the model. Shuffle: the mean of the draws. 0 to 1."""
    low: float
    """The 2.5th percentile of the draws."""
    high: float
    """The 97.5th percentile of the draws."""


@dataclass(frozen=True, slots=True)
class OneLeftOut:
    """Weighted reciprocity of all but one organization."""

    organization_id: str
    """Who is left out, with all its flow."""
    weighted_reciprocity: float
    """Of the rest, 0 to 1."""


@dataclass(frozen=True, slots=True)
class ReciprocityMeasures:
    """How mutual the exchange of one window is, next to the most possible and to chance.

    Sources: ties, D. Garlaschelli and M. Loffredo, Phys. Rev. Lett. 93:268701 (2004); weights,
    T. Squartini, F. Picciolo, F. Ruzzenenti and D. Garlaschelli, Sci. Rep. 3:2729 (2013).
    """

    report_view: str | None
    """Whose reports count: "union"."""
    from_date: date | None
    """First day of this part of a series; None without a series."""
    to_date: date | None
    """First day after that part."""
    organization_count: int
    """Organizations of the population, and of the subset that was asked for."""
    exchange_count: int
    """Directed exchanges among them."""
    total: float
    """W: exchanges, or known minutes, among them."""
    tie_count: int
    """L: ordered pairs with an exchange."""
    mutual_count: int
    """M: unordered pairs with ties in both directions."""
    asymmetric_count: int
    """A: unordered pairs with a tie in one direction."""
    null_count: int
    """Unordered pairs without a tie."""
    reciprocity: float | None
    """r = 2 M / (2 M + A), the part of ties that is returned, 0 to 1. None without ties."""
    expected_reciprocity: float | None
    """<r> if every organization keeps its numbers of ties: 2 sum_{i<j} p_ij p_ji / L, with p_ij of
    the directed binary configuration model, 0 to 1."""
    expected_reciprocity_deviation: float | None
    """Its standard deviation: 2 sqrt(sum_{i<j} u (1 - u)) / L, u = p_ij p_ji."""
    rho: float | None
    """(r - d) / (1 - d) with the density d = L / (N (N - 1)), at most 1; 0 is what density alone
    gives (Garlaschelli and Loffredo 2004)."""
    weighted_reciprocity: float | None
    """r_w = sum of min(w_ij, w_ji) over ordered pairs / W, the part of the flow that is returned
    between the same two, 0 to 1 (Squartini et al. 2013). None without flow."""
    two_way_share: float | None
    """The part of W in pairs where both gave, 0 to 1; two_way_share * evenness = r_w."""
    evenness: float | None
    """Of pairs where both gave, the part that is returned, 0 to 1. None if there is none."""
    ceiling: float | None
    """The most that r_w could be: sum over i of min(given, received) / W, 0 to 1."""
    interval_low: float | None
    """Lower end of r_w +- 1.96 standard errors over pairs: how far r_w depends on few pairs."""
    interval_high: float | None
    """Upper end of that interval."""
    lowest_without: OneLeftOut | None
    """The organization without which r_w is lowest."""
    highest_without: OneLeftOut | None
    """The organization without which r_w is highest."""
    expected_weighted_reciprocity: float | None
    """<r_w> of the spread yardstick, 0 to 1."""
    spread: YardstickBand | None
    """Spread: every organization gives and receives as much as it did, and all else is spread
    evenly (maximum entropy; Squartini et al. 2013). None where no model has these sums."""
    shuffled_weighted_reciprocity: float | None
    """<r_w> of the shuffle yardstick, 0 to 1."""
    shuffle: YardstickBand | None
    """Shuffle: givers keep their exchanges, and receivers are permuted. None where they cannot
    be."""
    rho_weighted: float | None
    """(r_w - <r_w>) / (1 - <r_w>) by the spread yardstick, at most 1 (Squartini et al. 2013)."""
    direct: float | None
    """The part of W that is returned between the same two: r_w. The four parts add up to 1."""
    circulating: float | None
    """The part of W that comes back through others: the maximum circulation of net flows / W."""
    relayed: float | None
    """The part of W that passes through: 1 - direct - circulating - one_way."""
    one_way: float | None
    """The sum over i of max(0, given - received) / W: 1 - ceiling."""
    gini_given: float | None
    """Gini coefficient of giving over these organizations, zeros included, 0 to 1."""
    gini_received: float | None
    """Gini coefficient of receiving."""
    verdict: str | None
    """"above-chance": r_w above the 97.5th percentile of both yardsticks; "below-chance": below the
    2.5th of both; else "depends-on-yardstick". None for `reasons`."""
    reasons: tuple[str, ...]
    """Why there is no verdict: MANY_UNKNOWN, TOO_FEW_ORGANIZATIONS (fewer than 5 gave and
    received), TOO_FEW_EXCHANGES (fewer than 30), NO_YARDSTICK."""
    spill_given: float
    """Exchanges, or known minutes, from these organizations to others; in no measure."""
    spill_received: float
    """Exchanges, or known minutes, from others to these organizations; in no measure."""
    metric_version: int
    """Version of these definitions: compare numbers of one version only."""


@dataclass(frozen=True, slots=True)
class GroupFlow:
    """What the organizations of one group gave those of another, or each other."""

    from_group: str
    """The value that the givers have."""
    to_group: str
    """The value that the receivers have."""
    weight: float
    """Exchanges, or known minutes."""


@dataclass(frozen=True, slots=True)
class LiftMeasures:
    """How the flow keeps to the groups of one attribute.

    E_ij = (given by i) * (received by j) for i other than j. Organizations whose value is unknown
    leave with their flow. The p-value is that of a permutation test (B. Phipson and G. Smyth,
    Stat. Appl. Genet. Mol. Biol. 9:39, 2010).
    """

    attribute: str
    """What makes groups, such as "core_system"."""
    group_count: int
    """Values that an organization of the population has."""
    organization_count: int
    """Organizations whose value is known."""
    unlabelled_count: int
    """Organizations whose value is unknown."""
    same_group_share: float | None
    """The part of W within groups, 0 to 1."""
    expected_share: float | None
    """The part of E within groups, 0 to 1: what totals suggest."""
    lift: float | None
    """same_group_share / expected_share, 0 upwards; over 1: more within groups than totals
    suggest. None where fewer than 3 groups have two organizations."""
    p_value: float | None
    """(1 + n) / 1000, n of 999 permutations of the groups with at least this lift, above 0 to 1."""
    left_out: float
    """Exchanges, or known minutes, of organizations whose value is unknown."""
    reasons: tuple[str, ...]
    """Why measures are None: NO_KNOWN_AMOUNT, TOO_FEW_GROUPS, NOTHING_EXPECTED."""
    metric_version: int
    """Version of these definitions: compare numbers of one version only."""
    mixing: tuple[GroupFlow, ...]
    """The flow from group to group; cells without flow are left out."""


@dataclass(frozen=True, slots=True)
class TriadPattern:
    """How often three organizations have one pattern of ties (Holland and Leinhardt 1970)."""

    name: str
    """Such as 021D: mutual, one-way and missing pairs, and a direction."""
    count: int
    """Triples with this pattern."""


@dataclass(frozen=True, slots=True)
class ComponentSizes:
    """Organizations that are connected through ties; one without ties is a component."""

    weak_count: int
    """Components, whatever the direction of ties."""
    largest_weak_size: int
    """Organizations in the largest of them."""
    strong_count: int
    """Components in which everybody reaches everybody along ties."""
    largest_strong_size: int
    """Organizations in the largest of them."""


@dataclass(frozen=True, slots=True)
class ReachMeasures:
    """With how many others one organization has ties."""

    topic: str
    """The topic of these ties; "" for all."""
    organization_id: str
    """The organization."""
    fan_out: int
    """To how many it gave."""
    source_count: int
    """From how many it received."""
    sole_receiver_count: int
    """How many received from it alone."""
    only_source_id: str | None
    """The only one it received from; None if there are several, or none."""


@dataclass(frozen=True, slots=True)
class FirstExchange:
    """An organization whose first exchange lies in the window."""

    organization_id: str
    """The organization."""
    first_exchange_date: date
    """The day, or the first day of the month or quarter that is known."""


@dataclass(frozen=True, slots=True)
class LastExchange:
    """An organization with exchanges before the window and none in it."""

    organization_id: str
    """The organization."""
    last_exchange_date: date
    """The day of its last exchange before the window."""


@dataclass(frozen=True, slots=True)
class StructureMeasures:
    """The ties among organizations. A tie exists where an exchange exists, whatever its weight.

    Source of the census: P. Holland and S. Leinhardt, Am. J. Sociol. 76:492 (1970).
    """

    topic: str
    """The topic of all that follows; "" for everything the question selects."""
    organization_count: int
    """Organizations of the population, and of the subset that was asked for."""
    tie_count: int
    """Ordered pairs with an exchange."""
    giver_count: int
    """Organizations that gave to one of them."""
    receiver_count: int
    """Organizations that received from one of them."""
    sole_source_receiver_count: int
    """Receivers with a single source."""
    triads: tuple[TriadPattern, ...]
    """All 16 patterns in the usual order, from 003 (no tie) to 300 (all mutual)."""
    components: ComponentSizes | None
    """What is connected."""
    reaches: tuple[ReachMeasures, ...]
    """Organizations with ties, by id."""
    isolate_count: int
    """Organizations without an exchange of any kind in the window."""
    isolate_ids: tuple[str, ...]
    """Their ids."""
    newcomer_count: int | None
    """Organizations whose first exchange lies in the window. None without from_date."""
    newcomers: tuple[FirstExchange, ...]
    """These organizations, by id."""
    stopped_count: int | None
    """Organizations with exchanges before the window and none in it. None without from_date."""
    stopped_organizations: tuple[LastExchange, ...]
    """These organizations, by id."""
    reasons: tuple[str, ...]
    """Why a measure is None, such as NO_WINDOW_START."""
    metric_version: int
    """Version of these definitions: compare numbers of one version only."""
    confirmed_isolate_count: int
    """Isolates that had nothing to report for every month of the window that is over."""
    confirmed_isolate_ids: tuple[str, ...]
    """Their ids."""


@dataclass(frozen=True, slots=True)
class LossMeasures:
    """What ends if one organization stops exchanging: the flow of the others is what remains."""

    topic: str
    """The topic of all that follows; "" for everything the question selects."""
    organization_id: str
    """The organization that stops."""
    given: float
    """Exchanges, or known minutes, that it gave."""
    received: float
    """Exchanges, or known minutes, that it received."""
    total: float
    """Exchanges, or known minutes, among all."""
    share: float | None
    """(given + received) / total, 0 to 1. None where total is 0 (NO_KNOWN_AMOUNT)."""
    fan_out: int
    """To how many it gave."""
    source_count: int
    """From how many it received."""
    receivers_without_source_ids: tuple[str, ...]
    """Organizations that receive from it alone, by id."""
    components: ComponentSizes | None
    """Components of all organizations."""
    components_without: ComponentSizes | None
    """Components without it."""
    separated_ids: tuple[str, ...]
    """Organizations that would no longer be connected with most of the others, by id."""
    reasons: tuple[str, ...]
    """Why a measure is None."""
    metric_version: int
    """Version of these definitions: compare numbers of one version only."""


@dataclass(frozen=True, slots=True)
class WaitingHorizon:
    """The Kaplan-Meier estimate of turns without an answer after a number of days."""

    days: int
    """Days after a turn opened: 30, 90 or 365."""
    unanswered_share: float | None
    """S(days) = product of (1 - answered / at risk) over days of answers, 0 to 1. None where no
    turn was observed that long."""
    low: float | None
    """The 2.5th percentile of 200 resamples of pairs."""
    high: float | None
    """The 97.5th percentile."""


@dataclass(frozen=True, slots=True)
class LatencyMeasures:
    """How long it takes until the other side of a pair gives.

    A turn opens with the first exchange of a run by one side, and the first one of the other side
    answers it. Source: E. Kaplan and P. Meier, J. Am. Stat. Assoc. 53:457 (1958).
    """

    from_date: date | None
    """First day of this part of a series; None without a series."""
    to_date: date | None
    """First day after that part."""
    pair_count: int
    """Unordered pairs with a turn."""
    turn_count: int
    """Turns that opened in this part."""
    answered_count: int
    """Turns that were answered while they were observed."""
    censored_count: int
    """Turns that were still open where their observation ends."""
    median_days: float | None
    """Days until half of the turns are answered. None where that is not reached."""
    median_low: float | None
    """The 2.5th percentile of 200 resamples of pairs; None where it is not reached."""
    median_high: float | None
    """The 97.5th percentile; None where it is not reached."""
    horizons: tuple[WaitingHorizon, ...]
    """By days, ascending; empty with TOO_FEW."""
    reasons: tuple[str, ...]
    """Why measures are None: TOO_FEW (fewer than 5 turns), NOT_REACHED, NOT_OBSERVED,
    TOO_FEW_PAIRS (fewer than 5, no intervals)."""
    observation_end_time: datetime | None
    """Where observation ends. None without an exchange."""
    metric_version: int
    """Version of these definitions: compare numbers of one version only."""


class AnalysisAnswer(Sequence[RowT], Generic[RowT]):
    """The rows of an analysis, in order, and what they rest on.

    `answer[0]` is the first row; most questions have one. `message` is the answer as the contract
    has it.
    """

    def __init__(self, row_type: type[RowT], message: Any) -> None:
        field = message.DESCRIPTOR.fields_by_number[1]
        self.message = message
        self._descriptor: Descriptor = field.message_type
        self._messages: Sequence[Message] = getattr(message, field.name)
        self.rows = tuple(read_message(row_type, each) for each in self._messages)

    @property
    def position(self) -> str:
        """Where the answer was computed; `min_position` of a later question."""
        return str(self.message.position)

    @property
    def question(self) -> Question:
        """The question as answered."""
        question: Question = self.message.question
        return question

    @property
    def as_of_date(self) -> date:
        """The day that ages are counted from."""
        return frames.to_day(self.message.as_of_date)

    @property
    def coverage(self) -> Coverage:
        """How much of what happened the answer rests on."""
        coverage: Coverage = self.message.coverage
        return coverage

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to keep in mind, such as MANY_UNKNOWN or NO_VERDICT."""
        return tuple(self.message.warnings)

    @property
    def unplaced_count(self) -> int:
        """Exchanges that a series leaves out: they are known to a longer period only."""
        return int(getattr(self.message, "unplaced_count", 0))

    def to_arrow(self) -> "pa.Table":
        """A table with a row for each row; see `mutua.frames`. Needs pyarrow."""
        return frames.to_arrow(self._messages, self._descriptor)

    def to_pandas(self) -> "pd.DataFrame":
        """The same as a DataFrame of pandas. Needs pandas and pyarrow."""
        return frames.to_pandas(self._messages, self._descriptor)

    def to_polars(self) -> "pl.DataFrame":
        """The same as a DataFrame of polars. Needs polars and pyarrow."""
        return frames.to_polars(self._messages, self._descriptor)

    @overload
    def __getitem__(self, index: int) -> RowT: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[RowT]: ...

    def __getitem__(self, index: int | slice) -> RowT | Sequence[RowT]:
        return self.rows[index]

    def __iter__(self) -> Iterator[RowT]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"AnalysisAnswer({list(self.rows)!r})"


def read_message(row_type: type[RowT], message: Any) -> RowT:
    """The dataclass with the fields of a message, by name.

    An unset field is None, an enum a word, a Date a `datetime.date`, a repeated field a tuple, and
    a message the dataclass that the field is annotated with.
    """
    readers = _list_readers(cast("Any", row_type), message.DESCRIPTOR)
    return row_type(**{name: read(message) for name, read in readers.items()})


@cache
def _list_readers(row_type: Any, descriptor: Descriptor) -> dict[str, Callable[[Any], Any]]:
    """A function for each field of the dataclass that reads it from a message."""
    kinds = _list_kinds(row_type)
    return {
        name: partial(_read, descriptor.fields_by_name[name], _converter(descriptor, name, kind))
        for name, kind in kinds.items()
    }


def _read(field: FieldDescriptor, convert: Callable[[Any], Any], message: Any) -> Any:
    if field.has_presence and not message.HasField(field.name):
        return None
    value = getattr(message, field.name)
    return tuple(map(convert, value)) if field.is_repeated else convert(value)


def _converter(descriptor: Descriptor, name: str, kind: Any) -> Callable[[Any], Any]:
    field = descriptor.fields_by_name[name]
    if field.enum_type is not None:
        return read_enum_word(field.enum_type)
    if field.message_type is Date.DESCRIPTOR:
        return frames.to_day
    if field.message_type is Timestamp.DESCRIPTOR:
        return lambda value: value.ToDatetime(UTC)
    return partial(read_message, cast("Any", kind)) if is_dataclass(kind) else lambda value: value


def _list_kinds(row_type: Any) -> dict[str, Any]:
    """The type of each field, without None and tuple."""
    hints = get_type_hints(row_type)
    return {field.name: _unwrap(hints[field.name]) for field in fields(row_type)}


def _unwrap(hint: Any) -> Any:
    if get_origin(hint) is UnionType:
        return next(each for each in get_args(hint) if each is not NoneType)
    return get_args(hint)[0] if get_origin(hint) is tuple else hint
