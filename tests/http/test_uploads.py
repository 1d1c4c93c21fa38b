"""Files dropped on the dashboard are previewed, recorded, undone, or refused with a remedy."""

import gzip
import io
import json
import zipfile
from typing import Any

import anyio
import httpx
import openpyxl
import pytest

from mutua import Client
from mutua.ids import uuid7
from services.adapters.http.application import build_application
from services.adapters.telemetry.metrics import NO_OP_METER
from services.app.bootstrap import EmbeddedServer
from services.ledger.errors import InvalidArgumentError
from services.uploads.import_jobs import ImportJobs
from services.uploads.page_wording import reword
from services.uploads.routes import make_upload_routes
from services.uploads.upload import MAX_FILE_BYTES, read_upload
from tests.http.conftest import ORIGIN
from tests.services.facts import registration

BINARY = {"Content-Type": "application/octet-stream"}
VISITS = (
    b"ref,date,giver,receiver,kind\n"
    b"r1,2024-05-31,Ash,Oakdale Trst,call\n"
    b"r2,2024-06-01,Ash,Oakdale Trust,Tea\n"
)
ANSWERS: dict[str, Any] = {"kind_map": {"Tea": "meeting"}, "name_map": {"Oakdale Trst": "oak-2"}}


def to_body(content: bytes, file: str = "visits.csv", programme: str = "", **options: Any) -> bytes:
    head = {"file": file, "programme": programme, "options": options}
    return json.dumps(head).encode() + b"\n" + content


class Uploader:
    """Sends files of one programme."""

    def __init__(self, http: httpx.Client, programme: str) -> None:
        self.http = http
        self.programme = programme

    def send(
        self, action: str, content: bytes, file: str = "visits.csv", **options: Any
    ) -> dict[str, Any]:
        """The last line of the answer."""
        body = to_body(content, file, self.programme, **options)
        answer = self.http.post(f"/imports/{action}", content=body, headers=BINARY)
        assert answer.headers["cache-control"] == "no-store"
        lines: list[dict[str, Any]] = [json.loads(line) for line in answer.text.splitlines()]
        return lines[-1]

    def preview(self, content: bytes, file: str = "visits.csv", **options: Any) -> Any:
        return self.send("preview", content, file, **options)["done"]

    def undo(self, batch: str) -> Any:
        body = {"programme": self.programme, "batch": batch}
        return json.loads(self.http.post("/imports/undo", json=body).text.splitlines()[-1])


@pytest.fixture
def uploader(server: EmbeddedServer, http: httpx.Client) -> Uploader:
    """In a programme of its own, with two organizations."""
    programme = f"uploads-{uuid7()}"
    with Client(server.address, programme=programme) as client:
        client.record([registration("ash-1", name="Ash")])
        client.record([registration("oak-2", name="Oakdale Trust")])
    return Uploader(http, programme)


class TestPreview:
    def test_finds_what_has_to_be_chosen(self, uploader: Uploader) -> None:
        done = uploader.preview(VISITS)
        assert [each["field"] for each in done["table"]["columns"]] == [
            "reference", "occur_time", "giver", "receiver", "kind",
        ]  # fmt: skip
        report = done["report"]
        assert (report["batch"], report["ok"], report["error_count"]) == ("visits", True, 1)
        assert (report["counts"]["recorded"], report["counts"]["wrong"]) == (1, 1)
        assert report["new_rows"][0]["cells"]["giver"] == "Ash"
        assert report["unknown_kinds"] == ["Tea"]
        [name] = report["new_names"]
        similar = [{"id": "oak-2", "label": "Oakdale Trust (oak-2)"}]
        assert (name["name"], name["similar"]) == ("Oakdale Trst", similar)
        [error] = report["errors"]
        assert (error["row"], error["field"], error["value"]) == (3, "kind", "Tea")
        assert "choose it under Kinds" in error["message"]

    def test_records_nothing(self, uploader: Uploader, server: EmbeddedServer) -> None:
        uploader.preview(VISITS, **ANSWERS)
        with Client(server.address, programme=uploader.programme) as client:
            assert client.get_status().exchange_count == 0

    def test_asks_for_columns_that_nothing_names(self, uploader: Uploader) -> None:
        done = uploader.preview(b"when,who,whom,how\n2024-05-31,Ash,B,call\n")
        assert done["table"]["missing_fields"] == ["giver", "receiver"]
        assert done["report"] is None
        columns = {"giver": "who", "receiver": "whom"}
        done = uploader.preview(b"when,who,whom,how\n2024-05-31,Ash,B,call\n", map=columns)
        assert done["report"]["counts"]["recorded"] == 1

    def test_asks_for_the_order_of_dates(self, uploader: Uploader) -> None:
        content = b"date,giver,receiver,kind\n01/02/2024,Ash,B,call\n"
        done = uploader.preview(content)
        assert (done["question"], "--" in done["refusal"]) == ("date_order", False)
        done = uploader.preview(content, date_order="day-first")
        assert done["report"]["new_rows"][0]["cells"]["occur_time"] == "2024-02-01"

    def test_asks_whether_the_first_row_is_data(self, uploader: Uploader) -> None:
        content = b"2024-05-31,Ash,B,call\n2024-06-01,Ash,B,call\n"
        done = uploader.preview(content)
        assert done["question"] == "no_header"
        done = uploader.preview(content, no_header=True, map=done["no_header_map"])
        assert done["report"]["counts"]["recorded"] == 2


