"""What rows say about organizations, and what that changes."""

from collections.abc import Iterable, Mapping
from typing import Any

from mutua.ids import uuid7
from mutua.v1.event_pb2 import Event, ExternalId, OrganizationContent
from mutua.v1.query_service_pb2 import Organization
from mutua.v1.types_pb2 import OrganizationType
from services.imports.batches import ImportBatch
from services.imports.changes import MAX_LISTED_ROWS, RowChange
from services.imports.column_mapping import ColumnMapping
from services.imports.row_checker import ParsedRow, RowChecker, RowDecision, overlay
from services.imports.table import TableRow
from services.notation.dates import TimeReader
from services.notation.errors import NotationError
from services.notation.words import join_list, map_enum_words, read_list, read_word


class OrganizationRowChecker(RowChecker):
    """Compares rows with the roster. Fields that the file does not have are kept as they are."""

    fact_field = "organization_registered"
    key_field = "organization_id"

    def __init__(
        self,
        plan: ColumnMapping,
        programme: str,
        standing: ImportBatch,
        *,
        organizations: Iterable[Organization],
        dates: TimeReader,
    ) -> None:
        super().__init__(plan, programme, standing)
        self.changes: list[RowChange] = []
        """The first rows that change an organization."""
        self._dates = dates
        self._types = map_enum_words(OrganizationType.items())
        self._told = plan.sources.keys() - {"aliases"}
        self._roster: dict[str, OrganizationContent] = {}
        # Every id and alias that is spoken for, and by whom.
        self._bound: dict[str, str] = {}
        for organization in organizations:
            organization_id = organization.organization_id
            if organization.registered:
                self._roster[organization_id] = _content(organization)
                self._bound[organization_id] = organization_id
            self._bound |= dict.fromkeys(organization.aliases, organization_id)

    def read_field(self, said: Event, field: str, text: str) -> None:
        content = said.organization_registered.organization
        match field:
            case "aliases":
                content.aliases.extend(read_list(text))
            case "type":
                value = read_word(text, self._types)
                content.type = OrganizationType.ValueType(value)
            case "external_ids":
                content.external_ids.extend(map(_external_id, dict.fromkeys(read_list(text))))
            case "open_date":
                content.open_date.CopyFrom(self._dates.read_day(text).date)
            case "close_date":
                content.close_date.CopyFrom(self._dates.read_day(text).date)
            case _:
                setattr(content, field, text)

    def get_reference(self, said: Event) -> str:
        return said.organization_registered.organization.organization_id

    def normalize(self, said: Event) -> None:
        super().normalize(said)
        content = said.organization_registered.organization
        if content.organization_id in content.aliases:
            content.aliases.remove(content.organization_id)

    def decide(self, row: TableRow, told: ParsedRow) -> RowDecision:
        said = told.parse_event()
        content = said.organization_registered.organization
        organization_id = content.organization_id
        standing = self._roster.get(organization_id)
        merged = overlay(standing or OrganizationContent(), content, self._told)
        # Aliases are added, for nothing can take one away.
        merged.aliases[:] = sorted({*merged.aliases})
        words = (organization_id, *merged.aliases)
        for word in words:
            if (owner := self._bound.get(word, organization_id)) != organization_id:
                field = "organization_id" if word == organization_id else "aliases"
                raise NotationError(f"{word!r} already means the organization {owner}", field=field)
        self._bound |= dict.fromkeys(words, organization_id)
        if standing is None:
            return RowDecision("recorded")
        if merged == standing:
            return RowDecision("unchanged")
        said.organization_updated.organization.CopyFrom(merged)
        said.event_id = uuid7()
        if len(self.changes) < MAX_LISTED_ROWS:
            self.changes.append(_change(row.line, standing, merged))
        return RowDecision("corrected", said)


def _change(line: int, before: OrganizationContent, after: OrganizationContent) -> RowChange:
    old, new = _cells(before), _cells(after)
    fields = [
        name for name in OrganizationContent.DESCRIPTOR.fields_by_name if _differ(name, old, new)
    ]
    return RowChange(
        row=line,
        reference=after.organization_id,
        exchange_id="",
        before={field: old.get(field, "") for field in fields},
        after={field: new.get(field, "") for field in fields},
    )


def _cells(content: OrganizationContent) -> dict[str, str]:
    """The fields that have a value, each as a cell of a file."""
    return {field.name: _cell(field.name, value) for field, value in content.ListFields()}


def _differ(field: str, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    return old.get(field, "") != new.get(field, "")


def _cell(field: str, value: Any) -> str:
    match field:
        case "type":
            word = OrganizationType.Name(value).removeprefix("ORGANIZATION_TYPE_")
            return word.lower().replace("_", " ")
        case "aliases":
            return join_list(value)
        case "external_ids":
            return join_list(f"{each.scheme}:{each.value}" for each in value)
        case "open_date" | "close_date":
            return f"{value.year:04}-{value.month:02}-{value.day:02}"
        case _:
            return str(value)


def _content(organization: Organization) -> OrganizationContent:
    names = OrganizationContent.DESCRIPTOR.fields_by_name
    known = {field.name: value for field, value in organization.ListFields() if field.name in names}
    return OrganizationContent(**known)


def _external_id(text: str) -> ExternalId:
    scheme, colon, value = text.partition(":")
    if not colon:
        raise NotationError("must be scheme:value, such as ods:R1A, with ; between several")
    return ExternalId(scheme=scheme, value=value)
