"""Whatever a program of people writes as CSV is read; what is none is refused with a remedy."""

import gzip
from pathlib import Path

import pytest

from services.imports import ImportRefusedError, csv_table
from services.imports.header import TableRequest
from services.imports.table_file import derive_batch_name, open_table

ANY_TABLE = TableRequest(fields=())


def lines_and_cells(path: Path) -> list[tuple[int, list[str]]]:
    with open_table(path, ANY_TABLE) as table:
        assert table.header == ("from", "to")
        return [(row.line, row.cells) for row in table.rows]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"from,to\nA,B\n", [(2, ["A", "B"])]),
        (b"from;to\nA;B", [(2, ["A", "B"])]),
        (b"from\tto\nA\tB\n", [(2, ["A", "B"])]),
        (b'"from";"to"\r\nA;"B;C"\r\n', [(2, ["A", "B;C"])]),
        (b"\xef\xbb\xbffrom, to \nA,B\n", [(2, ["A", "B"])]),
        (b'from,to\n"A\nA","B"\nC,D\n', [(2, ["A\nA", "B"]), (4, ["C", "D"])]),
        (b"from,to\n\n,\nA,B\n", [(4, ["A", "B"])]),
        (b"from,to\nA\n", [(2, ["A", ""])]),
        (b"from,to\n", []),
        ("from,to\nÅ,B\n".encode(), [(2, ["Å", "B"])]),
    ],
)
def test_file_is_read(tmp_path: Path, content: bytes, rows: list[tuple[int, list[str]]]) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    assert lines_and_cells(plain) == lines_and_cells(packed) == rows


@pytest.fixture(params=[1, 5, 1 << 18])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in blocks of so many bytes, or a line more."""
    monkeypatch.setattr(csv_table, "_BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("block")
def test_block_size_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('\ufefffrom,to\r\nÅ,"two\r\nlines"\r\n\r\nC,\u2028D\x0b\x1cE\r\n'.encode())
    assert lines_and_cells(path) == [(2, ["Å", "two\r\nlines"]), (5, ["C", "\u2028D\x0b\x1cE"])]


def test_long_cell_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"from,to\nA,{'x' * 100_000}\n")
    assert lines_and_cells(tmp_path / "a.csv") == [(2, ["A", "x" * 100_000])]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.doc", b"", "a.doc has none of the endings .csv, .tsv, .txt"),
        ("a.csv", b"PK\x03\x04", "an Excel or zip file"),
        ("a.csv", b"", "no row with the column names"),
        ("a.csv", b"  \n\n", "no row with the column names"),
        ("a.csv", b"from,to\nA,B\nA\0,B\n", "line 3 has a NUL byte (byte 13"),
        ("a.csv", b"from,to\nA,B\nM\xfcnchen,B\n", "byte 13 on line 3"),
        ("a.csv", b"\xef\xbb\xbffrom,\xfc\n", "byte 8 on line 1"),
        ("a.csv", b"M\xfcnchen\n", "save as UTF-8"),
        ("a.csv", b"\xff\xfea", "damaged UTF-16 text"),
        ("a.csv", b'from,to\nA,B\n"A,B\nC,D\n', "row that starts on line 3"),
        ("a.csv", b"from,to\n" + b'"' + b"x" * 200_000 + b'"', "row that starts on line 2"),
        ("a.csv.gz", gzip.compress(b"from,to\n" + b"A,B\n" * 999, mtime=0)[:-20], "is damaged"),
        ("a.csv.gz", b"\x1f\x8bnonsense", "is damaged"),
    ],
)
@pytest.mark.usefixtures("block")
def test_unreadable_file_is_refused(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with (
        pytest.raises(ImportRefusedError) as refused,
        open_table(tmp_path / name, ANY_TABLE) as table,
    ):
        list(table.rows)
    assert expected in str(refused.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(ImportRefusedError, match=r"gone\.csv cannot be read: No such file"),
        open_table(tmp_path / "gone.csv", ANY_TABLE),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "batch"),
    [("a.csv", "a"), ("a.b.csv.gz", "a.b"), ("A.CSV", "A"), ("2024.Q1.Csv", "2024.Q1")],
)
def test_batch_name_omits_suffixes(name: str, batch: str) -> None:
    assert derive_batch_name(Path(name)) == batch
