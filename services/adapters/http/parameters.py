"""Query parameters as requests of the contract: one parameter for each field."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from mutua.dates import to_date, to_timestamp
from mutua.enum_words import words_by_number
from mutua.v1.query_service_pb2 import AttributeFilter, Question
from mutua.v1.types_pb2 import Date
from services.ledger.errors import ImpossibleQuestionError, Violation

DEFAULT_PROGRAMME: Final = "default"
SHORT_NAMES: Final = {
    "programme_id": "programme",
    "from_date": "from",
    "to_date": "to",
    "as_of_date": "as_of",
    "kinds": "kind",
    "formalities": "formality",
    "topics": "topic",
    "organization_ids": "organization",
}
"""Fields of a question, and `programme_id` of a request, whose parameters have another name."""
_SHORT_BYTES: Final = 2_048
_QUESTION: Final = "question"
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}


class Parameter(NamedTuple):
    """A query parameter, and the field of the request that it sets; a list may be repeated."""

    name: str
    field: FieldDescriptor
    is_of_question: bool

    @property
    def path(self) -> str:
        """The field in the request, such as `question.from_date`."""
        return f"{_QUESTION}.{self.field.name}" if self.is_of_question else self.field.name

    @property
    def words(self) -> list[str]:
        """The words of an enum."""
        return list(_words(self.field).values())


@cache
def list_parameters(request: Descriptor) -> dict[str, Parameter]:
    """The parameters of a request by name."""
    return {each.name: each for each in _iterate(request)}


@lru_cache(maxsize=1_024)
def _read_request_once(query: bytes, request: Descriptor) -> Any:
    return read_request(query, request)


def _iterate(request: Descriptor) -> Iterator[Parameter]:
    for field in request.fields:
        if field.message_type is Question.DESCRIPTOR:
            for part in field.message_type.fields:
                yield Parameter(SHORT_NAMES.get(part.name, part.name), part, True)
        elif field.name == "programme_id":
            yield Parameter(SHORT_NAMES[field.name], field, False)
        else:
            yield Parameter(field.name, field, False)


def parse_request(query: bytes, request: Descriptor) -> Any:
    """As `read_request`, which reads a short query once: dashboards repeat theirs.

    The caller must not change the request.
    """
    read = _read_request_once if len(query) <= _SHORT_BYTES else read_request
    return read(query, request)


def read_request(query: bytes, request: Descriptor) -> Any:
    """The request with the fields that a query string sets; an empty value sets nothing.

    The programme is `default` if none is named. Raises ImpossibleQuestionError, which names every
    parameter that cannot be read.
    """
    message: Any = GetMessageClass(request)()
    parameters = list_parameters(request)
    violations: list[Violation] = []
    for name, values in _parse_query(query).items():
        if name not in parameters:
            violations.append(Violation(name, _describe_unknown(name, parameters)))
            continue
        parameter = parameters[name]
        target = message.question if parameter.is_of_question else message
        try:
            _set(target, parameter.field, values)
        except ValueError as error:
            violations.append(Violation(name, str(error)))
    if violations:
        words = "; ".join(f"{each.field}: {each.description}" for each in violations)
        raise ImpossibleQuestionError(words, tuple(violations))
    scoped = message.question if _QUESTION in request.fields_by_name else message
    scoped.programme_id = scoped.programme_id or DEFAULT_PROGRAMME
    return message


def _parse_query(query: bytes) -> dict[str, list[str]]:
    """The values of each name that are not empty. Raises ImpossibleQuestionError."""
    try:
        pairs = parse_qsl(query.decode("ascii"), errors="strict")
    except ValueError:
        raise ImpossibleQuestionError(
            "the query string is not UTF-8 in percent-encoding",
            remedy="encode parameters as in ?topic=it%20and%20data",
        ) from None
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def _describe_unknown(name: str, parameters: dict[str, Parameter]) -> str:
    names = {each.field.name: each.name for each in parameters.values()}
    alike = get_close_matches(name, [*parameters, *names], n=1)
    if alike:
        return f"there is no such parameter; did you mean {names.get(alike[0], alike[0])}?"
    return f"there is no such parameter; there are {', '.join(parameters)}"


def _set(message: Message, field: FieldDescriptor, texts: Sequence[str]) -> None:
    """Raises ValueError for a text that is no value of the field."""
    if field.is_repeated:
        values = [_read(field, text) for text in texts]
        getattr(message, field.name).extend(values)
    elif len(texts) > 1:
        raise ValueError("is given more than once, and takes one value")
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(_read(field, texts[0]))
    else:
        setattr(message, field.name, _read(field, texts[0]))


def _read(field: FieldDescriptor, text: str) -> Any:
    match field.message_type:
        case None:
            return _read_scalar(field, text)
        case Date.DESCRIPTOR:
            return to_date(text)
        case Timestamp.DESCRIPTOR:
            return to_timestamp(text)
        case AttributeFilter.DESCRIPTOR:
            name, equals, value = text.partition("=")
            if not equals:
                raise ValueError(f"{text!r} is no attribute and value: write region%3DNorth")
            return AttributeFilter(attribute=name, value=value)
        case _:
            raise AssertionError(f"no query parameter can set {field.full_name}")


def _read_scalar(field: FieldDescriptor, text: str) -> Any:
    if field.enum_type is not None:
        return _read_word(field, text)
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return text
        case FieldDescriptor.CPPTYPE_BOOL:
            if text.lower() not in _TRUTHS:
                raise ValueError(f"{text!r} is none of true, false")
            return _TRUTHS[text.lower()]
        case _:
            return _read_number(field, text)


def _read_number(field: FieldDescriptor, text: str) -> int:
    is_signed = field.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64)
    is_long = field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
    bits = (64 if is_long else 32) - is_signed
    try:
        number = int(text) if len(text) <= 20 and text.isascii() else None
    except ValueError:
        number = None
    lowest, highest = -(1 << bits) if is_signed else 0, (1 << bits) - 1
    if number is None or not lowest <= number <= highest:
        raise ValueError(f"{text[:40]!r} is no whole number from {lowest} to {highest}")
    return number


@cache
def _words(field: FieldDescriptor) -> dict[int, str]:
    enum = field.enum_type
    return words_by_number((each.name, each.number) for each in enum.values) if enum else {}


@cache
def _word_prefix(field: FieldDescriptor) -> str:
    """What the contract's names begin with, such as `exchange-kind-`."""
    assert field.enum_type is not None
    name: str = field.enum_type.values_by_number[0].name
    return name.removesuffix("UNSPECIFIED").lower().replace("_", "-")


def _read_word(field: FieldDescriptor, text: str) -> int:
    """The number of a word such as `giver-reported`, or of the contract's name for it."""
    folded = text.strip().lower().replace("_", "-")
    for number, word in _words(field).items():
        if folded in (word, f"{_word_prefix(field)}{word}"):
            return number
    raise ValueError(f"{text[:40]!r} is none of {', '.join(_words(field).values())}")
