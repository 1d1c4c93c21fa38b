"""GEXF 1.3 with time, which Gephi and networkx read; valid by its schema.

Readers differ, so files have the one form that all of them read alike. Each ordered pair has one
directed edge without a kind, because Gephi finds no mutual pair across kinds. Each edge has a plain
weight, because of one that changes Gephi uses the first value. Spells do not overlap, because Gephi
drops the ones that do. Instants have their zone, because Gephi takes others to be in the zone of
the reader's machine. The time format is date, because networkx reads no dateTime.

A spell lasts from the first instant of its first day to the last millisecond of its last day: Gephi
takes both ends as part of it. Nodes have no spells, so they are always there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from services.exports.export_file import ByteSink
from services.exports.graph_tables import ColumnType, GraphTables, TableColumn
from services.exports.xml_file import XmlFile, format_value

_ROOT: Final = {"xmlns": "http://gexf.net/1.3", "version": "1.3"}
_GRAPH: Final = {
    "defaultedgetype": "directed",
    "idtype": "string",
    "mode": "dynamic",
    "timeformat": "date",
    "timerepresentation": "interval",
    "timezone": "UTC",
}
_TYPES: Final[Mapping[ColumnType, str]] = {
    ColumnType.TEXT: "string",
    ColumnType.WHOLE: "long",
    ColumnType.NUMBER: "double",
    ColumnType.FLAG: "boolean",
    ColumnType.DATE: "string",
}


def write_gexf(tables: GraphTables, file: ByteSink) -> None:
    """Writes the graph. The statement is its description, one entry a line."""
    xml = XmlFile(file)
    statement, nodes, edges = tables.statement, tables.nodes, tables.edges
    description = "\n".join(f"{name}: {value}" for name, value in statement.items())
    with xml.write_document("gexf", _ROOT):
        with xml.write_element("meta", {}):
            xml.write_leaf("creator", {}, f"mutua {statement['mutua_version']}")
            xml.write_leaf("description", {}, description)
        with xml.write_element("graph", _GRAPH):
            _declare_attributes(xml, "node", nodes.columns[1:])
            _declare_attributes(xml, "edge", edges.columns[4:])
            with xml.write_element("nodes", {"count": str(len(nodes))}):
                for row in nodes.iterate_rows():
                    _write_node(xml, row)
            with xml.write_element("edges", {"count": str(len(edges))}):
                for number, row in enumerate(edges.iterate_rows()):
                    _write_edge(xml, number, row)


def _declare_attributes(xml: XmlFile, owner: str, columns: Sequence[TableColumn]) -> None:
    with xml.write_element("attributes", {"class": owner, "mode": "static"}):
        for number, column in enumerate(columns):
            attribute = {"id": str(number), "title": column.name, "type": _TYPES[column.type]}
            xml.write_leaf("attribute", attribute)


def _write_node(xml: XmlFile, row: Sequence[Any]) -> None:
    organization_id, name, *_ = row
    ends = {"id": str(organization_id), "label": str(name or organization_id)}
    with xml.write_element("node", ends):
        _write_values(xml, row[1:])


def _write_edge(xml: XmlFile, number: int, row: Sequence[Any]) -> None:
    giver, receiver, weight, spells, *values = row
    edge = {"id": f"e{number}", "source": str(giver), "target": str(receiver)}
    with xml.write_element("edge", {**edge, "weight": str(weight)}):
        _write_values(xml, values)
        with xml.write_element("spells", {}):
            for first, last in spells:
                xml.write_leaf(
                    "spell",
                    {"start": f"{first}T00:00:00.000Z", "end": f"{last}T23:59:59.999Z"},
                )


def _write_values(xml: XmlFile, values: Iterable[Any]) -> None:
    with xml.write_element("attvalues", {}):
        for number, value in enumerate(values):
            if value is not None:
                xml.write_leaf("attvalue", {"for": str(number), "value": format_value(value)})
