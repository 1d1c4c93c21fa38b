"""Rows that cannot be taken are set aside, and the others are recorded."""

from pathlib import Path

import grpc
import pytest

from mutua import MutuaError
from services.imports import (
    ImportInterruptedError,
    ImportOptions,
    ImportRefusedError,
    import_organizations,
)
from tests.imports.fake_programme import FakeProgramme
from tests.imports.importer import Importer, format_counts

GOOD = "r1,2024-05-31,A,B,call"


@pytest.fixture
def reject_path(tmp_path: Path) -> Path:
    return tmp_path / "mend.csv"


def test_rejected_rows_keep_their_cells(importer: Importer, reject_path: Path) -> None:
    report = importer.import_rows(
        GOOD,
        ' r2 ,never,"A, the first",A,chat',
        "r3,2024-05-31,A",
        "r4,2024-05-31,A,B,call,surplus",
        "r1,2024-05-31,A,B,visit",
        skip_bad=reject_path,
    )
    assert (report.ok, format_counts(report), report.acknowledged) == (
        True,
        "1 recorded 4 wrong",
        1,
    )
    assert (report.set_aside, report.counts.rows) == (str(reject_path), 5)
    header, *rows = reject_path.read_text(encoding="utf-8-sig").splitlines()
    assert header == "ref,date,giver,receiver,kind,what_to_mend"
    assert rows[0].startswith(' r2 ,never,"A, the first",A,chat,"occur_time is not a time')
    assert "; kind is no kind of ours" in rows[0]
    assert rows[1].startswith("r3,2024-05-31,A,,,kind is missing")
    assert rows[2].startswith("r4,2024-05-31,A,B,call,surplus,has 6 cells")
    assert rows[3].endswith('reference is on line 2 too, with other content"')


def test_mended_file_completes_batch(importer: Importer, reject_path: Path) -> None:
    importer.import_rows(GOOD, "r2,never,A,B,call", skip_bad=reject_path)
    reject_path.write_text(
        reject_path.read_text(encoding="utf-8-sig").replace("never", "2024-05-30")
    )
    mended = importer.import_file(reject_path, batch="log")
    assert (format_counts(mended), mended.unused) == ("1 recorded 1 missing", ("what_to_mend",))
    assert format_counts(importer.import_rows(GOOD, "r2,2024-05-30,A,B,call")) == "2 unchanged"


def test_mend_column_is_not_part_of_row(importer: Importer, reject_path: Path) -> None:
    header = "date,giver,receiver,kind"
    importer.import_rows(
        "2024-05-31,A,B,call", "never,A,B,call", header=header, skip_bad=reject_path
    )
    reject_path.write_text(reject_path.read_text().replace("never", "2024-05-30"))
    assert format_counts(importer.import_file(reject_path, batch="log")) == "1 recorded 1 missing"
    rows = ("2024-05-31,A,B,call", "2024-05-30,A,B,call")
    assert format_counts(importer.import_rows(*rows, header=header)) == "2 unchanged"


def test_second_reject_file_has_one_mend_column(importer: Importer, reject_path: Path) -> None:
    importer.import_rows(GOOD, "r2,never,A,B,call", skip_bad=reject_path)
    again = reject_path.with_name("again.csv")
    reject_path.write_text(reject_path.read_text() + GOOD + ",\n")
    importer.import_file(reject_path, batch="log", skip_bad=again)
    assert again.read_text() == "".join(reject_path.read_text().splitlines(keepends=True)[:2])


def test_reject_file_keeps_separator(importer: Importer, reject_path: Path) -> None:
    header = "ref;date;giver;receiver;kind"
    importer.import_rows(
        GOOD.replace(",", ";"), "r2;never;A;B;call", header=header, skip_bad=reject_path
    )
    assert reject_path.read_text(encoding="utf-8-sig").startswith(
        f"{header};what_to_mend\nr2;never;A"
    )


def test_no_file_is_written_without_bad_rows(importer: Importer, reject_path: Path) -> None:
    assert importer.import_rows(GOOD, skip_bad=reject_path).set_aside == ""
    planned = importer.import_rows(GOOD, "r2,never,A,B,call", skip_bad=reject_path, dry_run=True)
    assert (planned.ok, planned.set_aside, planned.counts.wrong) == (True, str(reject_path), 1)
    assert [path.name for path in importer.folder.iterdir()] == ["log.csv"]


def test_file_without_good_rows_is_not_skipped(importer: Importer, reject_path: Path) -> None:
    report = importer.import_rows("r1,never,A,B,call", "r2,never,A,B,call", skip_bad=reject_path)
    assert (report.ok, report.set_aside, report.error_count) == (False, "", 2)
    assert [path.name for path in importer.folder.iterdir()] == ["log.csv"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("there.csv", "the file exists, and its content would be lost"),
        ("mend.txt", "name a .csv file"),
        ("nowhere/mend.csv", "No such file or directory"),
    ],
)
def test_unusable_path_is_refused(importer: Importer, name: str, expected: str) -> None:
    (importer.folder / "there.csv").write_text("half mended")
    with pytest.raises(ImportRefusedError, match=expected):
        importer.import_rows(GOOD, "r2,never,A,B,call", skip_bad=importer.folder / name)
    assert importer.programme.events == {}
    assert (importer.folder / "there.csv").read_text() == "half mended"


def test_interrupted_import_can_be_repeated(importer: Importer, reject_path: Path) -> None:
    importer.programme = FakeProgramme(batch_size=1)
    importer.programme.fails_after = 1
    rows = (GOOD, "r2,2024-05-31,A,B,call", "r3,never,A,B,call")
    with pytest.raises(ImportInterruptedError):
        importer.import_rows(*rows, skip_bad=reject_path)
    assert [path.name for path in importer.folder.iterdir()] == ["log.csv"]
    importer.programme.fails_after = None
    report = importer.import_rows(*rows, skip_bad=reject_path)
    assert (format_counts(report), reject_path.exists()) == ("1 recorded 1 unchanged 1 wrong", True)


def test_server_refusal_is_not_skipped(importer: Importer, reject_path: Path) -> None:
    importer.programme.refused_id = "X"
    report = importer.import_rows(
        "r1,2024-05-31,X,B,call", "r2,never,A,B,call", skip_bad=reject_path
    )
    assert (report.ok, report.set_aside, reject_path.exists()) == (False, "", False)
    assert report.errors[-1].message == "is not wanted here"


def test_bad_organization_rows_are_rejected(importer: Importer, reject_path: Path) -> None:
    roster = importer.folder / "roster.csv"
    roster.write_text("id,name,aliases\nR1,One,O\nR2,Two,O;T\nR3,Three,T\n")
    report = import_organizations(
        importer.programme.client, roster, ImportOptions(skip_bad=reject_path)
    )
    assert format_counts(report) == "2 recorded 1 wrong"  # what a bad row claims is not taken
    assert sorted(importer.programme.organizations) == ["R1", "R3"]
    assert "R2,Two,O;T,aliases 'O' already means the organization R1" in reject_path.read_text()


def test_unreachable_server_leaves_no_file(
    importer: Importer, reject_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(**_: object) -> None:
        raise MutuaError("No server.", code=grpc.StatusCode.UNAVAILABLE)

    monkeypatch.setattr(importer.programme, "get_status", gone)
    with pytest.raises(MutuaError, match="No server"):
        importer.import_rows(GOOD, "r2,never,A,B,call", skip_bad=reject_path)
    assert [path.name for path in importer.folder.iterdir()] == ["log.csv"]
