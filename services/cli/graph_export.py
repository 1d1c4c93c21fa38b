"""`export graph`: the network as a file of Gephi, networkx, igraph and others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from mutua.async_reader import MODEL_MOVED
from mutua.v1.analysis_service_pb2 import GetGraphResponse
from mutua.v1.query_service_pb2 import Question
from services.cli.analysis_options import HALF_LIFE_OPTION, ROLES_BY_OPTION, WHERE_OPTION
from services.cli.connection import GlobalOptions, open_client, warn_if_empty
from services.cli.graph_summary import graph_lines
from services.cli.question_options import takes_filters
from services.cli.question_view import resolve_names
from services.cli.waiting_bar import show_waiting
from services.exports.export_file import open_atomic
from services.exports.graph_file import find_writer
from services.exports.graph_tables import GraphTables, make_graph_tables
from services.ledger.wording import format_count

_MOVED: Final = (
    "facts were recorded while the graph was read, three times in a row, so nothing was written: "
    "type the same again."
)


@click.command("graph")
@click.argument("file", type=click.Path(path_type=Path))
@takes_filters
@WHERE_OPTION
@HALF_LIFE_OPTION
@ROLES_BY_OPTION
@click.option("--force", is_flag=True, help="Replace an existing file.")
def export_graph(
    global_options: GlobalOptions,
    question: Question,
    *,
    file: Path,
    roles_by: str | None,
    force: bool,
) -> None:
    """Export the network as a graph file.

    FILE ends in .graphml (networkx, igraph, R, Gephi) or .gexf (Gephi, with a time line). It has
    every organization with its attributes, constraint and betweenness, and one directed edge for
    each giver and receiver, with its weight, what it has of each kind, and its spells.

    The days of an exchange make a spell; one that is known to its month or quarter takes all of
    it, so every edge has one, and undated_count counts these. Gephi reads weights with 7 digits:
    amount is exact. In R, igraph takes weight as a length: give betweenness and distances
    weights = 1 / E(g)$weight, or NA. Opening a file twice in one workspace of Gephi doubles
    weights.

    \b
    Examples:
      mutua export graph network.gexf
      mutua export graph burden-2026.graphml --lens burden --from 2026-01 --to 2027-01
      mutua export graph north.graphml --where region=North --roles-by core_system
    """
    write = find_writer(file)
    sent_question = Question()
    sent_question.CopyFrom(question)
    with (
        open_client(global_options, write=False, purpose="mutua export graph") as client,
        open_atomic(file, force=force) as sink,
    ):
        unknown = resolve_names(client, question, {}, (), global_options.command)
        if unknown.is_all:
            raise unknown.to_error()
        with show_waiting():
            graph = client.get_graph(question, roles_by=roles_by or "")
            if MODEL_MOVED in graph.warnings:
                raise click.ClickException(_MOVED)
            tables = make_graph_tables(graph)
            write(tables, sink)
        if not graph.coverage.exchange_count:
            warn_if_empty(global_options, client.get_status())
    unknown.warn()
    for line in _describe(graph, tables, sent_question, file, global_options.command):
        click.echo(line, err=True)


def _describe(
    graph: GetGraphResponse, tables: GraphTables, sent_question: Question, file: Path, mutua: str
) -> Iterator[str]:
    """What the file has, what is not in it, and what it rests on."""
    organizations = format_count(len(tables.nodes), "organization")
    yield f"Written: {file} with {organizations} and {format_count(len(tables.edges), 'tie')}."
    if not graph.edges:
        yield "The question selects no tie, so the file has organizations alone."
    yield from graph_lines(graph, tables, sent_question, mutua)
