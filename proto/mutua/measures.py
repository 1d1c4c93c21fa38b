"""What analyses answer: frozen dataclasses whose fields have the names of the contract.

w_ij is what organization i gave organization j, in the lens of the question; W is the sum of all.
A measure that is undefined is None, and `reasons` says why where there is more than one cause.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
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
    return partial(read_message, cast("Any", kind)) if is_dataclass(kind) else lambda value: value


def _list_kinds(row_type: Any) -> dict[str, Any]:
    """The type of each field, without None and tuple."""
    hints = get_type_hints(row_type)
    return {field.name: _unwrap(hints[field.name]) for field in fields(row_type)}


def _unwrap(hint: Any) -> Any:
    if get_origin(hint) is UnionType:
        return next(each for each in get_args(hint) if each is not NoneType)
    return get_args(hint)[0] if get_origin(hint) is tuple else hint
