"""The commands that give a report's numbers again."""

import shlex
from collections.abc import Iterator

from mutua.enum_words import words_by_number
from mutua.v1.query_service_pb2 import (
    ALLOCATION_SPLIT,
    IDENTITY_AS_NOW,
    LENS_COUNT,
    Allocation,
    Identity,
    Lens,
    Population,
    Question,
)
from mutua.v1.types_pb2 import Date, ExchangeKind, Formality

DEFAULT_PROGRAMME = "default"


def write_command(question: Question, command: str, *options: str, takes_where: bool = True) -> str:
    """Such as `mutua --programme gde reciprocity --from 2026-01-01 --as-of 2026-11-30`."""
    words = ["mutua"]
    if question.programme_id != DEFAULT_PROGRAMME:
        words += ["--programme", question.programme_id]
    words += [command, *_list_filters(question)]
    if takes_where:
        for each in question.where:
            words += ["--where", f"{each.attribute}={each.value}"]
    return shlex.join([*words, *options])


def _list_filters(question: Question) -> Iterator[str]:
    """The options of the filters that are no defaults, and the day that ages are counted from."""
    if question.lens != LENS_COUNT:
        yield from ("--lens", words_by_number(Lens.items())[question.lens])
    if question.allocation != ALLOCATION_SPLIT:
        yield from ("--allocation", words_by_number(Allocation.items())[question.allocation])
    for option, field in (("--from", "from_date"), ("--to", "to_date")):
        if question.HasField(field):  # type: ignore[arg-type] # one of the names above
            yield from (option, _write_day(getattr(question, field)))
    kinds, formalities = words_by_number(ExchangeKind.items()), words_by_number(Formality.items())
    for option, values in (
        ("--kind", [kinds[each] for each in question.kinds]),
        ("--formality", [formalities[each] for each in question.formalities]),
        ("--topic", list(question.topics)),
        ("--organization", list(question.organization_ids)),
    ):
        for value in values:
            yield from (option, value)
    if question.identity != IDENTITY_AS_NOW:
        yield from ("--identity", words_by_number(Identity.items())[question.identity])
    if question.population:
        yield from ("--population", words_by_number(Population.items())[question.population])
    if question.HasField("as_of_date"):
        yield from ("--as-of", _write_day(question.as_of_date))


def _write_day(day: Date) -> str:
    return f"{day.year:04}-{day.month:02}-{day.day:02}"
