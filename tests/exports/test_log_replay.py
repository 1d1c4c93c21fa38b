"""A replayed log gives equal answers; a file that is no export is refused."""

import gzip
import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mutua import Client
from mutua.ids import resubmission_id
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import QuarantineReason
from services.adapters.sqlite.log import SqliteLog
from services.adapters.wire.event import read_record
from services.app.bootstrap import serve_embedded
from services.app.data_maintenance import export_log, replay, verify
from services.exports import log_replay as replaying
from services.exports.export_file import UnusableFileError
from services.exports.log_replay import ExportedLog
from services.ledger.errors import (
    DataInUseError,
    ForeignDataError,
    MutuaError,
    NewerSchemaError,
    NotFoundError,
)
from services.ledger.times import DAY
from tests.exports.recorded_logs import (
    OTHER,
    PROGRAMME,
    START,
    append_records,
    make_logged_event,
    make_records,
    open_client,
    read_answers,
    read_log,
)
from tests.projector.newer_facts import newer_fact
from tests.services import facts

NOW = START + DAY


@pytest.fixture
def data(tmp_path: Path) -> Path:
    append_records(tmp_path / "data", make_records())
    return tmp_path / "data"


@pytest.fixture
def file(data: Path, tmp_path: Path) -> Path:
    return make_export(data, tmp_path / "log.jsonl")


def make_export(data: Path, path: Path, programme_id: str = "") -> Path:
    export_log(data, path, programme_id=programme_id, force=False, progress=lambda *_: None)
    return path


def replay_export(file: Path, data: Path) -> Path:
    report = replay(file, data, now=NOW, progress=lambda *_: None)
    assert report.differences == []
    return data


def test_replay_keeps_every_answer(data: Path, file: Path, tmp_path: Path) -> None:
    again = replay_export(file, tmp_path / "again")
    for programme in (PROGRAMME, OTHER):
        assert read_answers(again, programme) == read_answers(data, programme)
    answers = read_answers(again)
    assert {each.reason for each in answers["quarantine"]} == set(QuarantineReason.values()) - {0}
    assert answers["status"].waiting_count == 3
    assert (len(answers["exchanges"]), len(answers["pairs"])) == (5, 2)
    assert answers["batches"][0].exchange_count == 1
    assert verify(again).ok


def test_replay_keeps_record_times(data: Path, file: Path, tmp_path: Path) -> None:
    def times(data: Path) -> list[int]:
        return [
            read_record(each.offset, each.record_time, each.programme_id, each.value).record_time
            for each in read_log(data)
        ]

    again = replay_export(file, tmp_path / "again")
    assert times(again) == times(data) == [START + (n + 1) * 1_000_001 for n in range(23)]
    with open_client(again) as client:
        [first, *_] = client.list_exchanges()
    at = first.revisions[0].record_time
    assert at.seconds * 1_000_000 + at.nanos // 1000 == START + 1_000_001


def test_resent_fact_counts_once_after_replay(data: Path, file: Path, tmp_path: Path) -> None:
    again = replay_export(file, tmp_path / "again")
    before = read_answers(again)
    events = [Event.FromString(value) for programme, value in read_values(data, PROGRAMME)]
    for event in events:
        for field in ("recorded_by", "assurance"):
            event.ClearField(field)
    with (
        serve_embedded(again, purpose="a test", write=True) as running,
        Client(running.address, programme=PROGRAMME) as client,
    ):
        client.get_status(min_position=client.record(events))
    assert read_answers(again) == before


def read_values(data: Path, programme: str) -> list[tuple[str, bytes]]:
    """The records of the programme that a client sent, without quarantined facts."""
    return [(each.programme_id, each.value) for each in read_log(data)[:14] if each.offset != 3]


def test_export_of_replay_is_equal_file(file: Path, tmp_path: Path) -> None:
    again = replay_export(file, tmp_path / "again")
    assert body(make_export(again, tmp_path / "second.jsonl")) == body(file)
    third = replay_export(tmp_path / "second.jsonl", tmp_path / "third")
    assert body(make_export(third, tmp_path / "third.jsonl")) == body(file)


def body(file: Path) -> list[str]:
    """The lines of the file below its header, which has the id of its log."""
    header, *lines = file.read_text().splitlines()
    values = json.loads(header)
    assert values["position"] == f"{values['log_id']}.0.{values['record_count']}"
    return lines


def test_compressed_export_is_equal(data: Path, file: Path, tmp_path: Path) -> None:
    packed = make_export(data, tmp_path / "log.jsonl.gz")
    assert gzip.decompress(packed.read_bytes()) == file.read_bytes()
    assert packed.read_bytes() == make_export(data, tmp_path / "again.gz").read_bytes()
    replay_export(packed, tmp_path / "again")


