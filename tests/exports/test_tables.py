"""Exported tables, read again by other programs: they have the figures of the answers."""

import csv
import json
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import igraph
import networkx as nx
import openpyxl
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from mutua import Client, MissingLibraryError
from mutua.v1 import query_service_pb2 as query
from mutua.v1.types_pb2 import Date
from services.app.bootstrap import serve_embedded
from services.exports.export_file import UnusableFileError
from services.exports.graph_tables import ColumnType, TableColumn
from services.exports.tables import table_export
from services.exports.tables.output_directory import replace_files
from services.exports.tables.table_export import (
    ImpossibleTableError,
    export_tables,
)
from services.exports.tables.table_register import TABLES
from services.exports.tables.table_set import FORMATS, TableSet
from services.exports.tables.table_source import NamedTable
from services.exports.tables.workbook import ExcelLimitError, write_workbook
from services.imports import ImportOptions, import_exchanges
from tests.services.facts import correction, exchange, joint_exchange, registration

IDS: Final = ("007", "1e5", "NA", "=1+1", "'=2", "@oak; elm", "#N/A", "-5")
"""Ids that programs take for numbers, for nothing or for formulas."""
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_embedded(tmp_path_factory.mktemp("data"), purpose="tests", write=True) as running:
        yield running.address


@pytest.fixture(scope="module")
def client(server: str) -> Iterator[Client]:
    """Organizations that give to the next one, some also to others; minutes are partly unknown."""
    events = [
        registration(each, name=f"{each} Trust", region="North" if number % 2 else "South")
        for number, each in enumerate(IDS)
    ]
    for number, (giver, receiver) in enumerate(zip(IDS, (*IDS[1:], IDS[0]), strict=True)):
        minutes = 10 * number or None
        events.append(exchange(giver, receiver, on="2026-03-02T09:30:00Z", minutes=minutes))
        events.append(exchange(giver, receiver, on="2026-03-01T00:00:00Z", precision=3))
    events += [exchange("007", "NA", on=f"2026-03-{day:02}T09:00:00Z") for day in range(1, 9)]
    events.append(exchange("NA", "007"))
    events += [exchange(["007", "1e5"], ["NA", "-5"], minutes=25), joint_exchange("007", "#N/A")]
    events.append(correction(events[-2], receiver="-5"))
    events[-1].exchange_corrected.exchange.giver_ids[:] = ["NA"]
    with Client(server, programme="odd") as client:
        client.get_status(min_position=client.record(events))
        yield client


