"""Edges and nodes, with the headers that Gephi's import of spreadsheets knows.

Other headers would make Gephi read an adjacency list, or drop weights and times.
"""

from typing import Final

from services.exports.graph_tables import ColumnType, TableColumn
from services.exports.tables.table_source import NamedTable, TableSource, rename_columns

_EDGE_HEADERS: Final = {
    "giver_id": "Source",
    "receiver_id": "Target",
    "weight": "weight",
    "spells": "Timeset",
}
_NODE_HEADERS: Final = {"organization_id": "Id", "organization_name": "Label"}


def make_edges(source: TableSource) -> NamedTable:
    """One row for each directed tie: amounts are added up, so that no tie looks like several."""
    table, name_of = source.graph_tables.edges, source.directory.name
    columns = [
        *rename_columns(table, _EDGE_HEADERS),
        TableColumn("giver_name", ColumnType.TEXT, lambda edge: name_of(edge.giver_id) or None),
        TableColumn(
            "receiver_name", ColumnType.TEXT, lambda edge: name_of(edge.receiver_id) or None
        ),
    ]
    return NamedTable("edges", columns, table.messages)


def make_nodes(source: TableSource) -> NamedTable:
    """One row for each organization, also those without a tie.

    Days are in the table of organizations alone: Gephi takes a column of days for the times of the
    graph, and then drops those of the edges.
    """
    table = source.graph_tables.nodes
    columns = rename_columns(table, _NODE_HEADERS)
    return NamedTable(
        "nodes",
        [column for column in columns if column.type is not ColumnType.DATE],
        table.messages,
    )
