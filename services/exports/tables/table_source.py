"""What exported tables are made from: the answers to one question, at one position."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from mutua import Client
from mutua.async_reader import MODEL_MOVED
from mutua.organization_directory import OrganizationDirectory
from mutua.pages import Pages
from mutua.v1.analysis_service_pb2 import GetGraphResponse
from mutua.v1.query_service_pb2 import Question
from services.exports.graph_tables import GraphTable, GraphTables, TableColumn, make_graph_tables

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class NamedTable:
    """A table of the export; `name` becomes that of its file or sheet."""

    name: str
    columns: Sequence[TableColumn]
    rows: Sequence[Any]


class TableSource:
    """Asks the server for what tables need, each answer once.

    `roles_by` is the attribute between whose groups brokerage roles are counted. `question` is the
    one that the graph answers, in which no default is open.
    """

    def __init__(self, client: Client, question: Question, *, roles_by: str = "") -> None:
        self.client = client
        self._roles_by = roles_by
        self._sent_question = question
        self._positions: set[str] = set()
        self._warnings: set[str] = set()

    @cached_property
    def graph(self) -> GetGraphResponse:
        graph = self.client.get_graph(self._sent_question, roles_by=self._roles_by)
        self._note(graph.position, graph.warnings)
        return graph

    @property
    def question(self) -> Question:
        return self.graph.question

    @cached_property
    def graph_tables(self) -> GraphTables:
        return make_graph_tables(self.graph)

    @cached_property
    def directory(self) -> OrganizationDirectory:
        """The names of organizations."""
        question = Question(
            programme_id=self.question.programme_id, identity=self.question.identity
        )
        return OrganizationDirectory(
            self.collect(self.client.list_organizations(question, min_position=self.graph.position))
        )

    @property
    def has_moved(self) -> bool:
        """Whether facts were recorded between the answers, which have different positions then."""
        return len(self._positions) > 1 or MODEL_MOVED in self._warnings

    def collect(self, pages: Pages[Row]) -> list[Row]:
        """The rows of all pages."""
        rows = list(pages)
        self._note(pages.position, pages.warnings)
        return rows

    def _note(self, position: str, warnings: Iterable[str]) -> None:
        self._positions.add(position)
        self._warnings.update(warnings)


def rename_columns(table: GraphTable, names: Mapping[str, str]) -> list[TableColumn]:
    """The columns of a table, of which some get other names."""
    return [replace(column, name=names.get(column.name, column.name)) for column in table.columns]
