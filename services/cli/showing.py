"""A question is asked and its answer shown, as a table, JSON or CSV: the same for all of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

import click
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from mutua import Client
from mutua.v1.query_service_pb2 import IDENTITY_RECORDED, Question
from services.cli.asking import Asked
from services.cli.connect import Settings, connected, tell_if_empty
from services.cli.names import Directory
from services.cli.output import to_csv, to_dictionary, to_iso, to_json
from services.cli.typed import topic_labels
from services.cli.words import coverage_lines, warning_lines

Row = TypeVar("Row", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown(Generic[Row]):
    """What people see: rows, and beside them the question, names, and the whole answer."""

    rows: Sequence[Row]
    question: Question
    directory: Directory
    answer: Any
    topic_labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Generic[Row]):
    """An answer that can be asked for.

    `name` is that of its rows in the contract, `beside` of other rows that JSON tells with them.
    `ask` answers with `rows_of` and with position, day, coverage and warnings. `foot` is what
    people read under the table. `names_topics` is whether the table shows topics by their labels.
    """

    name: str
    row: Descriptor
    ask: Callable[..., Any]
    rows_of: Callable[[Any], Iterable[Row]] = iter
    beside: str = ""
    table: Callable[[Shown[Row]], str]
    foot: Callable[[Shown[Row]], Sequence[str]] = lambda _: ()
    names_topics: bool = False


def show(
    read: Read[Row],
    settings: Settings,
    asked: Asked,
    organizations: Mapping[str, str] | None = None,
    **fields: Any,
) -> list[Row]:
    """Asks and shows; returns the rows, with a limit one more where there are more.

    `organizations` are fields filled with names, `fields` others.
    """
    question, named = Question(), organizations or {}
    question.CopyFrom(asked.question)
    with connected(settings, write=False, purpose=f"mutua {read.name}") as client:
        typed = [*question.organization_ids, *filter(None, named.values())]
        meant = _meant(client, typed, question)
        question.organization_ids[:] = [meant[each] for each in question.organization_ids]
        fields |= {field: meant.get(each, "") for field, each in named.items()}
        answer = read.ask(client, question, order_by=asked.order_by, **fields)
        # One more than is shown tells that there are more; the rest is not asked for.
        rows = list(islice(read.rows_of(answer), asked.limit + 1 if asked.limit else None))
        if not rows:
            tell_if_empty(settings, client.get_status())
        # Names are for people only; programs get what was asked for and wait for nothing else.
        directory = Directory(client.list_organizations() if asked.form == "table" else ())
        labels = topic_labels(client) if asked.form == "table" and read.names_topics else {}
    shown = rows[: asked.limit] if asked.limit else rows
    foot = []
    if len(shown) < len(rows):
        foot.append(f"The first {len(shown):,} {read.name}; there are more: --limit 0 shows all.")
    if asked.form == "json":
        click.echo(to_json(_document(read, shown, answer)))
    else:
        foot += coverage_lines(answer.coverage, question)
        foot += warning_lines(answer.warnings, settings.command, answer.coverage)
        if asked.form == "csv":
            click.echo(to_csv(shown, read.row))
        else:
            told = Shown(
                rows=shown,
                question=question,
                directory=directory,
                answer=answer,
                topic_labels=labels,
            )
            foot += read.foot(told)
            click.echo((read.table(told) or f"No {read.name}.") + "\n")
    # With CSV and JSON nothing but the answer stands on stdout.
    for line in foot:
        click.echo(line, err=asked.form != "table")
    return rows


def _document(read: Read[Row], rows: Sequence[Row], answer: Any) -> dict[str, Any]:
    beside = {read.beside: getattr(answer, read.beside)} if read.beside else {}
    return {
        **{name: [to_dictionary(row) for row in found] for name, found in beside.items()},
        read.name: [to_dictionary(row) for row in rows],
        "position": answer.position,
        "as_of_date": to_iso(answer.as_of_date),
        "coverage": to_dictionary(answer.coverage),
        "warnings": list(answer.warnings),
    }


def _meant(client: Client, typed: Sequence[str], question: Question) -> dict[str, str]:
    """Ids for the names that were typed; ids as recorded stay as typed."""
    if not typed or question.identity == IDENTITY_RECORDED:
        return {each: each for each in typed}
    directory = Directory(client.list_organizations())
    meant = {}
    for each in typed:
        found = directory.find(each)
        if found is None:
            near = directory.labels(directory.resembling(each))
            hint = f" Did you mean {near}?" if near else ""
            click.echo(f"nobody is called {each!r}.{hint}", err=True)
        meant[each] = found or each
    return meant