def test_export_of_one_programme(data: Path, tmp_path: Path) -> None:
    file = make_export(data, tmp_path / "wales.jsonl", OTHER)
    assert {json.loads(line)["programme_id"] for line in body_of(file)} == {OTHER}
    again = replay_export(file, tmp_path / "again")
    [exchange] = read_answers(again, OTHER)["exchanges"]
    assert exchange == read_answers(data, OTHER)["exchanges"][0]
    assert read_answers(again, PROGRAMME)["status"].fact_count == 0


@pytest.mark.parametrize("programme", [PROGRAMME, OTHER])
def test_resubmission_survives_replay(tmp_path: Path, programme: str) -> None:
    values = make_records()
    resubmissions = [
        facts.exchange(event_id=resubmission_id(programme, value))
        for name, value in values
        if name == programme
    ]
    values += [
        (programme, make_logged_event(event, programme).SerializeToString())
        for event in resubmissions
    ]
    append_records(tmp_path / "data", values)
    file = make_export(tmp_path / "data", tmp_path / "log.jsonl", programme)
    again = replay_export(file, tmp_path / "again")
    before, after = (
        read_answers(each, programme)["quarantine"] for each in (tmp_path / "data", again)
    )
    event_ids = [each.resubmitted_as for each in after]
    assert event_ids == [each.resubmitted_as for each in before]
    assert {*event_ids} <= {event.event_id for event in resubmissions}


def body_of(file: Path) -> list[str]:
    return file.read_text().splitlines()[1:]


def test_export_of_unknown_programme_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there are: gde, wales"):
        make_export(data, tmp_path / "none.jsonl", "scotland")
    assert not (tmp_path / "none.jsonl").exists()


def test_empty_log_round_trips(tmp_path: Path) -> None:
    append_records(tmp_path / "data", [])
    file = make_export(tmp_path / "data", tmp_path / "log.jsonl")
    assert read_answers(replay_export(file, tmp_path / "again"))["status"].fact_count == 0


def test_fact_of_newer_version_round_trips(tmp_path: Path) -> None:
    newer = newer_fact(79, programme=PROGRAMME)
    append_records(
        tmp_path / "data", [*make_records()[:2], (PROGRAMME, newer), *make_records()[:1]]
    )
    file = make_export(tmp_path / "data", tmp_path / "log.jsonl")
    report = replay(file, tmp_path / "again", now=NOW, progress=lambda *_: None)
    assert (report.ok, report.unprojected_count, "newer" in report.hold_reason) == (True, 2, True)
    assert read_log(tmp_path / "again")[2] == read_log(tmp_path / "data")[2]


def test_export_of_damaged_log_fails(data: Path, tmp_path: Path) -> None:
    with closing(SqliteLog(data / "log.sqlite")) as log:
        log._connection.execute("UPDATE record SET value = value || x'00' WHERE offset = 5")
    with pytest.raises(ForeignDataError, match="mutua verify says where"):
        make_export(data, tmp_path / "log.jsonl")
    assert list(tmp_path.iterdir()) == [data]


