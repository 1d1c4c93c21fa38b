"""The graph of an answer as two tables and a statement: the same for every file that shows it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import partial
from importlib.metadata import version
from operator import attrgetter
from typing import Any, Final

from mutua.enum_words import read_enum_word
from mutua.frames import to_day
from mutua.v1.analysis_service_pb2 import BrokerageRoles, GetGraphResponse, GraphEdge, GraphNode
from mutua.v1.query_service_pb2 import (
    Allocation,
    Identity,
    Lens,
    Organization,
    Population,
    ReportView,
)
from mutua.v1.types_pb2 import ExchangeKind, Formality, OrganizationType

Spell = tuple[date, date]
"""First and last day, both included."""
Value = str | int | float | bool | date | tuple[Spell, ...]


class ColumnType(Enum):
    """The type of a column's values; None is an absent one. Flags are never absent."""

    TEXT = str
    WHOLE = int
    NUMBER = float
    FLAG = bool
    DATE = date
    SPELLS = tuple


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column: its name, its type, and the value of a row's message.

    Gephi takes columns named r, g, b, x, y, z, size, color or label as the look of a node, so none
    has such a name.
    """

    name: str
    type: ColumnType
    read: Callable[[Any], Value | None]


@dataclass(frozen=True, slots=True)
class GraphTable:
    """Columns and rows; a row has a value for each column."""

    columns: Sequence[TableColumn]
    messages: Sequence[Any]

    def __len__(self) -> int:
        return len(self.messages)

    def iterate_rows(self) -> Iterator[tuple[Any, ...]]:
        """Yields the values of each row, of the types of the columns or None."""
        for message in self.messages:
            yield tuple(column.read(message) for column in self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphTables:
    """Organizations, ties, and what the figures are of.

    `nodes` start with the column organization_id. `edges` start with giver_id, receiver_id, weight
    and spells; they ascend by giver and receiver id. `statement` has lens, allocation, window,
    identity, report view, position, version and more.
    """

    nodes: GraphTable
    edges: GraphTable
    statement: Mapping[str, str | int]
    weightless_count: int
    """Ties of weight 0, whose minutes are unknown or 0, which are left out of `edges`."""


def make_graph_tables(graph: GetGraphResponse) -> GraphTables:
    """The tables of an answer to GetGraph.

    Ties of weight 0 are left out, because programs disagree on whether they are ties.
    """
    edges = [edge for edge in graph.edges if edge.weight > 0]
    return GraphTables(
        nodes=GraphTable(list_node_columns(graph), graph.nodes),
        edges=GraphTable(list_edge_columns(graph), edges),
        statement=make_statement(graph),
        weightless_count=len(graph.edges) - len(edges),
    )


def list_node_columns(graph: GetGraphResponse) -> list[TableColumn]:
    """The columns of nodes; those of roles only where an attribute was asked for."""
    columns = [
        _organization_column("organization_id", ColumnType.TEXT, _read_text, "organization_id"),
        _organization_column("organization_name", ColumnType.TEXT, _read_text, "name"),
        _organization_column("organization_type", ColumnType.TEXT, _read_type, "type"),
        _organization_column("sector", ColumnType.TEXT, _read_text, "sector"),
        _organization_column("region", ColumnType.TEXT, _read_text, "region"),
        _organization_column("core_system", ColumnType.TEXT, _read_text, "core_system"),
        _organization_column("strategic_group", ColumnType.TEXT, _read_text, "strategic_group"),
        _organization_column("size_band", ColumnType.TEXT, _read_text, "size"),
        _organization_column("role", ColumnType.TEXT, _read_text, "role"),
        _organization_column("registered", ColumnType.FLAG, _read_value, "registered"),
        TableColumn("is_member", ColumnType.FLAG, attrgetter("is_member")),
        TableColumn("isolate", ColumnType.FLAG, attrgetter("isolate")),
        TableColumn("given", ColumnType.NUMBER, partial(_read_optional, name="given")),
        TableColumn("received", ColumnType.NUMBER, partial(_read_optional, name="received")),
        TableColumn("exchange_count", ColumnType.WHOLE, attrgetter("exchange_count")),
        _organization_column(
            "first_exchange_date", ColumnType.DATE, _read_day, "first_exchange_date"
        ),
        _organization_column(
            "last_exchange_date", ColumnType.DATE, _read_day, "last_exchange_date"
        ),
        TableColumn("constraint", ColumnType.NUMBER, partial(_read_optional, name="constraint")),
        TableColumn("betweenness", ColumnType.NUMBER, partial(_read_optional, name="betweenness")),
    ]
    if graph.roles_by:
        columns += [
            TableColumn(field.name, ColumnType.WHOLE, partial(_read_role, name=field.name))
            for field in BrokerageRoles.DESCRIPTOR.fields
        ]
    return columns


def _organization_column(
    name: str, column_type: ColumnType, read: Callable[..., Any], field: str
) -> TableColumn:
    """A column with a field of the organization of a node."""
    return TableColumn(name, column_type, lambda node: read(node.organization, name=field))


def list_edge_columns(graph: GetGraphResponse) -> list[TableColumn]:
    """The columns of edges; each kind that occurs has its count and its amount.

    `amount` equals `weight`, which Gephi reads with 7 digits and other programs as a length.
    """
    columns = [
        TableColumn("giver_id", ColumnType.TEXT, attrgetter("giver_id")),
        TableColumn("receiver_id", ColumnType.TEXT, attrgetter("receiver_id")),
        TableColumn("weight", ColumnType.NUMBER, attrgetter("weight")),
        TableColumn("spells", ColumnType.SPELLS, read_spells),
        TableColumn("amount", ColumnType.NUMBER, attrgetter("weight")),
        TableColumn("exchange_count", ColumnType.WHOLE, attrgetter("exchange_count")),
        TableColumn("unknown_count", ColumnType.WHOLE, attrgetter("unknown_count")),
        TableColumn("undated_count", ColumnType.WHOLE, attrgetter("undated_count")),
    ]
    kinds = sorted({flow.kind for edge in graph.edges for flow in edge.kinds})
    for kind in kinds:
        word = (_KIND_WORD(kind) or "unspecified").replace("-", "_")
        columns += [
            TableColumn(
                f"{word}_count",
                ColumnType.WHOLE,
                partial(_read_kind, kind=kind, name="exchange_count", nothing=0),
            ),
            TableColumn(
                f"{word}_amount",
                ColumnType.NUMBER,
                partial(_read_kind, kind=kind, name="weight", nothing=0.0),
            ),
        ]
    return columns


def read_spells(edge: GraphEdge) -> tuple[Spell, ...]:
    """The spells of an edge, ascending."""
    return tuple((to_day(spell.first_date), to_day(spell.last_date)) for spell in edge.spells)


def make_statement(graph: GetGraphResponse) -> dict[str, str | int]:
    """What the figures of an answer are of, in the words of the command line.

    A window without an end has no entry for it, nor has a filter that selects everything.
    """
    question, coverage = graph.question, graph.coverage
    is_count = question.lens == Lens.LENS_COUNT
    entries: dict[str, str | int | None] = {
        "programme": question.programme_id,
        "lens": _LENS_WORD(question.lens),
        "unit": "exchanges" if is_count else "minutes",
        "allocation": _ALLOCATION_WORD(question.allocation),
        "from_date": _read_date(question, name="from_date"),
        "to_date": _read_date(question, name="to_date"),
        "identity": _IDENTITY_WORD(question.identity),
        "report_view": _REPORT_VIEW_WORD(question.report_view),
        "population": _POPULATION_WORD(question.population),
        "kinds": _list(map(_KIND_WORD, question.kinds)),
        "formalities": _list(
            _FORMALITY_WORD(each) or "unspecified" for each in question.formalities
        ),
        "topics": _list(question.topics),
        "organization_ids": _list(question.organization_ids),
        "where": _list(f"{each.attribute}={each.value}" for each in question.where),
        "half_life_days": question.half_life_days or None,
        "as_of_date": to_day(graph.as_of_date).isoformat(),
        "position": graph.position,
        "mutua_version": version("mutua"),
        "metric_version": graph.metric_version,
        "roles_by": graph.roles_by or None,
        "warnings": _list(graph.warnings),
        **{field.name: getattr(coverage, field.name) for field in coverage.DESCRIPTOR.fields},
    }
    return {name: value for name, value in entries.items() if value is not None}


def _list(words: Iterable[object]) -> str | None:
    return ", ".join(map(str, words)) or None


def _read_text(message: Any, *, name: str) -> str | None:
    return getattr(message, name) or None


def _read_type(organization: Organization, *, name: str) -> str | None:
    return _TYPE_WORD(getattr(organization, name))


def _read_value(message: Any, *, name: str) -> Any:
    return getattr(message, name)


def _read_optional(message: Any, *, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _read_day(message: Any, *, name: str) -> date | None:
    return to_day(getattr(message, name)) if message.HasField(name) else None


def _read_date(message: Any, *, name: str) -> str | None:
    day = _read_day(message, name=name)
    return None if day is None else day.isoformat()


def _read_role(node: GraphNode, *, name: str) -> int | None:
    return getattr(node.roles, name) if node.HasField("roles") else None


def _read_kind(edge: GraphEdge, *, kind: int, name: str, nothing: float) -> Any:
    for flow in edge.kinds:
        if flow.kind == kind:
            return getattr(flow, name)
    return nothing


_KIND_WORD: Final = read_enum_word(ExchangeKind.DESCRIPTOR)
_FORMALITY_WORD: Final = read_enum_word(Formality.DESCRIPTOR)
_TYPE_WORD: Final = read_enum_word(OrganizationType.DESCRIPTOR)
_LENS_WORD: Final = read_enum_word(Lens.DESCRIPTOR)
_ALLOCATION_WORD: Final = read_enum_word(Allocation.DESCRIPTOR)
_IDENTITY_WORD: Final = read_enum_word(Identity.DESCRIPTOR)
_REPORT_VIEW_WORD: Final = read_enum_word(ReportView.DESCRIPTOR)
_POPULATION_WORD: Final = read_enum_word(Population.DESCRIPTOR)
