"""The tables that an export has; a new one is a function and a line here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mutua.v1.query_service_pb2 import ALLOCATION_FULL, Question
from services.exports.tables.answer_tables import make_balances, make_organizations, make_pairs
from services.exports.tables.exchange_table import make_exchanges
from services.exports.tables.network_tables import make_edges, make_nodes
from services.exports.tables.table_source import NamedTable, TableSource


@dataclass(frozen=True, slots=True)
class RegisteredTable:
    """How a table is made, and what its answer cannot take."""

    make: Callable[[TableSource], NamedTable]
    takes_subset: bool = True
    """Whether it answers for organizations that have the attributes of `where`."""
    takes_half_life: bool = False
    takes_full: bool = True
    """Whether it answers under allocation full, which has no totals."""

    def find_obstacle(self, question: Question) -> str:
        """Why this question has no such table; "" if it has one."""
        if question.where and not self.takes_subset:
            return "where selects organizations for analyses only"
        if question.HasField("half_life_days") and not self.takes_half_life:
            return "half-life is for amounts of organizations and ties only"
        if question.allocation == ALLOCATION_FULL and not self.takes_full:
            return "allocation full has no amounts that add up"
        return ""


# The first one is what programs read that take one sheet of a workbook.
TABLES: Final = {
    "edges": RegisteredTable(make_edges, takes_half_life=True),
    "nodes": RegisteredTable(make_nodes, takes_half_life=True),
    "pairs": RegisteredTable(make_pairs, takes_full=False),
    "balances": RegisteredTable(
        make_balances, takes_subset=False, takes_half_life=True, takes_full=False
    ),
    "organizations": RegisteredTable(make_organizations, takes_subset=False),
    "exchanges": RegisteredTable(make_exchanges, takes_subset=False),
}
