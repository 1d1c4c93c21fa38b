"""One server on the generated programme and one browser for all tests, one context for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
)

from mutua import Client
from services.app.bootstrap import EmbeddedServer, serve_embedded
from services.app.http import HttpSettings
from services.cli.main import main
from tests.chromium import open_browser
from tests.waiting import PATIENCE_SECONDS

WIDE: Final = 1440
NARROW: Final = 390


class Dashboard:
    """A page of the dashboard. `complaints` has everything that must not happen on it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self._base = f"http://{address}/"
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("request", self._on_request)

    def open(self, query: str = "") -> Page:
        """Loads an address and waits until the view is drawn."""
        self.page.goto(self._base + query)
        self.wait()
        return self.page

    def wait(self) -> None:
        """Waits until everything that was asked for is drawn."""
        self.page.locator("#content:not([aria-busy])").wait_for()

    def card(self, title: str) -> Locator:
        return self.page.get_by_role("region", name=title, exact=True)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self._base, "blob:")):
            self.complaints.append(f"foreign request: {request.url[:200]}")


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    folder = tmp_path_factory.mktemp("browser") / "data"
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["demo", "--dir", str(folder)])
    http = HttpSettings(listen="127.0.0.1:0")
    with serve_embedded(folder, purpose="tests", write=True, http=http) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Where there is none, its tests are skipped; in CI they fail."""
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with open_browser() as browser:
        yield browser


@pytest.fixture
def width() -> int:
    """The width of the window; tests override it."""
    return WIDE


@pytest.fixture
def dashboard(browser: Browser, server: EmbeddedServer, width: int) -> Iterator[Dashboard]:
    """A page in a context of its own. Fails the test if anything on it went wrong."""
    context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True)
    dashboard = Dashboard(context.new_page(), server.http_address)
    yield dashboard
    context.close()
    assert dashboard.complaints == []


@pytest.fixture
def client(server: EmbeddedServer) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path
