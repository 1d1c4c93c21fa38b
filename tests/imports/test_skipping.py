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
def aside(tmp_path: Path) -> Path:
    return tmp_path / "mend.csv"


def test_bad_rows_are_written_as_they_stand(importer: Importer, aside: Path) -> None:
    report = importer.import_rows(
        GOOD,
        ' r2 ,never,"A, the first",A,chat',
        "r3,2024-05-31,A",
        "r4,2024-05-31,A,B,call,surplus",
        "r1,2024-05-31,A,B,visit",
        skip_bad=aside,
    )
    assert (report.ok, format_counts(report), report.acknowledged) == (
        True,
        "1 recorded 4 wrong",
        1,
    )
    assert (report.set_aside, report.counts.rows) == (str(aside), 5)
    header, *rows = aside.read_text(encoding="utf-8-sig").splitlines()
    assert header == "ref,date,giver,receiver,kind,what_to_mend"
    assert rows[0].startswith(' r2 ,never,"A, the first",A,chat,"occur_time is not a time')
    assert "; kind is no kind of ours" in rows[0]
    assert rows[1].startswith("r3,2024-05-31,A,,,kind is missing")
    assert rows[2].startswith("r4,2024-05-31,A,B,call,surplus,has 6 cells")
    assert rows[3].endswith('reference is on line 2 too, with other content"')


def test_a_mended_file_completes_its_batch(importer: Importer, aside: Path) -> None:
    importer.import_rows(GOOD, "r2,never,A,B,call", skip_bad=aside)
    aside.write_text(aside.read_text(encoding="utf-8-sig").replace("never", "2024-05-30"))
    mended = importer.import_file(aside, batch="log")
    assert (format_counts(mended), mended.unused) == ("1 recorded 1 missing", ("what_to_mend",))
    assert format_counts(importer.import_rows(GOOD, "r2,2024-05-30,A,B,call")) == "2 unchanged"


def test_what_to_mend_is_not_part_of_what_a_row_says(importer: Importer, aside: Path) -> None:
    header = "date,giver,receiver,kind"
    importer.import_rows("2024-05-31,A,B,call", "never,A,B,call", header=header, skip_bad=aside)
    aside.write_text(aside.read_text().replace("never", "2024-05-30"))
    assert format_counts(importer.import_file(aside, batch="log")) == "1 recorded 1 missing"
    rows = ("2024-05-31,A,B,call", "2024-05-30,A,B,call")
    assert format_counts(importer.import_rows(*rows, header=header)) == "2 unchanged"


def test_a_file_that_is_set_aside_again_has_one_column_of_what_to_mend(
    importer: Importer, aside: Path
) -> None:
    importer.import_rows(GOOD, "r2,never,A,B,call", skip_bad=aside)
    again = aside.with_name("again.csv")
    aside.write_text(aside.read_text() + GOOD + ",\n")
    importer.import_file(aside, batch="log", skip_bad=again)
    assert again.read_text() == "".join(aside.read_text().splitlines(keepends=True)[:2])


def test_the_separator_stays(importer: Importer, aside: Path) -> None:
    header = "ref;date;giver;receiver;kind"
    importer.import_rows(GOOD.replace(",", ";"), "r2;never;A;B;call", header=header, skip_bad=aside)
    assert aside.read_text(encoding="utf-8-sig").startswith(f"{header};what_to_mend\nr2;never;A")


def test_no_file_is_written_without_need(importer: Importer, aside: Path) -> None:
    assert importer.import_rows(GOOD, skip_bad=aside).set_aside == ""
    planned = importer.import_rows(GOOD, "r2,never,A,B,call", skip_bad=aside, dry_run=True)
    assert (planned.ok, planned.set_aside, planned.counts.wrong) == (True, str(aside), 1)
    assert [path.name for path in importer.folder.iterdir()] == ["log.csv"]


def test_a_file_without_one_good_row_was_misunderstood(importer: Importer, aside: Path) -> None:
    report = importer.import_rows("r1,never,A,B,call", "r2,never,A,B,call", skip_bad=aside)
    assert (report.ok, report.set_aside, report.error_count) == (False, "", 2)
    assert [path.name for path in importer.folder.iterdir()] == ["log.csv"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("there.csv", "the file exists, and its content would be lost"),
        ("mend.txt", "name a .csv file"),
        ("nowhere/mend.csv", "No such file or directory"),
    ],
)
def test_a_place_that_cannot_be_used(importer: Importer, name: str, said: str) -> None:
    (importer.folder / "there.csv").write_text("half mended")
    with pytest.raises(ImportRefusedError, match=said):
        importer.import_rows(GOOD, "r2,never,A,B,call", skip_bad=importer.folder / name)
    assert importer.programme.events == {}
    assert (importer.folder / "there.csv").read_text() == "half mended"


def test_an_interrupted_import_is_typed_again(importer: Importer, aside: Path) -> None:
    importer.programme = FakeProgramme(batch_size=1)
    importer.programme.fails_after = 1
    rows = (GOOD, "r2,2024-05-31,A,B,call", "r3,never,A,B,call")
    with pytest.raises(ImportInterruptedError):
        importer.import_rows(*rows, skip_bad=aside)
    assert [path.name for path in importer.folder.iterdir()] == ["log.csv"]
    importer.programme.fails_after = None
    report = importer.import_rows(*rows, skip_bad=aside)
    assert (format_counts(report), aside.exists()) == ("1 recorded 1 unchanged 1 wrong", True)


def test_what_the_server_refuses_is_not_set_aside(importer: Importer, aside: Path) -> None:
    importer.programme.refused_id = "X"
    report = importer.import_rows("r1,2024-05-31,X,B,call", "r2,never,A,B,call", skip_bad=aside)
    assert (report.ok, report.set_aside, aside.exists()) == (False, "", False)
    assert report.errors[-1].message == "is not wanted here"


def test_organizations_too(importer: Importer, aside: Path) -> None:
    roster = importer.folder / "roster.csv"
    roster.write_text("id,name,aliases\nR1,One,O\nR2,Two,O;T\nR3,Three,T\n")
    report = import_organizations(importer.programme.client, roster, ImportOptions(skip_bad=aside))
    assert format_counts(report) == "2 recorded 1 wrong"  # what a bad row claims is not taken
    assert sorted(importer.programme.organizations) == ["R1", "R3"]
    assert "R2,Two,O;T,aliases 'O' already means the organization R1" in aside.read_text()


def test_a_server_that_cannot_be_asked_leaves_nothing_behind(
    importer: Importer, aside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(**_: object) -> None:
        raise MutuaError("No server.", code=grpc.StatusCode.UNAVAILABLE)

    monkeypatch.setattr(importer.programme, "get_status", gone)
    with pytest.raises(MutuaError, match="No server"):
        importer.import_rows(GOOD, "r2,never,A,B,call", skip_bad=aside)
    assert [path.name for path in importer.folder.iterdir()] == ["log.csv"]