class TestRecording:
    def test_records_once_and_is_undone(self, uploader: Uploader, server: EmbeddedServer) -> None:
        assert uploader.send("record", VISITS, **ANSWERS)["done"]["counts"]["recorded"] == 2
        assert uploader.preview(VISITS, **ANSWERS)["report"]["counts"]["unchanged"] == 2
        assert uploader.undo("visits")["done"]["retracted_count"] == 2
        with Client(server.address, programme=uploader.programme) as client:
            assert client.get_status().exchange_count == 0

    def test_bad_rows_are_a_file_to_fix(self, uploader: Uploader) -> None:
        refused = uploader.send("record", VISITS)["done"]
        assert (refused["ok"], refused["fact_count"]) == (False, 0)
        bad = uploader.send("bad-rows", VISITS)["done"]
        assert bad["file"] == "visits-rows-to-fix.csv"
        assert "r2,2024-06-01,Ash,Oakdale Trust,Tea," in bad["content"]
        done = uploader.send("record", VISITS, skip_bad=True)["done"]
        assert (done["ok"], done["fact_count"]) == (True, 1)

    def test_doubt_is_confirmed_first(self, uploader: Uploader) -> None:
        uploader.send("record", VISITS, **ANSWERS)
        changed = VISITS.replace(b"2024-05-31", b"2023-05-31")
        [doubt] = uploader.preview(changed, **ANSWERS)["report"]["doubts"]
        assert (doubt["option"], doubt["question"]) == ("accept_changes", "Record these changes?")
        problem = uploader.send("record", changed, **ANSWERS)["problem"]
        assert "1 of 2 rows changes" in problem["detail"]
        done = uploader.send("record", changed, accept_changes=True, **ANSWERS)["done"]
        assert done["counts"]["corrected"] == 1

    def test_unknown_batch_is_not_undone(self, uploader: Uploader) -> None:
        assert "There is no batch 'other'" in uploader.undo("other")["problem"]["detail"]


