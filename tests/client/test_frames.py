"""Answers as tables of Arrow, pandas and polars."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from google.protobuf.descriptor import Descriptor

from mutua import Client, MissingLibraryError, frames
from mutua.v1 import analysis_service_pb2, query_service_pb2
from mutua.v1.query_service_pb2 import Edge, Exchange, Pair, QuarantinedRecord
from services.app.bootstrap import serve_embedded
from tests.services.facts import correction, exchange, registration, retraction

ODD_IDS = ["007", "1e5", "NA", "null"]
LIBRARIES = ["pyarrow", "pandas", "polars", "numpy"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Four organizations with ids that tables take for numbers or for nothing, in a circle."""
    events = [registration(each, name=f"Organization {each}") for each in ODD_IDS]
    events += [
        exchange(giver, receiver)
        for giver, receiver in zip(ODD_IDS, [*ODD_IDS[1:], ODD_IDS[0]], strict=True)
    ]
    events.append(correction(events[-1], receiver="1e5"))
    events.append(retraction(events[-2]))
    with (
        serve_embedded(tmp_path_factory.mktemp("data"), purpose="tests", write=True) as running,
        Client(running.address) as client,
    ):
        client.get_status(min_position=client.record(events))
        yield client


def list_row_descriptors() -> Iterator[Descriptor]:
    """The rows of every answer that is a list."""
    for module in (query_service_pb2, analysis_service_pb2):
        for name, message in module.DESCRIPTOR.message_types_by_name.items():
            if name.endswith("Response") and message.fields_by_number[1].is_repeated:
                yield message.fields_by_number[1].message_type


class TestIdsStayText:
    """networkx, igraph and pandas take 007 for 7 and NA for nothing (see findings)."""

    def test_in_arrow(self, client: Client) -> None:
        table = client.list_organizations().to_arrow()
        assert table.schema.field("organization_id").type == pa.string()
        assert table["organization_id"].to_pylist() == ODD_IDS

    def test_in_pandas(self, client: Client) -> None:
        frame = client.list_balances().to_pandas()
        assert list(frame["organization_id"]) == ODD_IDS
        assert pd.api.types.is_string_dtype(frame["organization_id"])
        assert not frame["organization_id"].isna().any()

    def test_in_polars(self, client: Client) -> None:
        frame = client.list_pairs().to_polars()
        assert frame.schema["giver_id"] == pl.String
        assert set(frame["giver_id"]) | set(frame["receiver_id"]) == set(ODD_IDS)

    def test_in_lists(self, client: Client) -> None:
        frame = client.list_exchanges().to_polars()
        assert frame["giver_ids"].to_list()[:3] == [["007"], ["1e5"], ["NA"]]


class TestColumns:
    @pytest.mark.parametrize("row", [*list_row_descriptors()], ids=lambda row: row.name)
    def test_every_list_has_a_table_without_rows(self, row: Descriptor) -> None:
        table = frames.to_arrow([], row)
        assert table.num_rows == 0
        assert len(set(table.column_names)) == table.num_columns
        assert frames.to_pandas([], row).shape == (0, table.num_columns)
        assert frames.to_polars([], row).shape == (0, table.num_columns)

    def test_absent_values_are_null_and_zero_stays(self) -> None:
        table = frames.to_arrow([Pair(giver_id="a"), Pair(p_value=0.0)], Pair.DESCRIPTOR)
        assert table["p_value"].to_pylist() == [None, 0.0]
        assert table["given"].to_pylist() == [0.0, 0.0]

    def test_whole_numbers_that_may_be_absent_stay_whole_in_pandas(self) -> None:
        frame = frames.to_pandas([Pair(), Pair(informants=2)], Pair.DESCRIPTOR)
        assert str(frame["informants"].dtype) == "Int32"
        assert frame["informants"].tolist() == [pd.NA, 2]

    def test_messages_within_are_columns(self, client: Client) -> None:
        table = client.analysis.reciprocity().to_arrow()
        assert {"spread_low", "lowest_without_organization_id"} <= set(table.column_names)
        assert table.schema.field("from_date").type == pa.date32()
        assert table["verdict"].to_pylist() == [None]

    def test_one_of_several_messages_is_json(self) -> None:
        event = exchange("007", "NA")
        table = frames.to_arrow([QuarantinedRecord(event=event)], QuarantinedRecord.DESCRIPTOR)
        assert '"007"' in table["event"][0].as_py()

    def test_of_messages_within_another_answer(self, client: Client) -> None:
        network = client.get_network()
        frame = frames.to_polars(network.edges, Edge.DESCRIPTOR)
        assert frame.height == len(network.edges) > 0


class TestExchanges:
    def test_row_has_the_current_content(self, client: Client) -> None:
        rows = client.list_exchanges().to_arrow().to_pylist()
        assert [row["state"] for row in rows] == ["recorded", "recorded", "recorded", "retracted"]
        assert rows[0]["kind"] == "call"
        assert rows[3]["receiver_ids"] == ["1e5"]

    def test_without_content_it_is_null(self) -> None:
        [row] = frames.to_arrow([Exchange(exchange_id="x")], Exchange.DESCRIPTOR).to_pylist()
        assert (row["exchange_id"], row["giver_ids"], row["kind"]) == ("x", None, None)


class TestLibraries:
    def test_are_not_imported_with_the_client(self) -> None:
        code = f"import sys, mutua; print(*{{*sys.modules}} & {{*{LIBRARIES}}})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert (done.stdout.strip(), done.stderr) == ("", "")

    @pytest.mark.parametrize(
        ("method", "missing"),
        [("to_arrow", "pyarrow"), ("to_pandas", "pandas"), ("to_polars", "polars")],
    )
    def test_missing_one_is_named_with_the_remedy(
        self, client: Client, monkeypatch: pytest.MonkeyPatch, method: str, missing: str
    ) -> None:
        monkeypatch.setitem(sys.modules, missing, None)
        answers: list[Any] = [client.list_pairs(), client.analysis.reciprocity()]
        for answer in answers:
            with pytest.raises(MissingLibraryError, match=missing) as error:
                getattr(answer, method)()
            assert 'pip install "mutua[analysis]"' in str(error.value)
            assert isinstance(error.value, ImportError)
