"""`export table`: the answers to a question as files of tables."""

from collections.abc import Sequence
from pathlib import Path

import click

from mutua.v1.query_service_pb2 import Question
from services.cli.analysis_options import HALF_LIFE_OPTION, ROLES_BY_OPTION, WHERE_OPTION
from services.cli.connection import GlobalOptions, open_client, warn_if_empty
from services.cli.graph_summary import graph_lines
from services.cli.question_options import takes_filters
from services.cli.question_view import resolve_names
from services.cli.waiting_bar import show_waiting
from services.exports.tables.table_export import export_tables
from services.exports.tables.table_register import TABLES
from services.exports.tables.table_set import FORMATS


@click.command("table")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True)
@click.option(
    "--table", "names", type=click.Choice(list(TABLES)), multiple=True, help="Only this table."
)
@click.option("--force", is_flag=True, help="Replace the tables of an earlier export.")
@takes_filters
@WHERE_OPTION
@HALF_LIFE_OPTION
@ROLES_BY_OPTION
def export_table(
    global_options: GlobalOptions,
    question: Question,
    *,
    directory: Path,
    form: str,
    names: Sequence[str],
    roles_by: str | None,
    force: bool,
) -> None:
    """Export tables for analysts.

    DIR gets a file for each table, or tables.xlsx with a sheet for each:

    \b
      edges          one row for each directed tie, as Gephi reads it
      nodes          one row for each organization, as Gephi reads it
      pairs          what two gave each other, with p, q and interval
      balances       what each gave and received
      organizations  the roster with its dates
      exchanges      one row for each exchange, as an import reads it

    about.json, or the last sheet, says what the figures are of. Programs for graphs take rows of
    one pair for several ties and find too much reciprocity: give them edges, not exchanges. Text
    in CSV that a spreadsheet would run as a formula begins with an apostrophe.

    \b
    Examples:
      mutua export table tables
      mutua export table tables-2026 --format xlsx --lens burden --from 2026-01
      mutua export table ties --format parquet --table edges --table nodes
    """
    sent_question = Question()
    sent_question.CopyFrom(question)
    with open_client(global_options, write=False, purpose="mutua export table") as client:
        unknown = resolve_names(client, question, {}, (), global_options.command)
        if unknown.is_all:
            raise unknown.to_error()
        with show_waiting():
            export = export_tables(
                client,
                question,
                directory,
                form=form,
                names=names,
                roles_by=roles_by or "",
                force=force,
            )
        if not export.graph.coverage.exchange_count:
            warn_if_empty(global_options, client.get_status())
    unknown.warn()
    counts = [f"{name} ({count:,})" for name, count in export.tables.row_counts.items()]
    click.echo(f"Written: {directory} with {', '.join(counts)}.", err=True)
    for obstacle in sorted(set(export.obstacles.values())):
        without = [name for name, reason in export.obstacles.items() if reason == obstacle]
        click.echo(f"Without {', '.join(without)}: {obstacle}.", err=True)
    for line in graph_lines(
        export.graph, export.graph_tables, sent_question, global_options.command
    ):
        click.echo(line, err=True)
