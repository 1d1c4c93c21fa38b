"""A question is asked and its answer shown, as a table, JSON or CSV: the same for all of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

import click
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from mutua import Client
from mutua.v1.query_service_pb2 import Question
from services.cli.connection import GlobalOptions, open_client, warn_if_empty
from services.cli.filters import UnknownNames, resolve_organizations, resolve_topics
from services.cli.messages import coverage_lines, warning_lines
from services.cli.organization_names import UNBOUND_NAMES, CommandLineDirectory, unbound_lines
from services.cli.output import to_csv, to_dictionary, to_iso, to_json, write_text
from services.cli.question_options import QuestionOptions
from services.cli.question_summary import question_line
from services.cli.value_parsers import fetch_topic_labels
from services.exports.export_file import STDOUT

Row = TypeVar("Row", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderContext(Generic[Row]):
    """What people see: rows, and beside them the question, names, and the whole answer."""

    rows: Sequence[Row]
    question: Question
    directory: CommandLineDirectory
    answer: Any
    topic_labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionView(Generic[Row]):
    """An answer that can be asked for.

    `name` is that of its rows in the contract, `beside` of other rows that JSON tells with them.
    `ask` answers with `rows_of` and with question, position, day, coverage and warnings. `foot` is
    what people read under the table. `has_amounts` says whether lens and allocation matter,
    `has_retracted` whether rows may have what no standing exchange has, `has_topics` whether
    the table shows topics by their labels. `csv` is for rows that are more than a message.
    """

    name: str
    row_descriptor: Descriptor
    ask: Callable[..., Any]
    rows_of: Callable[[Any], Iterable[Row]] = iter
    companion_rows: str = ""
    table: Callable[[RenderContext[Row]], str]
    csv: Callable[[RenderContext[Row]], str] | None = None
    footer: Callable[[RenderContext[Row]], Sequence[str]] = lambda _: ()
    has_topics: bool = False
    has_amounts: bool = True
    has_retracted: bool = False


def show(
    read: QuestionView[Row],
    settings: GlobalOptions,
    asked: QuestionOptions,
    organizations: Mapping[str, str] | None = None,
    **filters: Any,
) -> list[Row]:
    """Asks and shows; returns the rows, with a limit one more where there are more.

    `organizations` are fields of the request filled with names, `filters` others. Raises
    NothingMatchesError when a filter names only what the programme does not know.
    """
    question, side_names = Question(), organizations or {}
    question.CopyFrom(asked.question)
    with open_client(settings, write=False, purpose=f"mutua {read.name}") as client:
        filters |= side_names
        unknown = _resolve(client, question, filters, list(side_names), settings.command)
        if unknown.is_all and not read.has_retracted:
            raise unknown.to_error()
        answer = read.ask(client, question, order_by=asked.order_by, **filters)
        # One more than is shown tells that there are more; the rest is not asked for.
        rows = list(islice(read.rows_of(answer), asked.limit + 1 if asked.limit else None))
        if not rows:
            warn_if_empty(settings, client.get_status())
            if unknown.is_all:
                raise unknown.to_error()
        unknown.warn()
        # JSON has ids only, so that programs do not wait for names.
        directory = CommandLineDirectory(
            client.list_organizations() if asked.form != "json" else ()
        )
        labels = fetch_topic_labels(client) if asked.form == "table" and read.has_topics else {}
    view = RenderContext(
        rows=rows[: asked.limit] if asked.limit else rows,
        question=answer.question if answer.question.programme_id else question,
        directory=directory,
        answer=answer,
        topic_labels=labels,
    )
    has_more = len(view.rows) < len(rows)
    foot = _foot(read, view, asked, filters, settings.command, has_more=has_more)
    _write(read, view, asked, filters, foot)
    return rows


def _resolve(
    client: Client,
    question: Question,
    filters: dict[str, Any],
    side_fields: Sequence[str],
    mutua: str,
) -> UnknownNames:
    """Replaces typed names by ids and topics; returns the unknown ones."""
    name_lists = [
        list(question.organization_ids),
        *([filters[name]] for name in side_fields if filters[name]),
    ]
    ids, unknown = resolve_organizations(client, question.identity, name_lists, mutua)
    question.organization_ids[:] = [ids[each] for each in question.organization_ids]
    for name in side_fields:
        filters[name] = ids.get(filters[name], "")
    topics, unknown_topics = resolve_topics(client, question.topics, mutua)
    question.topics[:] = topics
    return unknown + unknown_topics


def _foot(
    read: QuestionView[Row],
    shown: RenderContext[Row],
    asked: QuestionOptions,
    filters: Mapping[str, Any],
    mutua: str,
    *,
    has_more: bool,
) -> list[str]:
    """Lines below an answer; JSON, which has the rest in fields, gets only that about the limit."""
    foot = []
    if has_more:
        count = f"{len(shown.rows):,}"
        foot.append(f"The first {count} {read.name}; there are more: --limit 0 shows all.")
    if asked.form == "json":
        return foot
    line = question_line(
        shown.question, asked.question, shown.directory, filters, has_amounts=read.has_amounts
    )
    foot += [line, *coverage_lines(shown.answer.coverage, shown.question)]
    foot += warning_lines(shown.answer.warnings, mutua, shown.answer.coverage)
    if UNBOUND_NAMES in shown.answer.warnings:
        foot += unbound_lines(shown.directory, mutua)
    return [*foot, *read.footer(shown)] if asked.form == "table" else foot


def _write(
    read: QuestionView[Row],
    shown: RenderContext[Row],
    asked: QuestionOptions,
    filters: Mapping[str, Any],
    foot: Sequence[str],
) -> None:
    """Writes the answer where it was asked for; what is no part of it goes to stderr.

    A CSV file gets a second file beside it, with everything of the JSON but the rows.
    """
    match asked.form:
        case "json":
            content = to_json(_document(read, shown, filters))
        case "csv":
            content = (
                to_csv(shown.rows, read.row_descriptor, shown.directory.name)
                if read.csv is None
                else read.csv(shown)
            )
        case _:
            table = read.table(shown) or f"No {read.name}."
            content, foot = "\n".join([table, "", *foot]), ()
    if asked.output is None or asked.output == STDOUT:
        click.echo(content)
    else:
        write_text(asked.output, content)
        if asked.form == "csv":
            sidecar = asked.output.with_name(f"{asked.output.name}.question.json")
            write_text(sidecar, to_json(_statement(shown, filters)))
            foot = [*foot, f"Written: {asked.output}, and its question to {sidecar}."]
    for line in foot:
        click.echo(line, err=True)


def _document(
    read: QuestionView[Row], shown: RenderContext[Row], filters: Mapping[str, Any]
) -> dict[str, Any]:
    beside = (
        {read.companion_rows: getattr(shown.answer, read.companion_rows)}
        if read.companion_rows
        else {}
    )
    return {
        **{name: [to_dictionary(row) for row in rows] for name, rows in beside.items()},
        read.name: [to_dictionary(row) for row in shown.rows],
        **_statement(shown, filters),
    }


def _statement(shown: RenderContext[Any], filters: Mapping[str, Any]) -> dict[str, Any]:
    """Everything of an answer but its rows.

    `filters` are the fields of the request beside its question; they are shown if any is set.
    """
    set_filters = {name: value for name, value in filters.items() if value}
    return {
        "question": to_dictionary(shown.question),
        **({"filters": set_filters} if set_filters else {}),
        "position": shown.answer.position,
        "as_of_date": to_iso(shown.answer.as_of_date),
        "coverage": to_dictionary(shown.answer.coverage),
        "warnings": list(shown.answer.warnings),
    }
