"""`balances`, `pairs`, `exchanges` and `organizations`: one answer each, in three formats."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import click
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from mutua import Client, Pages
from mutua.v1.query_service_pb2 import (
    IDENTITY_RECORDED,
    Balance,
    Exchange,
    Lens,
    Organization,
    Pair,
    Question,
)
from services.cli import tables
from services.cli.asking import Asked, asks
from services.cli.connect import Settings, connected
from services.cli.names import Directory
from services.cli.output import Column, to_csv, to_dictionary, to_json, to_table
from services.cli.words import NEITHER_IS_BETTER, coverage_lines, warning_lines

Row = TypeVar("Row", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Generic[Row]):
    """A list that can be asked for; `name` is that of its rows in the contract."""

    name: str
    row: Descriptor
    ask: Callable[..., Pages[Row]]
    columns: Callable[[Lens.ValueType, Directory, Sequence[str]], list[Column[Row]]]
    foot: tuple[str, ...] = ()


BALANCES: Final = Read(
    name="balances",
    row=Balance.DESCRIPTOR,
    ask=Client.list_balances,
    columns=tables.balance_columns,
    foot=(NEITHER_IS_BETTER,),
)
PAIRS: Final = Read(
    name="pairs",
    row=Pair.DESCRIPTOR,
    ask=Client.list_pairs,
    columns=lambda lens, directory, _: tables.pair_columns(lens, directory),
    foot=(NEITHER_IS_BETTER,),
)
EXCHANGES: Final = Read(
    name="exchanges",
    row=Exchange.DESCRIPTOR,
    ask=Client.list_exchanges,
    columns=lambda _, directory, __: tables.exchange_columns(directory),
)
ORGANIZATIONS: Final = Read(
    name="organizations",
    row=Organization.DESCRIPTOR,
    ask=Client.list_organizations,
    columns=lambda *_: tables.organization_columns(),
)


@click.command()
@asks
def balances(settings: Settings, asked: Asked) -> None:
    """Show what each organization gave and received.

    \b
    Examples:
      mutua balances
      mutua balances --lens burden --from 2026-01 --to 2026-07
      mutua balances --organization Thornwick --format csv
    """
    _answer(BALANCES, settings, asked)


@click.command()
@asks
def pairs(settings: Settings, asked: Asked) -> None:
    """Show what each two organizations gave each other; A gave more, or else sorts first.

    \b
    Examples:
      mutua pairs
      mutua pairs --organization Thornwick --lens attention
      mutua pairs --from 2026-01 --format json
    """
    _answer(PAIRS, settings, asked)


@click.command()
@asks
def exchanges(settings: Settings, asked: Asked) -> None:
    """Show the exchanges themselves, the evidence behind every number.

    \b
    Examples:
      mutua exchanges --organization Thornwick --from 2026-03-01
      mutua exchanges --format json
    """
    _answer(EXCHANGES, settings, asked)


@click.command()
@asks
def organizations(settings: Settings, asked: Asked) -> None:
    """Show the roster, and every other organization that was named in an exchange.

    \b
    Examples:
      mutua organizations
      mutua organizations --format csv
    """
    _answer(ORGANIZATIONS, settings, asked)


def _answer(read: Read[Row], settings: Settings, asked: Asked) -> None:
    with connected(settings, write=False, purpose=f"mutua {read.name}") as client:
        question = _resolved(client, asked.question)
        pages = read.ask(client, question, order_by=asked.order_by)
        rows = list(pages)
        # Names are for people only; programs get what was asked for and wait for nothing else.
        directory = Directory(client.list_organizations() if asked.form == "table" else ())
    shown = rows[: asked.limit] if asked.limit else rows
    foot = []
    if len(shown) < len(rows):
        foot.append(f"{len(shown):,} of {len(rows):,} {read.name}; --limit 0 shows all.")
    if asked.form == "json":
        click.echo(to_json(_document(read.name, shown, pages)))
    else:
        foot += [*coverage_lines(pages.coverage), *warning_lines(pages.warnings)]
        if asked.form == "csv":
            click.echo(to_csv(shown, read.row))
        else:
            columns = read.columns(question.lens, directory, pages.warnings)
            foot += read.foot if shown else ()
            click.echo((to_table(shown, columns) or f"No {read.name}.") + "\n")
    # With CSV and JSON nothing but the answer stands on stdout.
    for line in foot:
        click.echo(line, err=asked.form != "table")


def _document(name: str, rows: Sequence[Message], pages: Pages[Any]) -> dict[str, Any]:
    return {
        name: [to_dictionary(row) for row in rows],
        "position": pages.position,
        "as_of_date": to_dictionary(pages.as_of_date),
        "coverage": to_dictionary(pages.coverage),
        "warnings": list(pages.warnings),
    }


def _resolved(client: Client, question: Question) -> Question:
    """The question with ids for the names that were typed; ids as recorded stay as typed."""
    if not question.organization_ids or question.identity == IDENTITY_RECORDED:
        return question
    directory = Directory(client.list_organizations())
    resolved = Question()
    resolved.CopyFrom(question)
    del resolved.organization_ids[:]
    for typed in question.organization_ids:
        found = directory.find(typed)
        if found is None:
            near = directory.labels(directory.resembling(typed))
            hint = f" Did you mean {near}?" if near else ""
            click.echo(f"nobody is called {typed!r}.{hint}", err=True)
        resolved.organization_ids.append(found or typed)
    return resolved
