"""The page in Chromium: on a screen, on a phone and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from mutua import Client
from mutua.v1.query_service_pb2 import Question
from services.report.answers import ask_report
from services.report.page import render_page
from services.report.report import build_report
from tests.chromium import WatchedPage, open_browser, open_page
from tests.report.conftest import HOSTILE_NAMES

A4 = (595, 842)
"""Points."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def url(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_page(build_report(ask_report(client, Question()))))
    return path.as_uri()


@pytest.fixture(scope="module", params=[390, 820, 1440])
def watched(browser: Browser, url: str, request: pytest.FixtureRequest) -> Iterator[WatchedPage]:
    with open_page(browser, url, width=request.param) as watched:
        yield watched


class TestScreen:
    def test_is_quiet_and_fits_its_width(self, watched: WatchedPage) -> None:
        width = watched.page.evaluate("document.documentElement.scrollWidth")
        assert width == watched.page.viewport_size["width"]  # type: ignore[index]
        assert watched.complaints == []

    def test_one_map_is_seen(self, watched: WatchedPage) -> None:
        maps = watched.page.locator("svg.map")
        assert maps.count() == 3
        assert sum(maps.nth(number).is_visible() for number in range(3)) == 1

    def test_hostile_names_are_text(self, watched: WatchedPage) -> None:
        body = watched.page.locator("table.bars").inner_text()
        assert HOSTILE_NAMES[0] in body
        assert HOSTILE_NAMES[2] in body
        assert HOSTILE_NAMES[4] in body
        assert "gnirts desrever and isolated" in body
        assert watched.page.locator("script, img, iframe, link, object").count() == 0

    def test_has_no_serious_violation(self, watched: WatchedPage) -> None:
        violations = Axe().run(watched.page).response["violations"]
        serious = [
            (each["id"], [node["html"] for node in each["nodes"]][:3])
            for each in violations
            if each["impact"] in ("serious", "critical")
        ]
        assert serious == []


class TestPaper:
    def test_prints_on_a_few_pages_of_a4(self, browser: Browser, url: str) -> None:
        with open_page(browser, url, width=1440) as watched:
            pdf = watched.page.pdf(prefer_css_page_size=True, print_background=True)
        sizes = {
            tuple(round(float(side)) for side in match)
            for match in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
        }
        assert sizes == {A4}
        assert 6 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 10
