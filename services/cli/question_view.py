"""A question is asked and its answer context, as a table, JSON or CSV: the same for all of them."""

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
from services.cli.output import describe_basis, to_csv, to_dictionary, to_json, write_text
from services.cli.question_options import QuestionOptions
from services.cli.question_summary import question_line
from services.cli.value_parsers import fetch_topic_labels
from services.cli.waiting_bar import show_waiting
from services.exports.export_file import STDOUT

Row = TypeVar("Row", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderContext(Generic[Row]):
    """The input of a table: rows, question, names and the whole answer."""

    rows: Sequence[Row]
    question: Question
    directory: CommandLineDirectory
    answer: Any
    topic_labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionView(Generic[Row]):
    """An answer that can be asked for.

    `name` is the contract's name of its rows, `companion_rows` of other rows that JSON adds.
    `ask` answers with `rows_of` and with question, position, day, coverage and warnings. `foot` is
    what people read under the table. `has_amounts` is whether lens and allocation matter,
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
    global_options: GlobalOptions,
    options: QuestionOptions,
    organizations: Mapping[str, str] | None = None,
    **filters: Any,
) -> list[Row]:
    """Asks and shows; returns the rows, with a limit one more where there are more.

    `organizations` are fields of the request filled with names, `filters` others. Raises
    NothingMatchesError when a filter names only what the programme does not know.
    """
    question, side_names = Question(), organizations or {}
    question.CopyFrom(options.question)
    with open_client(global_options, write=False, purpose=f"mutua {read.name}") as client:
        filters |= side_names
        unknown = resolve_names(client, question, filters, list(side_names), global_options.command)
        if unknown.is_all and not read.has_retracted:
            raise unknown.to_error()
        with show_waiting():
            answer = read.ask(client, question, order_by=options.order_by, **filters)
        # One more row than the limit reveals that there are more; the rest is never requested.
        rows = list(islice(read.rows_of(answer), options.limit + 1 if options.limit else None))
        if not rows:
            warn_if_empty(global_options, client.get_status())
            if unknown.is_all:
                raise unknown.to_error()
        unknown.warn()
        # JSON has ids only, so that programs do not wait for names.
        directory = CommandLineDirectory(
            client.list_organizations() if options.form != "json" else ()
        )
        labels = fetch_topic_labels(client) if options.form == "table" and read.has_topics else {}
    view = RenderContext(
        rows=rows[: options.limit] if options.limit else rows,
        question=answer.question if answer.question.programme_id else question,
        directory=directory,
        answer=answer,
        topic_labels=labels,
    )
    has_more = len(view.rows) < len(rows)
    foot = _foot(read, view, options, filters, global_options.command, has_more=has_more)
    _write(read, view, options, filters, foot)
    return rows


def resolve_names(
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
    context: RenderContext[Row],
    options: QuestionOptions,
    filters: Mapping[str, Any],
    mutua: str,
    *,
    has_more: bool,
) -> list[str]:
    """Lines below an answer; JSON, which has the rest in fields, gets only that about the limit."""
    foot = []
    if has_more:
        count = f"{len(context.rows):,}"
        foot.append(f"The first {count} {read.name}; there are more: --limit 0 shows all.")
    if options.form == "json":
        return foot
    line = question_line(
        context.question, options.question, context.directory, filters, has_amounts=read.has_amounts
    )
    foot += [line, *coverage_lines(context.answer.coverage, context.question)]
    foot += warning_lines(context.answer.warnings, mutua, context.answer.coverage)
    if UNBOUND_NAMES in context.answer.warnings:
        foot += unbound_lines(context.directory, mutua)
    return [*foot, *read.footer(context)] if options.form == "table" else foot


def _write(
    read: QuestionView[Row],
    context: RenderContext[Row],
    options: QuestionOptions,
    filters: Mapping[str, Any],
    foot: Sequence[str],
) -> None:
    """Writes the answer where it was asked for; what is no part of it goes to stderr.

    A CSV file gets a second file next to it, with all fields of the JSON except the rows.
    """
    match options.form:
        case "json":
            content = to_json(_document(read, context, filters))
        case "csv":
            content = (
                to_csv(context.rows, read.row_descriptor, context.directory.name)
                if read.csv is None
                else read.csv(context)
            )
        case _:
            table = read.table(context) or f"No {read.name}."
            content, foot = "\n".join([table, "", *foot]), ()
    if options.output is None or options.output == STDOUT:
        click.echo(content)
    else:
        write_text(options.output, content)
        if options.form == "csv":
            sidecar = options.output.with_name(f"{options.output.name}.question.json")
            write_text(sidecar, to_json(_statement(context, filters)))
            foot = [*foot, f"Written: {options.output}, and its question to {sidecar}."]
    for line in foot:
        click.echo(line, err=True)


def _document(
    read: QuestionView[Row], context: RenderContext[Row], filters: Mapping[str, Any]
) -> dict[str, Any]:
    companions = (
        {read.companion_rows: getattr(context.answer, read.companion_rows)}
        if read.companion_rows
        else {}
    )
    return {
        **{name: [to_dictionary(row) for row in rows] for name, rows in companions.items()},
        read.name: [to_dictionary(row) for row in context.rows],
        **_statement(context, filters),
    }


def _statement(context: RenderContext[Any], filters: Mapping[str, Any]) -> dict[str, Any]:
    """Everything of an answer but its rows.

    `filters` are the request's fields outside its question; they appear if any is set.
    """
    set_filters = {name: value for name, value in filters.items() if value}
    return {
        "question": to_dictionary(context.question),
        **({"filters": set_filters} if set_filters else {}),
        **describe_basis(context.answer),
    }
