"""Describes the question of an answer in one line."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mutua.v1.query_service_pb2 import (
    ALLOCATION_SPLIT,
    LENS_COUNT,
    POPULATION_UNSPECIFIED,
    Allocation,
    Identity,
    Lens,
    Population,
    Question,
)
from services.cli.exchange_summary import FORMALITIES, KINDS
from services.cli.organization_names import CommandLineDirectory
from services.cli.output import to_iso
from services.cli.parameters import words_by_number
from services.ledger.wording import format_count

LENSES: Final = words_by_number(Lens.items())
ALLOCATIONS: Final = words_by_number(Allocation.items())
IDENTITIES: Final = words_by_number(Identity.items())
POPULATIONS: Final = words_by_number(Population.items())


def question_line(
    question: Question,
    sent_question: Question,
    directory: CommandLineDirectory,
    filters: Mapping[str, Any],
    *,
    has_amounts: bool,
) -> str:
    """Such as "Question: lens burden, allocation split; all time; identity as-now; kind call."

    `question` is the answered one; `sent_question` decides which defaults are left out. `filters`
    are the request's fields outside its question. Set `has_amounts` if lens and allocation matter.
    """
    parts = [_amounts(question)] if has_amounts else []
    parts += [describe_window(question), f"identity {IDENTITIES[question.identity]}"]
    parts += _narrowing(question, directory)
    if sent_question.population != POPULATION_UNSPECIFIED:
        parts.append(f"population {POPULATIONS[question.population]}")
    parts += _beside(filters, directory)
    if sent_question.HasField("as_of_date"):
        parts.append(f"as of {to_iso(question.as_of_date)}")
    return f"Question: {'; '.join(parts)}."


def describe_window(question: Question) -> str:
    """The days that are asked about; the first day after them is not among them."""
    ends = []
    if question.HasField("from_date"):
        ends.append(f"from {to_iso(question.from_date)}")
    if question.HasField("to_date"):
        ends.append(f"before {to_iso(question.to_date)}")
    return " and ".join(ends) or "all time"


def _amounts(question: Question) -> str:
    """The lens, and how amounts are divided where that could be otherwise."""
    lens = f"lens {LENSES[question.lens]}"
    if question.HasField("half_life_days"):
        lens += f", half-life {format_count(question.half_life_days, 'day')}"
    if question.lens == LENS_COUNT and question.allocation == ALLOCATION_SPLIT:
        return lens
    return f"{lens}, allocation {ALLOCATIONS[question.allocation]}"


def _narrowing(question: Question, directory: CommandLineDirectory) -> Iterator[str]:
    labels = [directory.label(each) for each in question.organization_ids]
    for word, values in (
        ("kind", [KINDS[each] for each in question.kinds]),
        ("formality", [FORMALITIES.get(each, "unspecified") for each in question.formalities]),
        ("topic", list(question.topics)),
        ("organization", labels),
        ("where", [f"{each.attribute}={each.value}" for each in question.where]),
    ):
        if values:
            yield f"{word} {' or '.join(values)}"


def _beside(filters: Mapping[str, Any], directory: CommandLineDirectory) -> Iterator[str]:
    for name, value in filters.items():
        match value:
            case True:
                yield name.replace("_", " ")
            case str() if value:
                yield f"{name.removesuffix('_id')} {directory.label(value)}"
            case list() | tuple() if value:
                yield f"{name.removesuffix('_ids').replace('_', ' ')} {' or '.join(value)}"
