"""`mutua export table`, as people type it."""

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import RunCommand


@pytest.fixture
def run_demo(demo: RunCommand) -> RunCommand:
    return lambda *words: demo("--data", ".demo", *words)


class TestExportTable:
    def test_says_what_was_written_and_what_it_rests_on(self, run_demo: RunCommand) -> None:
        result = run_demo("export", "table", "out", "--lens", "burden", "--where", "region=East")
        assert (result.code, result.out) == (0, "")
        written, without, left_out, question, *_ = result.err.splitlines()
        assert written == "Written: out with edges (17), nodes (9), pairs (16)."
        assert without.startswith("Without balances, organizations, exchanges: where selects")
        assert left_out.startswith("1 tie is left out: under this lens no minutes are known")
        assert question.startswith("Question: lens burden, allocation split; all time;")
        assert sorted(path.name for path in Path("out").iterdir()) == [
            "about.json",
            "edges.csv",
            "nodes.csv",
            "pairs.csv",
        ]

    def test_names_mean_organizations(self, run_demo: RunCommand) -> None:
        words = ("--organization", "Thornwick Teaching Hospitals", "--table", "edges")
        assert run_demo("export", "table", "out", *words).code == 0
        with Path("out/edges.csv").open() as file:
            assert all("T-02" in (row["Source"], row["Target"]) for row in csv.DictReader(file))
        assert json.loads(Path("out/about.json").read_text())["organization_ids"] == "T-02"

    def test_refusals_name_the_remedy_and_write_nothing(self, run_demo: RunCommand) -> None:
        Path("full").mkdir()
        Path("full/notes.txt").touch()
        for words, code, remedy in (
            (("full",), 1, "choose another directory, or say --force"),
            (("new", "--allocation", "once"), 1, "ask for split or full"),
            (("new", "--table", "pairs", "--allocation", "full"), 1, "leave the table or"),
            (("new", "--organization", "Nobody"), 1, "organizations lists those there are"),
            (("new", "--table", "ties"), 2, "'edges'"),
            (("new", "--where", "colour=red"), 1, "region"),
        ):
            result = run_demo("export", "table", *words)
            assert (result.code, remedy in result.err) == (code, True), result.err
        assert not Path("new").exists()
        assert [path.name for path in Path("full").iterdir()] == ["notes.txt"]
