"""How mutual the exchange is, in a browser."""

from __future__ import annotations

from playwright.sync_api import expect

from mutua import Client
from mutua.v1.analysis_service_pb2 import PERIOD_YEAR
from tests.browser.conftest import Dashboard


class TestMutuality:
    def test_ties_equal_the_answer(self, dashboard: Dashboard, client: Client) -> None:
        dashboard.open("?view=mutuality&kind=call&kind=message&lens=burden")
        row = client.get_reciprocity(kinds=["call", "message"], lens="burden").reciprocities[0]
        ties = dashboard.card("Ties, whatever their amounts")
        expect(ties).to_contain_text(f"Of {row.tie_count} ties, {row.reciprocity:.0%} are returned")
        expect(ties).to_contain_text(f"{row.mutual_count} pairs with ties both ways")

    def test_leaving_one_out_equals_the_answer(self, dashboard: Dashboard, client: Client) -> None:
        dashboard.open("?view=mutuality")
        row = client.get_reciprocity().reciprocities[0]
        items = dashboard.card("What the returned part depends on").get_by_role("listitem")
        for item, rest in zip(items.all(), [row.lowest_without, row.highest_without], strict=True):
            expect(item).to_contain_text(f"{rest.weighted_reciprocity:.0%}")

    def test_period_is_chosen_and_kept_in_the_address(
        self, dashboard: Dashboard, client: Client
    ) -> None:
        page = dashboard.open("?view=mutuality")
        page.locator("[data-key=period]").select_option("year")
        page.wait_for_url(lambda url: "period=year" in url)
        chart = dashboard.card("Returned, by year").get_by_role("img")
        words = chart.get_attribute("aria-label") or ""
        for row in client.get_reciprocity(period=PERIOD_YEAR).reciprocities:
            assert f"{row.from_date.year}: returned {row.weighted_reciprocity:.0%}" in words
            assert f"{row.shuffle.low:.0%} to {row.shuffle.high:.0%}" in words
