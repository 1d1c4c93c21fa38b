"""GraphML, which networkx, igraph, R, rustworkx and Gephi read.

Readers differ, so files have the one form that all of them read alike. Keys are d0, d1, ... because
Gephi compares ids with the names of a look. Each edge has a weight of type double, because
NetworKit reads no other, and only some readers apply defaults. Edge ids are unique, because Gephi
drops repeated ones, and are repeated as `ref`, because python-igraph loses them. Flags are on every
node, because igraph reads a missing one as false, and in lower case for rustworkx.

The ids of organizations are the ids of nodes. They may have spaces, which GraphML's schema forbids
and every reader accepts. They are repeated as `organization_id`, because python-igraph reads & in
an id as &#38;. GraphML has no time, so `spells` is a list of intervals.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from services.exports.export_file import ByteSink
from services.exports.graph_tables import ColumnType, GraphTables, Spell, TableColumn
from services.exports.xml_file import XmlFile, format_value

_NAMESPACE: Final = "http://graphml.graphdrawing.org/xmlns"
_TYPES: Final[Mapping[ColumnType, str]] = {
    ColumnType.TEXT: "string",
    ColumnType.WHOLE: "long",
    ColumnType.NUMBER: "double",
    ColumnType.FLAG: "boolean",
    ColumnType.DATE: "string",
    ColumnType.SPELLS: "string",
}


def write_graphml(tables: GraphTables, file: ByteSink) -> None:
    """Writes the graph. The entries of the statement are attributes of the graph itself."""
    xml = XmlFile(file)
    statement, node_columns = tables.statement, tables.nodes.columns
    edge_columns = tables.edges.columns[4:]
    keys = _list_keys(statement, node_columns, edge_columns)
    graph_ids, node_ids, edge_ids = (
        [f"d{number}" for number, (owner, *_) in enumerate(keys) if owner == each]
        for each in ("graph", "node", "edge")
    )
    with xml.write_document("graphml", {"xmlns": _NAMESPACE}):
        for number, (owner, name, type_name) in enumerate(keys):
            key = {"id": f"d{number}", "for": owner, "attr.name": name, "attr.type": type_name}
            xml.write_leaf("key", key)
        with xml.write_element("graph", {"id": "mutua", "edgedefault": "directed"}):
            _write_data(xml, graph_ids, statement.values())
            for row in tables.nodes.iterate_rows():
                with xml.write_element("node", {"id": row[0]}):
                    _write_data(xml, node_ids, row)
            for number, row in enumerate(tables.edges.iterate_rows()):
                giver, receiver, weight, spells, *values = row
                ends = {"source": str(giver), "target": str(receiver)}
                with xml.write_element("edge", {"id": f"e{number}", **ends}):
                    _write_data(xml, edge_ids, [weight, f"e{number}", spells, *values])


def _list_keys(
    statement: Mapping[str, str | int],
    node_columns: Sequence[TableColumn],
    edge_columns: Sequence[TableColumn],
) -> list[tuple[str, str, str]]:
    """What each key is for, its name and its type, in the order of the data."""
    return [
        *(
            ("graph", name, "long" if isinstance(value, int) else "string")
            for name, value in statement.items()
        ),
        *(("node", column.name, _TYPES[column.type]) for column in node_columns),
        ("edge", "weight", "double"),
        ("edge", "ref", "string"),
        ("edge", "spells", "string"),
        *(("edge", column.name, _TYPES[column.type]) for column in edge_columns),
    ]


def _write_data(xml: XmlFile, key_ids: Iterable[str], values: Iterable[Any]) -> None:
    for key_id, value in zip(key_ids, values, strict=True):
        if value is not None:
            text = _format_spells(value) if isinstance(value, tuple) else format_value(value)
            xml.write_leaf("data", {"key": key_id}, text)


def _format_spells(spells: Iterable[Spell]) -> str:
    """Quoted intervals of ISO 8601, such as ["2024-03-05/2024-03-06"]."""
    return json.dumps([f"{first}/{last}" for first, last in spells])
