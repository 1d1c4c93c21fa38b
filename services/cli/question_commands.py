"""`balances`, `pairs`, `network`, `exchanges`, `organizations`: questions and their answers."""

from dataclasses import replace
from typing import Final

import click

from mutua import Client
from mutua.v1.query_service_pb2 import Balance, Edge, Exchange, Node, Organization, Pair
from services.cli import tables
from services.cli.analysis_options import HALF_LIFE_OPTION
from services.cli.connection import GlobalOptions
from services.cli.exchange_csv import exchange_csv
from services.cli.exchange_summary import revision_lines
from services.cli.messages import NEITHER_IS_BETTER, doubles_line, isolate_lines
from services.cli.output import to_table
from services.cli.question_options import QuestionOptions, takes_question
from services.cli.question_view import QuestionView, RenderContext, show

BALANCES: Final[QuestionView[Balance]] = QuestionView(
    name="balances",
    row_descriptor=Balance.DESCRIPTOR,
    ask=Client.list_balances,
    table=lambda context: to_table(
        context.rows,
        tables.balance_columns(context.question, context.directory, context.answer.warnings),
    ),
    footer=lambda context: [NEITHER_IS_BETTER] if context.rows else [],
)
PAIRS: Final[QuestionView[Pair]] = QuestionView(
    name="pairs",
    row_descriptor=Pair.DESCRIPTOR,
    ask=Client.list_pairs,
    table=lambda context: to_table(
        context.rows, tables.pair_columns(context.question.lens, context.directory)
    ),
    footer=lambda context: [NEITHER_IS_BETTER] if context.rows else [],
)
EDGES: Final[QuestionView[Edge]] = QuestionView(
    name="edges",
    row_descriptor=Edge.DESCRIPTOR,
    ask=Client.get_network,
    rows_of=lambda answer: answer.edges,
    companion_rows="nodes",
    table=lambda context: to_table(
        context.rows, tables.edge_columns(context.question.lens, context.directory)
    ),
    footer=lambda context: _without_exchanges(context),
)
NODES: Final[QuestionView[Node]] = QuestionView(
    name="nodes",
    row_descriptor=Node.DESCRIPTOR,
    ask=Client.get_network,
    rows_of=lambda answer: answer.nodes,
    companion_rows="edges",
    table=lambda context: to_table(
        context.rows, tables.node_columns(context.question.lens, context.directory)
    ),
)
EXCHANGES: Final[QuestionView[Exchange]] = QuestionView(
    name="exchanges",
    row_descriptor=Exchange.DESCRIPTOR,
    ask=Client.list_exchanges,
    has_amounts=False,
    has_retracted=True,
    table=lambda context: _exchange_table(context, revisions=False),
    csv=lambda context: exchange_csv(context.rows, context.directory),
    has_topics=True,
)
REVISIONS: Final = replace(
    EXCHANGES, table=lambda context: _exchange_table(context, revisions=True)
)
ORGANIZATIONS: Final[QuestionView[Organization]] = QuestionView(
    name="organizations",
    row_descriptor=Organization.DESCRIPTOR,
    ask=Client.list_organizations,
    has_amounts=False,
    table=lambda context: to_table(context.rows, tables.organization_columns()),
)


@click.command()
@takes_question
@HALF_LIFE_OPTION
def balances(global_options: GlobalOptions, options: QuestionOptions) -> None:
    """Show what organizations gave and received.

    \b
    Examples:
      mutua balances
      mutua balances --lens burden --from 2026-01 --to 2026-07
      mutua balances --half-life 365
      mutua balances --kind call --kind visit --formality informal
      mutua balances --order-by "net desc" --limit 10
      mutua balances --organization Thornwick --format csv
    """
    show(BALANCES, global_options, options)


@click.command()
@takes_question
def pairs(global_options: GlobalOptions, options: QuestionOptions) -> None:
    """Compare giving and receiving in each pair.

    A is the organization that gave more; if both gave the same, the one that sorts first.

    \b
    Examples:
      mutua pairs
      mutua pairs --organization Thornwick --lens attention
      mutua pairs --topic interfaces --order-by "given_days desc"
      mutua pairs --from 2026-01 --format json
    """
    show(PAIRS, global_options, options)


@click.command()
@takes_question
@click.option("--nodes", is_flag=True, help="Show the organizations instead of the ties.")
def network(global_options: GlobalOptions, options: QuestionOptions, *, nodes: bool) -> None:
    """Show who gave to whom.

    JSON has nodes and edges. CSV and the table have the edges, or with --nodes the nodes. A line
    below the table lists the organizations without an exchange.

    \b
    Examples:
      mutua network
      mutua network --lens burden --formality informal --order-by "weight desc"
      mutua network --topic interfaces --nodes
      mutua network --format csv --output edges.csv
    """
    if nodes and options.order_by:
        raise click.UsageError(
            "--order-by sorts the ties, and --nodes shows organizations, by id: leave one of them "
            "out, or sort the same figures by mutua balances --order-by."
        )
    if nodes:
        show(NODES, global_options, options)
    else:
        show(EDGES, global_options, options)


