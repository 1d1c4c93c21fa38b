"""What the cells of a row say of an exchange itself: all but when it was, and its reference."""

from collections.abc import Iterable, Mapping
from typing import Final

from mutua.directory import AmbiguousName, Directory
from mutua.v1.event_pb2 import ExchangeContent
from mutua.v1.query_service_pb2 import Organization
from mutua.v1.types_pb2 import ExchangeKind, Formality, ReportSide
from services.imports import cells
from services.imports.cells import CellError
from services.imports.report import ImportRefused

_FURTHER_WORDS: Final = {
    "call": ("phone_call", "telephone_call", "video_call"),
    "message": ("e_mail", "email"),
    "visit": ("site_visit",),
}
# Finding what resembles one name takes about a millisecond.
_STRANGERS_COMPARED: Final = 200
_STRANGERS_SHOWN: Final = 10


class ContentReader:
    """Reads parties by the names of the roster; `strangers` are those that it does not know."""

    def __init__(self, organizations: Iterable[Organization], kind_map: Mapping[str, str]) -> None:
        """Raises ImportRefused when `kind_map` (word of the file to kind) names no kind of ours."""
        known = list(organizations)
        self.strangers: set[str] = set()
        self._directory = Directory(known)
        self._has_roster = any(organization.registered for organization in known)
        self._kinds = _kind_words(kind_map)
        self._formalities = cells.enum_words(Formality.items())
        self._sides = cells.enum_words(ReportSide.items())
        self._parties: dict[str, list[str]] = {}

    def read_field(self, content: ExchangeContent, field: str, text: str) -> None:
        """Adds what a cell says, which is never empty. Raises CellError."""
        match field:
            case "giver":
                content.giver_ids.extend(self._read_parties(text))
            case "receiver":
                content.receiver_ids.extend(self._read_parties(text))
            case "kind":
                content.kind = ExchangeKind.ValueType(self._read_kind(text))
            case "formality":
                content.formality = Formality.ValueType(cells.read_word(text, self._formalities))
            case "topics":
                content.topics.extend(cells.read_topics(text))
            case "reported_by":
                content.reported_by = self._read_side(text, content)
            case "note":
                content.note.plain = text
            case _:
                setattr(content, field, cells.read_minutes(text))

    def strangers_note(self) -> str:
        """Names those first that look like somebody known; "" when there is no roster or nobody."""
        if not (self.strangers and self._has_roster):
            return ""
        compared = sorted(self.strangers)[:_STRANGERS_COMPARED]
        near = {name: self._directory.resembling(name) for name in compared}
        told = []
        for name in sorted(near, key=lambda name: not near[name])[:_STRANGERS_SHOWN]:
            alike = " or ".join(map(self._directory.label, near[name]))
            told.append(f"{name} (did you mean {alike}?)" if alike else name)
        more = len(self.strangers) - len(told)
        return (
            "New and not on the roster, so counted as unregistered organizations: "
            f"{', '.join(told)}{f' and {more:,} more' if more else ''}."
        )

    def _read_parties(self, text: str) -> list[str]:
        if text not in self._parties:
            found = {name: self._find(name) for name in cells.read_list(text)}
            self.strangers.update(name for name in found if found[name] is None)
            self._parties[text] = [found[name] or name for name in found]
        return self._parties[text]

    def _find(self, name: str) -> str | None:
        try:
            return self._directory.find(name)
        except AmbiguousName as error:
            raise CellError(f"{error}; write the id") from error

    def _read_side(self, text: str, content: ExchangeContent) -> ReportSide.ValueType:
        """The side by its word, or by one of the parties' ids or names."""
        if side := self._sides.get(cells.normalized_word(text)):
            return ReportSide.ValueType(side)
        reporter = self._find(text)
        if (reporter or text) in content.giver_ids:
            return ReportSide.REPORT_SIDE_GIVER
        if (reporter or text) in content.receiver_ids:
            return ReportSide.REPORT_SIDE_RECEIVER
        if reporter is None:
            raise CellError("is not giver, receiver or third-party, nor an organization we know")
        return ReportSide.REPORT_SIDE_THIRD_PARTY

    def _read_kind(self, text: str) -> int:
        word = text if " " not in text else f'"{text}"'
        remedy = f"is no kind of ours; say which it means: --kind-map {word}=KIND"
        return cells.read_word(text, self._kinds, remedy)


def _kind_words(kind_map: Mapping[str, str]) -> dict[str, int]:
    """Normalized words to kinds: the contract's, a few of every day, and the user's own."""
    ours = cells.enum_words(ExchangeKind.items())
    words = ours | {word: ours[kind] for kind in _FURTHER_WORDS for word in _FURTHER_WORDS[kind]}
    for word, kind in kind_map.items():
        try:
            words[cells.normalized_word(word)] = cells.read_word(kind, ours)
        except CellError as error:
            raise ImportRefused(f"--kind-map {word}={kind}: {kind!r} {error}.") from error
    return words
