"""Any history of one batch: files, mended rows, corrections and retractions by hand, undos.

The oracle is a table of the rows that must stand, each with its content.
"""

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1.query_service_pb2 import EXCHANGE_STATE_RETRACTED, Exchange
from services.imports.undo import undo_import
from tests.imports.importer import Importer, correct_by_hand, format_counts

FORMS = ("2024-03-{:02d}", "{:d} March 2024", "{:02d}.03.2024")
KINDS = {"call": 3, "visit": 8}
Meaning = tuple[int, str, int]
"""Day, kind and minutes of a row; the parties are always the same."""
Key = tuple[str, int]
"""The identity of a row in the oracle, and the number of earlier rows with that identity."""

meanings = st.tuples(st.integers(13, 15), st.sampled_from(sorted(KINDS)), st.sampled_from((30, 45)))
appended = st.lists(st.tuples(meanings, st.booleans()), max_size=3)
"""New rows of a file, and whether the minutes of each are readable at first."""
steps = st.lists(
    st.one_of(
        st.tuples(st.just("import"), appended),
        st.tuples(st.just("correct"), st.integers(0, 9)),
        st.tuples(st.just("retract"), st.integers(0, 9)),
        st.tuples(st.just("undo"), st.none()),
    ),
    max_size=8,
)


@dataclass
class Oracle:
    """The expected state: `minutes` by row, without rows whose exchange was retracted by hand."""

    minutes: dict[Key, int] = field(default_factory=dict)
    retracted: set[Key] = field(default_factory=set)

    def imported(self, rows: list[tuple[str, Meaning]]) -> None:
        counts: Counter[str] = Counter()
        for name, meaning in rows:
            counts[name] += 1
            key = (name, counts[name])
            if key not in self.retracted:
                self.minutes.setdefault(key, meaning[2])


class History:
    """One file that grows, its imports, and what the oracle expects."""

    def __init__(self, folder: Path, draw: st.DataObject, *, numbered: bool) -> None:
        self.importer, self.oracle = Importer(folder), Oracle()
        self.rows: list[Meaning] = []
        self._draw, self._numbered, self._count = draw, numbered, 0

    def name(self, number: int) -> str:
        """The identity of a row: its reference, or its content."""
        return str(number) if self._numbered else "/".join(map(str, self.rows[number]))

    def text(self, number: int, columns: list[str], *, bad: bool = False) -> str:
        day, kind, minutes = self.rows[number]
        cells = {
            "ref": str(number),
            "date": self._draw.draw(st.sampled_from(FORMS)).format(day),
            "from": "Ash",
            "to": "Elm",
            "kind": self._draw.draw(st.sampled_from((kind, kind.upper()))),
            "minutes": "soon" if bad else f"{minutes}",
            "Exported at": str(self._count),
        }
        return ",".join(cells[column] for column in columns)

    def import_file(self, added: list[tuple[Meaning, bool]]) -> None:
        """Imports with bad rows rejected, then the mended rows, then the file twice."""
        first_new = len(self.rows)
        self.rows += [meaning for meaning, _ in added]
        bad = {first_new + place for place, (_, is_good) in enumerate(added) if not is_good}
        numbers = list(range(len(self.rows)))
        columns = ["date", "from", "to", "kind", "minutes", "Exported at"]
        if self._numbered:
            columns.append("ref")
            numbers = self._draw.draw(st.permutations(numbers))
        columns = self._draw.draw(st.permutations(columns))
        self._count += 1
        reject_path = self.importer.folder / f"mend-{self._count}.csv"
        if bad and len(bad) < len(numbers):
            texts = [self.text(number, columns, bad=number in bad) for number in numbers]
            self.importer.import_rows(*texts, header=",".join(columns), skip_bad=reject_path)
            lines = reject_path.read_text(encoding="utf-8-sig").splitlines()
            set_aside = [number for number in numbers if number in bad]
            mended = [
                line.replace("soon", str(self.rows[number][2]), 1)
                for number, line in zip(set_aside, lines[1:], strict=True)
            ]
            reject_path.write_text("\n".join((lines[0], *mended)))
            for _ in range(2):
                assert self.importer.import_file(reject_path, batch="log").ok
        self.oracle.imported([(self.name(number), self.rows[number]) for number in numbers])
        for _ in range(2):
            texts = [self.text(number, columns) for number in numbers]
            report = self.importer.import_rows(*texts, header=",".join(columns)) if texts else None
        assert report is None or "recorded" not in format_counts(report)

    def pick(self, place: int) -> tuple[Key, Exchange] | None:
        """A standing exchange and its row."""
        minutes_by_row = sorted(self._standing().items())
        return minutes_by_row[place % len(minutes_by_row)] if minutes_by_row else None

    def correct(self, place: int) -> None:
        if (picked := self.pick(place)) is not None:
            key, exchange = picked
            correct_by_hand(exchange, giver_minutes=60)
            self.oracle.minutes[key] = 60

    def retract(self, place: int) -> None:
        if (picked := self.pick(place)) is not None:
            key, exchange = picked
            self.importer.programme.retract(exchange.exchange_id)
            del self.oracle.minutes[key]
            self.oracle.retracted.add(key)

    def undo(self) -> None:
        if self.importer.programme.exchanges:
            undo_import(self.importer.programme.client, "log")
            self.oracle.minutes.clear()

    def _standing(self) -> dict[Key, Exchange]:
        standing = {}
        for exchange in self.importer.programme.exchanges.values():
            if exchange.state != EXCHANGE_STATE_RETRACTED:
                first = exchange.revisions[0]
                name, number = first.source.reference, 1
                if not self._numbered:
                    day, kind = first.occur_time.ToDatetime().day, first.content.kind
                    word = next(word for word, each in KINDS.items() if each == kind)
                    name = f"{day}/{word}/{first.content.giver_minutes}"
                    number = int(first.source.reference.split("@")[0].rpartition("-")[2])
                standing[name, number] = exchange
        return standing

    def check(self) -> None:
        minutes_by_row = {
            key: each.revisions[-1].content.giver_minutes for key, each in self._standing().items()
        }
        assert minutes_by_row == self.oracle.minutes


@settings(max_examples=25, deadline=None)
@given(st.data(), st.booleans(), steps)
def test_final_state_equals_oracle(
    data: st.DataObject,
    numbered: bool,  # noqa: FBT001 - drawn
    history: list[tuple[str, object]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = History(Path(folder), data, numbered=numbered)
        for step, value in [*history, ("import", [])]:
            match step, value:
                case "import", list():
                    state.import_file(value)
                case "correct", int():
                    state.correct(value)
                case "retract", int():
                    state.retract(value)
                case _:
                    state.undo()
            state.check()