def make_workbook(*rows: tuple[Any, ...]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.create_sheet("exchanges", 0)
    for row in rows:
        sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def make_zip(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


PROTECTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2_000
HEADER = ("date", "giver", "receiver", "kind")


class TestUnreadableFiles:
    @pytest.mark.parametrize(
        ("file", "content", "words"),
        [
            ("empty.csv", b"", "has no row with the column names"),
            ("picture.png", b"\x89PNG", "has none of the endings .csv"),
            ("renamed.csv", b"PK\x03\x04" + b"\0" * 99, "an Excel or zip file"),
            ("archive.xlsx", make_zip("letter.txt", b"Dear"), "is damaged, or no workbook"),
            ("text.xlsx", b"date,giver", "is no workbook, despite its name"),
            ("old.xls", PROTECTED, "is damaged, or no workbook"),
            ("cut.csv.gz", gzip.compress(VISITS)[:-9], "is damaged"),
            ("bomb.csv.gz", gzip.compress(b"\n" * (300 << 20), 1), "unpacks to more than 256 MiB"),
            ("latin.csv", VISITS.replace(b"Ash", b"K\xe4lte"), "UTF-8"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_refusal_has_a_remedy(
        self, uploader: Uploader, file: str, content: bytes, words: str
    ) -> None:
        done = uploader.preview(content, file)
        assert done["report"] is None
        assert words in done["refusal"]

    def test_second_header_is_a_row_with_errors(self, uploader: Uploader) -> None:
        header, first, _ = VISITS.splitlines(keepends=True)
        report = uploader.preview(header + first + header)["report"]
        assert (report["counts"]["recorded"], report["counts"]["wrong"]) == (1, 1)

    def test_formula_without_a_value_is_named(self, uploader: Uploader) -> None:
        row = ("2024-05-31", "=B9", "Ash", "call")
        report = uploader.preview(make_workbook(HEADER, row), "formulas.xlsx")["report"]
        assert "has a formula and no value" in report["errors"][0]["message"]

    def test_text_like_a_formula_stays_text(self, uploader: Uploader) -> None:
        content = b"date,giver,receiver,kind\n2024-05-31,=HYPERLINK(0),<script>,call\n"
        [row] = uploader.preview(content)["report"]["new_rows"]
        assert (row["cells"]["giver"], row["cells"]["receiver"]) == ("=HYPERLINK(0)", "<script>")


class TestRequests:
    def test_file_that_is_too_large_is_refused(self, http: httpx.Client) -> None:
        """By the length that it announces, before a byte of it is read."""
        answer = http.post("/imports/preview", content=b"x" * (50 << 20), headers=BINARY)
        problem = answer.json()
        assert (answer.status_code, problem["reason"]) == (413, "REQUEST_TOO_LARGE")
        assert "with the command mutua import exchanges" in problem["remedy"]

    def test_form_of_another_site_is_refused(self, http: httpx.Client) -> None:
        answer = http.post("/imports/record", files={"file": ("visits.csv", VISITS)})
        assert answer.status_code == 415

    @pytest.mark.parametrize(("origin", "status"), [("https://evil.example", 403), (ORIGIN, 200)])
    @pytest.mark.parametrize("action", ["preview", "record"])
    def test_other_web_sites_send_nothing(
        self, http: httpx.Client, action: str, origin: str, status: int
    ) -> None:
        body = to_body(VISITS, programme="origin")
        headers = {**BINARY, "Origin": origin}
        answer = http.post(f"/imports/{action}", content=body, headers=headers)
        assert answer.status_code == status

    @pytest.mark.parametrize(
        ("head", "field"),
        [
            ('{"file": 1}', "file"),
            ('{"options": []}', "options"),
            ('{"options": {"colour": "red"}}', "colour"),
            ('{"options": {"map": {"giver": 1}}}', "map"),
            ('{"options": {"header_row": -1}}', "header_row"),
            ('{"options": {"date_order": "year"}}', "date_order"),
        ],
    )
    def test_wrong_option_is_named(self, http: httpx.Client, head: str, field: str) -> None:
        body = head.encode() + b"\n" + VISITS
        problem = http.post("/imports/preview", content=body, headers=BINARY).json()
        assert problem["field_violations"][0]["field"] == field

    def test_process_without_ingest_says_so(self) -> None:
        async def ask() -> tuple[httpx.Response, httpx.Response]:
            routes = list(make_upload_routes(None, ImportJobs(), NO_OP_METER))
            transport = httpx.ASGITransport(build_application(routes))
            base_url = "http://localhost"
            async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
                described = await client.get("/imports")
                body = to_body(VISITS)
                return described, await client.post(
                    "/imports/preview", content=body, headers=BINARY
                )

        described, answer = anyio.run(ask)
        assert "MUTUA_INGEST_SERVER" in described.json()["refusal"]
        assert (answer.status_code, "MUTUA_INGEST_SERVER" in answer.json()["remedy"]) == (501, True)


class TestUpload:
    @pytest.mark.parametrize(
        ("sent", "name"),
        [
            ("../../etc/visits.csv", "visits.csv"),
            ("C:\\Users\\x\\visits.csv", "visits.csv"),
            ("vis\0its\n\u202e.csv", "visits.csv"),
            ("..", "file"),
            ("", "file"),
        ],
    )
    def test_name_is_that_of_a_file(self, sent: str, name: str) -> None:
        assert read_upload(to_body(b"", sent)).file_name == name

    def test_long_name_keeps_its_ending(self) -> None:
        name = read_upload(to_body(b"", "ä" * 10_000 + ".csv.gz")).file_name
        assert name.endswith("ä.csv.gz")
        assert len(name.encode()) <= 200

    @pytest.mark.parametrize("body", [b"", b"date,giver\n", b"[1]\n", b"{" * 9_999 + b"\n"])
    def test_body_without_a_head_is_refused(self, body: bytes) -> None:
        with pytest.raises(InvalidArgumentError):
            read_upload(body)

    def test_largest_file_is_the_one_that_pages_are_told(self, http: httpx.Client) -> None:
        assert http.get("/imports").json()["max_file_bytes"] == MAX_FILE_BYTES


class TestWording:
    @pytest.mark.parametrize(
        ("advice", "words"),
        [
            (
                "is no kind of ours; say which it means: --kind-map 'Tea=KIND'",
                "is no kind of ours; say which it means: choose it under Kinds",
            ),
            (
                "If these rows really changed, say --accept-changes.",
                "If these rows really changed, confirm it.",
            ),
            (
                "Times were read as UTC; --zone AREA/CITY says where they are from.",
                "Times were read as UTC; choose their zone under Reading.",
            ),
            (
                "write ; instead, or say --party-separator ',' (or --party-separator ';' if new)",
                "write ; instead, choose the separator under Reading",
            ),
            ("is empty, and every row needs it", "is empty, and every row needs it"),
        ],
    )
    def test_options_become_controls(self, advice: str, words: str) -> None:
        assert reword(advice) == words