@pytest.fixture(scope="module")
def folders(client: Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An export of minutes in each format."""
    folders = {form: tmp_path_factory.mktemp(form) / "tables" for form in FORMATS}
    for form, folder in folders.items():
        export_tables(client, query.Question(lens=query.LENS_BURDEN), folder, form=form)
    return folders


def read_csv(folder: Path, name: str) -> Rows:
    frame = pl.read_csv(
        folder / f"{name}.csv", infer_schema_length=None, schema_overrides=_texts(name)
    )
    return [{column: _unmark(value) for column, value in row.items()} for row in frame.to_dicts()]


def read_parquet(folder: Path, name: str) -> Rows:
    rows: Rows = pl.read_parquet(folder / f"{name}.parquet").to_dicts()
    return rows


def read_workbook(folder: Path, name: str) -> Rows:
    workbook = openpyxl.load_workbook(folder / "tables.xlsx")
    header, *rows = workbook[name].iter_rows(values_only=True)
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


READERS: Final[dict[str, Callable[[Path, str], Rows]]] = {
    "csv": read_csv,
    "parquet": read_parquet,
    "xlsx": read_workbook,
}
TEXTS: Final = ("Source", "Target", "Id", "giver_id", "receiver_id", "organization_id")


def _texts(name: str) -> dict[str, Any]:
    """Readers of CSV need to know which columns are text."""
    columns = {"edges": TEXTS[:2], "nodes": TEXTS[2:3], "pairs": TEXTS[3:5], "balances": TEXTS[5:]}
    return dict.fromkeys(columns.get(name, ("giver", "receiver")), pl.String)


def _unmark(value: Any) -> Any:
    return value[1:] if isinstance(value, str) and value[:1] == "'" else value


@pytest.mark.parametrize("form", FORMATS)
class TestFormats:
    def test_edges_are_those_of_the_network_that_have_an_amount(
        self, client: Client, folders: dict[str, Path], form: str
    ) -> None:
        edges = client.get_network(lens="burden").edges
        assert {
            (row["Source"], row["Target"]): (
                row["weight"],
                row["exchange_count"],
                row["unknown_count"],
            )
            for row in READERS[form](folders[form], "edges")
        } == {
            (edge.giver_id, edge.receiver_id): (
                edge.weight,
                edge.exchange_count,
                edge.unknown_count,
            )
            for edge in edges
            if edge.weight
        }

    def test_weights_are_numbers(self, folders: dict[str, Path], form: str) -> None:
        rows = READERS[form](folders[form], "edges")
        assert all(isinstance(row["weight"], int | float) and row["weight"] > 0 for row in rows)

    def test_nodes_are_all_organizations(
        self, client: Client, folders: dict[str, Path], form: str
    ) -> None:
        nodes = client.get_network(lens="burden").nodes
        assert {
            row["Id"]: (row["Label"], row["given"], row["received"])
            for row in READERS[form](folders[form], "nodes")
        } == {
            node.organization_id: (f"{node.organization_id} Trust", node.given, node.received)
            for node in nodes
        }

    def test_pairs_have_evidence_or_nothing(
        self, client: Client, folders: dict[str, Path], form: str
    ) -> None:
        rows = READERS[form](folders[form], "pairs")
        fields = ("p_value", "q_value", "interval_low", "interval_high")
        expected = {
            (row["giver_id"], row["receiver_id"]): tuple(row[field] for field in fields)
            for row in client.list_pairs(lens="burden").to_arrow().to_pylist()
        }
        assert {
            (row["giver_id"], row["receiver_id"]): tuple(row[field] for field in fields)
            for row in rows
        } == expected
        assert len([values for values in expected.values() if None not in values]) == 1

    def test_balances_and_pairs_add_up_to_the_edges(
        self, folders: dict[str, Path], form: str
    ) -> None:
        edges, nodes, pairs, balances = (
            READERS[form](folders[form], name) for name in ("edges", "nodes", "pairs", "balances")
        )
        total = pytest.approx(sum(row["weight"] for row in edges))
        assert sum(row["given"] + row["received"] for row in pairs) == total
        for table in (nodes, balances):
            assert sum(row["given"] for row in table) == total
            assert sum(row["received"] for row in table) == total

    def test_exchanges_have_a_row_each(
        self, client: Client, folders: dict[str, Path], form: str
    ) -> None:
        exchanges = {each.exchange_id: each for each in client.list_exchanges(standing_only=True)}
        rows = READERS[form](folders[form], "exchanges")
        assert {row["exchange_id"] for row in rows} == set(exchanges)
        assert len(rows) == len(exchanges)
        minutes = {
            key: content.giver_minutes if content.HasField("giver_minutes") else None
            for key, each in exchanges.items()
            for content in [each.revisions[-1].content]
        }
        assert {row["exchange_id"]: row["giver_minutes"] for row in rows} == minutes

    def test_about_states_question_position_and_counts(
        self, client: Client, folders: dict[str, Path], form: str
    ) -> None:
        if form == "xlsx":
            about = {row["name"]: row["value"] for row in read_workbook(folders[form], "about")}
        else:
            about = json.loads((folders[form] / "about.json").read_text())
        answer = client.get_network(lens="burden")
        expected = {
            "programme": "odd",
            "lens": "burden",
            "allocation": "split",
            "identity": "as-now",
            "report_view": "union",
            "position": answer.position,
            "exchange_count": answer.coverage.exchange_count,
            "nodes_row_count": len(IDS),
            "edges_row_count": sum(edge.weight > 0 for edge in answer.edges),
            "weightless_edge_count": sum(edge.weight == 0 for edge in answer.edges),
            "mutua_version": "0.1.0",
        }
        assert {name: about[name] for name in expected} == expected


class TestCsv:
    def test_absent_values_are_empty_and_never_nan(self, folders: dict[str, Path]) -> None:
        for name in TABLES:
            text = (folders["csv"] / f"{name}.csv").read_text()
            assert "nan" not in text.lower().replace("organizationname", "")
            assert "None" not in text

    def test_no_cell_begins_like_a_formula(self, folders: dict[str, Path]) -> None:
        cells = [
            cell
            for name in TABLES
            for row in csv.reader((folders["csv"] / f"{name}.csv").read_text().splitlines())
            for cell in row
        ]
        assert "'=1+1" in cells
        risky = [cell for cell in cells if cell[:1] in set("=+-@\t\r") and not _is_number(cell)]
        assert risky == []

    def test_exchanges_are_imported_as_they_were(
        self, client: Client, server: str, folders: dict[str, Path]
    ) -> None:
        for form, name in (("csv", "exchanges.csv"), ("xlsx", "tables.xlsx")):
            with Client(server, programme=f"copy-{form}") as copy:
                report = import_exchanges(copy, folders[form] / name, ImportOptions())
                assert report.errors == ()
                copies = copy.list_exchanges(min_position=report.position)
                assert sorted(map(_content, copies)) == sorted(
                    map(_content, client.list_exchanges(standing_only=True))
                )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _content(one: query.Exchange) -> bytes:
    return one.revisions[-1].content.SerializeToString(deterministic=True)


class TestWorkbook:
    def test_first_sheet_is_edges_and_last_is_about(self, folders: dict[str, Path]) -> None:
        workbook = openpyxl.load_workbook(folders["xlsx"] / "tables.xlsx", read_only=True)
        assert workbook.sheetnames == [*TABLES, "about"]
        workbook.close()

    def test_text_like_a_formula_or_an_error_is_text(self, folders: dict[str, Path]) -> None:
        frame = pd.read_excel(
            folders["xlsx"] / "tables.xlsx",
            sheet_name="nodes",
            engine="openpyxl",
            dtype=str,
            keep_default_na=False,
        )
        assert sorted(frame["Id"]) == sorted(IDS)

    def test_too_many_rows_or_characters_are_refused(self, client: Client, tmp_path: Path) -> None:
        _, tables = table_export.ask_tables(client, query.Question(), ["edges"])
        count = len(tables.tables[0].rows)
        with pytest.raises(ExcelLimitError, match=f"edges has {count} rows, .* takes {count - 1}"):
            write_workbook(tables, tmp_path, max_rows=count)
        with pytest.raises(ExcelLimitError, match=r"row 2: Timeset has .* csv or parquet"):
            write_workbook(tables, tmp_path, max_characters=20)
        assert not list(tmp_path.iterdir())

    def test_characters_that_xml_does_not_have_are_escaped(self, tmp_path: Path) -> None:
        column = TableColumn("note", ColumnType.TEXT, str)
        table = NamedTable("notes", [column], ["=a\uffff", "oak\ufffe"])
        write_workbook(TableSet([table], {}), tmp_path)
        rows = read_workbook(tmp_path, "notes")
        assert [row["note"] for row in rows] == ["=a\\uffff", "oak\\ufffe"]

    def test_days_that_excel_does_not_have_are_text(self, tmp_path: Path) -> None:
        column = TableColumn("opened", ColumnType.DATE, lambda day: day)
        days = [date(1850, 1, 2), date(1900, 3, 1)]
        write_workbook(TableSet([NamedTable("days", [column], days)], {}), tmp_path)
        rows = read_workbook(tmp_path, "days")
        assert [str(row["opened"]) for row in rows] == ["1850-01-02", "1900-03-01 00:00:00"]


class TestParquet:
    def test_types_of_columns(self, folders: dict[str, Path]) -> None:
        schema = pq.read_schema(folders["parquet"] / "edges.parquet")
        types = {name: str(schema.field(name).type) for name in schema.names}
        assert types["Source"] == types["Target"] == types["Timeset"] == "string"
        assert types["weight"] == "double"
        assert types["exchange_count"] == types["unknown_count"] == "int64"
        organizations = pq.read_schema(folders["parquet"] / "organizations.parquet")
        assert str(organizations.field("first_exchange_date").type) == "date32[day]"
        assert str(organizations.field("registered").type) == "bool"

    def test_each_file_states_what_its_figures_are_of(self, folders: dict[str, Path]) -> None:
        about = json.loads((folders["parquet"] / "about.json").read_text())
        for path in folders["parquet"].glob("*.parquet"):
            assert json.loads(pq.read_schema(path).metadata[b"about"]) == about

    def test_programs_for_graphs_find_our_reciprocity(self, client: Client, tmp_path: Path) -> None:
        export_tables(client, query.Question(), tmp_path / "tables", form="parquet")
        edges, exchanges = (
            pd.read_parquet(tmp_path / "tables" / f"{name}.parquet")
            for name in ("edges", "exchanges")
        )
        graphs = (
            nx.from_pandas_edgelist(
                edges, "Source", "Target", edge_attr="weight", create_using=nx.DiGraph
            ),
            igraph.Graph.DataFrame(edges, directed=True, use_vids=False),
        )
        [ours] = client.analysis.reciprocity()
        assert ours.reciprocity == pytest.approx(nx.overall_reciprocity(graphs[0]))
        assert ours.reciprocity == pytest.approx(graphs[1].reciprocity())
        rows = exchanges.dropna(subset=["giver"])
        parallel = igraph.Graph.DataFrame(
            rows[["giver", "receiver"]], directed=True, use_vids=False
        )
        assert parallel.reciprocity() != pytest.approx(ours.reciprocity)

    def test_without_pyarrow_names_what_to_install(
        self, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "services.exports.tables.parquet_files", raising=False)
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(MissingLibraryError, match=r'pip install "mutua\[analysis\]"'):
            export_tables(client, query.Question(), tmp_path / "new", form="parquet")
        assert not (tmp_path / "new").exists()


class TestDirectory:
    def test_other_files_are_refused_and_stay_with_force(
        self, client: Client, tmp_path: Path
    ) -> None:
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(UnusableFileError, match=r"has files already; .* --force"):
            export_tables(client, query.Question(), tmp_path, form="csv")
        assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
        export_tables(client, query.Question(), tmp_path, form="csv", force=True)
        assert (tmp_path / "notes.txt").read_text() == "mine"

    def test_force_replaces_the_files_of_an_earlier_export(
        self, client: Client, tmp_path: Path
    ) -> None:
        export_tables(client, query.Question(), tmp_path, form="csv")
        export_tables(
            client, query.Question(), tmp_path, form="parquet", names=["edges"], force=True
        )
        assert {path.name for path in tmp_path.iterdir()} == {"edges.parquet", "about.json"}

    def test_two_exports_at_once_are_refused(self, client: Client, tmp_path: Path) -> None:
        with (
            replace_files(tmp_path, stale=(), last="about.json"),
            pytest.raises(UnusableFileError, match="another export is writing to"),
        ):
            export_tables(client, query.Question(), tmp_path, form="csv")

    @pytest.mark.parametrize("has_earlier", [True, False])
    def test_failure_leaves_the_directory_as_it_was(
        self,
        client: Client,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        has_earlier: bool,  # noqa: FBT001
    ) -> None:
        folder = tmp_path / "tables"
        if has_earlier:
            export_tables(client, query.Question(), folder, form="csv")
        before = {path: path.read_bytes() for path in tmp_path.glob("*/*")}

        def write(tables: TableSet, folder: Path) -> None:
            (folder / "edges.csv").write_text("half")
            raise OSError(28, "No space left on device", str(folder / "edges.csv"))

        monkeypatch.setattr(table_export, "load_writer", lambda _: write)
        with pytest.raises(OSError, match="No space left") as failure:
            export_tables(client, query.Question(), folder, form="csv", force=True)
        assert failure.value.filename == str(folder)
        assert {path: path.read_bytes() for path in tmp_path.glob("*/*")} == before
        assert folder.exists() == has_earlier


class TestQuestions:
    def test_tables_that_a_question_does_not_have_are_left_out(
        self, client: Client, tmp_path: Path
    ) -> None:
        north = query.AttributeFilter(attribute="region", value="North")
        export = export_tables(client, query.Question(where=[north]), tmp_path / "a", form="csv")
        assert set(export.tables.row_counts) == {"edges", "nodes", "pairs"}
        assert "balances" in export.obstacles
        full = query.Question(allocation=query.ALLOCATION_FULL)
        export = export_tables(client, full, tmp_path / "b", form="csv")
        assert set(export.obstacles) == {"pairs", "balances"}
        with pytest.raises(ImpossibleTableError, match=r"pairs: allocation full has no amounts"):
            export_tables(client, full, tmp_path / "c", form="csv", names=["pairs"])
        assert not (tmp_path / "c").exists()

    def test_half_life_is_of_edges_nodes_and_balances(self, client: Client, tmp_path: Path) -> None:
        day = Date(year=2026, month=4, day=1)
        question = query.Question(half_life_days=30, to_date=day)
        export = export_tables(client, question, tmp_path / "tables", form="parquet")
        assert set(export.obstacles) == {"pairs", "organizations", "exchanges"}
        total = pytest.approx(
            sum(row["weight"] for row in read_parquet(tmp_path / "tables", "edges"))
        )
        for name in ("nodes", "balances"):
            assert sum(row["given"] for row in read_parquet(tmp_path / "tables", name)) == total

    def test_roles_are_counted_by_an_attribute(self, client: Client, tmp_path: Path) -> None:
        export_tables(
            client, query.Question(), tmp_path / "tables", form="parquet", roles_by="region"
        )
        counts = {
            row["Id"]: row["coordinator_count"]
            for row in read_parquet(tmp_path / "tables", "nodes")
        }
        assert counts == {
            node.organization.organization_id: node.roles.coordinator_count
            for node in client.get_graph(roles_by="region").nodes
        }
        about = json.loads((tmp_path / "tables" / "about.json").read_text())
        assert about["roles_by"] == "region"

    @pytest.mark.parametrize("form", FORMATS)
    def test_window_without_exchanges_gives_headers(
        self, client: Client, tmp_path: Path, form: str
    ) -> None:
        question = query.Question(from_date=Date(year=2030, month=1, day=1))
        export = export_tables(client, question, tmp_path / "tables", form=form)
        assert export.tables.row_counts["edges"] == export.tables.row_counts["exchanges"] == 0
        assert export.tables.row_counts["nodes"] == len(IDS)
        assert READERS[form](tmp_path / "tables", "edges") == []

    def test_facts_recorded_meanwhile_are_told(
        self, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Client(server, programme="moving") as client:
            client.get_status(min_position=client.record([exchange()]))
            list_balances = client.list_balances

            def record_first(*arguments: Any, **options: Any) -> Any:
                options["min_position"] = client.record([exchange()])
                return list_balances(*arguments, **options)

            monkeypatch.setattr(client, "list_balances", record_first)
            export = export_tables(client, query.Question(), tmp_path / "tables", form="csv")
            assert export.tables.about["warnings"] == "MODEL_MOVED"
            monkeypatch.undo()
            export = export_tables(client, query.Question(), tmp_path / "again", form="csv")
            assert "warnings" not in export.tables.about
