"""The dashboard in a browser: its numbers, its addresses, and that nothing else happens."""

from __future__ import annotations

import csv
import re
import struct
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, Route, expect

from mutua import Client
from mutua.v1.query_service_pb2 import LENS_BURDEN
from services.app.bootstrap import EmbeddedServer, serve_embedded
from services.app.http import HttpSettings
from services.query.dashboard.views import VIEWS
from tests.browser.conftest import NARROW, WIDE, Dashboard
from tests.ports import allocate_port
from tests.services.facts import exchange, registration

PAGES = [view.name for view in VIEWS.values() if view.title]
HOSTILE = "hostile"
MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
RIGHT_TO_LEFT = "\u202eمستشفى\u202c Oakdale"
LONG = "Long" * 50
"""As long as a name may be."""


def read_total(page: Page, name: str) -> str:
    return page.locator(f"#total-{name}").inner_text()


class TestOverview:
    def test_totals_equal_the_answers(self, dashboard: Dashboard, client: Client) -> None:
        page = dashboard.open()
        balances = client.list_balances()
        structure = client.get_structure().structures[0]
        given = client.get_concentration(lens="burden").concentrations[0].total
        coverage = balances.coverage
        assert read_total(page, "exchanges") == str(coverage.exchange_count)
        assert read_total(page, "time") == f"{given / 60:.0f} h"
        assert read_total(page, "ties") == str(structure.tie_count)
        assert (
            read_total(page, "recorded") == f"{coverage.recorded_count} of {coverage.roster_count}"
        )

    def test_verdict_states_what_is_returned(self, dashboard: Dashboard, client: Client) -> None:
        dashboard.open()
        row = client.get_reciprocity().reciprocities[0]
        mutual = dashboard.card("Is it mutual?")
        expect(mutual).to_contain_text(f"{row.weighted_reciprocity:.0%} is returned between")
        expect(mutual).to_contain_text(f"One-way {row.one_way:.0%}")

    def test_isolates_are_named(self, dashboard: Dashboard, client: Client) -> None:
        dashboard.open()
        names = {each.organization_id: each.name for each in client.list_organizations()}
        listed = dashboard.page.get_by_role("region", name=re.compile("^Nothing seen of"))
        isolates = client.get_structure().structures[0].isolate_ids
        assert sorted(listed.get_by_role("link").all_inner_texts()) == sorted(
            names[each] for each in isolates
        )

    def test_month_is_chosen_by_keyboard(self, dashboard: Dashboard, client: Client) -> None:
        page = dashboard.open()
        page.get_by_role("button", name=re.compile("^July 2019: ")).press("Enter")
        page.wait_for_url(lambda url: url.endswith("from=2019-07-01&to=2019-08-01"))
        dashboard.wait()
        july = client.list_balances(from_date="2019-07-01", to_date="2019-08-01").coverage
        expect(page.locator("#total-exchanges")).to_have_text(str(july.exchange_count))


