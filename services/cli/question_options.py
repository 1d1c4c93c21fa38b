"""The options that every question takes: filters, order, limit and format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, Literal

import click

from mutua.v1.query_service_pb2 import (
    IDENTITY_AS_WAS,
    Allocation,
    Identity,
    Lens,
    Population,
    Question,
)
from mutua.v1.types_pb2 import ExchangeKind, Formality
from services.cli.common_options import CSV_FORMAT_OPTION, OptionDecorator
from services.cli.connection import GlobalOptions
from services.cli.dates import parse_date
from services.cli.parameters import EnumChoice, ParsedParameter

AnswerFormat = Literal["table", "json", "csv"]
DAY: Final = ParsedParameter("date", parse_date)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionOptions:
    """The values of a question's options: the filters, and how to show the answer.

    `limit` 0 means all rows. Without `output` the answer goes to stdout.
    """

    question: Question
    order_by: str
    limit: int
    form: AnswerFormat
    output: Path | None = None


def takes_question(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of a question, which the command gets as one `QuestionOptions`.

    Options that are declared below this decorator reach the command under their own names.
    """

    def with_options(global_options: GlobalOptions, question: Question, **values: Any) -> None:
        how = {name: values.pop(name) for name in ("order_by", "limit", "form", "output")}
        command(global_options, QuestionOptions(question=question, **how), **values)

    return takes_filters(_add_options(wraps(command)(with_options), ANSWER_OPTIONS))


def takes_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the filters of a question, which the command gets as one `Question`.

    Options that are declared below this decorator reach the command under their own names.
    """

    @wraps(command)
    def with_question(global_options: GlobalOptions, **values: Any) -> None:
        # A filter's parameter has the name of its field of the question.
        filters = {name: values.pop(name) for name in FILTER_FIELDS if name in values}
        command(global_options, Question(**filters), **values)

    return _add_options(click.pass_obj(with_question), FILTER_OPTIONS)


def _add_options(
    command: Callable[..., None], options: Sequence[OptionDecorator]
) -> Callable[..., None]:
    for option in reversed(options):
        command = option(command)
    return command


FILTER_OPTIONS: Final = (
    click.option(
        "--lens",
        type=EnumChoice(Lens.items()),
        help="What is counted; default count: 1 for every pair of giver and receiver.",
    ),
    click.option(
        "--allocation",
        type=EnumChoice(Allocation.items()),
        help="How an exchange with several parties is divided; default split.",
    ),
    click.option(
        "--from",
        "from_date",
        type=DAY,
        help="First day of the window (UTC). A month or quarter counts by its first day.",
    ),
    click.option("--to", "to_date", type=DAY, help="First day after the window."),
    click.option(
        "--kind",
        "kinds",
        type=EnumChoice(ExchangeKind.items()),
        multiple=True,
        help="Only exchanges of this kind.",
    ),
    click.option(
        "--formality",
        "formalities",
        type=EnumChoice(Formality.items()),
        multiple=True,
        help="Only exchanges of this formality; it is recorded, never guessed.",
    ),
    click.option(
        "--topic",
        "topics",
        multiple=True,
        help="Only exchanges on one of these topics.",
    ),
    click.option(
        "--organization",
        "organization_ids",
        multiple=True,
        help="Only rows of one of these organizations; no number changes.",
    ),
    click.option(
        "--identity",
        type=EnumChoice(item for item in Identity.items() if item[1] != IDENTITY_AS_WAS),
        help="Organization of an id: as-now (default) by current aliases, recorded as written.",
    ),
    click.option(
        "--population",
        type=EnumChoice(Population.items()),
        help="Organizations the answer is about: roster (default, if there is one), active (party "
        "to an exchange that the filters select) or seen (party to any exchange).",
    ),
    click.option(
        "--as-of", "as_of_date", type=DAY, help="Day from which ages are counted; default today."
    ),
)
ANSWER_OPTIONS: Final = (
    click.option(
        "--order-by",
        default="",
        metavar="FIELDS",
        help='Sort by JSON fields, such as "net desc"; absent values last. Default by id.',
    ),
    click.option(
        "--limit",
        type=click.IntRange(min=0),
        default=0,
        help="Maximum number of rows; default all.",
    ),
    CSV_FORMAT_OPTION,
    click.option(
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write the answer to FILE; with csv, also write the question to FILE.question.json.",
    ),
)
FILTER_FIELDS: Final = tuple(Question.DESCRIPTOR.fields_by_name)[1:]