@click.command()
@takes_question
@click.option("--giver", default="", help="Only exchanges in which this organization gave.")
@click.option("--receiver", default="", help="Only exchanges in which this organization received.")
@click.option("--standing", is_flag=True, help="Leave out retracted exchanges.")
@click.option(
    "--possible-doubles",
    is_flag=True,
    help="Only exchanges that may be reported twice, next to each other.",
)
@click.option("--id", "ids", multiple=True, metavar="EXCHANGE", help="Only these exchanges.")
@click.option("--revisions", is_flag=True, help="Also show earlier revisions (table).")
@click.option("--retracted", is_flag=True, help="Also list retracted exchanges (CSV).")
def exchanges(
    global_options: GlobalOptions,
    options: QuestionOptions,
    *,
    giver: str,
    receiver: str,
    standing: bool,
    possible_doubles: bool,
    ids: tuple[str, ...],
    revisions: bool,
    retracted: bool,
) -> None:
    """List exchanges, the evidence of answers.

    With --giver, --receiver and --standing, the list has the exchanges that a pair counts. Internal
    exchanges, whose sides share an organization, count nowhere: --giver and --receiver omit them.
    Possible doubles have the same parties, kind and day, and were reported by different sides.
    CSV has one row per exchange, with the columns of an import; JSON has every revision.

    \b
    Examples:
      mutua exchanges --organization Thornwick --from 2026-03-01
      mutua exchanges --giver Thornwick --receiver Millbury --standing
      mutua exchanges --possible-doubles
      mutua exchanges --kind visit --topic interfaces --order-by "occur_time desc"
      mutua exchanges --id 0198c6f0-4e5a-7cc1-a1b5-0242ac120002 --revisions
      mutua exchanges --format json
      mutua exchanges --format csv > all.csv
    """
    if retracted and (options.form != "csv" or standing):
        raise click.UsageError(
            "--retracted is for --format csv without --standing: tables and JSON list exchanges "
            "that were retracted unless --standing is given."
        )
    read = REVISIONS if revisions else EXCHANGES
    choices = (*options.question.organization_ids, giver, receiver, *ids)
    is_whole = options.limit == 0 and not any(choices)
    rows = show(
        _doubles(read, is_whole=is_whole) if possible_doubles else read,
        global_options,
        options,
        organizations={"giver_id": giver, "receiver_id": receiver},
        exchange_ids=ids,
        standing_only=standing or (options.form == "csv" and not (retracted or ids)),
        possible_doubles=possible_doubles,
    )
    listed_ids = {row.exchange_id for row in rows}
    # What a limit left out may be there.
    for each in ids if options.limit == 0 or len(rows) <= options.limit else ():
        if each.strip().lower() not in listed_ids:
            click.echo(f"no exchange {each!r} was found with these filters", err=True)
    if ids and not listed_ids:
        click.get_current_context().exit(1)


@click.command()
@takes_question
def organizations(global_options: GlobalOptions, options: QuestionOptions) -> None:
    """List the roster and other organizations.

    Other organizations are named by exchanges and registered by nobody.

    \b
    Examples:
      mutua organizations
      mutua organizations --topic interfaces --order-by "last_exchange_date desc"
      mutua organizations --format csv
    """
    show(ORGANIZATIONS, global_options, options)


def _doubles(read: QuestionView[Exchange], *, is_whole: bool) -> QuestionView[Exchange]:
    """The same, with who reported each and the number of possible doubles at the foot."""
    return replace(
        read,
        table=lambda context: _exchange_table(context, revisions=read is REVISIONS, reporters=True),
        footer=lambda context: [
            doubles_line(context.answer.coverage, len(context.rows), is_whole=is_whole)
        ],
    )


def _without_exchanges(context: RenderContext[Edge]) -> list[str]:
    nodes = [row for row in context.answer.nodes if not row.exchange_count]
    return isolate_lines(
        *(
            [
                context.directory.label(row.organization_id)
                for row in nodes
                if row.isolate is isolate
            ]
            for isolate in (True, False)
        )
    )


def _exchange_table(
    context: RenderContext[Exchange], *, revisions: bool, reporters: bool = False
) -> str:
    directory = context.directory
    return to_table(
        [
            line
            for row in context.rows
            for line in revision_lines(row, directory, context.topic_labels, revisions=revisions)
        ],
        tables.exchange_columns(
            directory, context.question, revisions=revisions, reporters=reporters
        ),
    )