class TestBalances:
    def test_bars_equal_the_answer(self, dashboard: Dashboard, client: Client) -> None:
        page = dashboard.open("?view=balances&lens=burden&kind=call")
        rows = client.list_balances(lens=LENS_BURDEN, kinds=["call"])
        most = max(rows, key=lambda row: row.given + row.received)
        names = {each.organization_id: each.name for each in client.list_organizations()}
        first = page.get_by_role("option").first
        label = first.get_attribute("aria-label") or ""
        assert label.startswith(f"{names[most.organization_id]}: gave ")

    def test_organization_is_chosen_by_keyboard(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=balances")
        page.get_by_role("option").first.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "organization=T-18" in url)
        expect(dashboard.card("Saltwick Teaching Hospitals, by month")).to_be_visible()

    def test_combobox_finds_an_organization(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=balances")
        field = page.get_by_role("combobox", name="Organization")
        field.fill("salt")
        field.press("ArrowDown")
        field.press("Enter")
        page.wait_for_url(lambda url: "organization=T-18" in url)
        expect(field).to_have_value("Saltwick Teaching Hospitals")

    def test_data_is_downloaded(
        self, dashboard: Dashboard, client: Client, downloads: Path
    ) -> None:
        page = dashboard.open("?view=balances")
        card = dashboard.card("Given and received")
        card.get_by_label("Download Given and received").click()
        with page.expect_download() as download:
            card.get_by_role("button", name="Data (CSV)").click()
        download.value.save_as(downloads / "balances.csv")
        with (downloads / "balances.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = {row["organization_id"]: row for row in csv.DictReader(file)}
        expected = {row.organization_id: row.given for row in client.list_balances()}
        assert {name: float(row["given"]) for name, row in rows.items()} == {
            name: given for name, given in expected.items() if name in rows
        }

    @pytest.mark.parametrize("form", ["PNG", "SVG"])
    def test_picture_is_downloaded(self, dashboard: Dashboard, downloads: Path, form: str) -> None:
        page = dashboard.open("?view=balances")
        card = dashboard.card("Given and received")
        card.get_by_label("Download Given and received").click()
        with page.expect_download() as download:
            card.get_by_role("button", name=f"Picture ({form})").click()
        path = downloads / download.value.suggested_filename
        download.value.save_as(path)
        content = path.read_bytes()
        if form == "PNG":
            assert struct.unpack(">II", content[16:24])[0] > WIDE
        else:
            assert "recorded one of these exchanges" in content.decode()
            assert 'fill="rgb(31, 111, 168)"' in content.decode()


class TestNetwork:
    def read_places(self, page: Page) -> dict[str, str]:
        """Where the shape of each organization is drawn."""
        places: dict[str, str] = page.locator(".node").evaluate_all(
            "nodes => Object.fromEntries(nodes.map("
            "node => [node.dataset.key, node.getAttribute('transform')]))"
        )
        return places

    def test_shapes_equal_the_answer(self, dashboard: Dashboard, client: Client) -> None:
        page = dashboard.open("?view=network&from=2019-03-01&to=2019-06-01")
        network = client.get_network(from_date="2019-03-01", to_date="2019-06-01")
        node = next(each for each in network.nodes if each.organization_id == "T-18")
        words = f"gave {node.given:.0f}, received {node.received:.0f}"
        expect(
            page.get_by_role("option", name=f"Saltwick Teaching Hospitals: {words}")
        ).to_have_count(1)

    def test_months_move_no_organization(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=network")
        before = self.read_places(page)
        page.get_by_role("slider", name="First month shown").press("ArrowRight")
        page.wait_for_url(lambda url: "from=2018-08-01" in url)
        dashboard.wait()
        assert self.read_places(page) == before

    def test_new_organization_moves_no_other(
        self, dashboard: Dashboard, server: EmbeddedServer
    ) -> None:
        with Client(server.address, programme="map") as client:
            client.record([exchange("A", "B"), exchange("B", "C"), exchange("C", "D")])
            page = dashboard.open("?view=network&programme=map")
            before = self.read_places(page)
            client.record([exchange("A", "E"), exchange("B", "E")])
        expect(page.locator(".node")).to_have_count(5)
        after = self.read_places(page)
        assert len(before) == 4
        assert before.items() <= after.items()

    def test_tie_shows_the_exchanges_behind_it(self, dashboard: Dashboard, client: Client) -> None:
        page = dashboard.open("?view=network")
        page.get_by_role("link", name="Saltwick Teaching Hospitals to Penbrook").click()
        page.wait_for_url(lambda url: "giver=T-18" in url)
        card = dashboard.card("Saltwick Teaching Hospitals to Penbrook University Hospitals")
        exchanges = client.list_exchanges(giver_id="T-18", receiver_id="T-08", standing_only=True)
        expect(card.get_by_role("listitem")).to_have_count(len(list(exchanges)))

    def test_arrow_keys_go_to_the_next_organization(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=network")
        first = page.locator(".node[tabindex='0']")
        first.focus()
        before = first.get_attribute("data-key")
        for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"):
            page.keyboard.press(key)
        page.keyboard.press("ArrowRight")
        focused = page.evaluate("document.activeElement.dataset.key")
        assert focused != before
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: f"organization={focused.removeprefix('node-')}" in url)


class TestLog:
    def log_by_keyboard(self, page: Page, giver: str, receiver: str) -> None:
        """Types the first letters of two names, a kind and an effort, and presses Enter."""
        page.get_by_role("combobox", name="Who gave").focus()
        page.keyboard.type(giver)
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.type(receiver)
        page.keyboard.press("Enter")
        for key in ("Tab", "Tab", "ArrowRight"):
            page.keyboard.press(key)
        page.keyboard.press("Enter")

    def test_exchange_is_recorded_by_keyboard_and_undone(
        self, dashboard: Dashboard, server: EmbeddedServer
    ) -> None:
        with Client(server.address, programme="form") as client:
            client.record([registration("ash-1", name="Ash"), registration("elm-1", name="Elm")])
            page = dashboard.open("?view=recording&programme=form")
            self.log_by_keyboard(page, "as", "el")
            expect(page.get_by_text("Recorded: Ash to Elm, 30 min.")).to_be_visible()
            expect(dashboard.card("Recorded last")).to_contain_text("Ash to Elm")
            [exchange] = client.list_exchanges()
            content = exchange.revisions[-1].content
            assert (list(content.giver_ids), list(content.receiver_ids)) == (["ash-1"], ["elm-1"])
            assert content.giver_minutes == 30
            page.get_by_role("button", name="Undo").click()
            expect(page.get_by_text("Undone: it counts nowhere.")).to_be_visible()
            expect(dashboard.card("Recorded last")).to_contain_text("Nothing has been recorded")
            assert client.get_status().exchange_count == 0

    def test_near_miss_is_suggested(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=recording")
        page.get_by_role("combobox", name="Who gave").fill("Sltwick Teching")
        suggestion = page.get_by_role("option", name="Did you mean Saltwick Teaching Hospitals")
        expect(suggestion).to_be_visible()

    def test_giver_is_not_offered_as_receiver(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=recording")
        for name in ("Who gave", "Who received"):
            field = page.get_by_role("combobox", name=name)
            field.fill("saltwick")
            field.press("Enter")
        page.get_by_role("button", name="Record").click()
        expect(page.get_by_text("Choose who received.")).to_be_visible()
        expect(page.get_by_role("combobox", name="Who received")).to_be_focused()


class TestPage:
    @pytest.mark.parametrize("width", [NARROW, WIDE])
    @pytest.mark.parametrize("view", PAGES)
    def test_view_fits_and_is_accessible(self, dashboard: Dashboard, view: str, width: int) -> None:
        page = dashboard.open(f"?view={view}&organization=T-18")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        found = Axe().run(page).response["violations"]
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []

    def test_address_restores_what_is_shown(self, dashboard: Dashboard) -> None:
        query = (
            "?view=balances&formality=formal&from=2019-02-01&kind=call&kind=visit&lens=burden"
            "&organization=T-18&to=2019-11-01&topic=bed-management"
        )
        page = dashboard.open(query)
        expect(page.get_by_role("heading", level=1)).to_have_text("Balances")
        expect(page.get_by_role("radio", name="Minutes given")).to_be_checked()
        expect(page.get_by_role("slider", name="First month shown")).to_have_attribute(
            "aria-valuetext", "Feb 2019"
        )
        expect(page.get_by_role("slider", name="Last month shown")).to_have_attribute(
            "aria-valuetext", "Oct 2019"
        )
        expect(page.locator("#question")).to_have_text(
            "What did each organization give and receive? In minutes that givers spent, "
            "from 1 February 2019 to 31 October 2019; kind call or visit only; "
            "formality formal only; topic bed-management only."
        )
        page.get_by_role("link", name="Overview").click()
        page.wait_for_url(lambda url: "view=overview" in url)
        page.go_back()
        page.wait_for_url(lambda url: url.endswith(query))
        expect(page.get_by_role("heading", level=1)).to_have_text("Balances")

    def test_impossible_address_says_why(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=balances&kind=telepathy")
        expect(page.get_by_role("heading", name="This cannot be shown")).to_be_visible()
        expect(page.get_by_text("'telepathy' is none of")).to_be_visible()
        dashboard.complaints = [each for each in dashboard.complaints if " 400 " not in each]
        page.get_by_role("link", name="Show it without filters").click()
        expect(dashboard.card("Given and received")).to_be_visible()

    def test_recorded_fact_appears_without_reload(
        self, dashboard: Dashboard, server: EmbeddedServer
    ) -> None:
        page = dashboard.open("?view=overview&programme=live")
        expect(page.locator("#total-exchanges")).to_have_text("0")
        with Client(server.address, programme="live") as other:
            other.record([exchange("A", "B")])
        expect(page.locator("#total-exchanges")).to_have_text("1")

    def test_slow_view_is_fetched_again_when_it_has_answered(
        self, dashboard: Dashboard, server: EmbeddedServer
    ) -> None:
        page = dashboard.open("?view=overview&programme=slow")
        asked: list[str] = []
        held: list[Route] = []
        page.on("request", lambda request: asked.append(request.url))
        page.route("**/views/overview?*", lambda route: held.append(route), times=1)
        with Client(server.address, programme="slow") as other:
            for _ in range(3):
                other.record([exchange("A", "B")])
                page.wait_for_timeout(500)
        assert sum("/views/overview" in url for url in asked) == len(held) == 1
        held[0].continue_()
        expect(page.locator("#total-exchanges")).to_have_text("3")

    def test_recorded_fact_leaves_what_is_typed(
        self, dashboard: Dashboard, server: EmbeddedServer
    ) -> None:
        with Client(server.address, programme="typing") as other:
            other.record([exchange("Ashcombe", "Oakdale")])
            page = dashboard.open("?view=balances&programme=typing")
            field = page.get_by_role("combobox", name="Organization")
            field.fill("ash")
            other.record([exchange("Elmwood", "Oakdale")])
            expect(
                dashboard.card("Given and received").get_by_text("Elmwood", exact=True)
            ).to_be_visible()
        expect(field).to_have_value("ash")
        expect(page.get_by_role("option", name="Ashcombe", exact=True)).to_be_visible()
        field.blur()
        field.fill("elm")
        expect(page.get_by_role("option", name="Elmwood", exact=True)).to_be_visible()

    def test_programme_without_facts_has_no_charts(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=balances&programme=empty")
        expect(page.get_by_text("No exchange matches.")).to_be_visible()

    @pytest.mark.parametrize("view", PAGES)
    def test_hostile_text_is_text(
        self, dashboard: Dashboard, server: EmbeddedServer, view: str
    ) -> None:
        annotated = exchange("A", "B")
        annotated.exchange_recorded.exchange.note.plain = (MARKUP * 150)[:4_000]
        with Client(server.address, programme=HOSTILE) as client:
            client.record(
                [
                    registration("A", name=MARKUP),
                    registration("B", name=RIGHT_TO_LEFT),
                    registration("C", name=LONG),
                    annotated,
                    exchange("B", "A"),
                    exchange("A", "C"),
                ]
            )
        page = dashboard.open(f"?view={view}&programme={HOSTILE}&organization=A")
        assert page.locator("img[onerror], #content script").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") == WIDE

    def test_policy_forbids_inline_and_foreign_code(self, dashboard: Dashboard) -> None:
        response = dashboard.page.goto(dashboard.open().url)
        assert response is not None
        policy = response.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy

    def test_first_load_is_small(self, dashboard: Dashboard) -> None:
        requests: list[Request] = []
        dashboard.page.on("requestfinished", lambda request: requests.append(request))
        dashboard.open()
        sizes = [request.sizes() for request in requests]
        assert (
            sum(each["responseBodySize"] + each["responseHeadersSize"] for each in sizes) <= 80_000
        )


class TestRestart:
    def test_page_connects_again_by_itself(self, browser: Browser, tmp_path: Path) -> None:
        """To the same log with what was recorded meanwhile, then to another log, whose server
        refuses the resume token of the page."""
        http = HttpSettings(listen=f"127.0.0.1:{allocate_port()}")
        context = browser.new_context()
        page = context.new_page()
        refused: list[str] = []
        page.on("response", lambda each: refused.append(each.url) if each.status == 400 else None)

        def serve(name: str) -> AbstractContextManager[EmbeddedServer]:
            return serve_embedded(tmp_path / name, purpose="tests", write=True, http=http)

        with serve("data"):
            page.goto(f"http://{http.listen}/?view=overview")
            expect(page.get_by_text("Live", exact=True)).to_be_visible()
            expect(page.locator("#total-exchanges")).to_have_text("0")
        expect(page.get_by_text("Not connected, trying again")).to_be_visible()
        with serve("data") as server:
            with Client(server.address) as client:
                client.record([exchange("A", "B")])
            expect(page.locator("#total-exchanges")).to_have_text("1")
            expect(page.get_by_text("Live", exact=True)).to_be_visible()
        with serve("another") as server:
            with Client(server.address) as client:
                client.record([exchange("A", "B"), exchange("B", "A")])
            expect(page.locator("#total-exchanges")).to_have_text("2")
            expect(page.get_by_text("Live", exact=True)).to_be_visible()
            with Client(server.address) as client:
                client.record([exchange("A", "C")])
            expect(page.locator("#total-exchanges")).to_have_text("3")
            context.close()
        assert any("/watch/status" in url for url in refused)
