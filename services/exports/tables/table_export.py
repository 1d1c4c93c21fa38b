"""Exports tables: asks for all of them at one position, and writes them as one set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mutua import Client
from mutua.async_reader import MODEL_MOVED
from mutua.v1.analysis_service_pb2 import GetGraphResponse
from mutua.v1.query_service_pb2 import Question
from services.exports.graph_tables import GraphTables, make_statement
from services.exports.tables.output_directory import replace_files, require_usable
from services.exports.tables.table_register import TABLES
from services.exports.tables.table_set import ABOUT, TableSet, list_file_names, load_writer
from services.exports.tables.table_source import TableSource
from services.ledger.errors import InvalidArgumentError

_ATTEMPTS: Final = 3


class ImpossibleTableError(InvalidArgumentError):
    """A table was asked for that the question does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableExport:
    """What was written, and why other tables were left out.

    `graph` is what edges and nodes were made from; it has the warnings about all tables.
    """

    tables: TableSet
    obstacles: Mapping[str, str]
    graph: GetGraphResponse
    graph_tables: GraphTables


def export_tables(
    client: Client,
    question: Question,
    directory: Path,
    *,
    form: str,
    names: Sequence[str] = (),
    roles_by: str = "",
    force: bool = False,
) -> TableExport:
    """Writes tables into a directory: those of `names`, or all that the question has.

    Nodes have brokerage roles between the groups of the attribute `roles_by`. Nothing is written
    unless all of it is. Raises UnusableFileError when the directory has files and `force` is false,
    MissingLibraryError when `form` needs a library, ImpossibleTableError, and ExcelLimitError.
    """
    write = load_writer(form)
    require_usable(directory, force=force)
    obstacles = _find_obstacles(question, names)
    chosen = [name for name in TABLES if name not in obstacles and (name in names or not names)]
    source, tables = ask_tables(client, question, chosen, roles_by=roles_by)
    with replace_files(
        directory, stale=list_file_names(list(TABLES)), last=f"{ABOUT}.json"
    ) as folder:
        write(tables, folder)
    return TableExport(
        tables=tables,
        obstacles=obstacles,
        graph=source.graph,
        graph_tables=source.graph_tables,
    )


def _find_obstacles(question: Question, names: Sequence[str]) -> dict[str, str]:
    obstacles = {
        name: obstacle
        for name, table in TABLES.items()
        if (obstacle := table.find_obstacle(question)) and (name in names or not names)
    }
    if obstacles and names:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in obstacles.items())
        raise ImpossibleTableError(
            f"this question does not have all of these tables ({reasons})",
            remedy="leave the table or the filter out",
        )
    return obstacles


def ask_tables(
    client: Client, question: Question, names: Sequence[str], *, roles_by: str = ""
) -> tuple[TableSource, TableSet]:
    """The tables at one position, unless facts were recorded during each attempt.

    The warning MODEL_MOVED says that they were.
    """
    for _ in range(_ATTEMPTS):
        source = TableSource(client, question, roles_by=roles_by)
        tables = [TABLES[name].make(source) for name in names]
        if not source.has_moved:
            break
    else:
        if MODEL_MOVED not in source.graph.warnings:
            source.graph.warnings.append(MODEL_MOVED)
    about = make_statement(source.graph)
    if roles_by:
        about["roles_by"] = roles_by
    about["weightless_edge_count"] = source.graph_tables.weightless_count
    about |= {f"{table.name}_row_count": len(table.rows) for table in tables}
    return source, TableSet(tables, about)