class TestInterruption:
    """A replay that was interrupted after any window continues there."""

    @pytest.fixture(autouse=True)
    def windows_of_three(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(replaying, "PAGE_RECORDS", 3)

    @pytest.mark.parametrize("enough", [1, 10, 20])
    def test_repeated_replay_continues(
        self, file: Path, data: Path, tmp_path: Path, enough: int
    ) -> None:
        def interrupt(what: str, count: int, total: int) -> None:
            if what == "replayed" and count >= enough:
                raise KeyboardInterrupt

        again = tmp_path / "again"
        with pytest.raises(KeyboardInterrupt):
            replay(file, again, now=NOW, progress=interrupt)
        assert enough <= len(read_log(again)) < 23
        replay_export(file, again)
        assert read_answers(again) == read_answers(data)
        assert body(make_export(again, tmp_path / "second.jsonl")) == body(file)

    def test_repeated_replay_of_complete_log_appends_nothing(
        self, file: Path, tmp_path: Path
    ) -> None:
        before = read_log(replay_export(file, tmp_path / "again"))
        assert read_log(replay_export(file, tmp_path / "again")) == before


def test_replay_into_other_records_is_refused(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    append_records(other, make_records()[:1])
    before = read_log(other)
    with pytest.raises(ForeignDataError, match="records of its own, from offset 0 on"):
        replay_export(file, other)
    longer = replay_export(file, tmp_path / "longer")
    with closing(SqliteLog(longer / "log.sqlite")) as log:
        log.append(PROGRAMME, [b"later"]).result()
    with pytest.raises(ForeignDataError, match="from offset 23 on"):
        replay_export(file, longer)
    assert (read_log(other), len(read_log(longer))) == (before, 24)


def test_replay_into_directory_in_use_is_refused(file: Path, data: Path) -> None:
    with (
        serve_embedded(data, purpose="another", write=True),
        pytest.raises(DataInUseError, match="another"),
    ):
        replay_export(file, data)


Lines = list[str]


def swapped(lines: Lines) -> Lines:
    return [*lines[:3], lines[4], lines[3], *lines[5:]]


def earlier(lines: Lines) -> Lines:
    line = json.loads(lines[2])
    return [*lines[:2], json.dumps({**line, "record_time": "2026-03-31T23:59:59.999999Z"})]


def later(lines: Lines) -> Lines:
    line = json.loads(lines[2])
    return [*lines[:2], json.dumps({**line, "record_time": "2999-01-01T00:00:00.000000Z"})]


def of_one(lines: Lines) -> Lines:
    return [json.dumps({**json.loads(lines[0]), "programme_id": OTHER}), *lines[1:]]


def header(**changed: Any) -> Callable[[Lines], Lines]:
    return lambda lines: [json.dumps({**json.loads(lines[0]), **changed}), *lines[1:]]


@pytest.mark.parametrize(
    ("change", "error", "expected"),
    [
        (lambda _: [], UnusableFileError, "line 1: this is no exported log"),
        (lambda _: ["date,from,to"], UnusableFileError, "line 1: this is no exported log"),
        (lambda lines: lines[1:], UnusableFileError, "line 1: this is no exported log"),
        (header(version=2), NewerSchemaError, "upgrade mutua"),
        (header(version=0), UnusableFileError, "line 1: the header must have"),
        (header(more=1), UnusableFileError, "line 1: the header must have"),
        (header(record_count=-1), UnusableFileError, "line 1: the header must have"),
        (
            lambda lines: lines[:-1],
            UnusableFileError,
            "line 23: the file ends after 22 of 23 records",
        ),
        (
            lambda lines: [*lines, lines[-1]],
            UnusableFileError,
            "line 25: offset 22 cannot follow 22",
        ),
        (
            lambda lines: [*lines[:3], *lines[4:]],
            UnusableFileError,
            "line 4: offset 3 cannot follow 1",
        ),
        (swapped, UnusableFileError, "line 4: offset 3 cannot follow 1"),
        (lambda lines: [*lines[:4], "", *lines[4:]], UnusableFileError, "line 5: is no JSON"),
        (earlier, UnusableFileError, "line 3: record_time is before"),
        (later, UnusableFileError, "line 3: record_time is more than a day ahead"),
        (of_one, UnusableFileError, "line 2: is not of programme wales"),
        (
            lambda lines: [
                each.replace('"giver_minutes":7', '"giver_minutes":-7') for each in lines
            ],
            UnusableFileError,
            "line 3: exchange_recorded.exchange.giver_minutes is -7",
        ),
    ],
)
def test_invalid_file_appends_nothing(
    file: Path,
    tmp_path: Path,
    change: Callable[[Lines], Lines],
    error: type[MutuaError],
    expected: str,
) -> None:
    lines = change(file.read_text().splitlines())
    file.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(error) as error_info:
        replay_export(file, tmp_path / "again")
    assert expected in error_info.value.message
    assert str(file) in error_info.value.message
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("keep", [1, 0.3, 0.9])
def test_damaged_compressed_file_is_refused(data: Path, tmp_path: Path, keep: float) -> None:
    packed = make_export(data, tmp_path / "log.jsonl.gz")
    content = bytearray(packed.read_bytes())
    if keep == 1:
        content[len(content) // 2] ^= 0xFF
    packed.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(UnusableFileError, match="damaged"):
        replay_export(packed, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_endless_line_is_refused_early(tmp_path: Path) -> None:
    (tmp_path / "zeros").write_bytes(bytes(17 << 20))
    with pytest.raises(UnusableFileError, match="line 1: is too long"):
        ExportedLog(tmp_path / "zeros", now=NOW)


def test_long_log_is_replayed_in_windows(tmp_path: Path) -> None:
    values = [(PROGRAMME, value) for _ in range(90) for _, value in make_records()[:14]]
    (tmp_path / "data").mkdir()
    with closing(SqliteLog(tmp_path / "data" / "log.sqlite")) as log:
        log.append(PROGRAMME, [value for _, value in values]).result()
    calls: list[tuple[str, int, int]] = []
    file = make_export(tmp_path / "data", tmp_path / "log.jsonl")
    now = time.time_ns() // 1000
    replay(file, tmp_path / "again", now=now, progress=lambda *counts: calls.append(counts))
    assert calls == [
        ("checked", 1_000, 1_260),
        ("checked", 1_260, 1_260),
        ("replayed", 1_000, 1_260),
        ("replayed", 1_260, 1_260),
    ]


def test_pending_appends_are_bounded(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "_WINDOW_BYTES", 300)  # about two facts
    counts: list[int] = []

    def progress(what: str, count: int, total: int) -> None:
        if what == "replayed":
            counts.append(count)

    replay(file, tmp_path / "again", now=NOW, progress=progress)
    assert len(counts) > 23 / 4
