"""Whom the exchange reaches, in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from mutua import Client
from services.app.bootstrap import EmbeddedServer
from tests.browser.conftest import Dashboard
from tests.services.facts import exchange, registration

OUTSIDE = "reach"


def find_topics(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Topics, by how many").get_by_role("option")


@pytest.fixture(scope="module")
def outside(server: EmbeddedServer) -> Iterator[Client]:
    """A programme in which Elm has not received, and two organizations are outside."""
    with Client(server.address, programme=OUTSIDE) as client:
        vendor = registration("V", name="Vendor")
        vendor.organization_registered.organization.role = "boundary"
        client.record(
            [
                registration("A", name="Ash"),
                registration("B", name="Birch"),
                registration("E", name="Elm"),
                vendor,
                exchange("A", "B", on="2026-01-05T12:00:00Z"),
                exchange("E", "A", on="2026-03-02T12:00:00Z"),
                exchange("A", "V", on="2026-03-03T12:00:00Z"),
                exchange("stranger", "A", on="2026-03-04T12:00:00Z"),
            ]
        )
        yield client


class TestReach:
    def test_topics_equal_the_answers(self, dashboard: Dashboard, client: Client) -> None:
        page = dashboard.open("?view=reach")
        structures = client.get_structure(by_topic=True).structures
        count = structures[0].organization_count
        expect(find_topics(page)).to_have_count(len(structures))
        for each in structures:
            words = f"{each.topic or 'Any topic'}: {each.receiver_count} of {count} have received, "
            words += f"{each.giver_count} give"
            expect(find_topics(page).and_(page.get_by_label(words, exact=True))).to_have_count(1)

    def test_topic_is_chosen_by_keyboard_and_leads_to_the_form(
        self, dashboard: Dashboard, client: Client
    ) -> None:
        page = dashboard.open("?view=reach")
        find_topics(page).first.focus()
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "about=results-viewing" in url)
        network = client.get_network(topics=["results-viewing"])
        names = {each.organization_id: each.name for each in client.list_organizations()}
        givers = sorted(names[each] for each in {edge.giver_id for edge in network.edges})
        card = dashboard.card("results-viewing")
        expect(card).to_be_visible()
        page.emulate_media(media="print")
        printed = card.locator("section", has_text="Whom to ask").get_by_role("listitem")
        expect(printed).to_have_count(len(givers))
        page.emulate_media(media="screen")
        show = card.get_by_role("button", name=re.compile("^Show [0-9]+ more$"))
        while show.count():
            show.first.click()
        asked = card.locator("section", has_text="Whom to ask").get_by_role("listitem")
        expect(asked).to_have_count(len(givers))
        assert [each.inner_text().split("\n")[0] for each in asked.all()] == givers
        card.get_by_role("link", name=f"Log an exchange with {givers[0]}").last.click()
        expect(page.get_by_role("combobox", name="Who gave")).to_have_value(givers[0])
        expect(page.get_by_role("combobox", name="Who received")).to_be_focused()
        expect(page.get_by_label("Topic, if any")).to_have_value("results-viewing")

    def test_address_restores_the_topic_and_names_it(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=reach&about=e-prescribing&order=fewest&from=2019-02-01")
        chosen = page.locator("[role=option][aria-selected=true]")
        expect(chosen).to_have_attribute("aria-label", re.compile("^e-prescribing: "))
        expect(page.get_by_label("Order")).to_have_value("fewest")
        expect(page.locator("#question")).to_contain_text("Who has not received on")
        expect(page.locator("#question")).to_contain_text("e-prescribing")

    def test_outside_newcomers_and_stopped_equal_the_answers(
        self, dashboard: Dashboard, outside: Client
    ) -> None:
        page = dashboard.open(f"?view=reach&programme={OUTSIDE}&from=2026-02-01")
        structure = outside.get_structure(from_date="2026-02-01").structures[0]
        giving, receiving = outside.get_concentration(from_date="2026-02-01").concentrations
        for name, value in (
            ("newcomers", structure.newcomer_count),
            ("stopped", structure.stopped_count),
            ("spill_given", giving.spill_over),
            ("spill_received", receiving.spill_over),
        ):
            expect(page.locator(f"#total-{name}")).to_have_text(f"{value:.0f}")
        expect(page.locator("#total-received")).to_have_text("1 of 3")
        missing = dashboard.card("Have not received yet").get_by_role("listitem")
        expect(missing).to_have_text(
            [
                "Birchnothing seen of it; received beforeLog",
                "Elmgave in 1 exchangeLog",
            ]
        )
        bars = dashboard.card("Exchange with outside").get_by_role("option")
        assert [each.get_attribute("aria-label") for each in bars.all()] == [
            "stranger: gave 1, received 0",
            "Vendor: gave 0, received 1",
        ]
        expect(dashboard.card("Newcomers")).to_contain_text("Elm")
        expect(dashboard.card("Stopped")).to_contain_text("Birch")
        bars.first.press("Enter")
        page.wait_for_url(lambda url: "view=organization" in url and "organization=stranger" in url)


class TestClearFilters:
    def test_what_is_chosen_in_a_card_stays(self, dashboard: Dashboard) -> None:
        page = dashboard.open(
            "?view=pairs&evidence=every&from=2019-02-01&giver=T-18&kind=call&lens=burden"
            "&order=net+desc&receiver=T-08"
        )
        page.get_by_role("button", name="Clear filters").click()
        page.wait_for_url(
            lambda url: url.endswith("?view=pairs&evidence=every&lens=burden&order=net+desc")
        )

    def test_selection_and_length_of_a_list_go(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=organization&organization=T-18&rows=40&topic=bed-management")
        expect(page.locator("#question")).to_contain_text("Saltwick Teaching Hospitals")
        page.get_by_role("button", name="Clear filters").click()
        page.wait_for_url(lambda url: url.endswith("?view=organization"))

    def test_another_view_gets_filters_alone(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=pairs&evidence=clear&kind=call&order=net+desc")
        page.get_by_role("link", name="Reach").click()
        page.wait_for_url(lambda url: url.endswith("?view=reach&kind=call"))
        dashboard.wait()
        expect(dashboard.card("Have not received yet")).to_be_visible()
