"""Lift through gRPC and as a command."""

from __future__ import annotations

import json

import pytest

from mutua import Client, MutuaError
from tests.cli.conftest import RunCommand, recorded_once
from tests.cli.conftest import run as run
from tests.services import facts
from tests.services.facts import exchange

CORE_SYSTEMS = {f"o{number}": "XYZ"[number % 3] for number in range(9)}


@pytest.fixture
def programme(client: Client) -> Client:
    """Nine organizations that mostly give to those with the same core system, and one without."""
    names = list(CORE_SYSTEMS)
    events = [facts.registration(name, core_system=CORE_SYSTEMS[name]) for name in names]
    events.append(facts.registration("none"))
    for place, giver in enumerate(names):
        events += [exchange(giver, names[(place + step) % 9]) for step in (3, 6, 1)]
    events.append(exchange("none", "o1"))
    client.get_status(min_position=client.record(events))
    return client


class TestLift:
    def test_of_one_attribute(self, programme: Client) -> None:
        answer = programme.get_lift(attributes=["core_system"])
        [row] = answer.lifts
        assert (row.attribute, row.group_count) == ("core_system", 3)
        assert (row.organization_count, row.unlabelled_count, row.left_out) == (9, 1, 1)
        assert row.same_group_share == pytest.approx(2 / 3)
        assert row.expected_share == pytest.approx(2 / 8)
        assert row.lift == pytest.approx(8 / 3)
        assert row.p_value < 0.05
        assert (list(row.reasons), row.metric_version) == ([], 1)
        cells = [(cell.from_group, cell.to_group, cell.weight) for cell in row.mixing]
        assert cells == [
            *(("X", "X", 6), ("X", "Y", 3), ("Y", "Y", 6), ("Y", "Z", 3)),
            *(("Z", "X", 3), ("Z", "Z", 6)),
        ]
        assert answer.coverage.exchange_count == 28
        assert answer.position

    def test_of_all_attributes_says_why_measures_are_absent(self, programme: Client) -> None:
        rows = {row.attribute: row for row in programme.get_lift().lifts}
        assert list(rows) == [
            *(
                "type",
                "sector",
                "region",
                "core_system",
                "strategic_group",
                "size",
                "role",
                "pairing",
            )
        ]
        assert not rows["region"].HasField("lift")
        assert list(rows["region"].reasons) == ["NO_KNOWN_AMOUNT", "TOO_FEW_GROUPS"]

    def test_seed_decides_the_permutations(self, programme: Client) -> None:
        one, same, other = (
            programme.get_lift(attributes=["core_system"], seed=seed).lifts[0] for seed in (1, 1, 2)
        )
        assert one == same
        assert one.p_value != other.p_value

    def test_of_a_subset(self, programme: Client) -> None:
        [row] = programme.get_lift(attributes=["core_system"], where={"core_system": "X"}).lifts
        assert (row.organization_count, list(row.reasons)) == (3, ["TOO_FEW_GROUPS"])

    def test_unknown_attribute_suggests_the_nearest(self, client: Client) -> None:
        with pytest.raises(MutuaError) as refused:
            client.get_lift(attributes=["region", "core_sistem"])
        assert refused.value.reason == "QUESTION_IMPOSSIBLE"
        [violation] = refused.value.field_violations
        assert violation.field == "attributes[1]"
        assert "did you mean core_system?" in violation.description


@recorded_once
def recorded(run: RunCommand) -> None:
    for number in range(6):
        name = f"o{number}"
        run("organization", "add", name, "--region", "NSW"[number % 3])
    for number in range(6):
        other = f"o{(number + 3) % 6}"
        run("log", "--from", f"o{number}", "--to", other, "--kind", "call")


class TestCommand:
    def test_says_the_answer_in_sentences(self, recorded: RunCommand) -> None:
        result = recorded("lift", "--by", "region")
        assert "with the same region exchange 5.0 times as much as their totals" in result.out
        assert "Within groups: 100% of the exchanges; totals suggest 20%." in result.out
        assert "Basis: 6 organizations in 3 groups." in result.out
        assert result.out.index("Basis") < result.out.index("from    to")
        assert (result.code, result.err) == (0, "")

    def test_without_by_shows_all_attributes(self, recorded: RunCommand) -> None:
        result = recorded("lift")
        assert "Organizations with the same core system: nothing is known to flow" in result.out
        assert "left out: 6 organizations of unknown core system, with 6 exchanges" in result.out
        assert "from    to" not in result.out

    def test_json_has_absent_measures_as_absent_keys(self, recorded: RunCommand) -> None:
        result = recorded("lift", "--by", "core-system", "--format", "json")
        [row] = json.loads(result.out)["lifts"]
        assert row["attribute"] == "core_system"
        assert "lift" not in row
        assert row["mixing"] == []

    def test_csv_has_the_same_names(self, recorded: RunCommand) -> None:
        result = recorded("lift", "--by", "region", "--format", "csv")
        assert result.out.startswith("attribute,group_count,organization_count,")

    def test_unknown_attribute_suggests_the_nearest(self, run: RunCommand) -> None:
        result = run("lift", "--by", "regoin")
        assert result.code == 2
        assert "did you mean region?" in result.err

    def test_order_by_is_refused(self, run: RunCommand) -> None:
        assert run("lift", "--order-by", "lift").code == 2
