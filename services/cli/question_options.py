"""The filters that every read takes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, Literal

import click

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
from mutua.v1.types_pb2 import ExchangeKind, Formality
from services.cli.connection import GlobalOptions
from services.cli.dates import parse_date, parse_known_at
from services.cli.parameters import EnumChoice, ParsedParameter

AnswerFormat = Literal["table", "json", "csv"]
DAY: Final = ParsedParameter("date", parse_date)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionOptions:
    """What a read was asked: the filters, and how to answer.

    `limit` 0 is all rows. Without `output` the answer goes to stdout.
    """

    question: Question
    order_by: str
    limit: int
    form: AnswerFormat
    output: Path | None = None


def takes_question(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the filters as options, and their values as one `Asked`.

    Options that stand below it reach the command under their own names.
    """

    @wraps(command)
    def with_options(settings: GlobalOptions, **values: Any) -> None:
        # Each filter is named as its field of the question. What is not built yet, the server says.
        question = Question(**{name: values.pop(name) for name in FILTER_FIELDS})
        how = {name: values.pop(name) for name in ("order_by", "limit", "form", "output")}
        command(settings, QuestionOptions(question=question, **how), **values)

    decorated: Callable[..., None] = click.pass_obj(with_options)
    for option in reversed(QUESTION_OPTIONS):
        decorated = option(decorated)
    return decorated


def parse_attribute(typed: str) -> AttributeFilter:
    """Reads attribute=value. Raises ValueError without one of them."""
    attribute, _, value = typed.partition("=")
    if not attribute or not value:
        raise ValueError(f"{typed!r} has no attribute and value: type it like region=Y55.")
    return AttributeFilter(attribute=attribute, value=value)


QUESTION_OPTIONS: Final = (
    click.option(
        "--lens",
        type=EnumChoice(Lens.items()),
        help="What to add up; default count: 1 for every pair of giver and receiver.",
    ),
    click.option(
        "--allocation",
        type=EnumChoice(Allocation.items()),
        help="How an exchange of several is laid on them; default split.",
    ),
    click.option(
        "--from",
        "from_date",
        type=DAY,
        help="First day of the window (UTC). A month or quarter counts where it begins.",
    ),
    click.option("--to", "to_date", type=DAY, help="First day after the window."),
    click.option(
        "--kind",
        "kinds",
        type=EnumChoice(ExchangeKind.items()),
        multiple=True,
        help="Only these forms of exchange.",
    ),
    click.option(
        "--formality",
        "formalities",
        type=EnumChoice(Formality.items()),
        multiple=True,
        help="Only these; recorded, never guessed.",
    ),
    click.option(
        "--topic",
        "topics",
        multiple=True,
        help="Only exchanges on one of these.",
    ),
    click.option(
        "--organization",
        "organization_ids",
        multiple=True,
        help="Only rows that concern one of these; changes no number.",
    ),
    click.option(
        "--identity",
        type=EnumChoice(Identity.items()),
        help="Ids as written, or what they mean; default as-now. as-was: not in this version.",
    ),
    click.option(
        "--report-view",
        type=EnumChoice(ReportView.items()),
        help="Whose reports count; default union. Others: not in this version.",
    ),
    click.option(
        "--population",
        type=EnumChoice(Population.items()),
        help="Organizations the answer is about; default roster, if there is one; "
        "else active: party to an exchange asked for. seen: to any at any time.",
    ),
    click.option(
        "--where",
        type=ParsedParameter("attribute=value", parse_attribute),
        multiple=True,
        help="Only organizations like this. Not in this version.",
    ),
    click.option(
        "--known-at",
        type=ParsedParameter("time", parse_known_at),
        help="As known then; default now. Not in this version.",
    ),
    click.option(
        "--basis",
        type=EnumChoice(Basis.items()),
        help="When a fact counts as known; default reported. Not in this version.",
    ),
    click.option(
        "--as-of", "as_of_date", type=DAY, help="Day that ages are counted from; default today."
    ),
    click.option(
        "--order-by",
        default="",
        metavar="FIELDS",
        help='Fields of the rows as JSON names them, such as "net desc"; absent values last. '
        "Default by id.",
    ),
    click.option(
        "--limit", type=click.IntRange(min=0), default=0, help="Rows to show; default all."
    ),
    click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json", "csv"]),
        default="table",
        show_default=True,
    ),
    click.option(
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write the answer to FILE; with csv, also its question to FILE.question.json.",
    ),
)
FILTER_FIELDS: Final = tuple(Question.DESCRIPTOR.fields_by_name)[1:]
