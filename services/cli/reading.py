"""`balances`, `pairs`, `network`, `exchanges`, `organizations`: an answer in three formats."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, Generic, TypeVar

import click
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from mutua import Client
from mutua.v1.query_service_pb2 import (
    IDENTITY_RECORDED,
    Balance,
    Edge,
    Exchange,
    Node,
    Organization,
    Pair,
    Question,
)
from services.cli import tables
from services.cli.asking import Asked, asks
from services.cli.connect import Settings, connected, tell_if_empty
from services.cli.exchanges import lines
from services.cli.names import Directory
from services.cli.output import to_csv, to_dictionary, to_json, to_table
from services.cli.words import (
    NEITHER_IS_BETTER,
    coverage_lines,
    isolate_lines,
    warning_lines,
)

Row = TypeVar("Row", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown(Generic[Row]):
    """What people see: rows, and beside them the question, names, and the whole answer."""

    rows: Sequence[Row]
    question: Question
    directory: Directory
    answer: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Generic[Row]):
    """An answer that can be asked for.

    `name` is that of its rows in the contract, `beside` of other rows that JSON tells with them.
    `ask` answers with `rows_of` and with position, day, coverage and warnings. `foot` is what
    people read under the table.
    """

    name: str
    row: Descriptor
    ask: Callable[..., Any]
    rows_of: Callable[[Any], Iterable[Row]] = iter
    beside: str = ""
    table: Callable[[Shown[Row]], str]
    foot: Callable[[Shown[Row]], Sequence[str]] = lambda _: ()


BALANCES: Final[Read[Balance]] = Read(
    name="balances",
    row=Balance.DESCRIPTOR,
    ask=Client.list_balances,
    table=lambda shown: to_table(
        shown.rows,
        tables.balance_columns(shown.question.lens, shown.directory, shown.answer.warnings),
    ),
    foot=lambda shown: [NEITHER_IS_BETTER] if shown.rows else [],
)
PAIRS: Final[Read[Pair]] = Read(
    name="pairs",
    row=Pair.DESCRIPTOR,
    ask=Client.list_pairs,
    table=lambda shown: to_table(
        shown.rows, tables.pair_columns(shown.question.lens, shown.directory)
    ),
    foot=lambda shown: [NEITHER_IS_BETTER] if shown.rows else [],
)
EDGES: Final[Read[Edge]] = Read(
    name="edges",
    row=Edge.DESCRIPTOR,
    ask=Client.get_network,
    rows_of=lambda answer: answer.edges,
    beside="nodes",
    table=lambda shown: to_table(
        shown.rows, tables.edge_columns(shown.question.lens, shown.directory)
    ),
    foot=lambda shown: isolate_lines(
        [shown.directory.label(row.organization_id) for row in shown.answer.nodes if row.isolate],
        narrowed=bool(shown.question.kinds or shown.question.formalities or shown.question.topics),
    ),
)
NODES: Final[Read[Node]] = Read(
    name="nodes",
    row=Node.DESCRIPTOR,
    ask=Client.get_network,
    rows_of=lambda answer: answer.nodes,
    beside="edges",
    table=lambda shown: to_table(
        shown.rows, tables.node_columns(shown.question.lens, shown.directory)
    ),
)
EXCHANGES: Final[Read[Exchange]] = Read(
    name="exchanges",
    row=Exchange.DESCRIPTOR,
    ask=Client.list_exchanges,
    table=lambda shown: _exchange_table(shown, revisions=False),
)
REVISIONS: Final = replace(EXCHANGES, table=lambda shown: _exchange_table(shown, revisions=True))
ORGANIZATIONS: Final[Read[Organization]] = Read(
    name="organizations",
    row=Organization.DESCRIPTOR,
    ask=Client.list_organizations,
    table=lambda shown: to_table(shown.rows, tables.organization_columns()),
)


@click.command()
@asks
def balances(settings: Settings, asked: Asked) -> None:
    """Show what each organization gave and received.

    \b
    Examples:
      mutua balances
      mutua balances --lens burden --from 2026-01 --to 2026-07
      mutua balances --kind call --kind visit --formality informal
      mutua balances --order-by "net desc" --limit 10
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
      mutua pairs --topic interfaces --order-by "given_days desc"
      mutua pairs --from 2026-01 --format json
    """
    _answer(PAIRS, settings, asked)


@click.command()
@asks
@click.option("--nodes", is_flag=True, help="Show the organizations rather than the ties.")
def network(settings: Settings, asked: Asked, *, nodes: bool) -> None:
    """Show who gave to whom, and of whom nothing was seen.

    JSON has both nodes and edges; CSV and the table have the edges, or with --nodes the nodes.

    \b
    Examples:
      mutua network
      mutua network --lens burden --formality informal --order-by "weight desc"
      mutua network --topic interfaces --nodes
      mutua network --format csv > edges.csv
    """
    if nodes and asked.order_by:
        raise click.UsageError(
            "--order-by sorts the ties, and --nodes shows organizations, by id: leave one of them "
            "out, or sort the same figures by mutua balances --order-by."
        )
    if nodes:
        _answer(NODES, settings, asked)
    else:
        _answer(EDGES, settings, asked)


@click.command()
@asks
@click.option("--giver", default="", help="Only exchanges in which this organization gave.")
@click.option("--receiver", default="", help="Only exchanges in which this one received.")
@click.option("--standing", is_flag=True, help="Only exchanges that stand: none that is retracted.")
@click.option("--id", "ids", multiple=True, metavar="EXCHANGE", help="Only these exchanges.")
@click.option("--revisions", is_flag=True, help="Also what was said before a change (table).")
def exchanges(
    settings: Settings,
    asked: Asked,
    *,
    giver: str,
    receiver: str,
    standing: bool,
    ids: tuple[str, ...],
    revisions: bool,
) -> None:
    """Show the exchanges themselves, the evidence behind every number.

    A pair's count is the exchanges that --giver, --receiver and --standing list. What an
    organization gave itself, under two ids, is listed and counts nowhere.

    \b
    Examples:
      mutua exchanges --organization Thornwick --from 2026-03-01
      mutua exchanges --giver Thornwick --receiver Millbury --standing
      mutua exchanges --kind visit --topic interfaces --order-by "occur_time desc"
      mutua exchanges --id 0198c6f0-4e5a-7cc1-a1b5-0242ac120002 --revisions
      mutua exchanges --format json
    """
    found = _answer(
        REVISIONS if revisions else EXCHANGES,
        settings,
        asked,
        organizations={"giver_id": giver, "receiver_id": receiver},
        exchange_ids=ids,
        standing_only=standing,
    )
    listed = {row.exchange_id for row in found}
    # What a limit left out may be there.
    for each in ids if asked.limit == 0 or len(found) <= asked.limit else ():
        if each.strip().lower() not in listed:
            click.echo(f"no exchange {each!r} was found with these filters", err=True)


@click.command()
@asks
def organizations(settings: Settings, asked: Asked) -> None:
    """Show the roster, and every other organization that was named in an exchange.

    \b
    Examples:
      mutua organizations
      mutua organizations --topic interfaces --order-by "last_exchange_date desc"
      mutua organizations --format csv
    """
    _answer(ORGANIZATIONS, settings, asked)


def _answer(
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
    shown = rows[: asked.limit] if asked.limit else rows
    foot = []
    if len(shown) < len(rows):
        foot.append(f"The first {len(shown):,} {read.name}; there are more: --limit 0 shows all.")
    if asked.form == "json":
        click.echo(to_json(_document(read, shown, answer)))
    else:
        foot += [*coverage_lines(answer.coverage), *warning_lines(answer.warnings)]
        if asked.form == "csv":
            click.echo(to_csv(shown, read.row))
        else:
            told = Shown(rows=shown, question=question, directory=directory, answer=answer)
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
        "as_of_date": to_dictionary(answer.as_of_date),
        "coverage": to_dictionary(answer.coverage),
        "warnings": list(answer.warnings),
    }


def _exchange_table(shown: Shown[Exchange], *, revisions: bool) -> str:
    directory = shown.directory
    return to_table(
        [line for row in shown.rows for line in lines(row, directory, revisions=revisions)],
        tables.exchange_columns(directory, revisions=revisions),
    )


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
