"""Pairings through gRPC, as commands, from files, and in lift."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mutua import Client, MutuaError
from mutua.v1.event_pb2 import (
    Event,
    PairingEnded,
    PairingFormed,
)
from mutua.v1.types_pb2 import Date
from tests.cli.conftest import RunCommand, recorded_once
from tests.cli.conftest import run as run
from tests.services import facts
from tests.services.facts import exchange

APRIL = Date(year=2026, month=4, day=1)
MAY = Date(year=2026, month=5, day=1)


def form(a: str, b: str, from_date: Date = APRIL, to_date: Date | None = None) -> Event:
    return Event(pairing_formed=PairingFormed(a=a, b=b, from_date=from_date, to_date=to_date))


def record(client: Client, *events: Event) -> None:
    client.get_status(min_position=client.record(events))


class TestFacts:
    def test_are_answered_in_order(self, client: Client) -> None:
        record(
            client,
            form("c", " a "),
            form("b", "a"),
            Event(pairing_ended=PairingEnded(a="a", b="c", to_date=MAY)),
        )
        answer = client.get_pairings()
        rows = [(row.a, row.b, row.HasField("to_date")) for row in answer.pairings]
        assert rows == [("a", "b", False), ("a", "c", True)]
        assert answer.pairings[1].to_date == MAY
        assert answer.position

    @pytest.mark.parametrize(
        ("fact", "field"),
        [
            (Event(pairing_formed=PairingFormed(a="a", b="b")), "pairing_formed.from_date"),
            (form("a", "a"), "pairing_formed.b"),
            (form("", "b"), "pairing_formed.a"),
            (form("a", "b", to_date=APRIL), "pairing_formed.to_date"),
            (
                form("a", "b", from_date=Date(year=2026, month=2, day=30)),
                "pairing_formed.from_date",
            ),
            (Event(pairing_ended=PairingEnded(a="a", b="b")), "pairing_ended.to_date"),
        ],
    )
    def test_invalid_one_is_refused(self, client: Client, fact: Event, field: str) -> None:
        with pytest.raises(MutuaError) as refused:
            client.record([fact])
        assert [each.field for each in refused.value.field_violations] == [f"events[0].{field}"]


class TestLift:
    @pytest.fixture
    def programme(self, client: Client) -> Client:
        """Eight organizations in four pairs that give to each other, and one exchange across."""
        names = [f"o{number}" for number in range(8)]
        events = [facts.registration(name) for name in names]
        for place in range(0, 8, 2):
            a, b = names[place : place + 2]
            events += [form(a, b), exchange(a, b), exchange(b, a)]
        events.append(exchange("o0", "o3"))
        record(client, *events)
        return client

    def test_by_pairing(self, programme: Client) -> None:
        [row] = programme.get_lift(attributes=["pairing"]).lifts
        assert (row.attribute, row.group_count, row.organization_count) == ("pairing", 4, 8)
        assert row.same_group_share == pytest.approx(8 / 9)
        assert row.lift > 4
        assert row.p_value < 0.05
        assert (row.unlabelled_count, row.left_out, list(row.mixing)) == (0, 0, [])

    def test_counts_pairs_that_are_bound_in_the_window(self, programme: Client) -> None:
        record(programme, Event(pairing_ended=PairingEnded(a="o0", b="o1", to_date=MAY)))
        [whole] = programme.get_lift(attributes=["pairing"]).lifts
        [later] = programme.get_lift(attributes=["pairing"], from_date="2026-05-01").lifts
        assert (whole.group_count, later.group_count) == (4, 3)

    def test_is_absent_below_three_pairs(self, client: Client) -> None:
        record(client, form("a", "b"), exchange("a", "b"))
        [row] = client.get_lift(attributes=["pairing"]).lifts
        assert (row.group_count, list(row.reasons)) == (1, ["TOO_FEW_GROUPS"])


@recorded_once
def roster(run: RunCommand) -> None:
    for identifier, name in (("a1", "Ash"), ("b1", "Birch"), ("c1", "Cedar")):
        run("organization", "add", identifier, "--name", name)


class TestImport:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "pairs.csv"
        path.write_text(
            "a,b,from,to,chosen by\n"
            "Ash,birch,2026-04-01,,centre\n"
            "Cedar,a1,2026-04-01,2026-06-01,themselves\n"
        )
        return path

    def list_pairings(self, run: RunCommand) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(run("pairings", "--format", "json").out)[
            "pairings"
        ]
        return rows

    def test_resolves_names_and_records_nothing_twice(self, roster: RunCommand, file: Path) -> None:
        assert "2 rows recorded" in roster("import", "pairings", str(file)).out
        one, other = self.list_pairings(roster)
        assert (one["a"], one["b"], one["from_date"]) == ("a1", "b1", "2026-04-01")
        assert "to_date" not in one
        assert one["chosen_by"] == "PAIRING_CHOICE_CENTRE"
        assert (other["b"], other["to_date"], other["batch"]) == ("c1", "2026-06-01", "pairs")
        assert "2 rows already recorded" in roster("import", "pairings", str(file)).out
        assert len(self.list_pairings(roster)) == 2

    def test_changed_row_replaces_its_pairing(self, roster: RunCommand, file: Path) -> None:
        roster("import", "pairings", str(file))
        file.write_text(file.read_text().replace("2026-04-01,,centre", "2026-04-01,2026-05-01,"))
        assert "1 row recorded as a change" in roster("import", "pairings", str(file)).out
        row = self.list_pairings(roster)[0]
        assert (row["to_date"], row["chosen_by"]) == ("2026-05-01", "PAIRING_CHOICE_UNSPECIFIED")

    def test_dry_run_records_nothing(self, roster: RunCommand, file: Path) -> None:
        result = roster("import", "pairings", str(file), "--dry-run")
        assert "2 rows would be recorded" in result.out
        assert self.list_pairings(roster) == []

    def test_undo_takes_pairings_back_until_the_next_import(
        self, roster: RunCommand, file: Path
    ) -> None:
        roster("import", "pairings", str(file))
        assert "2 pairings of batch pairs undone" in roster("import", "undo", "pairs", "--yes").out
        assert self.list_pairings(roster) == []
        assert "pairs" in roster("import", "list").out
        assert roster("import", "undo", "pairs", "--yes").code == 0
        assert "2 rows recorded" in roster("import", "pairings", str(file)).out
        assert len(self.list_pairings(roster)) == 2

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ("Ash,Ash,2026-04-01,,", "is the same organization as a"),
            ("Ash,Birch,soon,,", "from_date"),
            ("Ash,Birch; Cedar,2026-04-01,,", "names several organizations"),
            ("Ash,Birch,2026-04-01,2026-03-01,", "must be after from_date"),
            ("Ash,Birch,2026-04-01,,nobody", "use one of themselves, centre"),
            ("Ash,Birch,,,", "is missing"),
        ],
    )
    def test_bad_row_is_refused(
        self, roster: RunCommand, file: Path, row: str, message: str
    ) -> None:
        file.write_text(f"a,b,from,to,chosen by\n{row}\n")
        result = roster("import", "pairings", str(file))
        assert result.code == 1
        assert message in result.out
        assert self.list_pairings(roster) == []

    def test_table_has_names(self, roster: RunCommand, file: Path) -> None:
        roster("import", "pairings", str(file))
        out = roster("pairings").out
        assert "Ash" in out
        assert "2026-06-01  themselves" in out
        assert "a,b,from_date" in roster("pairings", "--format", "csv").out
        lift = roster("lift", "--by", "pairing").out
        assert "Paired organizations: nothing is known to flow among them, fewer than 3" in lift
        assert "Basis: 3 organizations in 2 pairings." in lift
