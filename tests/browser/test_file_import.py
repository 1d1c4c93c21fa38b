"""A file is dropped on the page, previewed, mapped, recorded, and undone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from mutua import Client
from mutua.ids import uuid7
from services.app.bootstrap import EmbeddedServer
from services.uploads.upload import MAX_FILE_BYTES
from tests.browser.conftest import NARROW, WIDE, Dashboard
from tests.services.facts import registration

VISITS = (
    "ref,date,giver,receiver,kind,colour\n"
    "r1,2024-05-31,Ash,Oakdale Trst,call,red\n"
    "r2,2024-06-01,Ash,Oakdale Trust,Tea,blue\n"
    "r3,never,Ash,Oakdale Trust,call,green\n"
)
MARKUP = "<img src=x onerror=alert(1)>"


class Importing:
    """The Log page of a programme of its own, with two organizations."""

    def __init__(self, dashboard: Dashboard, client: Client) -> None:
        self.client = client
        self.page: Page = dashboard.open(f"?view=recording&programme={client.programme}")
        self.button = self.page.get_by_label("Drop a file here, or choose one")
        expect(self.button).to_be_visible()

    def choose(self, content: str, name: str = "visits.csv") -> Locator:
        """The preview of a file that is chosen with the button."""
        self.button.set_input_files({"name": name, "mimeType": "", "buffer": content.encode()})
        return self.find_preview(name)

    def drop(self, content: str, name: str = "visits.csv") -> Locator:
        """The preview of a file that is dropped on the page."""
        transfer = self.page.evaluate_handle(
            "([content, name]) => { const transfer = new DataTransfer();"
            "transfer.items.add(new File([content], name)); return transfer; }",
            [content, name],
        )
        area = self.page.locator(".drop-area")
        area.dispatch_event("dragenter", {"dataTransfer": transfer})
        expect(self.page.locator(".dropping")).to_have_count(1)
        area.dispatch_event("drop", {"dataTransfer": transfer})
        return self.find_preview(name)

    def find_preview(self, name: str) -> Locator:
        preview = self.page.get_by_role("region", name=name, exact=True)
        preview.locator(".import-body:not([aria-busy])").wait_for()
        return preview


@pytest.fixture
def importing(dashboard: Dashboard, server: EmbeddedServer) -> Iterator[Importing]:
    with Client(server.address, programme=f"files-{uuid7()}") as client:
        client.record([registration("ash-1", name="Ash")])
        client.record([registration("oak-2", name="Oakdale Trust")])
        yield Importing(dashboard, client)


def test_dropped_file_is_previewed_recorded_and_undone(importing: Importing) -> None:
    page, client = importing.page, importing.client
    preview = importing.drop(VISITS)
    expect(preview).to_contain_text("3 rows: 1 new, 2 with errors.")
    preview.get_by_label("Kind that Tea means").select_option(label="Meeting")
    expect(preview).to_contain_text("3 rows: 2 new, 1 with errors.")
    preview.get_by_label("Organization that Oakdale Trst means").select_option("oak-2")
    rows = preview.get_by_role("region", name="As they would be recorded, as a table")
    expect(rows.get_by_role("row").nth(1)).to_contain_text("Oakdale Trust")
    assert client.get_status().exchange_count == 0
    preview.get_by_role("button", name="Record 2 exchanges, leave out 1 row").click()
    expect(page.get_by_text("Batch visits: 2 exchanges recorded.")).to_be_visible()
    imported = page.get_by_role("region", name="Imported files")
    expect(imported).to_contain_text("2 exchanges")
    assert client.get_status().exchange_count == 2

    good_rows = VISITS.partition("r3")[0]
    preview = importing.drop(good_rows)
    expect(preview).to_contain_text("All 2 rows are already recorded in batch visits")
    expect(preview.get_by_role("button", name=re.compile("^Record"))).to_have_count(0)
    preview.get_by_role("button", name="Close without recording").click()
    expect(importing.button).to_be_focused()

    imported.get_by_role("button", name="Undo of visits").click()
    imported.get_by_role("button", name="Retract 2 exchanges of visits").click()
    expect(imported).to_contain_text("undone")
    assert client.get_status().exchange_count == 0


def test_rows_with_errors_are_downloaded(importing: Importing, downloads: Path) -> None:
    preview = importing.choose(VISITS)
    errors = preview.get_by_role("region", name="Errors, as a table")
    expect(errors).to_contain_text("Day or time")
    expect(errors).to_contain_text("is not a time we can read")
    with importing.page.expect_download() as download:
        preview.get_by_role("button", name="Download the 2 rows to fix (CSV)").click()
    path = downloads / download.value.suggested_filename
    download.value.save_as(path)
    header, tea, never = path.read_text(encoding="utf-8-sig").splitlines()
    assert path.name == "visits-rows-to-fix.csv"
    assert header.endswith(",what_to_mend")
    assert (tea.split(",")[0], never.split(",")[0]) == ("r2", "r3")


def test_columns_are_mapped_by_keyboard(importing: Importing) -> None:
    page = importing.page
    preview = importing.choose("when,who,whom\n2024-05-31,Ash,Oakdale Trust\n")
    expect(preview).to_contain_text("Choose a column for Who gave, Who received, Kind.")
    for column, field in (("who", "Who gave"), ("whom", "Who received")):
        select = preview.get_by_label(f"What {column} is read as")
        select.focus()
        page.keyboard.type(field)
        expect(preview.locator(".import-body:not([aria-busy])")).to_be_visible()
        expect(preview.get_by_label(f"What {column} is read as")).to_be_focused()
    preview.get_by_label("Kind of all rows").select_option(label="Call")
    button = preview.get_by_role("button", name="Record 1 exchange")
    button.press("Enter")
    expect(page.get_by_text("Batch visits: 1 exchange recorded.")).to_be_visible()
    page.get_by_role("button", name="Undo", exact=True).press("Enter")
    expect(page.get_by_text("Batch visits undone: 1 exchange retracted.")).to_be_visible()


def test_doubt_and_order_of_dates_are_asked_about(importing: Importing) -> None:
    preview = importing.choose("ref,date,giver,receiver,kind\nr1,01/02/2024,Ash,oak-2,call\n")
    preview.get_by_role("button", name="Day first").click()
    expect(preview).to_contain_text("2024-02-01")
    preview.get_by_role("button", name="Record 1 exchange").click()
    expect(importing.page.get_by_text("Batch visits: 1 exchange recorded.")).to_be_visible()
    preview = importing.choose("ref,date,giver,receiver,kind\nr1,2024-03-01,Ash,oak-2,call\n")
    expect(preview).to_contain_text("occur_time: 2024-02-01 -> 2024-03-01")
    button = preview.get_by_role("button", name="Record 1 change")
    expect(button).to_be_disabled()
    preview.get_by_label("Record these changes?").check()
    button.click()
    expect(importing.page.get_by_text("Batch visits: 1 change recorded.")).to_be_visible()


def test_file_that_cannot_be_read_says_why(importing: Importing, tmp_path: Path) -> None:
    preview = importing.choose("PK\x03\x04nothing", "letter.xlsx")
    expect(preview).to_contain_text("letter.xlsx is damaged, or no workbook")
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    importing.button.set_input_files(tmp_path / "large.csv")
    expect(
        importing.page.get_by_text("large.csv has 16 MiB, and 16 MiB is the most")
    ).to_be_visible()


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_hostile_file_is_text_and_fits(importing: Importing, width: int) -> None:
    row = f"r1,2024-05-31,{MARKUP},{'Long' * 40},Tea,\u202eevil"
    content = f"ref,date,giver,receiver,kind,{MARKUP}\n{row}\n"
    preview = importing.choose(content, f"{MARKUP}.csv")
    expect(preview.get_by_role("region", name="Errors, as a table")).to_be_visible()
    assert importing.page.locator("img[onerror]").count() == 0
    assert importing.page.evaluate("document.documentElement.scrollWidth") == width
    found = Axe().run(importing.page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
