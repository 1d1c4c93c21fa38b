"""Pairs, balances and organizations: the rows of answers, a column for each field."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from google.protobuf.descriptor import Descriptor

from mutua.frames import FrameColumn, list_columns
from mutua.v1.analysis_service_pb2 import PairAsymmetry
from mutua.v1.query_service_pb2 import Balance, Organization
from services.exports.graph_tables import ColumnType, TableColumn
from services.exports.tables.table_source import NamedTable, TableSource
from services.notation.words import join_list

_TYPES: Final = {
    "bool_": ColumnType.FLAG,
    "date": ColumnType.DATE,
    "float64": ColumnType.NUMBER,
    "int32": ColumnType.WHOLE,
    "int64": ColumnType.WHOLE,
    "string": ColumnType.TEXT,
}
_NAMES: Final = {
    "giver_id": "giver_name",
    "organization_id": "organization_name",
    "receiver_id": "receiver_name",
}
"""Columns of ids, and the column of names after each."""


def make_pairs(source: TableSource) -> NamedTable:
    """One row for each pair of organizations, those without evidence for a direction as well."""
    pages = source.client.list_asymmetry(
        source.question,
        every_pair=True,
        order_by="giver_id, receiver_id",
        min_position=source.graph.position,
    )
    columns = _list_columns(PairAsymmetry.DESCRIPTOR, source.directory.name)
    return NamedTable("pairs", list(columns), source.collect(pages))


def make_balances(source: TableSource) -> NamedTable:
    """One row for each organization of the population."""
    pages = source.client.list_balances(source.question, min_position=source.graph.position)
    columns = _list_columns(Balance.DESCRIPTOR, source.directory.name)
    return NamedTable("balances", list(columns), source.collect(pages))


def make_organizations(source: TableSource) -> NamedTable:
    """One row for each organization of the roster, and each that an exchange names."""
    pages = source.client.list_organizations(source.question, min_position=source.graph.position)
    columns = _list_columns(Organization.DESCRIPTOR, source.directory.name)
    return NamedTable("organizations", list(columns), source.collect(pages))


def _list_columns(descriptor: Descriptor, name_of: Callable[[str], str]) -> Iterator[TableColumn]:
    columns = list_columns(descriptor)
    has_names = any(column.name == "name" for column in columns)
    for column in columns:
        if column.is_list:
            yield TableColumn(column.name, ColumnType.TEXT, _read_list(column))
        else:
            yield TableColumn(column.name, _TYPES[column.type_name], column.read)
        if column.name in _NAMES and not has_names:
            yield TableColumn(_NAMES[column.name], ColumnType.TEXT, _read_name(column, name_of))


def _read_list(column: FrameColumn) -> Callable[[Any], str | None]:
    return lambda row: join_list(column.read(row) or ()) or None


def _read_name(column: FrameColumn, name_of: Callable[[str], str]) -> Callable[[Any], str | None]:
    return lambda row: name_of(column.read(row)) or None
