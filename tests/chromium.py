"""Debian's Chromium, and what a page must not do in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium for several tests. Without it, CI fails and other machines skip them."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        assert not os.environ.get("CI"), "CI must have Chromium: apt install chromium"
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass(slots=True)
class WatchedPage:
    """A page with everything that it should not have done."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """Messages on the console, errors, dialogs, and requests to other places."""


@contextmanager
def open_page(browser: Browser, url: str, *, width: int) -> Iterator[WatchedPage]:
    """A page of this width in pixels, in a context of its own."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    watched = WatchedPage(page)

    def check(request: Request) -> None:
        if not request.url.startswith((url, "data:")):
            watched.complaints.append(request.url)

    page.on("console", lambda message: watched.complaints.append(message.text))
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on("dialog", lambda dialog: watched.complaints.append(dialog.message))
    page.on("request", check)
    page.goto(url)
    yield watched
    context.close()
