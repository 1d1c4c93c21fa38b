"""The filters of a question as keyword arguments."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, Final, TypedDict, TypeVar, cast, get_type_hints

import grpc
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from mutua.dates import to_date, to_timestamp
from mutua.enum_words import words_by_number
from mutua.errors import FieldViolation, MutuaError
from mutua.v1.analysis_service_pb2 import PERIOD_UNSPECIFIED, Period
from mutua.v1.query_service_pb2 import (
    Allocation,
    AttributeFilter,
    Basis,
    Identity,
    Lens,
    Population,
    Question,
    ReportView,
)
from mutua.v1.types_pb2 import Date, ExchangeKind, Formality

MAX_SEED: Final = 2**32 - 1
Method = TypeVar("Method", bound=Callable[..., Any])


class Filters(TypedDict, total=False):
    """The fields of a `Question`, as every method that asks one takes them.

    A filter that is absent or None leaves the value of the `Question` argument, or the default.
    Words are those of the command line, such as "burden" or "giver-reported"; numbers of the
    contract's enums work too. A filter that accepts several values also accepts one.
    """

    lens: str | Lens.ValueType | None
    """What to add up: "count" (default), "burden", "attention" or "benefit"."""
    allocation: str | Allocation.ValueType | None
    """How to divide an exchange of several: "split" (default), "full" or "once"."""
    from_date: date | str | Date | None
    """First day of the window, UTC. A month or quarter stands for its first day."""
    to_date: date | str | Date | None
    """First day after the window."""
    kinds: str | Sequence[str | ExchangeKind.ValueType] | None
    """Only these forms of exchange, such as "call"."""
    formalities: str | Sequence[str | Formality.ValueType] | None
    """Only "formal" or "informal" exchanges."""
    topics: str | Sequence[str] | None
    """Only exchanges on one of these topics."""
    organization_ids: str | Sequence[str] | None
    """Only rows that concern one of these organizations; changes no number."""
    identity: str | Identity.ValueType | None
    """Ids "as-now" (default), "as-was" or "recorded"."""
    report_view: str | ReportView.ValueType | None
    """Reports of whom: "union" (default), "giver-reported", "receiver-reported", "confirmed"."""
    population: str | Population.ValueType | None
    """Whom the answer is about: "roster" (default, if there is one), "active" or "seen"."""
    where: Mapping[str, str] | Sequence[AttributeFilter] | None
    """Only organizations with these attributes, such as {"region": "Y55"}."""
    known_at: datetime | date | str | Timestamp | None
    """As known at this time; a day stands for its last instant, UTC."""
    basis: str | Basis.ValueType | None
    """When a fact counts as known: "reported" (default) or "recorded"."""
    as_of_date: date | str | Date | None
    """The day that ages and trends are counted from; default today, UTC."""
    half_life_days: int | None
    """Amounts count half for every so many days before the end of the window; balances only."""


def takes_filters(method: Method) -> Method:
    """Shows every filter in help() and `inspect.signature` in place of **filters."""
    signature = inspect.signature(method)
    own_parameters = [
        each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD
    ]
    filters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in get_type_hints(Filters).items()
    ]
    documented = signature.replace(parameters=[*own_parameters, *filters])
    method.__signature__ = documented  # type: ignore[attr-defined] # where inspect looks for it
    return method


def to_question(programme: str, question: Question | None, filters: Mapping[str, Any]) -> Question:
    """The question with its programme, if it names none, and with the filters over its own.

    Raises MutuaError, which names the filter that cannot be read, and TypeError for an unknown one.
    """
    result = Question(programme_id=programme)
    if question is not None:
        result.MergeFrom(question)  # an empty programme_id leaves ours
    for name, value in filters.items():
        if name not in Filters.__annotations__:
            raise TypeError(
                f"there is no filter {name!r}; there are {', '.join(Filters.__annotations__)}"
            )
        if value is None:
            continue
        try:
            override = Question(**{name: _read(_FIELDS[name], value)})
        except ValueError as error:
            raise _refusal(name, str(error)) from error
        result.ClearField(cast(Any, name))
        result.MergeFrom(override)
    return result


def read_period(word: str) -> Period.ValueType:
    """The parts of a series: "month", "quarter" or "year"; "" is no series.

    Raises MutuaError for another word.
    """
    if word == "":
        return PERIOD_UNSPECIFIED
    try:
        return Period.ValueType(_word(Period.DESCRIPTOR, word))
    except ValueError as error:
        raise _refusal("by", str(error), path="period") from error


def read_seed(seed: int) -> int:
    """The seed of draws. Raises MutuaError unless it is a whole number from 0 to 2**32 - 1."""
    if isinstance(seed, int) and 0 <= seed <= MAX_SEED:
        return seed
    problem = f"{seed!r} is not a whole number from 0 to {MAX_SEED}"
    raise _refusal("seed", problem, path="seed")


_FIELDS: Final = Question.DESCRIPTOR.fields_by_name
_MESSAGES: Final[Mapping[str, Callable[[object], Any]]] = {
    Date.DESCRIPTOR.full_name: to_date,
    Timestamp.DESCRIPTOR.full_name: to_timestamp,
}


def _read(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is AttributeFilter.DESCRIPTOR:
        return _attributes(value)
    if field.message_type is not None:
        return _MESSAGES[field.message_type.full_name](value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_INT32:
        return _number(value)
    read = _text if field.enum_type is None else partial(_word, field.enum_type)
    if not field.is_repeated:
        return read(value)
    return [read(each) for each in ([value] if isinstance(value, str | int) else value)]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _word(enum: EnumDescriptor, value: object) -> int:
    words = words_by_number((each.name, each.number) for each in enum.values)
    if isinstance(value, int) and (value in words or value == 0):
        return value
    if isinstance(value, str):
        folded = value.strip().lower().replace("_", "-")
        for number, word in words.items():
            if folded in (word, enum.values_by_number[number].name.lower().replace("_", "-")):
                return number
    raise ValueError(f"{value!r} is none of {', '.join(words.values())}")


def _attributes(value: Any) -> list[AttributeFilter]:
    if isinstance(value, Mapping):
        return [AttributeFilter(attribute=name, value=each) for name, each in value.items()]
    if isinstance(value, str) or not all(isinstance(each, AttributeFilter) for each in value):
        raise ValueError(f'{value!r} has no attribute and value: give it like {{"region": "Y55"}}')
    return list(value)


def _refusal(name: str, description: str, *, path: str = "") -> MutuaError:
    return MutuaError(
        f"{name}: {description}",
        code=grpc.StatusCode.INVALID_ARGUMENT,
        reason="QUESTION_IMPOSSIBLE",
        field_violations=[FieldViolation(path or f"question.{name}", description)],
    )
